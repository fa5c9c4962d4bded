//! Building request targets: path segments and query strings, percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the characters that never need escaping in a URL.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One path segment or query value, escaped.
pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// An image reference inside a path: slashes and colons stay, as docker sends them.
pub fn escape_reference(text: &str) -> String {
    const PATH: &AsciiSet = &ESCAPED.remove(b'/').remove(b':').remove(b'@');
    utf8_percent_encode(text, PATH).to_string()
}

/// A request target under construction.
#[derive(Debug)]
pub struct Target {
    text: String,
    has_query: bool,
}

impl Target {
    /// Starts from a path whose variable parts are already escaped.
    pub fn new(path: impl Into<String>) -> Self {
        Self { text: path.into(), has_query: false }
    }

    /// Adds `name=value`.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(&escape(value));
        self
    }

    /// Adds `name=value` unless the value is empty.
    pub fn with_text(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.with(name, value) }
    }

    /// Adds `name=1` if `on`.
    pub fn with_flag(self, name: &str, on: bool) -> Self {
        if on { self.with(name, "1") } else { self }
    }

    /// Adds `filters={"key":["value",…]}` unless there are none.
    pub fn with_filters(self, filters: &Filters) -> Self {
        if filters.0.is_empty() { self } else { self.with("filters", &filters.json()) }
    }

    /// The finished target.
    pub fn done(self) -> String {
        self.text
    }
}

/// `--filter key=value` flags, grouped by key.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Filters(pub std::collections::BTreeMap<String, Vec<String>>);

impl Filters {
    /// Groups flags; the error is the first flag without `=`.
    pub fn parse(flags: &[String]) -> Result<Self, String> {
        let mut filters = Self::default();
        for flag in flags.iter().filter(|f| !f.is_empty()) {
            let (key, value) = flag.split_once('=').ok_or_else(|| flag.clone())?;
            filters.add(key.trim().to_lowercase(), value.trim());
        }
        Ok(filters)
    }

    /// Adds one value.
    pub fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.entry(key.into()).or_default().push(value.into());
    }

    fn json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_escaped() {
        let target = Target::new("/x")
            .with("a", "b c&d")
            .with_flag("off", false)
            .with_text("e", "")
            .with_flag("on", true);
        assert_eq!(target.done(), "/x?a=b%20c%26d&on=1");
        assert_eq!(escape_reference("localhost:5000/a b@sha256:x"), "localhost:5000/a%20b@sha256:x");
    }

    #[test]
    fn filters_group_by_key() {
        let filters =
            Filters::parse(&["label=a=b".into(), "label=c".into(), "Status=running".into()]).unwrap();
        assert_eq!(filters.json(), r#"{"label":["a=b","c"],"status":["running"]}"#);
        assert_eq!(Filters::parse(&["nope".into()]), Err("nope".into()));
    }
}
