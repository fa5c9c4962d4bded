//! The syntax tree, and how its parts are quoted in error messages.

use std::fmt;

/// One piece of a template.
#[derive(Debug, Clone)]
pub enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { at: usize, name: String, data: Option<Pipe> },
    Break,
    Continue,
}

/// `{{if}}`, `{{with}}` and `{{range}}`.
#[derive(Debug, Clone)]
pub struct Branch {
    pub pipe: Pipe,
    pub then: Vec<Node>,
    pub otherwise: Vec<Node>,
}

/// Commands joined by `|`, with the variables they are assigned to.
#[derive(Debug, Clone)]
pub struct Pipe {
    pub at: usize,
    pub variables: Vec<String>,
    /// `=` instead of `:=`.
    pub assigns: bool,
    pub commands: Vec<Command>,
}

/// A function or operand with its arguments.
#[derive(Debug, Clone)]
pub struct Command {
    pub at: usize,
    pub words: Vec<Word>,
}

/// One operand.
#[derive(Debug, Clone)]
pub struct Word {
    pub at: usize,
    pub kind: Kind,
}

/// The kinds of operand.
#[derive(Debug, Clone)]
pub enum Kind {
    Dot,
    Nil,
    Bool(bool),
    Int(i64, String),
    Float(f64, String),
    Text(String, String),
    /// `.A.B`
    Field(Vec<String>),
    /// `$x.A.B`; the first is the name with its `$`.
    Variable(Vec<String>),
    Function(String),
    /// `(pipeline).A.B`
    Chain(Box<Word>, Vec<String>),
    Pipe(Box<Pipe>),
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Dot => f.write_str("."),
            Kind::Nil => f.write_str("nil"),
            Kind::Bool(value) => write!(f, "{value}"),
            Kind::Int(_, raw) | Kind::Float(_, raw) | Kind::Text(_, raw) => f.write_str(raw),
            Kind::Field(names) => names.iter().try_for_each(|name| write!(f, ".{name}")),
            Kind::Variable(names) => f.write_str(&names.join(".")),
            Kind::Function(name) => f.write_str(name),
            Kind::Chain(word, names) => {
                write!(f, "{word}")?;
                names.iter().try_for_each(|name| write!(f, ".{name}"))
            }
            Kind::Pipe(pipe) => write!(f, "({pipe})"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words.iter().enumerate() {
            write!(f, "{}{word}", if index > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            write!(f, "{} {} ", self.variables.join(", "), if self.assigns { "=" } else { ":=" })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            write!(f, "{}{command}", if index > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}
