//! `GET /images/json`: the list of images.

use axum::Json;
use axum::extract::State;
use berth_api_types::error::ErrorMessage;
use berth_api_types::image::ImageSummary;
use berth_engine::Engine;
use berth_engine::images::ListOptions;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::protocol::Version;

/// Lists images, newest first.
#[utoipa::path(
    get,
    path = "/images/json",
    tag = "images",
    params(
        ("all" = Option<bool>, Query, description = "Include intermediate images"),
        ("shared-size" = Option<bool>, Query, description = "Compute what images share"),
        ("digests" = Option<bool>, Query, description = "Include names with digests"),
        ("filters" = Option<String>, Query, description = "reference, label, dangling, before, since, until as JSON"),
    ),
    responses(
        (status = 200, description = "Images", body = Vec<ImageSummary>),
        (status = 400, description = "Bad parameter", body = ErrorMessage),
    )
)]
pub(crate) async fn list(
    State(engine): State<Engine>,
    connection: Connection,
    version: Version,
    params: Params,
) -> Result<Json<Vec<ImageSummary>>, ApiError> {
    let options = ListOptions {
        all: params.flag("all"),
        shared_size: params.flag("shared-size"),
        digests: params.flag("digests"),
        filters: params.filters()?,
    };
    let mut images = engine.image_list(&connection.caller, options).await?;
    for image in &mut images {
        image.virtual_size = if version.at_least(44) { 0 } else { image.size };
    }
    Ok(Json(images))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_empty_list_is_a_list() {
        assert_eq!(Server::start().await.get("/images/json").await.text(), "[]");
    }

    #[tokio::test]
    async fn old_clients_also_get_the_virtual_size() {
        let server = Server::with_image().await;
        let new = server.get("/images/json").await.json();
        assert_eq!(new[0]["RepoTags"][0], "busybox:latest");
        assert!(new[0].get("VirtualSize").is_none());
        let old = server.get("/v1.43/images/json").await.json();
        assert_eq!(old[0]["VirtualSize"], old[0]["Size"]);
    }

    #[tokio::test]
    async fn bad_filters_are_refused() {
        let server = Server::start().await;
        for (filters, message) in [
            ("%7B%22bogus%22:%5B%22x%22%5D%7D", "invalid filter 'bogus'"),
            ("%7B%22dangling%22:%5B%22maybe%22%5D%7D", "invalid filter 'dangling=[maybe]'"),
        ] {
            let answer = server.get(&format!("/images/json?filters={filters}")).await;
            assert_eq!((answer.status, answer.message().as_str()), (400, message));
        }
    }
}
