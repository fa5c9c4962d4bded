//! What every request passes before its route: version negotiation, common headers, and a net for panics.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use berth_api_types::{API_VERSION, MIN_API_VERSION};
use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderValue, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use tower::Layer;

use crate::browser::refuse_pages;
use crate::error::ApiError;

/// The `Server` header.
const SERVER: &str = concat!("Berth/", env!("CARGO_PKG_VERSION"), " (linux)");

/// The API version a request asked for, as (major, minor); the newest where it named none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

impl Version {
    /// Reads `1.41`; a missing part is 0, as Docker compares versions.
    fn parse(text: &str) -> Option<Version> {
        let mut parts = text.split('.').map(|part| if part.is_empty() { Some(0) } else { part.parse().ok() });
        let major = parts.next()??;
        let minor = parts.next().unwrap_or(Some(0))?;
        Some(Version(major, minor))
    }

    /// Whether the request speaks 1.`minor` or newer.
    pub(crate) fn at_least(self, minor: u32) -> bool {
        self >= Version(1, minor)
    }
}

impl<S: Sync> FromRequestParts<S> for Version {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Version(u32::MAX, 0)))
    }
}

/// Puts a router of unversioned paths behind everything in this module.
///
/// The prefix must be gone before routing, so the routes become the fallback of an outer router.
pub(crate) fn wrap(routes: Router) -> Router {
    let routes = routes
        .fallback(|| async { ApiError::page_not_found() })
        .method_not_allowed_fallback(|| async { ApiError::page_not_found() });
    let negotiated = from_fn(negotiate).layer(routes);
    Router::new()
        .fallback_service(negotiated)
        .layer(from_fn(refuse_pages))
        .layer(from_fn(catch_panics))
        .layer(from_fn(headers))
}

/// Cuts the version prefix off the path, and refuses versions that are not spoken and paths that are not text.
async fn negotiate(mut request: Request, next: Next) -> Response {
    if percent_decode_str(request.uri().path()).decode_utf8().is_err() {
        return ApiError::invalid("invalid URL: the path is not UTF-8").into_response();
    }
    let version = match split(request.uri().path()) {
        None => return next.run(request).await,
        Some((text, rest)) => match check(text) {
            Ok(version) => {
                let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
                match format!("{rest}{query}").parse::<Uri>() {
                    Ok(uri) => *request.uri_mut() = uri,
                    Err(error) => return ApiError::invalid(error.to_string()).into_response(),
                }
                version
            }
            Err(refused) => return refused.into_response(),
        },
    };
    request.extensions_mut().insert(version);
    next.run(request).await
}

/// Splits `/v1.41/rest` into `1.41` and `/rest`.
fn split(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v")?;
    let end = rest.find('/')?;
    let (version, rest) = rest.split_at_checked(end)?;
    let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    digits.then_some((version, rest))
}

/// Whether a version is spoken.
fn check(text: &str) -> Result<Version, ApiError> {
    let limit = |text| Version::parse(text).unwrap_or(Version(1, 0));
    // Numbers beyond 32 bits are surely too new.
    let version = Version::parse(text).unwrap_or(Version(u32::MAX, 0));
    if version < limit(MIN_API_VERSION) {
        return Err(ApiError::invalid(format!(
            "client version {text} is too old. Minimum supported API version is {MIN_API_VERSION}, \
             please upgrade your client to a newer version"
        )));
    }
    if version > limit(API_VERSION) {
        return Err(ApiError::invalid(format!(
            "client version {text} is too new. Maximum supported API version is {API_VERSION}"
        )));
    }
    Ok(version)
}

/// Sets the headers that clients read the daemon's facts from.
async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    // A protocol switch has headers of its own.
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let headers = response.headers_mut();
        headers.insert("api-version", HeaderValue::from_static(API_VERSION));
        headers.insert("docker-experimental", HeaderValue::from_static("false"));
        headers.insert("ostype", HeaderValue::from_static("linux"));
        headers.insert("server", HeaderValue::from_static(SERVER));
    }
    response
}

/// Turns a panic into a 500 for this one request.
async fn catch_panics(request: Request, next: Next) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let reason = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let reason = reason.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            tracing::error!(request = what, reason, "request panicked");
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, format!("internal error: {reason}"))
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    fn app() -> Router {
        wrap(
            Router::new()
                .route("/which", get(|version: Version| async move { format!("{version:?}") }))
                .route("/boom", get(boom)),
        )
    }

    async fn boom() -> &'static str {
        panic!("deliberate")
    }

    async fn ask(method: &str, path: &str) -> (u16, String, http::HeaderMap) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = app().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), String::from_utf8(bytes.to_vec()).unwrap(), parts.headers)
    }

    #[tokio::test]
    async fn every_version_from_oldest_to_newest_is_spoken() {
        for minor in 24..=51 {
            let (status, body, _) = ask("GET", &format!("/v1.{minor}/which")).await;
            assert_eq!((status, body), (200, format!("Version(1, {minor})")));
        }
        assert_eq!(ask("GET", "/which").await.0, 200);
    }

    #[tokio::test]
    async fn other_versions_are_refused_in_dockers_words() {
        for (path, message) in [
            ("/v1.99/which", "client version 1.99 is too new. Maximum supported API version is 1.51"),
            ("/v2/which", "client version 2 is too new. Maximum supported API version is 1.51"),
            (
                "/v99999999999.1/x",
                "client version 99999999999.1 is too new. Maximum supported API version is 1.51",
            ),
            (
                "/v1.12/which",
                "client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
            ),
        ] {
            let (status, body, _) = ask("GET", path).await;
            assert_eq!((status, body), (400, format!("{{\"message\":\"{message}\"}}")), "{path}");
        }
    }

    #[tokio::test]
    async fn unknown_paths_and_methods_are_not_found() {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/nosuch"),
            ("GET", "/v1.41/nosuch"),
            ("GET", "/vx/which"),
            ("DELETE", "/which"),
            ("GET", "/v1.41"),
        ] {
            let (status, body, _) = ask(method, path).await;
            assert_eq!((status, body.as_str()), (404, "{\"message\":\"page not found\"}"), "{method} {path}");
        }
    }

    #[tokio::test]
    async fn paths_are_text() {
        for path in ["/%ff", "/v1.41/containers/%C3%28/json"] {
            let (status, body, _) = ask("GET", path).await;
            assert_eq!(
                (status, body.as_str()),
                (400, "{\"message\":\"invalid URL: the path is not UTF-8\"}"),
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn every_answer_names_the_daemon() {
        for path in ["/which", "/nosuch", "/v1.99/which", "/boom"] {
            let (_, _, headers) = ask("GET", path).await;
            assert_eq!(headers["api-version"], "1.51", "{path}");
            assert_eq!(headers["docker-experimental"], "false");
            assert_eq!(headers["ostype"], "linux");
            assert!(headers["server"].to_str().unwrap().starts_with("Berth/"));
        }
    }

    #[tokio::test]
    async fn a_panic_is_a_500_for_one_request() {
        let (status, body, _) = ask("GET", "/boom").await;
        assert_eq!((status, body.as_str()), (500, "{\"message\":\"internal error: deliberate\"}"));
        assert_eq!(ask("GET", "/which").await.0, 200);
    }
}
