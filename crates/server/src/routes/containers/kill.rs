//! `POST /containers/{name}/kill`: one signal to the container's process.

use axum::extract::{Path, State};
use berth_api_types::error::ErrorMessage;
use berth_engine::Engine;
use http::StatusCode;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Sends a signal, `SIGKILL` by default.
#[utoipa::path(
    post,
    path = "/containers/{name}/kill",
    tag = "containers",
    params(
        ("name" = String, Path, description = "Name, ID or unique prefix"),
        ("signal" = Option<String>, Query, description = "Signal by name or number"),
    ),
    responses(
        (status = 204, description = "Sent"),
        (status = 400, description = "No such signal", body = ErrorMessage),
        (status = 404, description = "No such container", body = ErrorMessage),
        (status = 409, description = "It does not run", body = ErrorMessage),
    )
)]
pub(crate) async fn kill(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let signal = params.owned("signal");
    let what = format!("cannot kill container: {name}: ");
    to_the_end(async move { engine.container_kill(&connection.caller, &name, signal.as_deref()).await })
        .await
        .map_err(|error| ApiError { message: what + &error.message, ..error })?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_container_is_not_found() {
        let answer = Server::start().await.post("/containers/nosuch/kill").await;
        let message = "cannot kill container: nosuch: No such container: nosuch";
        assert_eq!((answer.status, answer.message().as_str()), (404, message));
    }

    #[tokio::test]
    async fn an_unknown_signal_is_refused() {
        let answer = Server::start().await.post("/containers/nosuch/kill?signal=FOO").await;
        assert_eq!(answer.status, 400);
        assert!(answer.message().to_lowercase().contains("invalid signal: foo"), "{}", answer.message());
    }

    #[tokio::test]
    async fn what_does_not_run_cannot_be_killed() {
        let server = Server::with_image().await;
        let id = server.create("web").await;
        let answer = server.post("/containers/web/kill").await;
        let message = format!("cannot kill container: web: container {id} is not running");
        assert_eq!((answer.status, answer.message().to_lowercase()), (409, message));
    }
}
