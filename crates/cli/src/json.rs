//! JSON documents as the daemon sent them.
//!
//! `inspect` and `--format '{{json .}}'` promise the daemon's own document, members in the daemon's own order.
//! `serde_json::Value` sorts its maps, so the client reads answers into [`Doc`], which keeps the order, and
//! re-indents raw text with [`indent`] instead of decoding it where nothing has to be looked up.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Number;

/// One JSON value; object members keep the order of the text they came from.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Doc {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// any number
    Number(Number),
    /// a string
    String(String),
    /// an array
    Array(Vec<Doc>),
    /// an object, in document order
    Object(Vec<(String, Doc)>),
}

impl Doc {
    /// Reads one document from text.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The member called `key`, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Doc> {
        match self {
            Doc::Object(members) => members.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Follows `path` through nested objects.
    pub fn at(&self, path: &[&str]) -> Option<&Doc> {
        path.iter().try_fold(self, |doc, key| doc.get(key))
    }

    /// The string at `key`, or `""` when it is absent or not a string.
    pub fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Doc::as_str).unwrap_or("")
    }

    /// The integer at `key`, or 0.
    pub fn int(&self, key: &str) -> i64 {
        self.get(key).and_then(Doc::as_i64).unwrap_or(0)
    }

    /// The boolean at `key`, or false.
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Doc::Bool(true)))
    }

    /// The elements of the array at `key`; empty when there is none.
    pub fn list(&self, key: &str) -> &[Doc] {
        self.get(key).map_or(&[], Doc::items)
    }

    /// The strings in the array at `key`.
    pub fn texts(&self, key: &str) -> Vec<&str> {
        self.list(key).iter().filter_map(Doc::as_str).collect()
    }

    /// The elements, if this is an array.
    pub fn items(&self) -> &[Doc] {
        match self {
            Doc::Array(items) => items,
            _ => &[],
        }
    }

    /// The members, if this is an object.
    pub fn members(&self) -> &[(String, Doc)] {
        match self {
            Doc::Object(members) => members,
            _ => &[],
        }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Doc::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value, if this is an integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Doc::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// Compact JSON text. `html` also escapes `<`, `>` and `&`, as Go's encoder does unless told otherwise.
    pub fn compact(&self, html: bool) -> String {
        // Serialising a tree of plain values into memory cannot fail.
        let text = serde_json::to_string(self).unwrap_or_default();
        if html { text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026") } else { text }
    }
}

impl From<&str> for Doc {
    fn from(text: &str) -> Self {
        Doc::String(text.to_owned())
    }
}

impl From<String> for Doc {
    fn from(text: String) -> Self {
        Doc::String(text)
    }
}

impl From<i64> for Doc {
    fn from(value: i64) -> Self {
        Doc::Number(value.into())
    }
}

impl From<bool> for Doc {
    fn from(value: bool) -> Self {
        Doc::Bool(value)
    }
}

impl Serialize for Doc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Doc::Null => serializer.serialize_unit(),
            Doc::Bool(value) => serializer.serialize_bool(*value),
            Doc::Number(number) => number.serialize(serializer),
            Doc::String(text) => serializer.serialize_str(text),
            Doc::Array(items) => serializer.collect_seq(items),
            Doc::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Doc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocVisitor)
    }
}

struct DocVisitor;

impl<'de> Visitor<'de> for DocVisitor {
    type Value = Doc;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Doc, E> {
        Ok(Doc::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Doc, E> {
        Ok(Doc::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Doc, E> {
        Ok(Doc::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Doc, E> {
        Ok(Doc::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Doc, E> {
        Ok(Number::from_f64(value).map_or(Doc::Null, Doc::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Doc, E> {
        Ok(Doc::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Doc, E> {
        Ok(Doc::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Doc, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Doc::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Doc, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Doc::Object(members))
    }
}

/// Re-indents JSON text with four spaces, leaving every token as it was. The text must be valid JSON.
pub fn indent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0usize;
    let mut chars = text.trim().chars().peekable();
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        (0..depth).for_each(|_| out.push_str("    "));
    };
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                out.push(c);
                while let Some(c) = chars.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                match chars.next_if(|c| matches!(c, '}' | ']')) {
                    Some(close) => out.push(close),
                    None => {
                        depth += 1;
                        newline(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                newline(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                newline(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_the_order_of_their_members() {
        let text = r#"{"b":1,"a":[true,null,1.5,"x"],"c":{}}"#;
        assert_eq!(Doc::parse(text).unwrap().compact(false), text);
    }

    #[test]
    fn html_escaping_is_only_done_when_asked_for() {
        let doc = Doc::from("<a>&");
        assert_eq!(doc.compact(false), r#""<a>&""#);
        assert_eq!(doc.compact(true), "\"\\u003ca\\u003e\\u0026\"");
    }

    #[test]
    fn indentation_leaves_tokens_and_escapes_alone() {
        let text = r#"[{"a\":{":"\u003c, [x]","n":1e3,"e":[],"o":{ },"l":[1,2]}]"#;
        let want = "[\n    {\n        \"a\\\":{\": \"\\u003c, [x]\",\n        \"n\": 1e3,\n        \"e\": [],\n        \"o\": {},\n        \"l\": [\n            1,\n            2\n        ]\n    }\n]";
        assert_eq!(indent(text), want);
    }
}
