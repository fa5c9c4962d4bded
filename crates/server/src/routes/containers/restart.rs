//! `POST /containers/{name}/restart`: stop if it runs, then start.

use axum::extract::{Path, State};
use berth_api_types::error::ErrorMessage;
use berth_engine::Engine;
use http::StatusCode;

use super::stop::options;
use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Restarts a container.
#[utoipa::path(
    post,
    path = "/containers/{name}/restart",
    tag = "containers",
    params(
        ("name" = String, Path, description = "Name, ID or unique prefix"),
        ("t" = Option<i64>, Query, description = "Seconds until SIGKILL; −1 waits for ever"),
        ("signal" = Option<String>, Query, description = "Signal instead of the container's own"),
    ),
    responses(
        (status = 204, description = "Runs again"),
        (status = 400, description = "Bad parameter", body = ErrorMessage),
        (status = 404, description = "No such container", body = ErrorMessage),
    )
)]
pub(crate) async fn restart(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let options = options(&params)?;
    to_the_end(async move { engine.container_restart(&connection.caller, &name, options).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_container_is_not_found() {
        let answer = Server::start().await.post("/v1.24/containers/nosuch/restart").await;
        assert_eq!((answer.status, answer.message().as_str()), (404, "No such container: nosuch"));
    }
}
