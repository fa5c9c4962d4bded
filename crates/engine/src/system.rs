//! What the engine says about itself (`GET /version`, `GET /info`).

use std::collections::BTreeMap;

use berth_api_types::system::{
    Commit, Component, IndexInfo, Info, Platform, PluginsInfo, RegistryConfig, RuntimeInfo, SwarmInfo,
    Version,
};
use berth_api_types::time::{now_ns, rfc3339_nano};
use berth_linux::cgroup::Mode;
use berth_store::containers::Status;

use crate::{Caller, Engine};

/// The newest Engine API version that is spoken.
pub const API_VERSION: &str = "1.51";
/// The oldest.
pub const MIN_API_VERSION: &str = "1.24";
/// The release.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

impl Engine {
    /// What is running here.
    pub fn version(&self, _caller: &Caller) -> Version {
        let host = rustix::system::uname();
        let kernel = host.release().to_string_lossy().into_owned();
        let details = [
            ("ApiVersion", API_VERSION),
            ("Arch", go_arch()),
            ("Experimental", "false"),
            ("KernelVersion", kernel.as_str()),
            ("MinAPIVersion", MIN_API_VERSION),
            ("Os", "linux"),
        ];
        Version {
            platform: Platform { name: "Berth".into() },
            components: Some(vec![Component {
                name: "Engine".into(),
                version: RELEASE.into(),
                details: Some(details.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()),
            }]),
            version: RELEASE.into(),
            api_version: API_VERSION.into(),
            min_api_version: MIN_API_VERSION.into(),
            git_commit: String::new(),
            go_version: String::new(),
            os: "linux".into(),
            arch: go_arch().into(),
            kernel_version: kernel,
            experimental: false,
            build_time: String::new(),
        }
    }

    /// What it has and what its host can do.
    pub fn info(&self, _caller: &Caller) -> Info {
        let containers = self.0.containers.newest_first();
        let count = |wanted: fn(Status) -> bool| {
            i64::try_from(containers.iter().filter(|(_, record)| wanted(record.row.status)).count())
                .unwrap_or(i64::MAX)
        };
        let host = rustix::system::uname();
        let has = |controller: &str| self.0.hierarchies.controller(controller).is_some();
        let v2 = self.0.hierarchies.mode() == Some(Mode::Unified);
        let memory_file = |name: &str| {
            self.0.hierarchies.controller("memory").is_some_and(|h| h.v2 || h.mount.join(name).exists())
        };
        let (os, os_version) = os_release();
        Info {
            id: self.0.uuid.clone(),
            containers: count(|_| true),
            containers_running: count(|status| status == Status::Running),
            containers_paused: count(|status| status == Status::Paused),
            containers_stopped: count(crate::containers::is_stopped),
            images: i64::try_from(self.0.images.count()).unwrap_or(i64::MAX),
            driver: "overlay2".into(),
            driver_status: Some(vec![
                ["Backing Filesystem".into(), self.0.backing_filesystem.clone()],
                ["Supports d_type".into(), "true".into()],
                ["Native Overlay Diff".into(), "true".into()],
                ["userxattr".into(), "false".into()],
            ]),
            plugins: PluginsInfo {
                volume: Some(vec!["local".into()]),
                network: Some(vec!["host".into(), "null".into()]),
                authorization: None,
                log: Some(vec!["json-file".into(), "none".into()]),
            },
            memory_limit: has("memory"),
            swap_limit: memory_file("memory.memsw.limit_in_bytes"),
            cpu_cfs_period: has("cpu"),
            cpu_cfs_quota: has("cpu"),
            cpu_shares: has("cpu"),
            cpu_set: has("cpuset"),
            pids_limit: has("pids"),
            ipv4_forwarding: flag("/proc/sys/net/ipv4/ip_forward"),
            bridge_nf_iptables: flag("/proc/sys/net/bridge/bridge-nf-call-iptables"),
            bridge_nf_ip6tables: flag("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
            debug: tracing::enabled!(tracing::Level::DEBUG),
            n_fd: std::fs::read_dir("/proc/self/fd")
                .map_or(-1, |all| i64::try_from(all.count()).unwrap_or(-1)),
            oom_kill_disable: !v2 && memory_file("memory.oom_control"),
            n_goroutines: i64::try_from(tokio::runtime::Handle::current().metrics().num_alive_tasks())
                .unwrap_or(0),
            system_time: rfc3339_nano(now_ns()),
            logging_driver: "json-file".into(),
            cgroup_driver: "cgroupfs".into(),
            cgroup_version: if v2 { "2" } else { "1" }.into(),
            kernel_version: host.release().to_string_lossy().into_owned(),
            operating_system: os,
            os_version,
            os_type: "linux".into(),
            architecture: host.machine().to_string_lossy().into_owned(),
            index_server_address: "https://index.docker.io/v1/".into(),
            registry_config: Some(RegistryConfig {
                allow_nondistributable_artifacts_cidrs: None,
                allow_nondistributable_artifacts_hostnames: None,
                insecure_registry_cidrs: Some(vec!["::1/128".into(), "127.0.0.0/8".into()]),
                index_configs: Some(BTreeMap::from([(
                    "docker.io".into(),
                    IndexInfo {
                        name: "docker.io".into(),
                        mirrors: Some(Vec::new()),
                        secure: true,
                        official: true,
                    },
                )])),
                mirrors: Some(Vec::new()),
            }),
            ncpu: std::thread::available_parallelism().map_or(1, |n| i64::try_from(n.get()).unwrap_or(1)),
            mem_total: i64::try_from(rustix::system::sysinfo().totalram).unwrap_or(i64::MAX),
            docker_root_dir: self.0.config.data_root.display().to_string(),
            name: host.nodename().to_string_lossy().into_owned(),
            server_version: RELEASE.into(),
            runtimes: Some(BTreeMap::from([(
                "berth".into(),
                RuntimeInfo { path: self.0.shim.path().display().to_string(), runtime_args: None },
            )])),
            default_runtime: "berth".into(),
            swarm: SwarmInfo { local_node_state: "inactive".into(), ..SwarmInfo::default() },
            live_restore_enabled: true,
            init_binary: String::new(),
            containerd_commit: Commit::default(),
            runc_commit: Commit::default(),
            init_commit: Commit::default(),
            security_options: Some(self.security_options()),
            warnings: Some(self.warnings()),
            ..Info::default()
        }
    }

    fn security_options(&self) -> Vec<String> {
        let mut options = vec!["name=seccomp,profile=builtin".to_owned()];
        if self.0.config.default_userns == crate::DefaultUserns::Private {
            options.push("name=userns".to_owned());
        }
        if self.0.hierarchies.mode() == Some(Mode::Unified) {
            options.push("name=cgroupns".to_owned());
        }
        options
    }

    /// What this host lacks.
    fn warnings(&self) -> Vec<String> {
        [
            ("memory", "WARNING: No memory limit support"),
            ("cpu", "WARNING: No cpu cfs quota support"),
            ("cpuset", "WARNING: No cpuset support"),
            ("pids", "WARNING: No pids limit support"),
        ]
        .into_iter()
        .filter(|(controller, _)| self.0.hierarchies.controller(controller).is_none())
        .map(|(_, text)| text.to_owned())
        .collect()
    }
}

/// The processor as Go, and so Docker, names it.
pub fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

fn flag(path: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
}

/// `PRETTY_NAME` and `VERSION_ID` of os-release(5).
fn os_release() -> (String, String) {
    let text = std::fs::read_to_string("/etc/os-release")
        .or_else(|_| std::fs::read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
            .unwrap_or_default()
    };
    (value("PRETTY_NAME"), value("VERSION_ID"))
}

/// The filesystem that `path` is on.
pub fn backing_filesystem(path: &std::path::Path) -> String {
    // Magic numbers of statfs(2); the names are those that Docker shows.
    match rustix::fs::statfs(path).map(|s| s.f_type) {
        Ok(0xEF53) => "extfs".into(),
        Ok(0x5846_5342) => "xfs".into(),
        Ok(0x9123_683E) => "btrfs".into(),
        Ok(0x0102_1994) => "tmpfs".into(),
        Ok(0x794C_7630) => "overlayfs".into(),
        Ok(other) => format!("<unknown> ({other:#x})"),
        Err(error) => format!("<unknown> ({error})"),
    }
}
