//! The verbs of `printf` that templates use.

use super::print;
use super::value::Value;
use crate::json::Doc;

/// One `%` directive.
#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
}

/// Formats `args` by `format`. Mistakes are marked inside the output, as Go does.
pub fn printf(format: &str, args: &[Value]) -> String {
    let mut out = String::new();
    let mut args = args.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| "-+# 0".contains(*c)) {
            match flag {
                '-' => spec.left = true,
                '0' => spec.zero = true,
                '+' => spec.plus = true,
                '#' => spec.sharp = true,
                _ => {}
            }
        }
        let number = |chars: &mut std::iter::Peekable<std::str::Chars>| {
            let mut value = None;
            while let Some(digit) = chars.next_if(char::is_ascii_digit).and_then(|c| c.to_digit(10)) {
                value = Some((value.unwrap_or(0usize) * 10 + digit as usize).min(4096));
            }
            value
        };
        spec.width = number(&mut chars).unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = Some(number(&mut chars).unwrap_or(0));
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => match args.next() {
                None => out.push_str(&format!("%!{verb}(MISSING)")),
                Some(value) => out.push_str(&pad(&spec, one(&spec, verb, value), value)),
            },
        }
    }
    let extra: Vec<String> =
        args.map(|value| format!("{}={}", value.type_name(), print::value(value))).collect();
    if !extra.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn pad(spec: &Spec, text: String, value: &Value) -> String {
    let missing = spec.width.saturating_sub(text.chars().count());
    if missing == 0 {
        return text;
    }
    let is_number = matches!(value, Value::Doc(Doc::Number(_), _));
    match (spec.left, spec.zero && is_number, text.strip_prefix(['-', '+'])) {
        (true, ..) => text + &" ".repeat(missing),
        (false, true, Some(digits)) => {
            let sign = text.get(..1).unwrap_or_default();
            format!("{sign}{}{digits}", "0".repeat(missing))
        }
        (false, true, None) => "0".repeat(missing) + &text,
        (false, false, _) => " ".repeat(missing) + &text,
    }
}

fn one(spec: &Spec, verb: char, value: &Value) -> String {
    let cut = |text: &str| spec.precision.map_or_else(|| text.to_owned(), |n| text.chars().take(n).collect());
    let doc = match value {
        Value::Doc(doc, _) => doc,
        _ if matches!(verb, 'v' | 's') => return print::value(value),
        _ => return format!("%!{verb}({})", print::value(value)),
    };
    match (verb, doc) {
        ('T', _) => value.type_name().to_owned(),
        ('v', Doc::String(text)) if spec.sharp => format!("{text:?}"),
        ('v', Doc::Number(n)) if spec.plus && n.as_i64().is_some_and(|n| n >= 0) => format!("+{n}"),
        ('v', _) => print::value(value),
        ('s', Doc::String(text)) => cut(text),
        ('s', Doc::Array(_) | Doc::Object(_)) => print::value(value),
        ('q', Doc::String(text)) => format!("{:?}", cut(text)),
        ('q', Doc::Array(items)) => {
            let quoted: Vec<String> = items.iter().map(|i| one(spec, 'q', &i.clone().into())).collect();
            format!("[{}]", quoted.join(" "))
        }
        ('t', Doc::Bool(value)) => value.to_string(),
        ('x', Doc::String(text)) => text.bytes().map(|b| format!("{b:02x}")).collect(),
        ('X', Doc::String(text)) => text.bytes().map(|b| format!("{b:02X}")).collect(),
        (verb, Doc::Number(number)) => match (verb, number.as_i64(), number.as_f64()) {
            ('d', Some(n), _) => format!("{}{n}", if spec.plus && n >= 0 { "+" } else { "" }),
            ('x', Some(n), _) => format!("{}{n:x}", if spec.sharp { "0x" } else { "" }),
            ('X', Some(n), _) => format!("{}{n:X}", if spec.sharp { "0X" } else { "" }),
            ('o', Some(n), _) => format!("{n:o}"),
            ('b', Some(n), _) => format!("{n:b}"),
            ('c', Some(n), _) => u32::try_from(n)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or(char::REPLACEMENT_CHARACTER)
                .to_string(),
            ('f', None, Some(f)) => format!("{f:.*}", spec.precision.unwrap_or(6)),
            ('g', None, Some(f)) => super::number::float(f),
            _ => format!("%!{verb}({}={})", value.type_name(), print::value(value)),
        },
        _ => format!("%!{verb}({}={})", value.type_name(), print::value(value)),
    }
}
