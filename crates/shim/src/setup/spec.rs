//! The parts of the OCI runtime specification's `config.json` that a Linux container needs (version 1.x,
//! `config.md` and `config-linux.md`). Members not named here are ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use berth_linux::idmap::Extent;
use serde::Deserialize;

use crate::report::{Failure, Phase};

/// `config.json`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spec {
    /// What to run.
    pub process: Process,
    /// Root filesystem options.
    pub root: Root,
    /// Host name, in a UTS namespace of its own.
    pub hostname: String,
    /// NIS domain name, likewise.
    pub domainname: String,
    /// Mounts, in order.
    pub mounts: Vec<Mount>,
    /// Linux settings.
    pub linux: Linux,
}

/// `process`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Process {
    /// Program and arguments.
    pub args: Vec<String>,
    /// `NAME=value` each.
    pub env: Vec<String>,
    /// Working directory.
    pub cwd: PathBuf,
    /// Capability sets, by name. Without: none are changed.
    pub capabilities: Option<Capabilities>,
    /// Resource limits.
    pub rlimits: Vec<Rlimit>,
    /// Programs executed from here on gain no privileges.
    pub no_new_privileges: bool,
    /// Out-of-memory score adjustment.
    pub oom_score_adj: Option<i32>,
}

/// `process.capabilities`, named as the sets of `capabilities(7)`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    pub bounding: Vec<String>,
    pub effective: Vec<String>,
    pub permitted: Vec<String>,
    pub inheritable: Vec<String>,
    pub ambient: Vec<String>,
}

/// `process.rlimits[]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Rlimit {
    /// `RLIMIT_NOFILE` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// Soft limit.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// `root`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Root {
    /// Read-only once it is set up.
    pub readonly: bool,
}

/// `mounts[]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// Where, inside the container.
    pub destination: PathBuf,
    /// Filesystem type; `bind` or empty for binds.
    #[serde(rename = "type")]
    pub kind: String,
    /// What to bind, or a name.
    pub source: Option<PathBuf>,
    /// As `mount(8)` has them.
    pub options: Vec<String>,
}

/// `linux`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Linux {
    /// Namespaces to make or to join.
    pub namespaces: Vec<Namespace>,
    /// User map of a new user namespace.
    pub uid_mappings: Vec<IdMapping>,
    /// Group map of a new user namespace.
    pub gid_mappings: Vec<IdMapping>,
    /// Devices beyond the standard ones.
    pub devices: Vec<Device>,
    /// Kernel parameters of the container's namespaces.
    pub sysctl: BTreeMap<String, String>,
    /// Paths that must not be readable.
    pub masked_paths: Vec<PathBuf>,
    /// Paths that must not be writable.
    pub readonly_paths: Vec<PathBuf>,
}

/// `linux.namespaces[]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Namespace {
    /// `pid`, `network`, `mount`, `ipc`, `uts`, `user`, `cgroup`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The one to join; without, a new one is made.
    pub path: Option<PathBuf>,
}

/// `linux.uidMappings[]`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdMapping {
    /// First ID inside.
    #[serde(rename = "containerID")]
    pub container_id: u32,
    /// First ID outside.
    #[serde(rename = "hostID")]
    pub host_id: u32,
    /// How many.
    pub size: u32,
}

/// `linux.devices[]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// `c`, `u`, `b` or `p`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where, inside the container.
    pub path: PathBuf,
    /// Major number.
    #[serde(default)]
    pub major: i64,
    /// Minor number.
    #[serde(default)]
    pub minor: i64,
    /// Permissions.
    pub file_mode: Option<u32>,
    /// Owner inside.
    pub uid: Option<u32>,
    /// Group inside.
    pub gid: Option<u32>,
}

impl Spec {
    /// Reads `config.json` in a bundle.
    pub fn read(bundle: &Path) -> Result<Spec, Failure> {
        let path = bundle.join("config.json");
        let phase = "read container specification";
        let bytes = std::fs::read(&path).map_err(|error| Failure::io(phase, path.display(), &error))?;
        serde_json::from_slice(&bytes).phase(phase)
    }

    /// The user map and the group map of the container's user namespace; empty without one.
    pub fn maps(&self) -> (Vec<Extent>, Vec<Extent>) {
        if !self.linux.namespaces.iter().any(|namespace| namespace.kind == "user") {
            return (Vec::new(), Vec::new());
        }
        let extents = |list: &[IdMapping]| {
            list.iter()
                .map(|map| Extent { container: map.container_id, host: map.host_id, count: map.size })
                .collect()
        };
        (extents(&self.linux.uid_mappings), extents(&self.linux.gid_mappings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_with_only_what_is_needed_is_read() {
        let text = r#"{"ociVersion":"1.2.0","process":{"args":["sh"],"cwd":"/","rlimits":[
            {"type":"RLIMIT_NOFILE","soft":1,"hard":2}],"user":{"uid":0}},
            "linux":{"namespaces":[{"type":"user"},{"type":"network","path":"/proc/1/ns/net"}],
            "uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],"resources":{}}}"#;
        let spec: Spec = serde_json::from_str(text).unwrap();
        assert_eq!(spec.process.args, ["sh"]);
        assert_eq!(spec.maps().0, [Extent { container: 0, host: 100_000, count: 65_536 }]);
        assert_eq!(spec.linux.namespaces[1].path.as_deref(), Some(Path::new("/proc/1/ns/net")));
    }

    #[test]
    fn maps_without_a_user_namespace_mean_nothing() {
        let text = r#"{"linux":{"uidMappings":[{"containerID":0,"hostID":1,"size":1}]}}"#;
        let spec: Spec = serde_json::from_str(text).unwrap();
        assert!(spec.maps().0.is_empty());
    }
}
