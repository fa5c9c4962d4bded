//! The container's mounts, in the order they are made: the kernel's filesystems, then the client's from the root
//! downwards, then nothing over them but the three files of `/etc`.

use std::path::Path;

use super::super::oci::Mount;
use super::super::validate::{IpcMode, MountKind, UserMount};
use super::{BuildError, Inputs};

/// Group of terminals (`tty` in every distribution).
const TTY_GROUP: &str = "gid=5";

pub(super) fn mounts(inputs: &Inputs<'_>) -> Result<Vec<Mount>, BuildError> {
    let valid = inputs.config;
    let host = valid.host();
    let system = |destination: &str, kind: &'static str, source: &str, options: &[&str]| Mount {
        destination: destination.to_owned(),
        kind,
        source: source.to_owned(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    let plain = ["nosuid", "noexec", "nodev"];
    let closed = if host.privileged { "rw" } else { "ro" };
    let mut out = vec![
        system("/proc", "proc", "proc", &plain),
        system("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        system(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", TTY_GROUP],
        ),
        system("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", closed]),
        system("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", closed]),
    ];
    // Shows the queues of the IPC namespace it is mounted in, whoever owns that.
    out.push(system("/dev/mqueue", "mqueue", "mqueue", &plain));
    match valid.namespaces().ipc {
        IpcMode::None => {}
        IpcMode::Host => out.push(system("/dev/shm", "bind", "/dev/shm", &["rbind", "rprivate"])),
        IpcMode::Private | IpcMode::Shareable => {
            let size = format!("size={}", host.shm_size);
            out.push(system("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", &size]));
        }
    }
    let files = [
        ("/etc/resolv.conf", inputs.resolv_conf),
        ("/etc/hostname", inputs.hostname),
        ("/etc/hosts", inputs.hosts),
    ];
    for (destination, source) in files {
        let source = utf8(source)?;
        out.push(system(destination, "bind", source, &["rbind", "rprivate"]));
    }
    // What the client mounts takes the place of what would be there.
    out.retain(|mount| !valid.mounts().iter().any(|user| user.target == mount.destination));
    if host.readonly_rootfs {
        // With the root, the files under /etc close; the filesystems that programs need to write to do not.
        for mount in out.iter_mut().filter(|mount| mount.destination.starts_with("/etc/")) {
            mount.options.push("ro".to_owned());
        }
    }
    let mut users: Vec<&UserMount> = valid.mounts().iter().collect();
    // A mount on a directory hides what was mounted below it before.
    users.sort_by_key(|mount| mount.target.matches('/').count());
    // Before the files of /etc, so that a mount on /etc does not hide them.
    let place = out.iter().position(|mount| mount.destination.starts_with("/etc/")).unwrap_or(out.len());
    let after = out.split_off(place);
    out.extend(users.into_iter().map(user));
    out.extend(after);
    Ok(out)
}

fn utf8(path: &Path) -> Result<&str, BuildError> {
    path.to_str().ok_or_else(|| BuildError::NotUtf8(path.to_owned()))
}

fn user(mount: &UserMount) -> Mount {
    let destination = mount.target.clone();
    match &mount.kind {
        MountKind::Bind { source, recursive, read_only_recursive, propagation, .. } => {
            let mut options = vec![if *recursive { "rbind" } else { "bind" }.to_owned(), propagation.clone()];
            if mount.read_only {
                options.push(if *recursive && *read_only_recursive { "rro" } else { "ro" }.to_owned());
            }
            Mount { destination, kind: "bind", source: source.clone(), options }
        }
        MountKind::Tmpfs { options } => {
            Mount { destination, kind: "tmpfs", source: "tmpfs".to_owned(), options: options.clone() }
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_api_types::container::HostConfig;

    use super::super::super::host::CgroupVersion;
    use super::super::tests::built;
    use super::*;

    fn of(change: impl FnOnce(&mut HostConfig)) -> Vec<Mount> {
        built(CgroupVersion::V2, |_, host| change(host)).spec.mounts
    }

    fn at<'a>(mounts: &'a [Mount], destination: &str) -> &'a Mount {
        mounts.iter().find(|mount| mount.destination == destination).unwrap()
    }

    #[test]
    fn an_ordinary_container_has_the_kernels_filesystems_closed() {
        let mounts = of(|_| {});
        let order: Vec<_> = mounts.iter().map(|mount| &*mount.destination).collect();
        assert_eq!(
            order,
            [
                "/proc",
                "/dev",
                "/dev/pts",
                "/sys",
                "/sys/fs/cgroup",
                "/dev/mqueue",
                "/dev/shm",
                "/etc/resolv.conf",
                "/etc/hostname",
                "/etc/hosts",
            ]
        );
        assert!(at(&mounts, "/sys").options.contains(&"ro".to_owned()));
        assert!(at(&mounts, "/sys/fs/cgroup").options.contains(&"ro".to_owned()));
        assert!(at(&mounts, "/dev/shm").options.contains(&"size=67108864".to_owned()));
        let mounts = of(|host| host.privileged = true);
        assert!(!at(&mounts, "/sys").options.contains(&"ro".to_owned()));
    }

    #[test]
    fn the_clients_mounts_come_parents_first_and_never_hide_the_files_of_etc() {
        let mounts = of(|host| {
            host.binds =
                Some(vec!["/a:/data/sub".to_owned(), "/b:/data:ro".to_owned(), "/e:/etc".to_owned()]);
            host.tmpfs = Some([("/run/x".to_owned(), "size=1m".to_owned())].into());
        });
        let order: Vec<_> = mounts.iter().skip(7).map(|mount| &*mount.destination).collect();
        assert_eq!(
            order,
            ["/data", "/etc", "/data/sub", "/run/x", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts"]
        );
        assert_eq!(at(&mounts, "/data").options, ["rbind", "rprivate", "rro"]);
        assert_eq!(at(&mounts, "/data/sub").options, ["rbind", "rprivate"]);
    }

    #[test]
    fn the_client_may_replace_what_would_be_there() {
        let mounts = of(|host| {
            host.binds = Some(vec!["/h:/etc/hosts".to_owned()]);
            host.tmpfs = Some([("/dev/shm".to_owned(), "size=1m".to_owned())].into());
        });
        assert_eq!(at(&mounts, "/etc/hosts").source, "/h");
        assert_eq!(mounts.iter().filter(|mount| mount.destination == "/etc/hosts").count(), 1);
        assert!(at(&mounts, "/dev/shm").options.contains(&"size=1m".to_owned()));
    }

    #[test]
    fn a_read_only_root_closes_the_files_of_etc() {
        let mounts = of(|host| host.readonly_rootfs = true);
        assert!(at(&mounts, "/etc/hosts").options.contains(&"ro".to_owned()));
        assert!(!at(&mounts, "/dev/shm").options.contains(&"ro".to_owned()));
    }

    #[test]
    fn ipc_modes_decide_about_shared_memory() {
        assert!(
            !of(|host| host.ipc_mode = "none".to_owned()).iter().any(|mount| mount.destination == "/dev/shm")
        );
        let mounts = of(|host| host.ipc_mode = "host".to_owned());
        assert_eq!((at(&mounts, "/dev/shm").kind, at(&mounts, "/dev/mqueue").kind), ("bind", "mqueue"));
    }
}
