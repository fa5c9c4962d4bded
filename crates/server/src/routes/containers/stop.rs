//! `POST /containers/{name}/stop`: the stop signal, then `SIGKILL`.

use axum::extract::{Path, State};
use berth_api_types::error::ErrorMessage;
use berth_engine::{Engine, StopOptions};
use http::StatusCode;

use super::changed;
use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Stops a container.
#[utoipa::path(
    post,
    path = "/containers/{name}/stop",
    tag = "containers",
    params(
        ("name" = String, Path, description = "Name, ID or unique prefix"),
        ("t" = Option<i64>, Query, description = "Seconds until SIGKILL; −1 waits for ever"),
        ("signal" = Option<String>, Query, description = "Signal instead of the container's own"),
    ),
    responses(
        (status = 204, description = "Stopped"),
        (status = 304, description = "It does not run"),
        (status = 400, description = "Bad parameter", body = ErrorMessage),
        (status = 404, description = "No such container", body = ErrorMessage),
    )
)]
pub(crate) async fn stop(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let options = options(&params)?;
    to_the_end(async move { engine.container_stop(&connection.caller, &name, options).await })
        .await
        .map(changed)
}

/// The parameters that stop and restart share.
pub(super) fn options(params: &Params) -> Result<StopOptions, ApiError> {
    Ok(StopOptions { signal: params.owned("signal"), timeout: params.int("t")? })
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_container_is_not_found() {
        let answer = Server::start().await.post("/containers/nosuch/stop?t=1").await;
        assert_eq!((answer.status, answer.message().as_str()), (404, "No such container: nosuch"));
    }

    #[tokio::test]
    async fn the_timeout_is_a_number() {
        let answer = Server::start().await.post("/containers/nosuch/stop?t=abc").await;
        let message = "strconv.Atoi: parsing \"abc\": invalid syntax";
        assert_eq!((answer.status, answer.message().as_str()), (400, message));
    }

    #[tokio::test]
    async fn what_does_not_run_is_stopped_already() {
        let server = Server::with_image().await;
        server.create("web").await;
        let answer = server.post("/containers/web/stop").await;
        assert_eq!((answer.status, answer.text().as_str()), (304, ""));
    }
}
