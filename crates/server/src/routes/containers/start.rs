//! `POST /containers/{name}/start`.

use axum::extract::{Path, State};
use berth_api_types::error::ErrorMessage;
use berth_engine::Engine;
use http::{HeaderMap, StatusCode, header};

use super::changed;
use crate::error::ApiError;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Longest body that is still no host configuration: `null` and `{}` of old clients.
const EMPTY_BODY: u64 = 7;

/// Starts a container.
#[utoipa::path(
    post,
    path = "/containers/{name}/start",
    tag = "containers",
    params(("name" = String, Path, description = "Name, ID or unique prefix")),
    responses(
        (status = 204, description = "Started"),
        (status = 304, description = "It runs already"),
        (status = 400, description = "Its program cannot be executed", body = ErrorMessage),
        (status = 404, description = "No such container", body = ErrorMessage),
    )
)]
pub(crate) async fn start(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    if has_body(&headers) {
        return Err(ApiError::invalid(
            "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
        ));
    }
    to_the_end(async move { engine.container_start(&connection.caller, &name).await }).await.map(changed)
}

/// Whether the request carries a document.
fn has_body(headers: &HeaderMap) -> bool {
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    length.map_or(headers.contains_key(header::TRANSFER_ENCODING), |length| length > EMPTY_BODY)
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_container_is_not_found() {
        let answer = Server::start().await.post("/containers/nosuch/start").await;
        assert_eq!((answer.status, answer.message().as_str()), (404, "No such container: nosuch"));
    }

    #[tokio::test]
    async fn a_host_configuration_is_refused() {
        let answer = Server::start().await.post_json("/containers/nosuch/start", "{\"Binds\":[]}").await;
        assert_eq!(answer.status, 400);
        assert!(answer.message().starts_with("starting container with non-empty request body"));
    }
}
