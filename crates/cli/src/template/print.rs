//! How Go's `fmt` prints values.

use super::number;
use super::value::{Value, is_map, is_pointer};
use crate::json::Doc;

/// The fields of Go structs whose documents leave empty ones out, so that they print in full.
const LAYOUTS: [(&str, &[&str]); 1] =
    [("Mounts[]", &["Type", "Name", "Source", "Destination", "Driver", "Mode", "RW", "Propagation"])];

/// A value as `%v` prints it.
pub fn value(value: &Value) -> String {
    match value {
        Value::Missing => "<no value>".into(),
        Value::Absent(name) => null(name),
        Value::Row(row) => row.json(),
        Value::Doc(value, name) => doc(value, name),
    }
}

fn null(name: &str) -> String {
    match name {
        name if is_map(name) => "map[]".into(),
        name if is_pointer(name) => "<nil>".into(),
        "MacAddress" | "StopSignal" | "Runtime" => String::new(),
        "ArgsEscaped" | "NetworkDisabled" => "false".into(),
        "" => "<nil>".into(),
        _ => "[]".into(),
    }
}

fn doc(value: &Doc, name: &str) -> String {
    match value {
        Doc::Null => null(name),
        Doc::Bool(value) => value.to_string(),
        Doc::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => number::float(float),
            _ => number.to_string(),
        },
        Doc::String(text) => text.clone(),
        Doc::Array(items) => {
            let element = format!("{name}[]");
            let items: Vec<String> = items.iter().map(|item| doc(item, &element)).collect();
            format!("[{}]", items.join(" "))
        }
        Doc::Object(members) if is_map(name) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            let element = format!("{name}[]");
            let items: Vec<String> =
                sorted.into_iter().map(|(key, member)| format!("{key}:{}", doc(member, &element))).collect();
            format!("map[{}]", items.join(" "))
        }
        Doc::Object(_) if name == "Ulimits[]" => {
            format!("{}={}:{}", value.text("Name"), value.int("Soft"), value.int("Hard"))
        }
        Doc::Object(members) => {
            let items: Vec<String> = match LAYOUTS.iter().find(|(layout, _)| *layout == name) {
                Some((_, fields)) => fields
                    .iter()
                    .map(|field| value.get(field).map_or(String::new(), |v| doc(v, field)))
                    .collect(),
                None => {
                    let inner = |key: &str| {
                        if name == "LogConfig" && key == "Config" {
                            "LogConfig.Config".into()
                        } else {
                            key.to_owned()
                        }
                    };
                    members.iter().map(|(key, member)| doc(member, &inner(key))).collect()
                }
            };
            format!("{{{}}}", items.join(" "))
        }
    }
}

/// `print`: operands joined, with a space between two that are not strings.
pub fn joined(values: &[Value]) -> String {
    let mut out = String::new();
    let mut previous_text = true;
    for (index, operand) in values.iter().enumerate() {
        let is_text = operand.as_str().is_some();
        if index > 0 && !is_text && !previous_text {
            out.push(' ');
        }
        out.push_str(&value(operand));
        previous_text = is_text;
    }
    out
}

/// `println`: operands with spaces and a newline.
pub fn line(values: &[Value]) -> String {
    let words: Vec<String> = values.iter().map(value).collect();
    words.join(" ") + "\n"
}
