//! The bundle's `config.json`, and the control group's settings, of a validated configuration.

mod devices;
mod env;
mod mounts;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::host::CgroupVersion;
use super::oci::{Capabilities, ConsoleSize, IdMapping, Linux, Namespace, Process, Root, Spec, User};
use super::resources::{Limits, Setting};
use super::validate::{IpcMode, NetworkMode, ValidateError, ValidatedConfig};

/// Version of the specification that is written.
const OCI_VERSION: &str = "1.2.0";

/// What a specification is built from, beside the configuration.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// Full container ID.
    pub id: &'a str,
    /// The configuration, with its image's part.
    pub config: &'a ValidatedConfig,
    /// Maps of the user namespace; empty for a container in the host's.
    pub uid_mappings: &'a [IdMapping],
    /// Likewise.
    pub gid_mappings: &'a [IdMapping],
    /// Path of the root filesystem, relative to the bundle.
    pub rootfs: &'a str,
    /// The container's `/etc/hosts`, on the host.
    pub hosts: &'a Path,
    /// The container's `/etc/hostname`, on the host.
    pub hostname: &'a Path,
    /// The container's `/etc/resolv.conf`, on the host.
    pub resolv_conf: &'a Path,
    /// The control group, relative to each hierarchy's mount point.
    pub cgroup: &'a str,
    /// Where controllers are.
    pub cgroup_version: CgroupVersion,
    /// The settled seccomp profile ([`super::seccomp::Filter::oci`]); `None` without a filter.
    pub seccomp: Option<&'a RawValue>,
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// For `config.json`.
    pub spec: Spec,
    /// Settings for v1 hierarchies: (controller, file, value), in order. Empty on v2.
    pub cgroup_v1: Vec<(&'static str, String, String)>,
    /// Settings for the v2 hierarchy: (file, value), in order. Empty on v1.
    pub cgroup_v2: Vec<Setting>,
}

impl Built {
    /// The bytes of `config.json`.
    ///
    /// # Errors
    /// None in practice: everything in a [`Spec`] can be written as JSON.
    pub fn json(&self) -> Result<Vec<u8>, BuildError> {
        serde_json::to_vec(&self.spec).map_err(BuildError::Encode)
    }
}

/// Why a specification could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is nothing to run.
    #[error(transparent)]
    Config(#[from] ValidateError),
    /// A device of the host could not be looked at.
    #[error("error gathering device information while adding custom device {path:?}: {source}")]
    Device {
        /// Path on the host.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// A path that was to be a device is something else.
    #[error("error gathering device information while adding custom device {0:?}: not a device node")]
    NotADevice(PathBuf),
    /// An own user namespace has to have a map.
    #[error("container {0} has a user namespace of its own, but no IDs were reserved for it")]
    NoMapping(String),
    /// A path of the daemon's that JSON cannot hold.
    #[error("{0:?} is not UTF-8")]
    NotUtf8(PathBuf),
    /// Writing the document failed.
    #[error("encoding the runtime specification: {0}")]
    Encode(#[source] serde_json::Error),
}

/// Builds the specification.
///
/// # Errors
/// A configuration without a program, devices that are not there, missing ID maps.
pub fn build(inputs: &Inputs<'_>) -> Result<Built, BuildError> {
    let valid = inputs.config;
    let (config, host) = (valid.config(), valid.host());
    let own_user = valid.namespaces().user.is_own();
    if own_user && (inputs.uid_mappings.is_empty() || inputs.gid_mappings.is_empty()) {
        return Err(BuildError::NoMapping(inputs.id.to_owned()));
    }
    let hostname = match &*config.hostname {
        "" => inputs.id.get(..12).unwrap_or(inputs.id),
        name => name,
    };
    let own_uts = valid.namespaces().uts.is_own();
    let [height, width] = host.console_size.map(|size| u16::try_from(size).unwrap_or(0));
    let caps: Vec<&'static str> = valid.caps().names().collect();
    let process = Process {
        terminal: config.tty,
        console_size: (config.tty && height > 0 && width > 0).then_some(ConsoleSize { height, width }),
        user: User::default(),
        args: valid.command_line()?,
        env: env::environment(config, hostname),
        cwd: if config.working_dir.is_empty() { "/".to_owned() } else { config.working_dir.clone() },
        capabilities: Capabilities {
            bounding: caps.clone(),
            effective: caps.clone(),
            permitted: caps,
            // Since the inheritable set leaks through set-user-ID programs, it is empty, and so must the ambient be.
            inheritable: Vec::new(),
            ambient: Vec::new(),
        },
        rlimits: valid.rlimits().to_vec(),
        no_new_privileges: valid.no_new_privileges(),
        oom_score_adj: i32::try_from(host.oom_score_adj).ok().filter(|score| *score != 0),
    };
    let (devices, rules) = devices::devices(host)?;
    let limits = Limits { throttles: devices::throttles(host)?, ..valid.limits().clone() };
    let v1 = inputs.cgroup_version == CgroupVersion::V1;
    let cgroup_v1 = if v1 { limits.v1(&rules) } else { Vec::new() };
    let cgroup_v2 = if v1 { Vec::new() } else { limits.v2() };
    let list = |paths: &Option<Vec<String>>| match paths {
        Some(paths) if !host.privileged => paths.clone(),
        _ => Vec::new(),
    };
    let mappings = |mappings: &[IdMapping]| if own_user { mappings.to_vec() } else { Vec::new() };
    let linux = Linux {
        namespaces: namespaces(valid),
        uid_mappings: mappings(inputs.uid_mappings),
        gid_mappings: mappings(inputs.gid_mappings),
        devices,
        cgroups_path: inputs.cgroup.to_owned(),
        resources: limits.oci(rules),
        sysctl: host.sysctls.clone().unwrap_or_default(),
        seccomp: inputs.seccomp.map(ToOwned::to_owned),
        masked_paths: list(&host.masked_paths),
        readonly_paths: list(&host.readonly_paths),
    };
    let spec = Spec {
        oci_version: OCI_VERSION,
        process,
        root: Root { path: inputs.rootfs.to_owned(), readonly: host.readonly_rootfs },
        hostname: own_uts.then(|| hostname.to_owned()),
        domainname: (own_uts && !config.domainname.is_empty()).then(|| config.domainname.clone()),
        mounts: mounts::mounts(inputs)?,
        annotations: host.annotations.clone().unwrap_or_default(),
        linux,
    };
    Ok(Built { spec, cgroup_v1, cgroup_v2 })
}

fn namespaces(valid: &ValidatedConfig) -> Vec<Namespace> {
    let own = valid.namespaces();
    [
        (own.user.is_own(), "user"),
        (true, "mount"),
        (own.pid.is_own(), "pid"),
        (own.uts.is_own(), "uts"),
        (own.ipc != IpcMode::Host, "ipc"),
        (own.network != NetworkMode::Host, "network"),
        (own.cgroup.is_own(), "cgroup"),
    ]
    .into_iter()
    .filter(|(own, _)| *own)
    .map(|(_, kind)| Namespace { kind })
    .collect()
}

#[cfg(test)]
mod tests {
    use berth_api_types::container::{ContainerConfig, HostConfig};
    use serde_json::Value;

    use super::super::validate::tests::valid;
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const MAP: [IdMapping; 1] = [IdMapping { container_id: 0, host_id: 1_000_000, size: 65_536 }];

    pub(super) fn built(
        version: CgroupVersion,
        change: impl FnOnce(&mut ContainerConfig, &mut HostConfig),
    ) -> Built {
        let config = valid(change);
        let seccomp =
            serde_json::value::to_raw_value(&serde_json::json!({"defaultAction": "SCMP_ACT_ALLOW"}));
        build(&Inputs {
            id: ID,
            config: &config,
            uid_mappings: &MAP,
            gid_mappings: &MAP,
            rootfs: "rootfs",
            hosts: Path::new("/c/hosts"),
            hostname: Path::new("/c/hostname"),
            resolv_conf: Path::new("/c/resolv.conf"),
            cgroup: "/berth-1/x",
            cgroup_version: version,
            seccomp: Some(&seccomp.unwrap()),
        })
        .unwrap()
    }

    fn json(change: impl FnOnce(&mut ContainerConfig, &mut HostConfig)) -> Value {
        serde_json::from_slice(&built(CgroupVersion::V2, change).json().unwrap()).unwrap()
    }

    fn kinds(spec: &Value) -> Vec<&str> {
        let list = spec["linux"]["namespaces"].as_array().unwrap();
        list.iter().map(|namespace| namespace["type"].as_str().unwrap()).collect()
    }

    #[test]
    fn the_document_is_one_that_others_can_read() {
        let built = built(CgroupVersion::V1, |config, host| {
            config.tty = true;
            host.console_size = [24, 80];
            host.memory = 64 << 20;
            host.pids_limit = Some(9);
            host.ulimits =
                Some(vec![serde_json::from_str(r#"{"Name":"nofile","Soft":5,"Hard":-1}"#).unwrap()]);
            host.devices = Some(vec![serde_json::from_str(r#"{"PathOnHost":"/dev/null"}"#).unwrap()]);
            host.sysctls = Some([("net.ipv4.ip_forward".to_owned(), "1".to_owned())].into());
        });
        let spec: oci_spec::runtime::Spec = serde_json::from_slice(&built.json().unwrap()).unwrap();
        let process = spec.process().as_ref().unwrap();
        assert_eq!(process.capabilities().as_ref().unwrap().bounding().as_ref().unwrap().len(), 14);
        assert_eq!(process.rlimits().as_ref().unwrap()[0].hard(), u64::MAX);
        let linux = spec.linux().as_ref().unwrap();
        assert_eq!(linux.resources().as_ref().unwrap().memory().unwrap().limit(), Some(64 << 20));
        assert_eq!(linux.uid_mappings().as_ref().unwrap()[0].host_id(), 1_000_000);
        assert!(linux.seccomp().is_some());
        assert_eq!(spec.mounts().as_ref().unwrap().len(), 10);
    }

    #[test]
    fn an_ordinary_container_shares_nothing() {
        let spec = json(|_, _| {});
        assert_eq!(kinds(&spec), ["user", "mount", "pid", "uts", "ipc", "network", "cgroup"]);
        assert_eq!(spec["hostname"], "0123456789ab");
        assert_eq!(spec["process"]["args"][0], "sh");
        assert_eq!(spec["process"]["cwd"], "/");
        assert_eq!(spec["process"]["noNewPrivileges"], false);
        assert_eq!(spec["process"]["capabilities"]["ambient"].as_array().unwrap().len(), 0);
        assert!(spec["linux"]["maskedPaths"].as_array().unwrap().iter().any(|path| path == "/proc/kcore"));
        assert_eq!(spec["linux"]["readonlyPaths"].as_array().unwrap().len(), 5);
        assert!(spec.get("domainname").is_none());
    }

    #[test]
    fn a_privileged_container_sees_and_may_everything() {
        let spec = json(|_, host| host.privileged = true);
        assert_eq!(kinds(&spec), ["mount", "pid", "uts", "ipc", "network", "cgroup"]);
        assert_eq!(spec["process"]["capabilities"]["bounding"].as_array().unwrap().len(), 41);
        for list in ["maskedPaths", "readonlyPaths"] {
            assert_eq!(spec["linux"][list].as_array().unwrap().len(), 0);
        }
        assert!(spec["linux"].get("uidMappings").is_none());
        assert!(
            spec["linux"]["devices"].as_array().unwrap().iter().any(|device| device["path"] == "/dev/kmsg")
        );
    }

    #[test]
    fn host_modes_leave_namespaces_out() {
        let spec = json(|_, host| {
            host.network_mode = "host".to_owned();
            host.pid_mode = "host".to_owned();
            host.ipc_mode = "host".to_owned();
            host.uts_mode = "host".to_owned();
            host.cgroupns_mode = "host".to_owned();
        });
        assert_eq!(kinds(&spec), ["mount"]);
        assert!(spec.get("hostname").is_none());
    }

    #[test]
    fn settings_go_to_the_interface_that_is_there() {
        let limit = |_: &mut ContainerConfig, host: &mut HostConfig| host.pids_limit = Some(7);
        let v1 = built(CgroupVersion::V1, limit);
        assert!(v1.cgroup_v1.contains(&("pids", "pids.max".to_owned(), "7".to_owned())));
        assert_eq!(v1.cgroup_v1.iter().find(|(c, _, _)| *c == "devices").unwrap().1, "devices.deny");
        assert!(v1.cgroup_v2.is_empty());
        let v2 = built(CgroupVersion::V2, limit);
        assert_eq!(v2.cgroup_v2, [("pids.max".to_owned(), "7".to_owned())]);
        assert!(v2.cgroup_v1.is_empty());
    }

    #[test]
    fn an_own_user_namespace_needs_ids() {
        let config = valid(|_, _| {});
        let path = Path::new("/c");
        let inputs = Inputs {
            id: ID,
            config: &config,
            uid_mappings: &[],
            gid_mappings: &[],
            rootfs: "rootfs",
            hosts: path,
            hostname: path,
            resolv_conf: path,
            cgroup: "/x",
            cgroup_version: CgroupVersion::V2,
            seccomp: None,
        };
        assert!(matches!(build(&inputs), Err(BuildError::NoMapping(_))));
    }

    #[test]
    fn a_missing_device_is_named() {
        let config = valid(|_, host| {
            host.devices = Some(vec![serde_json::from_str(r#"{"PathOnHost":"/dev/nosuch"}"#).unwrap()]);
        });
        let path = Path::new("/c");
        let inputs = Inputs {
            id: ID,
            config: &config,
            uid_mappings: &MAP,
            gid_mappings: &MAP,
            rootfs: "rootfs",
            hosts: path,
            hostname: path,
            resolv_conf: path,
            cgroup: "/x",
            cgroup_version: CgroupVersion::V2,
            seccomp: None,
        };
        let error = build(&inputs).unwrap_err().to_string();
        assert!(
            error
                .starts_with("error gathering device information while adding custom device \"/dev/nosuch\"")
        );
    }
}
