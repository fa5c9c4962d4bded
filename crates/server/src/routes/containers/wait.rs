//! `POST /containers/{name}/wait`: block until the container ends, and say how.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use berth_api_types::container::{WaitError, WaitResponse};
use berth_api_types::error::ErrorMessage;
use berth_engine::{Engine, WaitCondition, WaitHandle};
use futures_util::{StreamExt, stream};
use http::header;

use crate::error::{ApiError, chain};
use crate::params::Params;
use crate::peer::Connection;
use crate::protocol::Version;
use crate::stream::{json_line, stopped, until_unwanted};

/// Waits for a container.
///
/// The headers are sent as soon as the wait is in place, so a client may start the container after reading them
/// and miss nothing; the body follows when the condition holds. Before API 1.30 both come together.
#[utoipa::path(
    post,
    path = "/containers/{name}/wait",
    tag = "containers",
    params(
        ("name" = String, Path, description = "Name, ID or unique prefix"),
        ("condition" = Option<String>, Query, description = "not-running, next-exit or removed"),
    ),
    responses(
        (status = 200, description = "It ended", body = WaitResponse),
        (status = 400, description = "Bad condition", body = ErrorMessage),
        (status = 404, description = "No such container", body = ErrorMessage),
    )
)]
pub(crate) async fn wait(
    State(engine): State<Engine>,
    connection: Connection,
    version: Version,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let condition = condition(&params, version)?;
    let handle = engine.container_wait(&connection.caller, &name, condition)?;
    if !version.at_least(30) {
        // Nothing is sent until the end, so nothing but this tells that nobody listens any more.
        return tokio::select! {
            answer = handle.finished() => Ok(axum::Json(answer?).into_response()),
            () = connection.gone() => Err(berth_engine::Error::ShuttingDown.into()),
            () = stopped(engine.shutting_down()) => Err(berth_engine::Error::ShuttingDown.into()),
        };
    }
    let answer = until_unwanted(Box::pin(stream::once(outcome(handle))), connection, engine.shutting_down());
    let body = Body::from_stream(answer.map(|answer| Ok::<_, Infallible>(json_line(&answer))));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// What to wait for; older clients cannot say.
fn condition(params: &Params, version: Version) -> Result<WaitCondition, ApiError> {
    match params.text("condition") {
        _ if !version.at_least(30) => Ok(WaitCondition::NotRunning),
        None | Some("not-running") => Ok(WaitCondition::NotRunning),
        Some("next-exit") => Ok(WaitCondition::NextExit),
        Some("removed") => Ok(WaitCondition::Removed),
        Some(other) => Err(ApiError::invalid(format!("invalid condition: {other:?}"))),
    }
}

/// The answer; the status line is long gone, so a failure is told in it.
async fn outcome(handle: WaitHandle) -> WaitResponse {
    handle.finished().await.unwrap_or_else(|error| WaitResponse {
        status_code: -1,
        error: Some(WaitError { message: chain(&error) }),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Request;
    use http_body_util::BodyExt;

    use super::*;
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_container_is_not_found_at_once() {
        let server = Server::start().await;
        for path in [
            "/containers/nosuch/wait",
            "/v1.24/containers/nosuch/wait",
            "/containers/nosuch/wait?condition=removed",
        ] {
            let answer = server.post(path).await;
            assert_eq!(
                (answer.status, answer.message().as_str()),
                (404, "No such container: nosuch"),
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn an_unknown_condition_is_refused() {
        let answer = Server::start().await.post("/containers/nosuch/wait?condition=bogus").await;
        assert_eq!((answer.status, answer.message().as_str()), (400, "invalid condition: \"bogus\""));
    }

    #[tokio::test]
    async fn headers_come_before_the_container_ends() {
        let server = Server::with_image().await;
        server.create("web").await;
        let request = Request::post("/containers/web/wait?condition=removed").body(Body::empty()).unwrap();
        let response = server.open(request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/json");
        let mut body = Box::pin(response.into_body().collect());
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut body).await.is_err());
        assert_eq!(server.ask("DELETE", "/containers/web").await.status, 204);
        assert_eq!(body.await.unwrap().to_bytes(), "{\"StatusCode\":0}\n");
    }

    #[tokio::test]
    async fn a_container_that_does_not_run_needs_no_wait() {
        let server = Server::with_image().await;
        server.create("web").await;
        for path in ["/containers/web/wait", "/v1.24/containers/web/wait"] {
            assert_eq!(server.post(path).await.json()["StatusCode"], 0);
        }
    }
}
