//! The one place where errors become HTTP: engine kinds map to statuses, and every body is `{"message": …}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use berth_api_types::error::ErrorMessage;
use berth_api_types::filters::FilterError;
use berth_api_types::time::TimeError;
use berth_engine::Kind;
use http::StatusCode;

/// An error response: a status and the reason that clients show and match on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The reason.
    pub message: String,
}

impl ApiError {
    /// An error with this status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        ApiError { status, message: message.into() }
    }

    /// 400: the request itself is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404 for a path or method that does not exist, in Docker's words.
    pub fn page_not_found() -> Self {
        ApiError::new(StatusCode::NOT_FOUND, "page not found")
    }
}

/// The status of each kind of engine error.
fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::InvalidParameter => StatusCode::BAD_REQUEST,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error and its causes on one line; a cause that its parent already quotes is not repeated.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

impl From<berth_engine::Error> for ApiError {
    fn from(error: berth_engine::Error) -> Self {
        let status = status(error.kind());
        let message = chain(&error);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %message, "request failed");
        }
        ApiError { status, message }
    }
}

impl From<FilterError> for ApiError {
    fn from(error: FilterError) -> Self {
        ApiError::invalid(error.to_string())
    }
}

impl From<TimeError> for ApiError {
    fn from(error: TimeError) -> Self {
        ApiError::invalid(error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorMessage::new(self.message))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_kinds_have_dockers_statuses() {
        for (error, code) in [
            (berth_engine::Error::NoSuchContainer("x".into()), 404),
            (berth_engine::Error::Invalid("x".into()), 400),
            (berth_engine::Error::Conflict("x".into()), 409),
            (berth_engine::Error::NotImplemented("x".into()), 501),
            (berth_engine::Error::ShuttingDown, 503),
        ] {
            assert_eq!(ApiError::from(error).status.as_u16(), code);
        }
    }

    #[test]
    fn causes_are_told_once() {
        let cause = std::io::Error::other("disk on fire");
        let error = berth_engine::Error::Host { action: "write".into(), source: cause };
        assert_eq!(ApiError::from(error).message, "write: disk on fire");
    }
}
