//! `DELETE /images/{name}`: a name, and with the last name the image.

use axum::Json;
use axum::extract::{Path, State};
use berth_api_types::error::ErrorMessage;
use berth_api_types::image::DeleteItem;
use berth_engine::Engine;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Removes an image.
#[utoipa::path(
    delete,
    path = "/images/{name}",
    tag = "images",
    params(
        ("name" = String, Path, description = "Name, digest or ID"),
        ("force" = Option<bool>, Query, description = "Even if stopped containers use it"),
        ("noprune" = Option<bool>, Query, description = "Keep untagged parents"),
    ),
    responses(
        (status = 200, description = "What was removed", body = Vec<DeleteItem>),
        (status = 404, description = "No such image", body = ErrorMessage),
        (status = 409, description = "It is in use", body = ErrorMessage),
    )
)]
pub(crate) async fn remove(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<Vec<DeleteItem>>, ApiError> {
    let (force, no_prune) = (params.flag("force"), params.flag("noprune"));
    let removed =
        to_the_end(async move { engine.image_remove(&connection.caller, &name, force, no_prune).await })
            .await?;
    Ok(Json(removed))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_image_is_not_found() {
        let answer = Server::start().await.ask("DELETE", "/images/nosuch").await;
        assert_eq!((answer.status, answer.message().as_str()), (404, "No such image: nosuch:latest"));
    }

    #[tokio::test]
    async fn the_last_name_takes_the_image_with_it() {
        let server = Server::with_image().await;
        server.post("/images/busybox/tag?repo=a/b&tag=v1").await;
        assert_eq!(server.ask("DELETE", "/images/a/b:v1").await.text(), "[{\"Untagged\":\"a/b:v1\"}]");
        let steps = server.ask("DELETE", "/images/busybox").await.json();
        assert_eq!(steps[0]["Untagged"], "busybox:latest");
        assert!(steps[1]["Deleted"].as_str().unwrap().starts_with("sha256:"));
        assert_eq!(server.get("/images/json").await.text(), "[]");
    }
}
