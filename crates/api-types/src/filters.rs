//! Docker's `filters` query parameter: JSON of the form `{"label": ["a=b", "c"]}`, or `{"label": {"a=b": true}}` from
//! old clients. Values of one key are alternatives (all labels must match, though); keys must all match.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// Why a filter cannot be used; the texts are Docker's, the status is 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not JSON of either form.
    #[error("invalid filter")]
    Syntax,
    /// A key this list does not know.
    #[error("invalid filter '{0}'")]
    UnknownKey(String),
    /// A value the key cannot take.
    #[error("invalid filter '{key}=[{values}]'")]
    BadValue {
        /// The key.
        key: String,
        /// Its values, separated by spaces.
        values: String,
    },
}

/// A parsed `filters` parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    fields: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wire {
    Legacy(BTreeMap<String, Option<BTreeMap<String, bool>>>),
    Lists(BTreeMap<String, Option<Vec<String>>>),
}

impl Filters {
    /// Reads the parameter; an absent or empty one filters nothing.
    ///
    /// # Errors
    /// [`FilterError::Syntax`] where it is neither of the two forms.
    pub fn parse(parameter: Option<&str>) -> Result<Self, FilterError> {
        let Some(text) = parameter.filter(|text| !text.is_empty()) else {
            return Ok(Filters::default());
        };
        let wire: Option<Wire> = serde_json::from_str(text).map_err(|_| FilterError::Syntax)?;
        let mut filters = Filters::default();
        match wire {
            None => {}
            // Docker ignores the booleans: a value that is present counts.
            Some(Wire::Legacy(keys)) => {
                for (key, values) in keys {
                    let values = values.unwrap_or_default().into_keys().collect();
                    filters.fields.insert(key, values);
                }
            }
            Some(Wire::Lists(keys)) => {
                for (key, values) in keys {
                    filters.fields.insert(key, values.unwrap_or_default().into_iter().collect());
                }
            }
        }
        Ok(filters)
    }

    /// The parameter as clients send it; `None` where there is nothing to filter.
    pub fn to_parameter(&self) -> Option<String> {
        if self.fields.is_empty() {
            return None;
        }
        let keys: serde_json::Map<String, serde_json::Value> =
            self.fields.iter().map(|(key, values)| (key.clone(), values.iter().cloned().collect())).collect();
        Some(serde_json::Value::Object(keys).to_string())
    }

    /// Adds a value.
    pub fn add(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.fields.entry(key.into()).or_default().insert(value.into());
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether this key filters.
    pub fn contains(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    /// The values of a key, sorted.
    pub fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        self.fields.get(key).into_iter().flatten().map(String::as_str)
    }

    /// Checks that only these keys are used.
    ///
    /// # Errors
    /// [`FilterError::UnknownKey`] with the first other key.
    pub fn validate(&self, accepted: &[&str]) -> Result<(), FilterError> {
        match self.fields.keys().find(|key| !accepted.contains(&key.as_str())) {
            Some(key) => Err(FilterError::UnknownKey(key.clone())),
            None => Ok(()),
        }
    }

    /// The error for a value this key cannot take.
    pub fn bad_value(&self, key: &str) -> FilterError {
        FilterError::BadValue { key: key.to_owned(), values: self.values(key).collect::<Vec<_>>().join(" ") }
    }

    /// A yes-or-no key: `true`/`1` or `false`/`0`; `None` where it is absent.
    ///
    /// # Errors
    /// [`FilterError::BadValue`] for anything else, and for both at once.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, FilterError> {
        let Some(values) = self.fields.get(key).filter(|values| !values.is_empty()) else {
            return if self.contains(key) { Err(self.bad_value(key)) } else { Ok(None) };
        };
        let yes = values.contains("1") || values.contains("true");
        let no = values.contains("0") || values.contains("false");
        if yes == no { Err(self.bad_value(key)) } else { Ok(Some(yes)) }
    }

    /// Whether a value equals one of the key's values; a key without values matches everything.
    pub fn exact(&self, key: &str, value: &str) -> bool {
        self.fields.get(key).is_none_or(|values| values.is_empty() || values.contains(value))
    }

    /// Whether a value equals one of the key's values or matches it as a regular expression, anywhere in the text.
    /// Expressions that do not compile match nothing.
    pub fn matches(&self, key: &str, value: &str) -> bool {
        self.fields.get(key).is_none_or(|patterns| {
            patterns.is_empty()
                || patterns.contains(value)
                || patterns.iter().any(|p| regex_lite::Regex::new(p).is_ok_and(|re| re.is_match(value)))
        })
    }

    /// Whether a value starts with one of the key's values.
    pub fn prefix(&self, key: &str, value: &str) -> bool {
        self.fields.get(key).is_none_or(|values| {
            values.is_empty() || values.iter().any(|prefix| value.starts_with(prefix.as_str()))
        })
    }

    /// Whether labels fulfil every one of the key's values: `name`, or `name=value`.
    pub fn labels(&self, key: &str, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.values(key).all(|wanted| {
            let (name, value) = match wanted.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (wanted, None),
            };
            let found = labels.and_then(|labels| labels.get(name));
            found.is_some_and(|found| value.is_none_or(|value| value == found))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Filters {
        Filters::parse(Some(text)).unwrap()
    }

    #[test]
    fn both_forms_mean_the_same() {
        let lists = parse(r#"{"label":["a=b","c"],"name":["x"]}"#);
        assert_eq!(lists, parse(r#"{"label":{"a=b":true,"c":true},"name":{"x":false}}"#));
        assert_eq!(lists.values("label").collect::<Vec<_>>(), ["a=b", "c"]);
        assert_eq!(parse(&lists.to_parameter().unwrap()), lists);
    }

    #[test]
    fn nothing_filters_nothing() {
        for text in [None, Some(""), Some("{}"), Some("null")] {
            let filters = Filters::parse(text).unwrap();
            assert!(filters.is_empty());
            assert_eq!(filters.to_parameter(), None);
            assert!(
                filters.exact("name", "x") && filters.matches("name", "x") && filters.labels("label", None)
            );
        }
    }

    #[test]
    fn other_json_is_refused() {
        for text in ["[]", "{", "5", r#"{"a":"b"}"#, r#"{"a":[1]}"#, r#"{"a":{"b":"c"}}"#] {
            assert_eq!(Filters::parse(Some(text)), Err(FilterError::Syntax), "{text}");
        }
        assert_eq!(FilterError::Syntax.to_string(), "invalid filter");
    }

    #[test]
    fn unknown_keys_are_named() {
        let error = parse(r#"{"bogus":["x"]}"#).validate(&["name"]).unwrap_err();
        assert_eq!(error.to_string(), "invalid filter 'bogus'");
    }

    #[test]
    fn booleans_are_strict() {
        assert_eq!(parse(r#"{"dangling":["1"]}"#).boolean("dangling"), Ok(Some(true)));
        assert_eq!(parse(r#"{"dangling":["false"]}"#).boolean("dangling"), Ok(Some(false)));
        assert_eq!(parse("{}").boolean("dangling"), Ok(None));
        let error = parse(r#"{"dangling":["maybe"]}"#).boolean("dangling").unwrap_err();
        assert_eq!(error.to_string(), "invalid filter 'dangling=[maybe]'");
        assert!(parse(r#"{"dangling":["1","0"]}"#).boolean("dangling").is_err());
    }

    #[test]
    fn names_match_as_expressions() {
        let filters = parse(r#"{"name":["^we.$","("]}"#);
        assert!(filters.matches("name", "web") && filters.matches("name", "("));
        assert!(!filters.matches("name", "my-web"));
        assert!(parse(r#"{"name":["eb"]}"#).matches("name", "my-web"));
    }

    #[test]
    fn every_label_must_match() {
        let labels = BTreeMap::from([("a".to_owned(), "b=c".to_owned()), ("d".to_owned(), String::new())]);
        assert!(parse(r#"{"label":["a=b=c","d"]}"#).labels("label", Some(&labels)));
        assert!(!parse(r#"{"label":["a=b=c","e"]}"#).labels("label", Some(&labels)));
        assert!(!parse(r#"{"label":["a=b"]}"#).labels("label", Some(&labels)));
        assert!(!parse(r#"{"label":["a"]}"#).labels("label", None));
    }
}
