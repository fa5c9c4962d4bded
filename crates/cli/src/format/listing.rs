//! `--format` of listings: tables, templates and JSON lines.

use crate::error::{CliError, Result};
use crate::json::Doc;
use crate::template::{Mode, Row, Template, TemplateError, Value};

/// What one kind of listing looks like.
#[derive(Debug, Clone, Copy)]
pub struct Listing {
    /// The Go type named in errors.
    pub type_name: &'static str,
    /// Field and column title.
    pub titles: &'static [(&'static str, &'static str)],
    /// Whether rows have a `Label` method.
    pub has_labels: bool,
    /// Text before a template error: docker's listings differ.
    pub error_prefix: [&'static str; 2],
}

/// Prefixes for parse and execution errors that most listings use.
pub const PREFIX: [&str; 2] = ["template parsing error: ", "template parsing error: "];

impl Listing {
    /// Renders `rows` by `format` (`default` where it is empty or `table`).
    pub fn render(&self, format: &str, default: &str, rows: Vec<Row>) -> Result<String> {
        let format = match format {
            "" | "table" => default,
            "json" => "{{json .}}",
            other => other,
        };
        let format = format.replace("\\t", "\t").replace("\\n", "\n");
        let (is_table, text) = match format.strip_prefix("table") {
            Some(rest) => (true, rest.trim_start_matches(' ')),
            None => (false, format.as_str()),
        };
        let [parse_prefix, run_prefix] = self.error_prefix;
        let failed =
            |prefix: &str, e: TemplateError| CliError::Template { text: format!("{prefix}{e}"), code: 1 };
        let template = Template::parse("", text).map_err(|e| failed(parse_prefix, e))?;
        let mut body = String::new();
        for row in rows {
            let line = template
                .execute(&Value::from(row), Mode::Typed(self.type_name))
                .map_err(|e| failed(run_prefix, e))?;
            body.push_str(&line);
            body.push('\n');
        }
        if !is_table {
            return Ok(body);
        }
        let header = template.execute(&self.header(), Mode::Header).map_err(|e| failed(run_prefix, e))?;
        Ok(crate::format::table::align(&format!("{header}\n{body}")))
    }

    /// Checks a template before any request is made.
    pub fn check(&self, format: &str) -> Result<()> {
        let [parse_prefix, _] = self.error_prefix;
        Template::parse("", format)
            .map(|_| ())
            .map_err(|e| CliError::Template { text: format!("{parse_prefix}{e}"), code: 1 })
    }

    fn header(&self) -> Value {
        let fields = self.titles.iter().map(|(field, title)| (*field, Doc::from(*title))).collect();
        let labels = if self.has_labels { Some(Vec::new()) } else { None };
        Row { type_name: self.type_name, fields, labels }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THINGS: Listing = Listing {
        type_name: "*formatter.thing",
        titles: &[("ID", "THING ID"), ("Name", "NAME")],
        has_labels: true,
        error_prefix: PREFIX,
    };

    fn rows() -> Vec<Row> {
        let row = |id: &str, name: &str| Row {
            type_name: THINGS.type_name,
            fields: vec![("ID", Doc::from(id)), ("Name", Doc::from(name))],
            labels: Some(vec![("a.b".into(), name.to_uppercase())]),
        };
        vec![row("1", "one"), row("2", "two")]
    }

    #[test]
    fn tables_have_titles_even_through_functions() {
        let text = THINGS.render("table {{.ID}}\\t{{upper .Name}}\t{{.Label \"a.b\"}}", "", rows()).unwrap();
        assert_eq!(text, "THING ID   NAME      b\n1          ONE       ONE\n2          TWO       TWO\n");
    }

    #[test]
    fn json_lines_have_sorted_members() {
        assert_eq!(
            THINGS.render("json", "", rows()).unwrap().lines().next(),
            Some(r#"{"ID":"1","Name":"one"}"#)
        );
    }

    #[test]
    fn unknown_fields_name_the_type() {
        let text = THINGS.render("{{.Nope}}", "", rows()).unwrap_err().to_string();
        assert_eq!(
            text,
            "template parsing error: template: :1:2: executing \"\" at <.Nope>: can't evaluate field Nope in type *formatter.thing"
        );
    }
}
