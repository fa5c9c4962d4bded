//! What the daemon and its host can do: `GET /info`.
//!

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::presence::{is_default, or_default};

/// State of the daemon and facts about its host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Info {
    /// Identity of this daemon's data root.
    #[serde(rename = "ID", deserialize_with = "or_default")]
    pub id: String,
    /// Number of containers.
    #[serde(deserialize_with = "or_default")]
    pub containers: i64,
    /// Of these, running.
    #[serde(deserialize_with = "or_default")]
    pub containers_running: i64,
    /// Of these, paused.
    #[serde(deserialize_with = "or_default")]
    pub containers_paused: i64,
    /// Of these, neither.
    #[serde(deserialize_with = "or_default")]
    pub containers_stopped: i64,
    /// Number of images.
    #[serde(deserialize_with = "or_default")]
    pub images: i64,
    /// Storage driver.
    #[serde(deserialize_with = "or_default")]
    pub driver: String,
    /// Facts about it as name and value.
    #[serde(deserialize_with = "or_default")]
    pub driver_status: Option<Vec<[String; 2]>>,
    /// Always absent.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub system_status: Option<Vec<[String; 2]>>,
    /// Drivers by kind.
    #[serde(deserialize_with = "or_default")]
    pub plugins: PluginsInfo,
    /// Whether memory limits work.
    #[serde(deserialize_with = "or_default")]
    pub memory_limit: bool,
    /// Whether swap limits work.
    #[serde(deserialize_with = "or_default")]
    pub swap_limit: bool,
    /// Whether kernel memory limits work.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub kernel_memory: bool,
    /// Whether TCP buffer limits work.
    #[serde(rename = "KernelMemoryTCP", deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub kernel_memory_tcp: bool,
    /// Whether CPU periods work.
    #[serde(deserialize_with = "or_default")]
    pub cpu_cfs_period: bool,
    /// Whether CPU quotas work.
    #[serde(deserialize_with = "or_default")]
    pub cpu_cfs_quota: bool,
    /// Whether CPU weights work.
    #[serde(rename = "CPUShares", deserialize_with = "or_default")]
    pub cpu_shares: bool,
    /// Whether CPU sets work.
    #[serde(rename = "CPUSet", deserialize_with = "or_default")]
    pub cpu_set: bool,
    /// Whether process limits work.
    #[serde(deserialize_with = "or_default")]
    pub pids_limit: bool,
    /// Whether the host forwards IPv4.
    #[serde(rename = "IPv4Forwarding", deserialize_with = "or_default")]
    pub ipv4_forwarding: bool,
    /// Whether bridged IPv4 passes through netfilter.
    #[serde(deserialize_with = "or_default")]
    pub bridge_nf_iptables: bool,
    /// Whether bridged IPv6 passes through netfilter.
    #[serde(deserialize_with = "or_default")]
    pub bridge_nf_ip6tables: bool,
    /// Whether the daemon logs at debug level.
    #[serde(deserialize_with = "or_default")]
    pub debug: bool,
    /// Open file descriptors of the daemon.
    #[serde(deserialize_with = "or_default")]
    pub n_fd: i64,
    /// Whether the OOM killer can be switched off.
    #[serde(deserialize_with = "or_default")]
    pub oom_kill_disable: bool,
    /// Tasks in the daemon.
    #[serde(deserialize_with = "or_default")]
    pub n_goroutines: i64,
    /// RFC 3339 with nanoseconds.
    #[serde(deserialize_with = "or_default")]
    pub system_time: String,
    /// Default log driver.
    #[serde(deserialize_with = "or_default")]
    pub logging_driver: String,
    /// `cgroupfs` or `systemd`.
    #[serde(deserialize_with = "or_default")]
    pub cgroup_driver: String,
    /// `1` or `2`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cgroup_version: String,
    /// Clients that follow events.
    #[serde(deserialize_with = "or_default")]
    pub n_events_listener: i64,
    /// Kernel release.
    #[serde(deserialize_with = "or_default")]
    pub kernel_version: String,
    /// Distribution.
    #[serde(deserialize_with = "or_default")]
    pub operating_system: String,
    /// Its version.
    #[serde(rename = "OSVersion", deserialize_with = "or_default")]
    pub os_version: String,
    /// `linux`.
    #[serde(rename = "OSType", deserialize_with = "or_default")]
    pub os_type: String,
    /// CPU architecture in the kernel's words.
    #[serde(deserialize_with = "or_default")]
    pub architecture: String,
    /// Default registry.
    #[serde(deserialize_with = "or_default")]
    pub index_server_address: String,
    /// Registry settings.
    #[serde(deserialize_with = "or_default")]
    pub registry_config: Option<RegistryConfig>,
    /// CPUs.
    #[serde(rename = "NCPU", deserialize_with = "or_default")]
    pub ncpu: i64,
    /// Bytes of memory.
    #[serde(deserialize_with = "or_default")]
    pub mem_total: i64,
    /// Swarm only.
    #[serde(deserialize_with = "or_default")]
    pub generic_resources: Option<Vec<serde_json::Value>>,
    /// Data root.
    #[serde(deserialize_with = "or_default")]
    pub docker_root_dir: String,
    /// Proxy for HTTP.
    #[serde(deserialize_with = "or_default")]
    pub http_proxy: String,
    /// Proxy for HTTPS.
    #[serde(deserialize_with = "or_default")]
    pub https_proxy: String,
    /// Hosts reached without a proxy.
    #[serde(deserialize_with = "or_default")]
    pub no_proxy: String,
    /// Host name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Labels of the daemon.
    #[serde(deserialize_with = "or_default")]
    pub labels: Vec<String>,
    /// Always false.
    #[serde(deserialize_with = "or_default")]
    pub experimental_build: bool,
    /// Engine version.
    #[serde(deserialize_with = "or_default")]
    pub server_version: String,
    /// OCI runtimes.
    #[serde(deserialize_with = "or_default")]
    pub runtimes: Option<BTreeMap<String, RuntimeInfo>>,
    /// Runtime used by default.
    #[serde(deserialize_with = "or_default")]
    pub default_runtime: String,
    /// Always inactive.
    #[serde(deserialize_with = "or_default")]
    pub swarm: SwarmInfo,
    /// Whether containers outlive the daemon.
    #[serde(deserialize_with = "or_default")]
    pub live_restore_enabled: bool,
    /// Windows only.
    #[serde(deserialize_with = "or_default")]
    pub isolation: String,
    /// Init process for `--init`.
    #[serde(deserialize_with = "or_default")]
    pub init_binary: String,
    /// Kept for clients; empty.
    #[serde(deserialize_with = "or_default")]
    pub containerd_commit: Commit,
    /// Kept for clients; empty.
    #[serde(deserialize_with = "or_default")]
    pub runc_commit: Commit,
    /// Kept for clients; empty.
    #[serde(deserialize_with = "or_default")]
    pub init_commit: Commit,
    /// Such as `name=seccomp,profile=builtin`.
    #[serde(deserialize_with = "or_default")]
    pub security_options: Option<Vec<String>>,
    /// Always absent.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub product_license: String,
    /// Ranges new networks come from.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub default_address_pools: Option<Vec<AddressPool>>,
    /// Directories of device descriptions.
    #[serde(rename = "CDISpecDirs", deserialize_with = "or_default")]
    pub cdi_spec_dirs: Option<Vec<String>>,
    /// What this host cannot do.
    #[serde(deserialize_with = "or_default")]
    pub warnings: Option<Vec<String>>,
}

/// Drivers by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct PluginsInfo {
    /// Volume drivers.
    #[serde(deserialize_with = "or_default")]
    pub volume: Option<Vec<String>>,
    /// Network drivers.
    #[serde(deserialize_with = "or_default")]
    pub network: Option<Vec<String>>,
    /// Authorization plugins.
    #[serde(deserialize_with = "or_default")]
    pub authorization: Option<Vec<String>>,
    /// Log drivers.
    #[serde(deserialize_with = "or_default")]
    pub log: Option<Vec<String>>,
}

/// Registry settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegistryConfig {
    /// Kept for clients.
    #[serde(rename = "AllowNondistributableArtifactsCIDRs", deserialize_with = "or_default")]
    pub allow_nondistributable_artifacts_cidrs: Option<Vec<String>>,
    /// Kept for clients.
    #[serde(deserialize_with = "or_default")]
    pub allow_nondistributable_artifacts_hostnames: Option<Vec<String>>,
    /// Ranges reached without TLS.
    #[serde(rename = "InsecureRegistryCIDRs", deserialize_with = "or_default")]
    pub insecure_registry_cidrs: Option<Vec<String>>,
    /// Known registries.
    #[serde(deserialize_with = "or_default")]
    pub index_configs: Option<BTreeMap<String, IndexInfo>>,
    /// Mirrors of the default registry.
    #[serde(deserialize_with = "or_default")]
    pub mirrors: Option<Vec<String>>,
}

/// A known registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct IndexInfo {
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Its mirrors.
    #[serde(deserialize_with = "or_default")]
    pub mirrors: Option<Vec<String>>,
    /// Whether TLS is required.
    #[serde(deserialize_with = "or_default")]
    pub secure: bool,
    /// Whether it is the default registry.
    #[serde(deserialize_with = "or_default")]
    pub official: bool,
}

/// An OCI runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct RuntimeInfo {
    /// Executable.
    #[serde(rename = "path", deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub path: String,
    /// Its arguments.
    #[serde(rename = "runtimeArgs", deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub runtime_args: Option<Vec<String>>,
}

/// Swarm state; Berth has no swarm mode.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct SwarmInfo {
    /// Empty.
    #[serde(rename = "NodeID", deserialize_with = "or_default")]
    pub node_id: String,
    /// Empty.
    #[serde(deserialize_with = "or_default")]
    pub node_addr: String,
    /// `inactive`.
    #[serde(deserialize_with = "or_default")]
    pub local_node_state: String,
    /// False.
    #[serde(deserialize_with = "or_default")]
    pub control_available: bool,
    /// Empty.
    #[serde(deserialize_with = "or_default")]
    pub error: String,
    /// Null.
    #[serde(deserialize_with = "or_default")]
    pub remote_managers: Option<Vec<serde_json::Value>>,
}

/// Version of a companion program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Commit {
    /// Commit.
    #[serde(rename = "ID", deserialize_with = "or_default")]
    pub id: String,
    /// Expected commit.
    #[serde(deserialize_with = "or_default")]
    pub expected: String,
}

/// A range new networks come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct AddressPool {
    /// CIDR.
    #[serde(deserialize_with = "or_default")]
    pub base: String,
    /// Prefix length of each network.
    #[serde(deserialize_with = "or_default")]
    pub size: i64,
}
