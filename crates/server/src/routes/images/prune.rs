//! `POST /images/prune`: remove images that nothing uses.

use axum::Json;
use axum::extract::State;
use berth_api_types::error::ErrorMessage;
use berth_api_types::image::ImagePruneResponse;
use berth_engine::Engine;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Removes untagged images, or with `dangling=false` every image without a container.
#[utoipa::path(
    post,
    path = "/images/prune",
    tag = "images",
    params(("filters" = Option<String>, Query, description = "dangling, until, label, label! as JSON")),
    responses(
        (status = 200, description = "What was removed", body = ImagePruneResponse),
        (status = 400, description = "Bad filter", body = ErrorMessage),
    )
)]
pub(crate) async fn prune(
    State(engine): State<Engine>,
    connection: Connection,
    params: Params,
) -> Result<Json<ImagePruneResponse>, ApiError> {
    let filters = params.filters()?;
    Ok(Json(to_the_end(async move { engine.image_prune(&connection.caller, &filters).await }).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn nothing_to_remove_is_null() {
        let answer = Server::start().await.post("/images/prune").await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "{\"ImagesDeleted\":null,\"SpaceReclaimed\":0}")
        );
    }
}
