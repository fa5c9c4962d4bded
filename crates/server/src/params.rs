//! Query parameters as Docker reads them: lenient about booleans, strict about numbers, filters and times.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query};
use berth_api_types::filters::Filters;
use berth_api_types::time;
use http::request::Parts;

use crate::error::ApiError;

/// The query parameters of a request, in order; names may repeat.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// The first value of a parameter that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values(name).next().filter(|value| !value.is_empty())
    }

    /// The same, owned.
    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// Every value of a parameter.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A switch: anything but nothing, `0`, `no`, `false` and `none` is on.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| {
            !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
        })
    }

    /// A whole number; absent and empty are `None`.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let parse = |text: &str| {
            text.parse()
                .map_err(|_| ApiError::invalid(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))
        };
        self.text(name).map(parse).transpose()
    }

    /// Unix seconds with an optional fraction, as nanoseconds; absent and empty are `None`.
    pub(crate) fn time(&self, name: &str) -> Result<Option<i64>, ApiError> {
        Ok(self.text(name).map(time::parse_unix).transpose()?)
    }

    /// The `filters` parameter.
    pub(crate) fn filters(&self) -> Result<Filters, ApiError> {
        Ok(Filters::parse(self.text("filters"))?)
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // A malformed escape drops the query, as Go's form reading does.
        Ok(Params(Query::try_from_uri(&parts.uri).map(|Query(pairs)| pairs).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        let uri: http::Uri = format!("/x?{query}").parse().unwrap();
        Params(Query::try_from_uri(&uri).unwrap().0)
    }

    #[test]
    fn switches_are_on_unless_they_say_no() {
        let params = params("a=1&b=True&c=yes&d=0&e=false&f=No&g=none&h=&i=abc");
        for (name, on) in [("a", true), ("b", true), ("c", true), ("i", true)] {
            assert_eq!(params.flag(name), on, "{name}");
        }
        for name in ["d", "e", "f", "g", "h", "absent"] {
            assert!(!params.flag(name), "{name}");
        }
    }

    #[test]
    fn numbers_are_strict() {
        assert_eq!(params("t=5").int("t"), Ok(Some(5)));
        assert_eq!(params("t=-1").int("t"), Ok(Some(-1)));
        assert_eq!(params("t=").int("t"), Ok(None));
        let error = params("t=abc").int("t").unwrap_err();
        assert_eq!(error, ApiError::invalid("strconv.Atoi: parsing \"abc\": invalid syntax"));
    }

    #[test]
    fn filters_and_times_are_refused_with_400() {
        assert_eq!(params("filters=bogus").filters().unwrap_err(), ApiError::invalid("invalid filter"));
        assert_eq!(params("since=x").time("since").unwrap_err().status.as_u16(), 400);
        assert_eq!(params("since=1.5").time("since"), Ok(Some(1_500_000_000)));
    }

    #[test]
    fn parameters_may_repeat() {
        assert_eq!(params("changes=A&changes=B+c").values("changes").collect::<Vec<_>>(), ["A", "B c"]);
    }
}
