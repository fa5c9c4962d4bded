//! The small records inside a host configuration: devices, limits, log and restart settings.
//!

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::presence::{is_default, or_default};

/// Log driver of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct LogConfig {
    /// Driver name; empty asks for the daemon's default.
    #[serde(deserialize_with = "or_default")]
    pub r#type: String,
    /// Driver options, such as `max-size`.
    #[serde(deserialize_with = "or_default")]
    pub config: Option<BTreeMap<String, String>>,
}

/// What happens when a container exits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    /// `no`, `always`, `unless-stopped`, `on-failure` or empty for `no`.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// How often `on-failure` tries again; 0 means for ever.
    #[serde(deserialize_with = "or_default")]
    pub maximum_retry_count: i64,
}

/// Where a container's port is published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortBinding {
    /// Host address; empty means every address.
    #[serde(deserialize_with = "or_default")]
    pub host_ip: String,
    /// Host port or range; empty asks for a free one.
    #[serde(deserialize_with = "or_default")]
    pub host_port: String,
}

/// A block I/O weight for one device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct WeightDevice {
    /// Device path on the host.
    #[serde(deserialize_with = "or_default")]
    pub path: String,
    /// Weight, 10–1000.
    #[serde(deserialize_with = "or_default")]
    pub weight: u16,
}

/// A block I/O limit for one device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ThrottleDevice {
    /// Device path on the host.
    #[serde(deserialize_with = "or_default")]
    pub path: String,
    /// Bytes or operations per second.
    #[serde(deserialize_with = "or_default")]
    pub rate: u64,
}

/// A host device in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeviceMapping {
    /// Path on the host.
    #[serde(deserialize_with = "or_default")]
    pub path_on_host: String,
    /// Path in the container.
    #[serde(deserialize_with = "or_default")]
    pub path_in_container: String,
    /// Some of `r`, `w`, `m`.
    #[serde(deserialize_with = "or_default")]
    pub cgroup_permissions: String,
}

/// A request to a device driver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeviceRequest {
    /// Driver name.
    #[serde(deserialize_with = "or_default")]
    pub driver: String,
    /// Number of devices; −1 means all.
    #[serde(deserialize_with = "or_default")]
    pub count: i64,
    /// Devices by ID.
    #[serde(rename = "DeviceIDs", deserialize_with = "or_default")]
    pub device_ids: Option<Vec<String>>,
    /// Alternatives of capabilities that must all be present.
    #[serde(deserialize_with = "or_default")]
    pub capabilities: Option<Vec<Vec<String>>>,
    /// Driver options.
    #[serde(deserialize_with = "or_default")]
    pub options: Option<BTreeMap<String, String>>,
}

/// A resource limit of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Ulimit {
    /// Name without `RLIMIT_`, such as `nofile`.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Hard limit; −1 means unlimited.
    #[serde(deserialize_with = "or_default")]
    pub hard: i64,
    /// Soft limit; −1 means unlimited.
    #[serde(deserialize_with = "or_default")]
    pub soft: i64,
}

/// How a container's health is checked; durations are in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthConfig {
    /// `NONE`, `CMD` with arguments, or `CMD-SHELL` with a command line.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub test: Option<Vec<String>>,
    /// Time between checks; 0 means inherit.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub interval: i64,
    /// Time until a check counts as failed; 0 means inherit.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub timeout: i64,
    /// Time to start up before failures count; 0 means inherit.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub start_period: i64,
    /// Time between checks during the start period; 0 means inherit.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub start_interval: i64,
    /// Consecutive failures until unhealthy; 0 means inherit.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub retries: i64,
}
