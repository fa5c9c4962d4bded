//! Walking the tree over a value.

use super::funcs::{self, Argument, Failure};
use super::tree::{Branch, Command, Kind, Node, Pipe, Word};
use super::value::Value;
use super::{Mode, Template, TemplateError, print};
use crate::json::Doc;

/// Deepest nesting of `{{template}}` calls.
const MAX_CALLS: usize = 100;

/// Runs `template` over `data`.
pub fn run(template: &Template, data: &Value, mode: Mode) -> Result<String, TemplateError> {
    let mut state = State {
        template,
        mode,
        inside: template.name.to_owned(),
        out: String::new(),
        variables: vec![("$".into(), data.clone())],
        calls: 0,
    };
    state.list(&template.root, data)?;
    Ok(state.out)
}

struct State<'a> {
    template: &'a Template,
    mode: Mode,
    /// The template being executed, for messages.
    inside: String,
    out: String,
    variables: Vec<(String, Value)>,
    calls: usize,
}

enum Flow {
    Next,
    Break,
    Continue,
}

type Run<T> = Result<T, TemplateError>;

impl<'a> State<'a> {
    /// Go's message for an execution error at a byte offset.
    fn error(&self, at: usize, context: &str, message: impl std::fmt::Display) -> TemplateError {
        let before = self.template.text.get(..at).unwrap_or(&self.template.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rfind('\n').map_or(at, |newline| at - newline - 1);
        TemplateError(format!(
            "template: {}:{line}:{column}: executing {:?} at <{context}>: {message}",
            self.template.name, self.inside
        ))
    }

    fn list(&mut self, nodes: &'a [Node], dot: &Value) -> Run<Flow> {
        for node in nodes {
            match node {
                Node::Text(text) => self.out.push_str(text),
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.out.push_str(&print::value(&value));
                    }
                }
                Node::If(branch) | Node::With(branch) => {
                    let is_with = matches!(node, Node::With(_));
                    let mark = self.variables.len();
                    let value = self.pipe(&branch.pipe, dot)?;
                    let flow = match (value.truth(), is_with) {
                        (true, true) => self.list(&branch.then, &value)?,
                        (true, false) => self.list(&branch.then, dot)?,
                        (false, _) => self.list(&branch.otherwise, dot)?,
                    };
                    self.variables.truncate(mark);
                    if !matches!(flow, Flow::Next) {
                        return Ok(flow);
                    }
                }
                Node::Range(branch) => {
                    let flow = self.range(branch, dot)?;
                    if !matches!(flow, Flow::Next) {
                        return Ok(flow);
                    }
                }
                Node::Template { at, name, data } => self.call_template(*at, name, data.as_ref(), dot)?,
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::Next)
    }

    fn range(&mut self, branch: &'a Branch, dot: &Value) -> Run<Flow> {
        let outer = self.variables.len();
        let value = self.pipe_value(&branch.pipe, dot)?;
        let elements = value.elements().map_err(|()| {
            let message = format!("range can't iterate over {}", print::value(&value));
            self.error(branch.pipe.at, &branch.pipe.to_string(), message)
        })?;
        if elements.is_empty() {
            return self.list(&branch.otherwise, dot);
        }
        for (key, element) in elements {
            match branch.pipe.variables.as_slice() {
                [] => {}
                [only] => self.bind(only, element.clone(), branch.pipe.assigns),
                [first, second, ..] => {
                    self.bind(first, key, branch.pipe.assigns);
                    self.bind(second, element.clone(), branch.pipe.assigns);
                }
            }
            let flow = self.list(&branch.then, &element)?;
            self.variables.truncate(outer);
            if matches!(flow, Flow::Break) {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn call_template(&mut self, at: usize, name: &str, data: Option<&'a Pipe>, dot: &Value) -> Run<()> {
        let context = match data {
            Some(data) => format!("{{{{template {name:?} {data}}}}}"),
            None => format!("{{{{template {name:?}}}}}"),
        };
        let template = self.template;
        let body = template
            .named
            .get(name)
            .ok_or_else(|| self.error(at, &context, format_args!("template {name:?} not defined")))?;
        let argument = match data {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => Value::Missing,
        };
        if self.calls >= MAX_CALLS {
            return Err(self.error(
                at,
                &context,
                format_args!("exceeded maximum template depth ({MAX_CALLS})"),
            ));
        }
        self.calls += 1;
        let variables = std::mem::replace(&mut self.variables, vec![("$".into(), argument.clone())]);
        let inside = std::mem::replace(&mut self.inside, name.to_owned());
        self.list(body, &argument)?;
        self.inside = inside;
        self.variables = variables;
        self.calls -= 1;
        Ok(())
    }

    fn bind(&mut self, name: &str, value: Value, assigns: bool) {
        match self.variables.iter_mut().rev().find(|(known, _)| assigns && known == name) {
            Some(slot) => slot.1 = value,
            None => self.variables.push((name.to_owned(), value)),
        }
    }

    /// A pipeline's value, bound to its variables.
    fn pipe(&mut self, pipe: &'a Pipe, dot: &Value) -> Run<Value> {
        let value = self.pipe_value(pipe, dot)?;
        for name in &pipe.variables {
            self.bind(name, value.clone(), pipe.assigns);
        }
        Ok(value)
    }

    fn pipe_value(&mut self, pipe: &'a Pipe, dot: &Value) -> Run<Value> {
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, dot, last)?);
        }
        Ok(last.unwrap_or(Value::Missing))
    }

    /// One command; `piped` is the previous one's result, its last argument.
    fn command(&mut self, command: &'a Command, dot: &Value, piped: Option<Value>) -> Run<Value> {
        let Some((first, rest)) = command.words.split_first() else {
            return Ok(Value::Missing);
        };
        if let Kind::Function(name) = &first.kind {
            return self.function(command, first, name, rest, dot, piped);
        }
        if matches!(first.kind, Kind::Nil) {
            return Err(self.error(first.at, "nil", "nil is not a command"));
        }
        if rest.is_empty() && piped.is_none() {
            return self.word(first, dot);
        }
        if let Kind::Field(names) = &first.kind
            && let [name] = names.as_slice()
            && let Value::Row(row) = dot
            && let (Some(labels), "Label") = (&row.labels, name.as_str())
        {
            let argument = match rest.first() {
                Some(word) => self.word(word, dot)?,
                None => piped.unwrap_or(Value::Missing),
            };
            let key = argument.as_str().unwrap_or_default();
            if self.mode == Mode::Header {
                let title = key.rsplit('.').next().unwrap_or(key);
                return Ok(Value::text(title.replace(['-', '_'], " ")));
            }
            let value = labels.iter().find(|(label, _)| label == key).map_or("", |(_, value)| value);
            return Ok(Value::text(value));
        }
        let message = match &first.kind {
            Kind::Field(names) | Kind::Chain(_, names) => {
                let name = names.last().map_or("", String::as_str);
                self.word(first, dot)?;
                format!("{name} is not a method but has arguments")
            }
            _ => format!("can't give argument to non-function {first}"),
        };
        Err(self.error(first.at, &first.to_string(), message))
    }

    fn function(
        &mut self,
        command: &'a Command,
        first: &'a Word,
        name: &str,
        rest: &'a [Word],
        dot: &Value,
        piped: Option<Value>,
    ) -> Run<Value> {
        if matches!(name, "and" | "or") && !(rest.is_empty() && piped.is_none()) {
            // Both stop at the first operand that decides.
            let mut value = Value::Missing;
            for word in rest {
                value = self.word(word, dot)?;
                if value.truth() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(piped.unwrap_or(value));
        }
        let mut args = Vec::with_capacity(rest.len() + 1);
        for word in rest {
            args.push(Argument { value: self.word(word, dot)?, word: Some(word) });
        }
        args.extend(piped.map(|value| Argument { value, word: None }));
        funcs::call(name, &args, self.mode).map_err(|failure| match failure {
            Failure::Arity(message) => self.error(first.at, name, message),
            Failure::Argument(Some(word), message) => self.error(word.at, &word.to_string(), message),
            Failure::Argument(None, message) => self.error(first.at, name, message),
            Failure::Call(message) => {
                self.error(command.at, &command.to_string(), format_args!("error calling {name}: {message}"))
            }
        })
    }

    fn word(&mut self, word: &'a Word, dot: &Value) -> Run<Value> {
        Ok(match &word.kind {
            Kind::Dot => dot.clone(),
            Kind::Nil => Doc::Null.into(),
            Kind::Bool(value) => Doc::Bool(*value).into(),
            Kind::Int(value, _) => Doc::from(*value).into(),
            Kind::Float(value, _) => {
                serde_json::Number::from_f64(*value).map_or(Doc::Null, Doc::Number).into()
            }
            Kind::Text(value, _) => Value::text(value.clone()),
            Kind::Field(names) => self.fields(dot.clone(), names, word)?,
            Kind::Variable(names) => {
                let (name, fields) =
                    names.split_first().map_or(("$", names.as_slice()), |(n, f)| (n.as_str(), f));
                let value = self
                    .variables
                    .iter()
                    .rev()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.clone());
                self.fields(value.unwrap_or(Value::Missing), fields, word)?
            }
            Kind::Chain(inner, names) => {
                let value = self.word(inner, dot)?;
                self.fields(value, names, word)?
            }
            Kind::Pipe(pipe) => {
                let mark = self.variables.len();
                let value = self.pipe(pipe, dot)?;
                self.variables.truncate(mark);
                value
            }
            Kind::Function(name) => {
                let call = funcs::call(name, &[], self.mode);
                return call.map_err(|failure| match failure {
                    Failure::Arity(message) | Failure::Argument(_, message) => {
                        self.error(word.at, name, message)
                    }
                    Failure::Call(message) => {
                        self.error(word.at, name, format_args!("error calling {name}: {message}"))
                    }
                });
            }
        })
    }

    fn fields(&self, value: Value, names: &[String], word: &Word) -> Run<Value> {
        names.iter().try_fold(value, |value, name| {
            value.field(name, self.mode).map_err(|message| self.error(word.at, &word.to_string(), message))
        })
    }
}
