//! The Docker Engine API over HTTP: routes, version negotiation, streams, and errors as statuses.
//!
//! [`router`] is the whole API as one service; [`serve`] runs it on sockets. The crate holds no logic about
//! containers or images: a route reads the request, asks the engine once, and writes the answer. One endpoint
//! lives in one file under [`routes`], with its tests beneath it.
//!
//! A request passes, outside in: response headers, panic net, version negotiation ([`protocol`]), route.

mod browser;
mod detach;
mod error;
mod hijack;
mod json;
mod listen;
mod openapi;
mod params;
mod peer;
mod protocol;
mod routes;
mod stream;
mod upload;

pub use error::ApiError;
pub use listen::{Listener, serve};
pub use openapi::openapi;
pub use peer::Connection;

use axum::Router;
use berth_engine::Engine;

/// The whole API for this engine, with and without version prefixes.
pub fn router(engine: Engine) -> Router {
    protocol::wrap(routes::table().with_state(engine))
}

#[cfg(test)]
mod testing;
