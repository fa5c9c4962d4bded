//! `GET /_ping`, `HEAD /_ping`: is the daemon there, and which API does it speak (see the headers).

use axum::response::IntoResponse;
use http::header;

/// Answers `OK`; never cached.
#[utoipa::path(
    get,
    path = "/_ping",
    tag = "system",
    responses((status = 200, description = "The daemon is ready", body = String, content_type = "text/plain"))
)]
pub(crate) async fn ping() -> impl IntoResponse {
    let headers = [
        (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
        (header::PRAGMA, "no-cache"),
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
    ];
    (headers, "OK")
}

/// The same without a body.
#[utoipa::path(head, path = "/_ping", tag = "system", responses((status = 200, description = "The daemon is ready")))]
#[allow(dead_code, reason = "the GET handler serves HEAD too; this is its entry in the API document")]
pub(crate) async fn ping_head() {}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn ping_says_ok_in_every_version() {
        let server = Server::start().await;
        for path in ["/_ping", "/v1.24/_ping", "/v1.51/_ping"] {
            let answer = server.get(path).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "OK"));
            assert_eq!(answer.headers["api-version"], "1.51");
            assert_eq!(answer.headers["cache-control"], "no-cache, no-store, must-revalidate");
        }
    }

    #[tokio::test]
    async fn head_answers_without_a_body() {
        let answer = Server::start().await.ask("HEAD", "/_ping").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    }
}
