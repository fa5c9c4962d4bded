//! `GET /info`: what the daemon and its host can do.

use axum::Json;
use axum::extract::State;
use berth_api_types::system::Info;
use berth_engine::Engine;

use crate::peer::Connection;

/// State of the daemon and facts about its host.
#[utoipa::path(
    get,
    path = "/info",
    tag = "system",
    responses((status = 200, description = "State and facts", body = Info))
)]
pub(crate) async fn info(State(engine): State<Engine>, connection: Connection) -> Json<Info> {
    Json(engine.info(&connection.caller))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn info_counts_and_lists_what_clients_read() {
        let document = Server::start().await.get("/v1.41/info").await.json();
        assert_eq!(document["Containers"], 0);
        assert_eq!(document["OSType"], "linux");
        assert_eq!(document["Swarm"]["LocalNodeState"], "inactive");
        let options = document["SecurityOptions"].as_array().unwrap();
        assert!(options.iter().any(|option| option == "name=userns"), "{options:?}");
    }
}
