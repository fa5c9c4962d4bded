//! Safe wrappers over the kernel interfaces a container engine needs, and the only crate of the workspace
//! in which `unsafe` is allowed.
//!
//! Two audiences share it: the daemon, which identifies processes, owns cgroup parents and locks
//! ([`process`], [`cgroup`], [`lock`], [`fdpass`], [`sealed`]), and the per-container supervisor, which builds a container
//! out of namespaces and mounts (everything else). A wrapper is here when `rustix` has none; where it has
//! one, the callers use `rustix` themselves.
//!
//! Everything blocks: an asynchronous caller moves calls that wait to a blocking thread.

pub mod caps;
pub mod cgroup;
pub mod clone;
pub mod error;
pub mod fdpass;
pub mod fds;
pub mod idmap;
pub mod inherited;
pub mod lock;
pub mod mount;
pub mod net;
pub mod process;
pub mod sealed;
pub mod seccomp;
pub mod signals;
pub mod sys;

pub use error::{Error, Result};
