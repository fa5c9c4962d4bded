//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`.

use std::cmp::Ordering;

use super::value::Value;
use crate::json::Doc;

const INCOMPATIBLE: &str = "incompatible types for comparison";

/// Equality of two basic values.
pub fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    for value in [b, a] {
        if let Value::Doc(Doc::Array(_) | Doc::Object(_), _) = value {
            return Err(format!("non-comparable type {}: {}", super::print::value(value), value.type_name()));
        }
    }
    match (a, b) {
        (Value::Doc(a, _), Value::Doc(b, _)) => match (a, b) {
            (Doc::Null, Doc::Null) => Ok(true),
            (Doc::Null, _) | (_, Doc::Null) => Ok(false),
            (Doc::Bool(a), Doc::Bool(b)) => Ok(a == b),
            (Doc::String(a), Doc::String(b)) => Ok(a == b),
            (Doc::Number(_), Doc::Number(_)) => order(a, b).map(Ordering::is_eq),
            _ => Err(INCOMPATIBLE.into()),
        },
        (Value::Row(_), _) | (_, Value::Row(_)) => Err(INCOMPATIBLE.into()),
        (Value::Missing | Value::Absent(_), Value::Missing | Value::Absent(_)) => Ok(true),
        (Value::Doc(doc, _), _) | (_, Value::Doc(doc, _)) => Ok(*doc == Doc::Null),
    }
}

/// Ordering of two numbers or two strings.
pub fn ordered(a: &Value, b: &Value) -> Result<Ordering, String> {
    match (a, b) {
        (Value::Doc(a, _), Value::Doc(b, _)) => order(a, b),
        _ => Err("invalid type for comparison".into()),
    }
}

fn order(a: &Doc, b: &Doc) -> Result<Ordering, String> {
    match (a, b) {
        (Doc::String(a), Doc::String(b)) => Ok(a.cmp(b)),
        (Doc::Number(x), Doc::Number(y)) => match (x.as_i64(), y.as_i64()) {
            (Some(x), Some(y)) => Ok(x.cmp(&y)),
            // Go refuses to mix integers and floats.
            (Some(_), None) | (None, Some(_)) => Err(INCOMPATIBLE.into()),
            (None, None) => {
                let (x, y) = (x.as_f64().unwrap_or(f64::NAN), y.as_f64().unwrap_or(f64::NAN));
                x.partial_cmp(&y).ok_or_else(|| INCOMPATIBLE.into())
            }
        },
        (Doc::Bool(_) | Doc::Null | Doc::Array(_) | Doc::Object(_), _) => {
            Err("invalid type for comparison".into())
        }
        _ => Err(INCOMPATIBLE.into()),
    }
}
