//! Swarm's endpoints: this is never a swarm node, and dashboards that ask are told so in Docker's words.

use http::StatusCode;

use crate::error::ApiError;

/// 503 with Docker's sentence.
pub(crate) async fn refuse() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node \
         to swarm and try again.",
    )
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn this_is_never_a_swarm_node() {
        let server = Server::start().await;
        for path in [
            "/swarm",
            "/services",
            "/v1.41/nodes",
            "/tasks",
            "/secrets",
            "/configs",
            "/nodes/abc",
            "/swarm/unlockkey",
        ] {
            let answer = server.get(path).await;
            assert_eq!(answer.status, 503, "{path}");
            assert!(
                answer
                    .message()
                    .starts_with("This node is not a swarm manager. Use \"docker swarm init\" or")
            );
        }
    }
}
