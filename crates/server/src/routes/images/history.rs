//! `GET /images/{name}/history`: the steps an image was made in.

use axum::Json;
use axum::extract::{Path, State};
use berth_api_types::error::ErrorMessage;
use berth_api_types::image::HistoryItem;
use berth_engine::Engine;

use crate::error::ApiError;
use crate::peer::Connection;

/// The history of an image, newest step first.
#[utoipa::path(
    get,
    path = "/images/{name}/history",
    tag = "images",
    params(("name" = String, Path, description = "Name, digest or ID")),
    responses(
        (status = 200, description = "Steps", body = Vec<HistoryItem>),
        (status = 404, description = "No such image", body = ErrorMessage),
    )
)]
pub(crate) async fn history(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
) -> Result<Json<Vec<HistoryItem>>, ApiError> {
    Ok(Json(engine.image_history(&connection.caller, &name).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_image_is_not_found() {
        let answer = Server::start().await.get("/images/nosuch/history").await;
        assert_eq!((answer.status, answer.message().as_str()), (404, "No such image: nosuch:latest"));
    }

    #[tokio::test]
    async fn the_newest_step_has_the_id_and_the_names() {
        let server = Server::with_image().await;
        let steps = server.get("/images/busybox/history").await.json();
        assert!(steps[0]["Id"].as_str().unwrap().starts_with("sha256:"));
        assert_eq!(steps[0]["Tags"][0], "busybox:latest");
    }
}
