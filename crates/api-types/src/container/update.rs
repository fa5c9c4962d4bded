//! Changing a container's limits and restart policy while it exists.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DeviceMapping, DeviceRequest, RestartPolicy, ThrottleDevice, Ulimit, WeightDevice};
use crate::presence::{is_default, or_default};

/// Body of `POST /containers/{id}/update`; a zero or absent value leaves a setting as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateRequest {
    /// CPU weight relative to other containers; 0 means the kernel's default.
    #[serde(deserialize_with = "or_default")]
    pub cpu_shares: i64,
    /// Memory limit in bytes; 0 means none.
    #[serde(deserialize_with = "or_default")]
    pub memory: i64,
    /// CPU limit in 10⁻⁹ CPUs; 0 means none.
    #[serde(deserialize_with = "or_default")]
    pub nano_cpus: i64,
    /// Parent control group; empty means the daemon's own.
    #[serde(deserialize_with = "or_default")]
    pub cgroup_parent: String,
    /// Block I/O weight, 10–1000; 0 means the default.
    #[serde(deserialize_with = "or_default")]
    pub blkio_weight: u16,
    /// Block I/O weights per device.
    #[serde(deserialize_with = "or_default")]
    pub blkio_weight_device: Option<Vec<WeightDevice>>,
    /// Read limits in bytes per second per device.
    #[serde(deserialize_with = "or_default")]
    pub blkio_device_read_bps: Option<Vec<ThrottleDevice>>,
    /// Write limits in bytes per second per device.
    #[serde(deserialize_with = "or_default")]
    pub blkio_device_write_bps: Option<Vec<ThrottleDevice>>,
    /// Read limits in operations per second per device.
    #[serde(deserialize_with = "or_default")]
    pub blkio_device_read_i_ops: Option<Vec<ThrottleDevice>>,
    /// Write limits in operations per second per device.
    #[serde(deserialize_with = "or_default")]
    pub blkio_device_write_i_ops: Option<Vec<ThrottleDevice>>,
    /// CFS period in microseconds; 0 means the default.
    #[serde(deserialize_with = "or_default")]
    pub cpu_period: i64,
    /// CFS quota in microseconds per period; 0 means none.
    #[serde(deserialize_with = "or_default")]
    pub cpu_quota: i64,
    /// Real-time period in microseconds.
    #[serde(deserialize_with = "or_default")]
    pub cpu_realtime_period: i64,
    /// Real-time runtime in microseconds.
    #[serde(deserialize_with = "or_default")]
    pub cpu_realtime_runtime: i64,
    /// CPUs the container may use, such as `0-2,4`.
    #[serde(deserialize_with = "or_default")]
    pub cpuset_cpus: String,
    /// Memory nodes the container may use.
    #[serde(deserialize_with = "or_default")]
    pub cpuset_mems: String,
    /// Host devices made available.
    #[serde(deserialize_with = "or_default")]
    pub devices: Option<Vec<DeviceMapping>>,
    /// Extra device control group rules, such as `c 1:3 r`.
    #[serde(deserialize_with = "or_default")]
    pub device_cgroup_rules: Option<Vec<String>>,
    /// Requests to device drivers.
    #[serde(deserialize_with = "or_default")]
    pub device_requests: Option<Vec<DeviceRequest>>,
    /// Kernel memory limit in bytes; ignored, kept for round trips.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub kernel_memory: i64,
    /// TCP buffer limit in bytes; cgroup v1 only.
    #[serde(rename = "KernelMemoryTCP", deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub kernel_memory_tcp: i64,
    /// Soft memory limit in bytes; 0 means none.
    #[serde(deserialize_with = "or_default")]
    pub memory_reservation: i64,
    /// Memory plus swap in bytes; 0 means twice the memory limit, −1 unlimited swap.
    #[serde(deserialize_with = "or_default")]
    pub memory_swap: i64,
    /// Swappiness 0–100; absent or −1 means the host's.
    #[serde(deserialize_with = "or_default")]
    pub memory_swappiness: Option<i64>,
    /// Whether the kernel must not kill the container when out of memory; cgroup v1 only.
    #[serde(deserialize_with = "or_default")]
    pub oom_kill_disable: Option<bool>,
    /// Process limit; absent, 0 and −1 mean none.
    #[serde(deserialize_with = "or_default")]
    pub pids_limit: Option<i64>,
    /// Resource limits of the process.
    #[serde(deserialize_with = "or_default")]
    pub ulimits: Option<Vec<Ulimit>>,
    /// Windows only.
    #[serde(deserialize_with = "or_default")]
    pub cpu_count: i64,
    /// Windows only.
    #[serde(deserialize_with = "or_default")]
    pub cpu_percent: i64,
    /// Windows only.
    #[serde(rename = "IOMaximumIOps", deserialize_with = "or_default")]
    pub io_maximum_i_ops: u64,
    /// Windows only.
    #[serde(rename = "IOMaximumBandwidth", deserialize_with = "or_default")]
    pub io_maximum_bandwidth: u64,
    /// New restart policy; an empty name leaves it as it is.
    #[serde(deserialize_with = "or_default")]
    pub restart_policy: RestartPolicy,
}

/// Answer to `POST /containers/{id}/update`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct UpdateResponse {
    /// What could not be done as asked.
    #[serde(deserialize_with = "or_default")]
    pub warnings: Option<Vec<String>>,
}
