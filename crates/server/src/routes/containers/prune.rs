//! `POST /containers/prune`: remove every container that does not run.

use axum::Json;
use axum::extract::State;
use berth_api_types::container::PruneResponse;
use berth_api_types::error::ErrorMessage;
use berth_engine::Engine;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Removes stopped containers.
#[utoipa::path(
    post,
    path = "/containers/prune",
    tag = "containers",
    params(("filters" = Option<String>, Query, description = "until, label, label! as JSON")),
    responses(
        (status = 200, description = "What was removed", body = PruneResponse),
        (status = 400, description = "Bad filter", body = ErrorMessage),
    )
)]
pub(crate) async fn prune(
    State(engine): State<Engine>,
    connection: Connection,
    params: Params,
) -> Result<Json<PruneResponse>, ApiError> {
    let filters = params.filters()?;
    Ok(Json(to_the_end(async move { engine.container_prune(&connection.caller, &filters).await }).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn nothing_to_remove_is_null() {
        let answer = Server::start().await.post("/containers/prune").await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "{\"ContainersDeleted\":null,\"SpaceReclaimed\":0}")
        );
    }

    #[tokio::test]
    async fn bad_filters_are_refused() {
        let server = Server::start().await;
        let answer = server.post("/containers/prune?filters=%7B%22bogus%22:%5B%22x%22%5D%7D").await;
        assert_eq!((answer.status, answer.message().as_str()), (400, "invalid filter 'bogus'"));
        let answer = server.post("/containers/prune?filters=%7B%22until%22:%5B%22x%22%5D%7D").await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.message(), "failed to parse value as time or duration: \"x\"");
    }

    #[tokio::test]
    async fn what_does_not_run_is_removed() {
        let server = Server::with_image().await;
        let id = server.create("web").await;
        assert_eq!(server.post("/containers/prune").await.json()["ContainersDeleted"][0], id);
    }
}
