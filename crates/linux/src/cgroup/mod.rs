//! Control groups, versions 1 and 2 and both at once.
//!
//! [`Hierarchies::detect`] says what this host has; a container then gets one directory per hierarchy. The
//! daemon makes the parents ([`Hierarchies::create_parent`]) and cleans up after shims that died
//! ([`kill_all`], [`remove`]); the shim makes, enters and removes the container's own directories.

mod detect;
mod tree;

pub use detect::{Hierarchies, Hierarchy, Mode};
pub use tree::{
    Settings, create, enable_controllers, enter_self, join, kill_all, kill_once, oom_kills, pids,
    populate_cpuset, remove,
};
