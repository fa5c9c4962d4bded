//! The daemon itself: versions and `info`. (`_ping` has no document: its facts are response headers.)

mod info;
mod version;

pub use info::{AddressPool, Commit, IndexInfo, Info, PluginsInfo, RegistryConfig, RuntimeInfo, SwarmInfo};
pub use version::{Component, Platform, Version};
