//! What a container gets from its host: isolation, limits, mounts, restart policy.
//!
//! Field by field Docker's `HostConfig` with its embedded `Resources`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    DeviceMapping, DeviceRequest, LogConfig, Mount, PortBinding, RestartPolicy, ThrottleDevice, Ulimit,
    WeightDevice,
};
use crate::presence::{is_default, or_default, str_slice};

/// Bindings by `PORT/PROTOCOL`; `null` for a port that is exposed but not published.
pub type PortMap = BTreeMap<String, Option<Vec<PortBinding>>>;

/// The host-dependent configuration of a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    /// Bind mounts and named volumes as `SOURCE:TARGET[:OPTIONS]`.
    #[serde(deserialize_with = "or_default")]
    pub binds: Option<Vec<String>>,
    /// File the client wrote the container ID to.
    #[serde(rename = "ContainerIDFile", deserialize_with = "or_default")]
    pub container_id_file: String,
    /// Log driver and its options.
    #[serde(deserialize_with = "or_default")]
    pub log_config: LogConfig,
    /// `default`, `bridge`, `host`, `none`, `container:ID` or a network.
    #[serde(deserialize_with = "or_default")]
    pub network_mode: String,
    /// Published ports.
    #[serde(deserialize_with = "or_default")]
    #[schema(value_type = Option<BTreeMap<String, Option<Vec<PortBinding>>>>)]
    pub port_bindings: Option<PortMap>,
    /// What happens when the container exits.
    #[serde(deserialize_with = "or_default")]
    pub restart_policy: RestartPolicy,
    /// Whether the container is removed when it exits.
    #[serde(deserialize_with = "or_default")]
    pub auto_remove: bool,
    /// Driver of volumes created for this container.
    #[serde(deserialize_with = "or_default")]
    pub volume_driver: String,
    /// Containers whose volumes are inherited, as `ID[:ro|rw]`.
    #[serde(deserialize_with = "or_default")]
    pub volumes_from: Option<Vec<String>>,
    /// Initial terminal height and width; zeros mean unknown.
    #[serde(deserialize_with = "or_default")]
    pub console_size: [u64; 2],
    /// Metadata passed to the runtime.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Capabilities added to the default set.
    #[serde(deserialize_with = "str_slice")]
    pub cap_add: Option<Vec<String>>,
    /// Capabilities dropped from the default set.
    #[serde(deserialize_with = "str_slice")]
    pub cap_drop: Option<Vec<String>>,
    /// `private`, `host` or empty for the daemon's default.
    #[serde(deserialize_with = "or_default")]
    pub cgroupns_mode: String,
    /// Name servers.
    #[serde(deserialize_with = "or_default")]
    pub dns: Option<Vec<String>>,
    /// Resolver options.
    #[serde(deserialize_with = "or_default")]
    pub dns_options: Option<Vec<String>>,
    /// Search domains.
    #[serde(deserialize_with = "or_default")]
    pub dns_search: Option<Vec<String>>,
    /// Lines for `/etc/hosts` as `NAME:ADDRESS`.
    #[serde(deserialize_with = "or_default")]
    pub extra_hosts: Option<Vec<String>>,
    /// Supplementary groups by name or number.
    #[serde(deserialize_with = "or_default")]
    pub group_add: Option<Vec<String>>,
    /// `none`, `private`, `shareable`, `host`, `container:ID` or empty for the default.
    #[serde(deserialize_with = "or_default")]
    pub ipc_mode: String,
    /// Container whose control group is joined.
    #[serde(deserialize_with = "or_default")]
    pub cgroup: String,
    /// Legacy links as `CONTAINER:ALIAS`.
    #[serde(deserialize_with = "or_default")]
    pub links: Option<Vec<String>>,
    /// OOM score adjustment, −1000 to 1000.
    #[serde(deserialize_with = "or_default")]
    pub oom_score_adj: i64,
    /// `host`, `container:ID` or empty for an own namespace.
    #[serde(deserialize_with = "or_default")]
    pub pid_mode: String,
    /// Whether the container gets all capabilities and devices.
    #[serde(deserialize_with = "or_default")]
    pub privileged: bool,
    /// Whether every exposed port is published on a random host port.
    #[serde(deserialize_with = "or_default")]
    pub publish_all_ports: bool,
    /// Whether the root filesystem is read-only.
    #[serde(deserialize_with = "or_default")]
    pub readonly_rootfs: bool,
    /// Security options such as `no-new-privileges` and `seccomp=unconfined`.
    #[serde(deserialize_with = "or_default")]
    pub security_opt: Option<Vec<String>>,
    /// Storage driver options.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub storage_opt: Option<BTreeMap<String, String>>,
    /// tmpfs mounts: path to mount options.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub tmpfs: Option<BTreeMap<String, String>>,
    /// `host` or empty for an own namespace.
    #[serde(rename = "UTSMode", deserialize_with = "or_default")]
    pub uts_mode: String,
    /// `host` or empty for an own namespace.
    #[serde(deserialize_with = "or_default")]
    pub userns_mode: String,
    /// Size of `/dev/shm` in bytes; 0 means 64 MiB.
    #[serde(deserialize_with = "or_default")]
    pub shm_size: i64,
    /// Namespaced kernel parameters.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub sysctls: Option<BTreeMap<String, String>>,
    /// OCI runtime by name.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub runtime: String,
    /// Windows only.
    #[serde(deserialize_with = "or_default")]
    pub isolation: String,
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
    /// Mounts in the long form.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub mounts: Option<Vec<Mount>>,
    /// Paths hidden from the container; absent asks for the default list.
    #[serde(deserialize_with = "or_default")]
    pub masked_paths: Option<Vec<String>>,
    /// Paths made read-only; absent asks for the default list.
    #[serde(deserialize_with = "or_default")]
    pub readonly_paths: Option<Vec<String>>,
    /// Whether an init process runs as PID 1; absent means the daemon's default.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub init: Option<bool>,
}
