//! Everything the end-to-end tests share: a private daemon per test, a raw HTTP client that checks what it
//! reads against the OpenAPI document, the real command-line clients, images made from nothing but the
//! machine's own busybox, and the search for whatever a container may have left behind.
//!
//! Two kinds of tests use it:
//! - **parity** tests run against Berth or, with `BERTH_E2E_REFERENCE=unix:///path`, against Docker's own
//!   daemon. A statement about Docker's behaviour is trusted once it has been seen to hold there.
//! - **berth** tests are about what only Berth has (user-namespace shift, crash safety, leftovers). They start
//!   their daemon with [`Daemon::berth`], which refuses to run in reference mode instead of passing silently.
//!
//! Every failure is a panic: this crate is linked into tests and the benchmark only.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod containers;
mod daemon;
mod home;
pub mod http;
pub mod image;
mod leftovers;
pub mod openapi;
pub mod process;
mod reference;
mod wait;

pub use containers::Inside;
pub use daemon::{Builder, Daemon, binary, cache, workspace};
pub use home::{cgroup_parent, sweep};
pub use http::{Client, Response};
pub use leftovers::cgroups;
pub use process::Output;
pub use reference::Dockerd;
pub use wait::{eventually, until};

/// Reference and tag of the image that [`Daemon::start`] puts into every daemon.
pub const IMAGE: &str = "e2e/busybox:latest";

/// Panics with an explanation unless the test has root: nothing here may pass by doing nothing.
pub fn require_root() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "the end-to-end tests start containers and need root: run `make test` as root"
    );
}
