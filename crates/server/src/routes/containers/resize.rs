//! `POST /containers/{name}/resize`: the size of the container's terminal.

use axum::extract::{Path, State};
use berth_api_types::error::ErrorMessage;
use berth_engine::Engine;
use http::StatusCode;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;

/// Resizes a terminal.
#[utoipa::path(
    post,
    path = "/containers/{name}/resize",
    tag = "containers",
    params(
        ("name" = String, Path, description = "Name, ID or unique prefix"),
        ("h" = u16, Query, description = "Rows"),
        ("w" = u16, Query, description = "Columns"),
    ),
    responses(
        (status = 200, description = "Resized"),
        (status = 400, description = "Bad size", body = ErrorMessage),
        (status = 404, description = "No such container", body = ErrorMessage),
        (status = 409, description = "It does not run", body = ErrorMessage),
    )
)]
pub(crate) async fn resize(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let (height, width) = (size(&params, "h", "height")?, size(&params, "w", "width")?);
    engine.container_resize(&connection.caller, &name, height, width).await?;
    Ok(StatusCode::OK)
}

/// One dimension in cells.
fn size(params: &Params, name: &str, dimension: &str) -> Result<u16, ApiError> {
    let text = params.text(name).unwrap_or_default();
    text.parse()
        .map_err(|_| ApiError::invalid(format!("invalid resize {dimension} {text:?}: invalid syntax")))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn sizes_are_numbers() {
        let server = Server::start().await;
        for query in ["h=x&w=20", "h=10", "h=10&w=-1", "h=10&w=70000"] {
            assert_eq!(
                server.post(&format!("/containers/nosuch/resize?{query}")).await.status,
                400,
                "{query}"
            );
        }
        assert_eq!(server.post("/containers/nosuch/resize?h=10&w=20").await.status, 404);
    }
}
