//! What only Berth promises: user namespaces, crash safety, nothing left over, its own client and routes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod alone;
mod api;
mod bootstrap;
mod cli;
mod cli_lifecycle;
mod configuration;
mod crash;
mod leftovers;
mod oci_layouts;
mod openapi;
mod several_daemons;
mod shim_death;
mod userns;
