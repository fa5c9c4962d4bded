//! A container's bundle: the OCI `config.json`, and the three files of `/etc` that are its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_shim_proto::Cgroup;
use tokio::task::JoinHandle;

use super::record::Record;
use crate::engine::Inner;
use crate::spec::oci::{IdMapping, Rlimit};
use crate::spec::validate::{MountKind, NetworkMode};
use crate::spec::{self, CgroupVersion, Inputs, ValidatedConfig};
use crate::{Error, Result, files};

/// The limit of open files in the specification's words.
const OPEN_FILES: &str = "RLIMIT_NOFILE";

/// What the shim is told beside the bundle.
pub struct Prepared {
    /// The compiled seccomp filter.
    pub seccomp: Option<PathBuf>,
    /// Control groups with their settings.
    pub cgroups: Vec<Cgroup>,
}

/// Writes everything a start needs. Blocks for file work, and once per seccomp profile for its compilation.
pub fn write(
    engine: &Inner,
    record: &Record,
    valid: &ValidatedConfig,
    mappings: &[IdMapping],
) -> Result<Prepared> {
    let id = record.id();
    let bundle = engine.config.bundle(id);
    let (hosts, hostname, resolv_conf) =
        (bundle.join("hosts"), bundle.join("hostname"), bundle.join("resolv.conf"));
    let config = &record.definition.config;
    write_etc(&hosts, &hosts_file(config.hostname.as_str(), config.domainname.as_str(), valid)?)?;
    write_etc(&hostname, &format!("{}\n", config.hostname))?;
    write_etc(&resolv_conf, &resolv_file(valid)?)?;

    make_sources(valid)?;
    let filter = match valid.seccomp().profile() {
        Some(profile) => Some(
            engine
                .seccomp
                .get(profile, valid.caps())
                .map_err(|e| Error::Invalid(format!("seccomp profile: {e}")))?,
        ),
        None => None,
    };
    let cgroup = Path::new("/").join(engine.cgroup_parent()).join(id);
    let mut built = spec::build(&Inputs {
        id,
        config: valid,
        uid_mappings: mappings,
        gid_mappings: mappings,
        rootfs: "rootfs",
        hosts: &hosts,
        hostname: &hostname,
        resolv_conf: &resolv_conf,
        cgroup: &cgroup.to_string_lossy(),
        cgroup_version: engine.host_facts.cgroup,
        seccomp: filter.as_ref().map(|filter| &*filter.oci),
    })?;
    let limits = &mut built.spec.process.rlimits;
    if let Some((soft, hard)) = engine.config.open_files
        && !limits.iter().any(|limit| limit.kind == OPEN_FILES)
    {
        limits.push(Rlimit { kind: OPEN_FILES.to_owned(), soft, hard });
    }
    files::replace(&bundle.join("config.json"), &built.json()?)?;

    let mut cgroups = engine.cgroups_of(id);
    for (group, hierarchy) in cgroups.iter_mut().zip(engine.hierarchies.for_containers()) {
        group.settings = match engine.host_facts.cgroup {
            CgroupVersion::V2 => built.cgroup_v2.clone(),
            CgroupVersion::V1 => built
                .cgroup_v1
                .iter()
                .filter(|(controller, _, _)| !hierarchy.v2 && hierarchy.has(controller))
                .map(|(_, file, value)| (file.clone(), value.clone()))
                .collect(),
        };
    }
    Ok(Prepared { seccomp: filter.map(|filter| filter.path.clone()), cgroups })
}

/// Runs [`write`] where blocking is allowed, from now on.
pub fn begin_writing(
    engine: &Arc<Inner>,
    record: &Arc<Record>,
    valid: ValidatedConfig,
    mappings: Vec<IdMapping>,
) -> JoinHandle<Result<Prepared>> {
    let (engine, record) = (engine.clone(), record.clone());
    tokio::task::spawn_blocking(move || write(&engine, &record, &valid, &mappings))
}

/// Sources of bind mounts that are to be made where they are missing.
fn make_sources(valid: &ValidatedConfig) -> Result<()> {
    for mount in valid.mounts() {
        if let MountKind::Bind { source, create: true, .. } = &mount.kind
            && !Path::new(source).exists()
        {
            files::make_dir(Path::new(source), 0o755)?;
        }
    }
    Ok(())
}

/// Readable by everybody in the container, whatever the daemon's umask.
fn write_etc(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::file("writing", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).map_err(Error::file("writing", path))
}

/// `/etc/hosts` (hosts(5)): the loopback names, the container's own, and `--add-host`.
fn hosts_file(hostname: &str, domainname: &str, valid: &ValidatedConfig) -> Result<String> {
    if valid.namespaces().network == NetworkMode::Host {
        let host = fs::read_to_string("/etc/hosts").map_err(Error::file("reading", "/etc/hosts"))?;
        return Ok(host + &extra_hosts(valid));
    }
    let own = match domainname {
        "" => hostname.to_owned(),
        domain => format!("{hostname}.{domain} {hostname}"),
    };
    Ok(format!(
        "127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\n\
         ff02::1\tip6-allnodes\n\
         ff02::2\tip6-allrouters\n\
         {}127.0.1.1\t{own}\n",
        extra_hosts(valid)
    ))
}

fn extra_hosts(valid: &ValidatedConfig) -> String {
    let mut lines = String::new();
    for entry in valid.host().extra_hosts.iter().flatten() {
        if let Some((name, address)) = entry.split_once([':', '=']) {
            lines.push_str(&format!("{address}\t{name}\n"));
        }
    }
    lines
}

/// `/etc/resolv.conf` (resolv.conf(5)): what was asked for, else the host's.
fn resolv_file(valid: &ValidatedConfig) -> Result<String> {
    let host = valid.host();
    let given = |list: &Option<Vec<String>>| list.as_ref().filter(|list| !list.is_empty()).cloned();
    let (servers, search, options) = (given(&host.dns), given(&host.dns_search), given(&host.dns_options));
    let theirs = match fs::read_to_string("/etc/resolv.conf") {
        Ok(text) => text,
        // A host without name servers is a host all the same.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Error::file("reading", "/etc/resolv.conf")(error)),
    };
    let keep = |line: &str| match line.split_ascii_whitespace().next() {
        Some("nameserver") => servers.is_none(),
        Some("search" | "domain") => search.is_none(),
        Some("options") => options.is_none(),
        _ => true,
    };
    let mut text: String = theirs.lines().filter(|line| keep(line)).map(|line| format!("{line}\n")).collect();
    for server in servers.iter().flatten() {
        text.push_str(&format!("nameserver {server}\n"));
    }
    // `--dns-search .` means none at all.
    if let Some(search) = search.filter(|list| list.iter().all(|domain| domain != ".")) {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    if let Some(options) = options {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    Ok(text)
}
