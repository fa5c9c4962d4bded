//! Paths of the form `/images/{name}/{what}`, where the name may contain slashes (`library/busybox:latest`).

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use berth_engine::Engine;

use super::{history, inspect, tag};
use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::protocol::Version;

/// Everything that is read of one image.
pub(crate) async fn get(
    State(engine): State<Engine>,
    connection: Connection,
    version: Version,
    Path(path): Path<String>,
) -> Result<Response, ApiError> {
    match split(&path) {
        Some((name, "json")) => {
            Ok(inspect::inspect(State(engine), connection, version, Path(name.to_owned()))
                .await?
                .into_response())
        }
        Some((name, "history")) => {
            Ok(history::history(State(engine), connection, Path(name.to_owned())).await?.into_response())
        }
        _ => Err(ApiError::page_not_found()),
    }
}

/// Everything that is done to one image.
pub(crate) async fn post(
    State(engine): State<Engine>,
    connection: Connection,
    Path(path): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    match split(&path) {
        Some((name, "tag")) => {
            Ok(tag::tag(State(engine), connection, Path(name.to_owned()), params).await?.into_response())
        }
        _ => Err(ApiError::page_not_found()),
    }
}

/// The name and the last segment.
fn split(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('/').filter(|(name, _)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    #[test]
    fn names_keep_their_slashes() {
        assert_eq!(split("localhost:5000/a/b:v1/json"), Some(("localhost:5000/a/b:v1", "json")));
        assert_eq!(split("busybox/tag"), Some(("busybox", "tag")));
        assert_eq!(split("busybox"), None);
        assert_eq!(split("/json"), None);
    }

    #[tokio::test]
    async fn what_is_not_there_is_a_page_not_found() {
        let server = Server::start().await;
        for (method, path) in [
            ("GET", "/images/busybox/nosuch"),
            ("GET", "/images/busybox"),
            ("POST", "/images/a/push"),
            ("PUT", "/images/a/json"),
        ] {
            let answer = server.ask(method, path).await;
            assert_eq!(
                (answer.status, answer.message().as_str()),
                (404, "page not found"),
                "{method} {path}"
            );
        }
    }
}
