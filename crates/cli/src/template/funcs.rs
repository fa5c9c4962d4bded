//! The functions templates may call: Go's built-in ones and docker's.

use super::tree::Word;
use super::value::Value;
use super::{Mode, compare, print, printf};
use crate::json::Doc;

/// Name, fewest and most arguments.
const FUNCTIONS: [(&str, usize, usize); 27] = [
    ("and", 1, usize::MAX),
    ("or", 1, usize::MAX),
    ("not", 1, 1),
    ("eq", 1, usize::MAX),
    ("ne", 2, 2),
    ("lt", 2, 2),
    ("le", 2, 2),
    ("gt", 2, 2),
    ("ge", 2, 2),
    ("len", 1, 1),
    ("index", 1, usize::MAX),
    ("slice", 1, usize::MAX),
    ("print", 0, usize::MAX),
    ("printf", 1, usize::MAX),
    ("println", 0, usize::MAX),
    ("html", 0, usize::MAX),
    ("js", 0, usize::MAX),
    ("urlquery", 0, usize::MAX),
    ("call", 1, usize::MAX),
    ("json", 1, 1),
    ("split", 2, 2),
    ("join", 2, 2),
    ("title", 1, 1),
    ("lower", 1, 1),
    ("upper", 1, 1),
    ("pad", 3, 3),
    ("truncate", 2, 2),
];

/// Whether a function of this name is defined.
pub fn exists(name: &str) -> bool {
    FUNCTIONS.iter().any(|(known, ..)| *known == name)
}

/// An argument and the word it came from, which errors quote; a piped value has none.
pub struct Argument<'a> {
    pub value: Value,
    pub word: Option<&'a Word>,
}

/// Where a failed call is to be reported.
pub enum Failure<'a> {
    /// At the function's name.
    Arity(String),
    /// At one argument.
    Argument(Option<&'a Word>, String),
    /// At the whole command: the function ran and failed.
    Call(String),
}

/// Calls `name`.
pub fn call<'a>(name: &str, args: &[Argument<'a>], mode: Mode) -> Result<Value, Failure<'a>> {
    let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        return Err(Failure::Arity(format!("function {name:?} not defined")));
    };
    let count = args.len();
    if count < *least || count > *most {
        let at_least = if *most == usize::MAX { "at least " } else { "" };
        return Err(Failure::Arity(format!(
            "wrong number of args for {name}: want {at_least}{least} got {count}"
        )));
    }
    let values: Vec<Value> = args.iter().map(|argument| argument.value.clone()).collect();
    let get = |index: usize| values.get(index).unwrap_or(&Value::Missing);
    if mode == Mode::Header
        && matches!(name, "json" | "split" | "join" | "title" | "lower" | "upper" | "pad" | "truncate")
    {
        // Titles of columns are not data: only the first operand that is one is kept.
        let title =
            if name == "join" || name == "split" { get(0) } else { values.last().unwrap_or(&Value::Missing) };
        let title = if matches!(name, "truncate" | "pad") { get(0) } else { title };
        return Ok(title.clone());
    }
    let run = |result: Result<Value, String>| result.map_err(Failure::Call);
    let string = |index: usize| text(args.get(index));
    let number = |index: usize| integer(args.get(index));
    Ok(match name {
        "not" => Doc::Bool(!get(0).truth()).into(),
        "eq" => return run(eq(&values)),
        "ne" => return run(compare::equal(get(0), get(1)).map(|same| Doc::Bool(!same).into())),
        "lt" | "le" | "gt" | "ge" => {
            let order = compare::ordered(get(0), get(1)).map_err(Failure::Call)?;
            let holds = match name {
                "lt" => order.is_lt(),
                "le" => order.is_le(),
                "gt" => order.is_gt(),
                _ => order.is_ge(),
            };
            Doc::Bool(holds).into()
        }
        "len" => return run(length(get(0))),
        "index" => {
            return run(values.iter().skip(1).try_fold(get(0).clone(), |item, key| item.index(key)));
        }
        "slice" => return run(slice(&values)),
        "print" => Value::text(print::joined(&values)),
        "println" => Value::text(print::line(&values)),
        "printf" => Value::text(printf::printf(string(0)?, values.get(1..).unwrap_or_default())),
        "html" => Value::text(html(&print::joined(&values))),
        "js" => Value::text(javascript(&print::joined(&values))),
        "urlquery" => Value::text(crate::client::query::escape(&print::joined(&values)).replace("%20", "+")),
        "call" => {
            let word =
                args.first().and_then(|argument| argument.word).map(ToString::to_string).unwrap_or_default();
            return Err(Failure::Call(format!("non-function {word} of type {}", get(0).type_name())));
        }
        "json" => Value::text(json(get(0))),
        "split" => {
            let separator = string(1)?;
            let parts = string(0)?.split(separator).filter(|part| !(separator.is_empty() && part.is_empty()));
            Doc::Array(parts.map(Doc::from).collect()).into()
        }
        "join" => Value::text(join(args)?),
        "title" => Value::text(title(string(0)?)),
        "lower" => Value::text(string(0)?.to_lowercase()),
        "upper" => Value::text(string(0)?.to_uppercase()),
        "pad" => {
            let (before, after) = (number(1)?, number(2)?);
            let spaces = |n: i64| " ".repeat(usize::try_from(n.clamp(0, 4096)).unwrap_or(0));
            match string(0)? {
                "" => Value::text(""),
                text => Value::text(spaces(before) + text + &spaces(after)),
            }
        }
        "truncate" => {
            let text = string(0)?;
            let length = usize::try_from(number(1)?).unwrap_or(0);
            Value::text(text.chars().take(length).collect::<String>())
        }
        _ => return Err(Failure::Arity(format!("function {name:?} not defined"))),
    })
}

fn mismatch<'a>(argument: Option<&Argument<'a>>, wanted: &str) -> Failure<'a> {
    let word = argument.and_then(|argument| argument.word);
    let literal = word.filter(|w| matches!(w.kind, super::tree::Kind::Int(..) | super::tree::Kind::Bool(_)));
    Failure::Argument(
        word,
        match (literal, argument) {
            (Some(word), _) => format!("expected {wanted}; found {word}"),
            (None, Some(Argument { value: Value::Missing | Value::Absent(_), .. })) => {
                format!("invalid value; expected {wanted}")
            }
            (None, argument) => {
                let got = argument.map_or("<nil>", |a| a.value.type_name());
                format!("wrong type for value; expected {wanted}; got {got}")
            }
        },
    )
}

fn text<'b, 'a>(argument: Option<&'b Argument<'a>>) -> Result<&'b str, Failure<'a>> {
    argument.and_then(|a| a.value.as_str()).ok_or_else(|| mismatch(argument, "string"))
}

fn integer<'a>(argument: Option<&Argument<'a>>) -> Result<i64, Failure<'a>> {
    match argument.map(|a| &a.value) {
        Some(Value::Doc(doc, _)) => doc.as_i64().ok_or_else(|| mismatch(argument, "int")),
        _ => Err(mismatch(argument, "int")),
    }
}

fn eq(values: &[Value]) -> Result<Value, String> {
    let (first, others) = values.split_first().ok_or("missing argument for comparison")?;
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if compare::equal(first, other)? {
            return Ok(Doc::Bool(true).into());
        }
    }
    Ok(Doc::Bool(false).into())
}

fn length(value: &Value) -> Result<Value, String> {
    let length = match value {
        Value::Absent(_) => 0,
        Value::Doc(doc, _) => match doc {
            Doc::Null => 0,
            Doc::String(text) => text.len(),
            Doc::Array(items) => items.len(),
            Doc::Object(members) => members.len(),
            Doc::Bool(_) | Doc::Number(_) => return Err(format!("len of type {}", value.type_name())),
        },
        Value::Missing => return Err("len of nil pointer".into()),
        Value::Row(_) => return Err(format!("len of type {}", value.type_name())),
    };
    Ok(Doc::from(length as i64).into())
}

fn slice(values: &[Value]) -> Result<Value, String> {
    let Some((Value::Doc(doc, name), bounds)) = values.split_first() else {
        return Err("slice of untyped nil".into());
    };
    let total = match doc {
        Doc::String(text) => text.len(),
        Doc::Array(items) => items.len(),
        Doc::Null => 0,
        _ => return Err(format!("can't slice item of type {}", Value::from(doc.clone()).type_name())),
    };
    if bounds.len() > 2 {
        return Err("cannot 3-index slice a string".into());
    }
    let mut ends = [0, total];
    for (end, bound) in ends.iter_mut().zip(bounds) {
        let Value::Doc(Doc::Number(number), _) = bound else {
            return Err(format!("cannot index slice/array with type {}", bound.type_name()));
        };
        let index = number.as_i64().unwrap_or(-1);
        *end = usize::try_from(index)
            .ok()
            .filter(|at| *at <= total)
            .ok_or_else(|| format!("index out of range: {index}"))?;
    }
    let [from, to] = ends;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    Ok(match doc {
        Doc::String(text) => {
            Value::text(String::from_utf8_lossy(text.as_bytes().get(from..to).unwrap_or_default()))
        }
        doc => Value::Doc(Doc::Array(doc.items().get(from..to).unwrap_or_default().to_vec()), name.clone()),
    })
}

/// JSON of any value; null for what is not there.
pub fn json(value: &Value) -> String {
    match value {
        Value::Missing | Value::Absent(_) => "null".into(),
        Value::Row(row) => row.json(),
        Value::Doc(doc, _) => doc.compact(false),
    }
}

fn join<'a>(args: &[Argument<'a>]) -> Result<String, Failure<'a>> {
    let separator = text(args.get(1))?;
    match args.first().map(|a| &a.value) {
        Some(Value::Absent(_) | Value::Doc(Doc::Null, _)) => Ok(String::new()),
        Some(Value::Doc(Doc::Array(items), _)) => {
            let words: Vec<String> = items.iter().map(|item| print::value(&item.clone().into())).collect();
            Ok(words.join(separator))
        }
        _ => Err(mismatch(args.first(), "[]string")),
    }
}

fn title(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        let letter = c.is_alphanumeric() || c == '_' || c == '\'';
        if letter && !inside {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        inside = letter;
    }
    out
}

fn html(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn javascript(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out
}
