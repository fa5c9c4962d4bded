//! The mounter: a process with the host's credentials in the container's namespaces, which makes everything
//! the container will see and then lets the init go on.
//!
//! It is in the container's PID namespace by birth, enters network, IPC and UTS first, makes all filesystem
//! instances while still in the host's mount namespace (where the kernel does not ask which views of proc and
//! sysfs are visible already), and attaches them in the container's.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use berth_linux::clone::{exit_now, flags};
use berth_linux::{fdpass, mount, net, sys};
use rustix::fs::Mode;
use rustix::thread::ThreadNameSpaceType;

use super::paths::{Kind, Root};
use super::spawn::Init;
use super::{Blueprint, devices, die_with_parent, masks, mounts, rootfs, sysctl};
use crate::report::{Failure, Phase, Report, Reporter};

/// Runs to the end of the process.
pub fn run(blueprint: &Blueprint, init: &Init, report: &Reporter) -> ! {
    let code = match build(blueprint, init, report) {
        Ok(()) => 0,
        Err(failure) => {
            report.fail(failure);
            1
        }
    };
    exit_now(code)
}

fn build(blueprint: &Blueprint, init: &Init, report: &Reporter) -> Result<(), Failure> {
    die_with_parent()?;
    let (uid, gid) = blueprint.mapped_root()?;
    let userns = user_namespace(blueprint, init)?;
    let userns = userns.as_ref().map(AsFd::as_fd);
    rustix::process::umask(Mode::empty());

    let kinds = blueprint.namespaces.not_the_hosts(flags::NEWNET | flags::NEWIPC | flags::NEWUTS);
    enter(init, kinds, "enter namespaces")?;
    tune(blueprint)?;

    sys::set_filesystem_owner(uid, gid).phase("act as the container's root")?;
    let store = rootfs::clone_store(&blueprint.launch.rootfs, userns)?;
    let prepared = mounts::prepare(blueprint, userns, report)?;

    enter(init, flags::NEWNS, "enter mount namespace")?;
    mount::make_all_private().phase("make mounts private")?;
    let root = rootfs::mount(&blueprint.launch.rootfs, store.as_ref())?;
    mounts::attach(&root, prepared)?;
    let own_dev = mounts::own_dev(&blueprint.spec.mounts);
    if own_dev {
        devices::fill(&root, blueprint)?;
        devices::own_devpts(&root, uid, gid)?;
    }
    let stdio = blueprint.launch.stdio;
    let terminal = match stdio.tty {
        true => Some(devices::terminal(&root, stdio.size, own_dev)?),
        false => None,
    };
    working_directory(&root, blueprint)?;
    masks::mask(&root, blueprint)?;
    masks::make_read_only(&root, blueprint)?;
    mount::pivot(&root).phase("change the root")?;

    let slave = match &terminal {
        Some(terminal) => {
            report.send_with(&Report::Terminal, &[terminal.master.as_fd()])?;
            vec![terminal.slave.as_fd()]
        }
        None => Vec::new(),
    };
    report.send_with(&Report::Root, &[root.as_fd()])?;
    fdpass::send(&init.go, b"g", &slave).phase("let the container's init go on")?;
    Ok(())
}

/// The user namespace that owners are shifted by.
fn user_namespace(blueprint: &Blueprint, init: &Init) -> Result<Option<OwnedFd>, Failure> {
    if !blueprint.namespaces.own_or_joined(flags::NEWUSER) {
        return Ok(None);
    }
    let path = format!("/proc/{}/ns/user", init.pid);
    File::open(path).phase("open user namespace").map(|file| Some(file.into()))
}

fn enter(init: &Init, kinds: u64, phase: &str) -> Result<(), Failure> {
    if kinds == 0 {
        return Ok(());
    }
    let kinds = ThreadNameSpaceType::from_bits_retain(u32::try_from(kinds).unwrap_or_default());
    rustix::thread::move_into_thread_name_spaces(init.pidfd.as_fd(), kinds).phase(phase)
}

/// Names, kernel parameters and the loopback interface: what belongs to namespaces, not to files.
fn tune(blueprint: &Blueprint) -> Result<(), Failure> {
    let own_uts = blueprint.namespaces.is_new(flags::NEWUTS);
    let spec = &blueprint.spec;
    if own_uts && !spec.hostname.is_empty() {
        rustix::system::sethostname(spec.hostname.as_bytes())
            .map_err(|error| Failure::io("set host name", &spec.hostname, &error.into()))?;
    }
    if own_uts && !spec.domainname.is_empty() {
        rustix::system::setdomainname(spec.domainname.as_bytes())
            .map_err(|error| Failure::io("set domain name", &spec.domainname, &error.into()))?;
    }
    if blueprint.namespaces.is_new(flags::NEWNET) {
        net::loopback_up().phase("set up network")?;
    }
    if spec.linux.sysctl.is_empty() {
        return Ok(());
    }
    // The kernel lets only the namespace's own root write parameters of an IPC namespace, by user ID.
    let (uid, gid) = blueprint.mapped_root()?;
    sys::set_effective_owner(uid, gid).phase("act as the container's root")?;
    let written = sysctl::write(&spec.linux.sysctl, &blueprint.namespaces);
    sys::set_effective_owner(0, 0).phase("act as the host's root")?;
    written
}

/// Makes the directory the program starts in.
fn working_directory(root: &Root, blueprint: &Blueprint) -> Result<(), Failure> {
    let phase = "make working directory";
    let cwd = &blueprint.cwd;
    if !cwd.is_absolute() {
        return Err(Failure::new(
            phase,
            format!("the working directory '{}' is invalid, it needs to be an absolute path", cwd.display()),
        ));
    }
    match root.ensure(cwd, Kind::Directory) {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOTDIR.raw_os_error()) => {
            let message = format!("Cannot mkdir: {} is not a directory", cwd.display());
            let errno = rustix::io::Errno::NOTDIR.raw_os_error();
            Err(Failure { errno, ..Failure::new(phase, message) })
        }
        Err(error) => Err(Failure::io(phase, cwd.display(), &error)),
    }
}
