//! Go templates, as far as `--format` uses them.
//!
//! [`Template::parse`] reads the text into a tree ([`lex`], [`parse`]); [`Template::execute`] walks it over a
//! [`Value`] ([`eval`], [`funcs`], [`print`]). Messages follow Go's text/template, because scripts and people
//! know them; everything is total: no input makes this code panic.

mod compare;
mod eval;
mod funcs;
mod lex;
mod number;
mod parse;
mod print;
mod printf;
mod tree;
mod value;

pub use value::{Row, Value};

use std::collections::BTreeMap;

/// A parsed template.
#[derive(Debug, Clone)]
pub struct Template {
    name: &'static str,
    text: String,
    root: Vec<tree::Node>,
    /// `{{define}}` and `{{block}}`, by name.
    named: BTreeMap<String, Vec<tree::Node>>,
}

/// How strictly missing things are treated, and what the functions mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The daemon's document: an unknown member is `map has no entry for key`.
    Document,
    /// A document standing for the Go type of this name: `can't evaluate field X in type T`.
    Typed(&'static str),
    /// The header line of a table: a map of titles, where text functions leave the title alone.
    Header,
}

/// Why a template cannot be parsed or executed; `Display` is Go's whole message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);

impl Template {
    /// Parses `text`. `name` appears in messages; docker uses an empty one nearly everywhere.
    pub fn parse(name: &'static str, text: &str) -> Result<Self, TemplateError> {
        let tokens = lex::lex(text).map_err(|e| e.with(name, text))?;
        let (root, named) = parse::parse(tokens).map_err(|e| e.with(name, text))?;
        Ok(Self { name, text: text.to_owned(), root, named })
    }

    /// Runs the template over `data`.
    pub fn execute(&self, data: &Value, mode: Mode) -> Result<String, TemplateError> {
        eval::run(self, data, mode)
    }
}

/// A syntax error at a byte offset.
#[derive(Debug)]
struct SyntaxError {
    at: usize,
    message: String,
}

impl SyntaxError {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    fn with(self, name: &str, text: &str) -> TemplateError {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        TemplateError(format!("template: {name}:{line}: {}", self.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Doc;

    fn run(text: &str) -> Result<String, String> {
        let doc = Doc::parse(r#"{"A":{"B":[1,2]},"Name":"x","Labels":{"k":"v"}}"#).unwrap();
        let template = Template::parse("", text).map_err(|e| e.to_string())?;
        template.execute(&doc.into(), Mode::Document).map_err(|e| e.to_string())
    }

    #[test]
    fn no_prefix_of_a_template_makes_the_parser_fall_over() {
        let text = "a{{- /* c */ -}} {{range $i, $e := .A.B}}{{if eq $i 1}}é{{else if 0}}{{(index .X 0).Y | printf \"%5.1q\" 'c'}}{{end}}{{else}}{{template \"t\" $}}{{end}}{{define \"t\"}}{{with `x`}}{{.}}{{end}}{{end}}";
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            // Whatever the result: it is a result.
            let _ = run(&text[..end]);
            let _ = run(&text[end..]);
        }
    }

    #[test]
    fn nesting_and_recursion_have_an_end() {
        let deep = format!("{{{{{}1{}}}}}", "(".repeat(5000), ")".repeat(5000));
        assert!(run(&deep).unwrap_err().contains("nested too deeply"));
        assert!(run(&"{{if 1}}".repeat(5000)).unwrap_err().contains("nested too deeply"));
        let endless = r#"{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}"#;
        assert!(run(endless).unwrap_err().contains("exceeded maximum template depth"));
    }

    #[test]
    fn lines_and_columns_point_at_the_operand() {
        let text = run("ok\n  {{.Name}}{{.A.Nope}}").unwrap_err();
        assert_eq!(text, "template: :2:15: executing \"\" at <.A.Nope>: map has no entry for key \"Nope\"");
    }

    #[test]
    fn maps_and_structs_differ_in_what_a_missing_key_means() {
        assert_eq!(run("{{.Labels.none}}").unwrap(), "<no value>");
        assert_eq!(run("{{index .Labels \"none\"}}|").unwrap(), "|");
        assert!(run("{{.A.none}}").is_err());
    }
}
