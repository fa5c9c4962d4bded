//! The mounts of a specification: made detached, then attached inside the root.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_linux::cgroup::Hierarchies;
use berth_linux::mount::{self, Attributes, Change, Propagation};
use berth_shim_proto::Cgroup;
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};

use super::options::Options;
use super::paths::{Kind, Root, is_directory};
use super::{Blueprint, spec};
use crate::report::{Failure, Phase, Reporter};

/// Places where an image must have an ordinary directory: a link there would make everything that later
/// relies on these paths (masking above all) look elsewhere.
const NO_LINKS: [&str; 4] = ["/proc", "/sys", "/dev", "/sys/fs/cgroup"];

/// A mount that is ready to be attached.
#[derive(Debug)]
pub struct Prepared {
    destination: PathBuf,
    kind: Kind,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Tree(OwnedFd),
    /// The version 1 hierarchies, by directory name, in a small filesystem of their own.
    Hierarchies {
        holder: OwnedFd,
        parts: Vec<(String, OwnedFd)>,
        set: Attributes,
    },
}

/// Makes the mounts. The caller must be in the host's mount namespace and in the container's others, with the
/// container's root as filesystem owner: instances of proc, sysfs and mqueue belong to the namespaces of who
/// makes them, and files in a new tmpfs to the filesystem owner.
pub fn prepare(
    blueprint: &Blueprint,
    userns: Option<BorrowedFd<'_>>,
    report: &Reporter,
) -> Result<Vec<Prepared>, Failure> {
    let mut prepared = Vec::with_capacity(blueprint.spec.mounts.len());
    for mount in &blueprint.spec.mounts {
        let phase = format!("mount {}", mount.destination.display());
        let Some(destination) = Root::plain(&mount.destination) else {
            return Err(Failure::new(phase, "the destination must be absolute and without \"..\""));
        };
        let options = Options::parse(&mount.options);
        let (kind, content) = if options.bind || mount.kind == "bind" {
            let (kind, tree) = bind(mount, &options, userns, report)?;
            (kind, Content::Tree(tree))
        } else if mount.kind == "cgroup" || mount.kind == "cgroup2" {
            match cgroups(&blueprint.launch.cgroups, &options)? {
                Some(content) => (Kind::Directory, content),
                None => {
                    report.warn("no control groups are mounted on this host")?;
                    continue;
                }
            }
        } else {
            let data = options.host_data(&blueprint.uids, &blueprint.gids).map_err(|option| {
                Failure::new(&phase, format!("option {option}: the ID is not mapped in the container"))
            })?;
            let source = mount.source.as_deref().and_then(Path::to_str).unwrap_or(&mount.kind);
            let set = options.set.or(options.set_recursive);
            let made = mount::new_filesystem(&mount.kind, Some(source), &data, set)
                .map_err(|error| Failure::io(&phase, format!("type {}", mount.kind), &error))?;
            if mount.kind == "mqueue" {
                // Made together with the IPC namespace, before anybody was the container's root.
                let (uid, gid) = blueprint.mapped_root()?;
                let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
                rustix::fs::chownat(&made, "", uid, gid, AtFlags::EMPTY_PATH).phase(&phase)?;
            }
            (Kind::Directory, Content::Tree(made))
        };
        prepared.push(Prepared { destination, kind, content });
    }
    Ok(prepared)
}

/// A clone of the source, shifted to the container's IDs where the filesystem can do that.
fn bind(
    mount: &spec::Mount,
    options: &Options,
    userns: Option<BorrowedFd<'_>>,
    report: &Reporter,
) -> Result<(Kind, OwnedFd), Failure> {
    let phase = format!("mount {}", mount.destination.display());
    let Some(source) = &mount.source else {
        return Err(Failure::new(phase, "a bind mount needs a source"));
    };
    let failed = |error: io::Error| Failure::io(&phase, format!("bind {}", source.display()), &error);
    let tree = match options.propagation {
        // Slaves and peers are made from a copy that is still a peer of the host's mount.
        Some(_) => mount::clone_tree_with_peers(CWD, source, options.recursive),
        None => mount::clone_tree(CWD, source, options.recursive),
    }
    .map_err(failed)?;
    if options.propagation == Some(Propagation::Slave) {
        let change = Change { propagation: options.propagation, ..Change::default() };
        mount::set_attributes(&tree, options.recursive, &change).map_err(failed)?;
    }
    if let Some(userns) = userns {
        idmap(&tree, options.recursive, userns, source, report)?;
    }
    let change = Change { set: options.set, clear: options.clear, ..Change::default() };
    mount::set_attributes(&tree, false, &change).map_err(failed)?;
    if options.set_recursive != Attributes::NONE {
        let change = Change { set: options.set_recursive, ..Change::default() };
        mount::set_attributes(&tree, true, &change).map_err(failed)?;
    }
    let kind = if is_directory(&tree).map_err(failed)? { Kind::Directory } else { Kind::File };
    Ok((kind, tree))
}

/// Shifts a tree, or at least its top; what cannot be shifted stays as it is, with a warning.
fn idmap(
    tree: &OwnedFd,
    recursive: bool,
    userns: BorrowedFd<'_>,
    source: &Path,
    report: &Reporter,
) -> Result<(), Failure> {
    let change = Change { idmap: Some(userns), ..Change::default() };
    let Err(error) = mount::set_attributes(tree, recursive, &change) else { return Ok(()) };
    let what = if recursive && mount::set_attributes(tree, false, &change).is_ok() {
        "something mounted below it"
    } else {
        "it"
    };
    let cause = crate::report::words(&error);
    report.warn(format!("bind {}: the owners of {what} cannot be mapped ({cause})", source.display()))
}

/// Read-only views of the container's own cgroup directories, under the names the host gives the hierarchies.
fn cgroups(list: &[Cgroup], options: &Options) -> Result<Option<Content>, Failure> {
    let phase = "mount cgroups";
    let view = |one: &Cgroup| {
        let clone = mount::clone_tree(CWD, &one.path, false)?;
        mount::set_attributes(&clone, false, &Change { set: options.set, ..Change::default() })?;
        io::Result::Ok(clone)
    };
    if list.iter().all(|one| one.v2) {
        return match list.first() {
            Some(one) => view(one).phase(phase).map(|tree| Some(Content::Tree(tree))),
            None => Ok(None),
        };
    }
    let hierarchies = Hierarchies::detect().phase(phase)?;
    let mut parts = Vec::new();
    for one in list.iter().filter(|one| !one.v2) {
        // The longest mount point that the directory is below: one may be mounted inside another.
        let holder = hierarchies
            .iter()
            .filter(|hierarchy| one.path.starts_with(&hierarchy.mount))
            .max_by_key(|hierarchy| hierarchy.mount.as_os_str().len());
        let name = holder.and_then(|hierarchy| hierarchy.mount.file_name()).and_then(|name| name.to_str());
        let Some(name) = name else {
            return Err(Failure::new(phase, format!("{} is in no hierarchy", one.path.display())));
        };
        parts.push((name.to_owned(), view(one).phase(phase)?));
    }
    let data = ["mode=755".to_owned(), "size=64k".to_owned()];
    let set = Attributes(options.set.0 & !Attributes::READ_ONLY.0);
    let holder = mount::new_filesystem("tmpfs", Some("cgroup"), &data, set).phase(phase)?;
    Ok(Some(Content::Hierarchies { holder, parts, set: options.set }))
}

/// Attaches the mounts, in order. The caller must be in the container's mount namespace.
pub fn attach(root: &Root, list: Vec<Prepared>) -> Result<(), Failure> {
    for one in list {
        let phase = format!("mount {}", one.destination.display());
        let target = target(root, &one.destination, one.kind).map_err(|mut failure| {
            failure.phase.clone_from(&phase);
            failure
        })?;
        match one.content {
            Content::Tree(tree) => mount::attach(tree, target, "").phase(&phase)?,
            Content::Hierarchies { holder, parts, set } => {
                mount::attach(&holder, target, "").phase(&phase)?;
                for (name, part) in parts {
                    rustix::fs::mkdirat(&holder, &name, Mode::from_raw_mode(0o755)).phase(&phase)?;
                    mount::attach(part, &holder, &name).phase(&phase)?;
                    // What is mounted together is found under each of its names.
                    for alias in name.split(',').filter(|alias| *alias != name) {
                        rustix::fs::symlinkat(&name, &holder, alias).phase(&phase)?;
                    }
                }
                mount::set_attributes(&holder, false, &Change { set, ..Change::default() }).phase(&phase)?;
            }
        }
    }
    Ok(())
}

/// The mount point, made where it is missing.
fn target(root: &Root, destination: &Path, kind: Kind) -> Result<OwnedFd, Failure> {
    if NO_LINKS.iter().any(|place| destination == Path::new(place)) {
        match root.open_without_links(destination, OFlags::PATH) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                let message = format!("{} of the image is a symbolic link", destination.display());
                return Err(Failure {
                    errno: rustix::io::Errno::LOOP.raw_os_error(),
                    ..Failure::new("", message)
                });
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::io("", "open mount point", &error));
            }
            _ => {}
        }
    }
    root.ensure(destination, kind).map_err(|error| {
        let hint = match error.raw_os_error() {
            Some(code) if code == rustix::io::Errno::NOTDIR.raw_os_error() && kind == Kind::Directory => {
                ": are you trying to mount a directory onto a file (or vice-versa)?"
            }
            Some(code) if code == rustix::io::Errno::ISDIR.raw_os_error() => {
                ": are you trying to mount a directory onto a file (or vice-versa)?"
            }
            _ => "",
        };
        let mut failure = Failure::io("", "make mount point", &error);
        failure.message.push_str(hint);
        failure
    })
}

/// Whether the container has a `/dev` that we made and may fill.
pub fn own_dev(list: &[spec::Mount]) -> bool {
    list.iter()
        .rev()
        .find(|mount| mount.destination == Path::new("/dev"))
        .is_some_and(|mount| mount.kind == "tmpfs")
}

/// A second view of something inside the root, detached; for masking and the console.
pub fn view(of: impl AsFd, recursive: bool) -> io::Result<OwnedFd> {
    mount::clone_tree(of, "", recursive)
}
