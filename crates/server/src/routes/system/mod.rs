//! The daemon itself.

pub(crate) mod events;
pub(crate) mod info;
pub(crate) mod ping;
pub(crate) mod plugins;
pub(crate) mod swarm;
pub(crate) mod version;
