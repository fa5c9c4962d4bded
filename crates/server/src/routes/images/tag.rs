//! `POST /images/{name}/tag`: another name for an image.

use axum::extract::{Path, State};
use berth_api_types::error::ErrorMessage;
use berth_engine::Engine;
use http::StatusCode;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Tags an image.
#[utoipa::path(
    post,
    path = "/images/{name}/tag",
    tag = "images",
    params(
        ("name" = String, Path, description = "Name, digest or ID"),
        ("repo" = String, Query, description = "New name without tag"),
        ("tag" = Option<String>, Query, description = "New tag, latest if absent"),
    ),
    responses(
        (status = 201, description = "Tagged"),
        (status = 400, description = "Bad name", body = ErrorMessage),
        (status = 404, description = "No such image", body = ErrorMessage),
    )
)]
pub(crate) async fn tag(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let (repo, tag) = (params.owned("repo").unwrap_or_default(), params.owned("tag"));
    to_the_end(async move { engine.image_tag(&connection.caller, &name, &repo, tag.as_deref()).await })
        .await?;
    Ok(StatusCode::CREATED)
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_image_is_not_found() {
        let answer = Server::start().await.post("/images/nosuch/tag?repo=foo").await;
        assert_eq!((answer.status, answer.message().as_str()), (404, "No such image: nosuch:latest"));
    }

    #[tokio::test]
    async fn a_tagged_image_has_both_names() {
        let server = Server::with_image().await;
        assert_eq!(server.post("/images/busybox/tag?repo=a/b&tag=v1").await.status, 201);
        assert_eq!(server.get("/images/a/b:v1/json").await.json()["RepoTags"].as_array().unwrap().len(), 2);
        assert_eq!(server.post("/images/busybox/tag?repo=FOO").await.status, 400);
        assert_eq!(server.post("/images/busybox/tag?repo=a&tag=b:c").await.status, 400);
    }
}
