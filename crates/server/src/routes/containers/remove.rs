//! `DELETE /containers/{name}`.

use axum::extract::{Path, State};
use berth_api_types::error::ErrorMessage;
use berth_engine::{Engine, RemoveOptions};
use http::StatusCode;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Removes a container.
#[utoipa::path(
    delete,
    path = "/containers/{name}",
    tag = "containers",
    params(
        ("name" = String, Path, description = "Name, ID or unique prefix"),
        ("force" = Option<bool>, Query, description = "Kill it first if it runs"),
        ("v" = Option<bool>, Query, description = "Remove its anonymous volumes too"),
        ("link" = Option<bool>, Query, description = "Remove the legacy link of this name instead"),
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = 404, description = "No such container", body = ErrorMessage),
        (status = 409, description = "It runs", body = ErrorMessage),
    )
)]
pub(crate) async fn remove(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let options =
        RemoveOptions { force: params.flag("force"), volumes: params.flag("v"), link: params.flag("link") };
    to_the_end(async move { engine.container_remove(&connection.caller, &name, options).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_container_is_not_found() {
        let server = Server::start().await;
        for path in ["/containers/nosuch", "/containers/nosuch?force=1&v=1"] {
            let answer = server.ask("DELETE", path).await;
            assert_eq!((answer.status, answer.message().as_str()), (404, "No such container: nosuch"));
        }
    }

    #[tokio::test]
    async fn a_removed_container_is_gone() {
        let server = Server::with_image().await;
        let id = server.create("web").await;
        assert_eq!(server.ask("DELETE", &format!("/containers/{}", &id[..12])).await.status, 204);
        assert_eq!(server.ask("DELETE", "/containers/web").await.status, 404);
        assert_eq!(server.get("/containers/json?all=1").await.text(), "[]");
    }
}
