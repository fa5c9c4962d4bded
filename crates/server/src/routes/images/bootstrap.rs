//! `POST /berth/v1/images/bootstrap`: the built-in default image, made on this machine without a registry.

use axum::Json;
use axum::extract::State;
use berth_api_types::error::ErrorMessage;
use berth_api_types::image::BootstrapResponse;
use berth_engine::Engine;

use crate::error::ApiError;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Makes the `busybox` image from the machine's static busybox.
#[utoipa::path(
    post,
    path = "/berth/v1/images/bootstrap",
    tag = "berth",
    responses(
        (status = 200, description = "The image is there", body = BootstrapResponse),
        (status = 404, description = "No static busybox on this machine", body = ErrorMessage),
    )
)]
pub(crate) async fn bootstrap(
    State(engine): State<Engine>,
    connection: Connection,
) -> Result<Json<BootstrapResponse>, ApiError> {
    let image = to_the_end(async move { engine.image_bootstrap(&connection.caller).await }).await?;
    Ok(Json(BootstrapResponse { id: image.id, name: image.name.unwrap_or_default() }))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn the_default_image_is_made_twice_without_harm() {
        let server = Server::start().await;
        let first = server.post("/berth/v1/images/bootstrap").await.json();
        assert_eq!(first["Name"], "busybox:latest");
        assert!(first["Id"].as_str().unwrap().starts_with("sha256:"));
        assert_eq!(server.post("/berth/v1/images/bootstrap").await.json()["Name"], "busybox:latest");
    }
}
