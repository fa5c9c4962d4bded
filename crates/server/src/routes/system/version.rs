//! `GET /version`: versions of the daemon and its parts.

use axum::Json;
use axum::extract::State;
use berth_api_types::system::Version;
use berth_engine::Engine;

use crate::peer::Connection;

/// Versions of the daemon and its parts.
#[utoipa::path(
    get,
    path = "/version",
    tag = "system",
    responses((status = 200, description = "Versions", body = Version))
)]
pub(crate) async fn version(State(engine): State<Engine>, connection: Connection) -> Json<Version> {
    Json(engine.version(&connection.caller))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn versions_name_the_api_range() {
        let document = Server::start().await.get("/version").await.json();
        assert_eq!(
            (document["ApiVersion"].as_str(), document["MinAPIVersion"].as_str()),
            (Some("1.51"), Some("1.24"))
        );
        assert_eq!(document["Os"], "linux");
        assert!(document["KernelVersion"].is_string());
    }
}
