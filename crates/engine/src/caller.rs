//! Who asked. Every use case takes its caller, so that audit and roles can hang on it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The origin of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "snake_case")]
pub enum Caller {
    /// A process on this host, over a unix socket (`SO_PEERCRED`, unix(7)).
    Peer {
        /// Its effective user ID when it connected.
        uid: u32,
        /// Its effective group ID when it connected.
        gid: u32,
        /// Its process ID when it connected, 0 if unknown.
        pid: i32,
    },
    /// A TCP client.
    Tcp {
        /// Where it connected from.
        address: SocketAddr,
    },
    /// The engine itself: automatic removal, restart policies, recovery.
    Engine,
}
