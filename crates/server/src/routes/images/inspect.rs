//! `GET /images/{name}/json`: everything about one image.

use axum::Json;
use axum::extract::{Path, State};
use berth_api_types::container::ContainerConfig;
use berth_api_types::error::ErrorMessage;
use berth_api_types::image::ImageInspect;
use berth_engine::Engine;

use crate::error::ApiError;
use crate::peer::Connection;
use crate::protocol::Version;

/// The complete document of an image.
#[utoipa::path(
    get,
    path = "/images/{name}/json",
    tag = "images",
    params(("name" = String, Path, description = "Name, digest or ID")),
    responses(
        (status = 200, description = "The image", body = ImageInspect),
        (status = 404, description = "No such image", body = ErrorMessage),
    )
)]
pub(crate) async fn inspect(
    State(engine): State<Engine>,
    connection: Connection,
    version: Version,
    Path(name): Path<String>,
) -> Result<Json<ImageInspect>, ApiError> {
    let mut image = engine.image_inspect(&connection.caller, &name).await?;
    image.virtual_size = if version.at_least(44) { 0 } else { image.size };
    if !version.at_least(45) {
        image.container.get_or_insert_default();
        image.container_config.get_or_insert_with(ContainerConfig::default);
    }
    Ok(Json(image))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_image_is_not_found() {
        let server = Server::start().await;
        for name in ["nosuch", "library/nosuch:v1", "localhost:5000/a/b"] {
            let answer = server.get(&format!("/images/{name}/json")).await;
            assert_eq!(answer.status, 404, "{name}");
            assert!(answer.message().starts_with("No such image: "), "{}", answer.message());
        }
    }

    #[tokio::test]
    async fn documents_have_the_fields_of_their_version() {
        let server = Server::with_image().await;
        let new = server.get("/images/busybox/json").await.json();
        assert_eq!(new["RepoTags"][0], "busybox:latest");
        assert_eq!(new["Config"]["Cmd"][0], "sh");
        for key in ["VirtualSize", "Container", "ContainerConfig"] {
            assert!(new.get(key).is_none(), "{key}");
        }
        let old = server.get("/v1.41/images/busybox:latest/json").await.json();
        assert_eq!(old["VirtualSize"], old["Size"]);
        assert_eq!(old["Container"], "");
        assert!(old["ContainerConfig"]["Cmd"].is_null());
    }
}
