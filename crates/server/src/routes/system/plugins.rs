//! `GET /plugins`: Berth has no plugins, and says so the way clients expect.

use axum::Json;

/// The empty list of plugins.
#[utoipa::path(
    get,
    path = "/plugins",
    tag = "system",
    responses((status = 200, description = "Always empty", body = Vec<Object>))
)]
pub(crate) async fn plugins() -> Json<[(); 0]> {
    Json([])
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn there_are_no_plugins() {
        assert_eq!(Server::start().await.get("/v1.30/plugins").await.text(), "[]");
    }
}
