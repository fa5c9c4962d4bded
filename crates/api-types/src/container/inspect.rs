//! The complete document of one container: `GET /containers/{id}/json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ContainerConfig, HostConfig, MountPoint, NetworkSettings};
use crate::presence::{is_default, or_default};

/// Everything about one container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerInspect {
    /// 64 hexadecimal digits.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// RFC 3339 with nanoseconds.
    #[serde(deserialize_with = "or_default")]
    pub created: String,
    /// Program that runs.
    #[serde(deserialize_with = "or_default")]
    pub path: String,
    /// Its arguments.
    #[serde(deserialize_with = "or_default")]
    pub args: Option<Vec<String>>,
    /// What the container does now.
    #[serde(deserialize_with = "or_default")]
    pub state: ContainerState,
    /// Image ID as `sha256:…`.
    #[serde(deserialize_with = "or_default")]
    pub image: String,
    /// Host path of the container's `resolv.conf`; empty before the first start.
    #[serde(deserialize_with = "or_default")]
    pub resolv_conf_path: String,
    /// Host path of its `hostname`.
    #[serde(deserialize_with = "or_default")]
    pub hostname_path: String,
    /// Host path of its `hosts`.
    #[serde(deserialize_with = "or_default")]
    pub hosts_path: String,
    /// Host path of its log; empty where the driver has none.
    #[serde(deserialize_with = "or_default")]
    pub log_path: String,
    /// Name with a leading slash.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Restarts by the restart policy.
    #[serde(deserialize_with = "or_default")]
    pub restart_count: i64,
    /// Storage driver.
    #[serde(deserialize_with = "or_default")]
    pub driver: String,
    /// Operating system of the image.
    #[serde(deserialize_with = "or_default")]
    pub platform: String,
    /// SELinux mount label.
    #[serde(deserialize_with = "or_default")]
    pub mount_label: String,
    /// SELinux process label.
    #[serde(deserialize_with = "or_default")]
    pub process_label: String,
    /// AppArmor profile.
    #[serde(deserialize_with = "or_default")]
    pub app_armor_profile: String,
    /// Running execs.
    #[serde(rename = "ExecIDs", deserialize_with = "or_default")]
    pub exec_ids: Option<Vec<String>>,
    /// Host configuration with defaults filled in.
    #[serde(deserialize_with = "or_default")]
    pub host_config: HostConfig,
    /// Where the root filesystem's directories are.
    #[serde(deserialize_with = "or_default")]
    pub graph_driver: GraphDriver,
    /// Bytes in the writable layer; only on request.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub size_rw: Option<i64>,
    /// Bytes in all layers; only on request.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub size_root_fs: Option<i64>,
    /// Mounts.
    #[serde(deserialize_with = "or_default")]
    pub mounts: Option<Vec<MountPoint>>,
    /// Configuration.
    #[serde(deserialize_with = "or_default")]
    pub config: ContainerConfig,
    /// Network state.
    #[serde(deserialize_with = "or_default")]
    pub network_settings: NetworkSettings,
}

/// What a container does and did last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerState {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`.
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// Whether the process exists; true while paused or restarting too.
    #[serde(deserialize_with = "or_default")]
    pub running: bool,
    /// Whether it is frozen.
    #[serde(deserialize_with = "or_default")]
    pub paused: bool,
    /// Whether the restart policy is about to start it again.
    #[serde(deserialize_with = "or_default")]
    pub restarting: bool,
    /// Whether the kernel killed a process of it for lack of memory.
    #[serde(rename = "OOMKilled", deserialize_with = "or_default")]
    pub oom_killed: bool,
    /// Whether removal failed half way.
    #[serde(deserialize_with = "or_default")]
    pub dead: bool,
    /// Host PID of the process; 0 while not running.
    #[serde(deserialize_with = "or_default")]
    pub pid: i64,
    /// Last exit code; 128 + signal when killed.
    #[serde(deserialize_with = "or_default")]
    pub exit_code: i64,
    /// Why the last start failed.
    #[serde(deserialize_with = "or_default")]
    pub error: String,
    /// RFC 3339 with nanoseconds; year 1 when never started.
    #[serde(deserialize_with = "or_default")]
    pub started_at: String,
    /// RFC 3339 with nanoseconds; year 1 when never ended.
    #[serde(deserialize_with = "or_default")]
    pub finished_at: String,
    /// Health, where a check is configured.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub health: Option<Health>,
}

/// Result of the health checks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// `starting`, `healthy`, `unhealthy` or `none`.
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// Consecutive failures.
    #[serde(deserialize_with = "or_default")]
    pub failing_streak: i64,
    /// The last checks, oldest first.
    #[serde(deserialize_with = "or_default")]
    pub log: Option<Vec<HealthcheckResult>>,
}

/// One health check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthcheckResult {
    /// RFC 3339 with nanoseconds.
    #[serde(deserialize_with = "or_default")]
    pub start: String,
    /// RFC 3339 with nanoseconds.
    #[serde(deserialize_with = "or_default")]
    pub end: String,
    /// 0 healthy, 1 unhealthy.
    #[serde(deserialize_with = "or_default")]
    pub exit_code: i64,
    /// Output of the check.
    #[serde(deserialize_with = "or_default")]
    pub output: String,
}

/// Storage driver and its directories.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct GraphDriver {
    /// `LowerDir`, `UpperDir`, `WorkDir`, `MergedDir`.
    #[serde(deserialize_with = "or_default")]
    pub data: Option<BTreeMap<String, String>>,
    /// Driver name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
}
