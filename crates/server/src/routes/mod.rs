//! The table of endpoints. Paths are without version prefix; what is not here answers 404 `page not found`.

pub(crate) mod containers;
pub(crate) mod images;
pub(crate) mod system;

use std::future::Future;

use axum::Router;
use axum::routing::{any, delete, get, post};
use berth_engine::Engine;

use crate::error::ApiError;

/// Every route.
pub(crate) fn table() -> Router<Engine> {
    Router::new()
        .route("/_ping", get(system::ping::ping))
        .route("/version", get(system::version::version))
        .route("/info", get(system::info::info))
        .route("/events", get(system::events::events))
        .route("/plugins", get(system::plugins::plugins))
        .merge(swarm())
        .route("/containers/create", post(containers::create::create))
        .route("/containers/json", get(containers::list::list))
        .route("/containers/prune", post(containers::prune::prune))
        .route("/containers/{name}", delete(containers::remove::remove))
        .route("/containers/{name}/json", get(containers::inspect::inspect))
        .route("/containers/{name}/start", post(containers::start::start))
        .route("/containers/{name}/stop", post(containers::stop::stop))
        .route("/containers/{name}/restart", post(containers::restart::restart))
        .route("/containers/{name}/kill", post(containers::kill::kill))
        .route("/containers/{name}/wait", post(containers::wait::wait))
        .route("/containers/{name}/rename", post(containers::rename::rename))
        .route("/containers/{name}/logs", get(containers::logs::logs))
        .route("/containers/{name}/attach", post(containers::attach::attach))
        .route("/containers/{name}/resize", post(containers::resize::resize))
        .route("/images/create", post(images::create::create))
        .route("/images/load", post(images::load::load))
        .route("/images/json", get(images::list::list))
        .route("/images/prune", post(images::prune::prune))
        .route(
            "/images/{*path}",
            get(images::by_name::get).post(images::by_name::post).delete(images::remove::remove),
        )
        .route("/berth/v1/images/bootstrap", post(images::bootstrap::bootstrap))
}

/// Swarm's paths and everything below them.
fn swarm() -> Router<Engine> {
    ["swarm", "services", "nodes", "tasks", "secrets", "configs"].iter().fold(
        Router::new(),
        |router, root| {
            router
                .route(&format!("/{root}"), any(system::swarm::refuse))
                .route(&format!("/{root}/{{*path}}"), any(system::swarm::refuse))
        },
    )
}

/// Runs a change to its end even if the client goes away meanwhile: a dropped request must not leave half of it.
pub(crate) async fn to_the_end<T: Send + 'static>(
    change: impl Future<Output = berth_engine::Result<T>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(change).await {
        Ok(result) => Ok(result?),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(ApiError::new(http::StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
        },
    }
}
