//! `POST /containers/{name}/rename`.

use axum::extract::{Path, State};
use berth_api_types::error::ErrorMessage;
use berth_engine::Engine;
use http::StatusCode;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Gives a container another name.
#[utoipa::path(
    post,
    path = "/containers/{name}/rename",
    tag = "containers",
    params(
        ("name" = String, Path, description = "Name, ID or unique prefix"),
        ("name" = String, Query, description = "New name"),
    ),
    responses(
        (status = 204, description = "Renamed"),
        (status = 400, description = "Bad name", body = ErrorMessage),
        (status = 404, description = "No such container", body = ErrorMessage),
        (status = 409, description = "The name is taken", body = ErrorMessage),
    )
)]
pub(crate) async fn rename(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let new_name = params.owned("name").unwrap_or_default();
    to_the_end(async move { engine.container_rename(&connection.caller, &name, &new_name).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_container_is_not_found() {
        let answer = Server::start().await.post("/containers/nosuch/rename?name=other").await;
        assert_eq!((answer.status, answer.message().as_str()), (404, "No such container: nosuch"));
    }

    #[tokio::test]
    async fn an_empty_name_is_refused() {
        let answer = Server::start().await.post("/containers/nosuch/rename?name=").await;
        assert!(answer.message().to_lowercase().contains("neither old nor new names may be empty"));
        assert_eq!(answer.status, 400);
    }

    #[tokio::test]
    async fn names_are_checked_and_taken_names_refused() {
        let server = Server::with_image().await;
        server.create("web").await;
        server.create("other").await;
        for (name, status) in [("other", 409), ("web", 400), ("a%20b", 400), ("/second", 204)] {
            let answer = server.post(&format!("/containers/web/rename?name={name}")).await;
            assert_eq!(answer.status, status, "{name}: {}", answer.text());
        }
        assert_eq!(server.get("/containers/second/json").await.json()["Name"], "/second");
        assert_eq!(server.get("/containers/web/json").await.status, 404);
    }
}
