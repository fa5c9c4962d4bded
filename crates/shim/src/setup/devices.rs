//! The container's `/dev`: nodes, links, and the terminal.
//!
//! Nodes are made with the host's privileges in a tmpfs of the host's user namespace, owned by the
//! container's root: never bound from the host, whose nodes have the host's owners.

use std::os::fd::OwnedFd;
use std::path::Path;

use berth_linux::idmap::{Extent, to_host};
use berth_linux::mount;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, makedev};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::Blueprint;
use super::mounts::view;
use super::paths::{Kind, Root, open_name};
use super::spec::Device;
use crate::report::{Failure, Phase};

/// Character devices every container has (OCI `config-linux.md`, "Default Devices"): name, major, minor.
const STANDARD: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Links every container has: name, target.
const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

/// Fills `/dev`.
pub fn fill(root: &Root, blueprint: &Blueprint) -> Result<(), Failure> {
    let phase = "make devices";
    let dev = root.open("/dev", OFlags::PATH | OFlags::DIRECTORY).phase(phase)?;
    for (name, major, minor) in STANDARD {
        let mode = Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(&dev, name, FileType::CharacterDevice, mode, makedev(major, minor))
            .map_err(|error| Failure::io(phase, name, &error.into()))?;
    }
    for device in &blueprint.spec.linux.devices {
        let standard = device
            .path
            .strip_prefix("/dev")
            .is_ok_and(|name| STANDARD.iter().any(|(known, ..)| name == Path::new(known)));
        if !standard {
            node(root, device, &blueprint.uids, &blueprint.gids)?;
        }
    }
    for (name, target) in LINKS {
        match rustix::fs::symlinkat(target, &dev, name) {
            // Something was mounted or made there on purpose.
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(Failure::io(phase, name, &error.into())),
        }
    }
    Ok(())
}

fn node(root: &Root, device: &Device, uids: &[Extent], gids: &[Extent]) -> Result<(), Failure> {
    let phase = format!("make device {}", device.path.display());
    let kind = match device.kind.as_str() {
        "c" | "u" => FileType::CharacterDevice,
        "b" => FileType::BlockDevice,
        "p" => FileType::Fifo,
        other => return Err(Failure::new(phase, format!("unknown device type {other}"))),
    };
    let (Some(path), Ok(major), Ok(minor)) =
        (Root::plain(&device.path), u32::try_from(device.major), u32::try_from(device.minor))
    else {
        return Err(Failure::new(phase, "not a valid path or device number"));
    };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Failure::new(phase, "not a valid path"));
    };
    let directory = root.ensure(parent, Kind::Directory).phase(&phase)?;
    let mode = Mode::from_raw_mode(device.file_mode.unwrap_or(0o666) & 0o7777);
    rustix::fs::mknodat(&directory, name, kind, mode, makedev(major, minor)).phase(&phase)?;
    let owner = |map: &[Extent], id: Option<u32>| {
        let id = id.unwrap_or(0);
        let host = if map.is_empty() { Some(id) } else { to_host(map, id) };
        host.ok_or_else(|| Failure::new(&phase, format!("owner {id} is not mapped in the container")))
    };
    let (uid, gid) = (Uid::from_raw(owner(uids, device.uid)?), Gid::from_raw(owner(gids, device.gid)?));
    rustix::fs::chownat(&directory, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).phase(&phase)
}

/// A terminal: the end the supervisor holds, and the end of the container's program.
#[derive(Debug)]
pub struct Terminal {
    /// The supervisor's end.
    pub master: OwnedFd,
    /// The container's end.
    pub slave: OwnedFd,
}

/// Allocates a terminal from the container's own devpts and shows it as `/dev/console`.
pub fn terminal(root: &Root, size: Option<(u16, u16)>, own_dev: bool) -> Result<Terminal, Failure> {
    let phase = "allocate terminal";
    let pts = root.open("/dev/pts", OFlags::PATH | OFlags::DIRECTORY).phase(phase)?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let master = rustix::fs::openat(&pts, "ptmx", flags, Mode::empty()).phase(phase)?;
    rustix::pty::unlockpt(&master).phase(phase)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).phase(phase)?;
    if let Some((rows, columns)) = size {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&master, size).phase(phase)?;
    }
    if own_dev {
        let phase = "mount /dev/console";
        let console = root.ensure("/dev/console", Kind::File).phase(phase)?;
        let view = view(&slave, false).phase(phase)?;
        mount::attach(view, console, "").phase(phase)?;
    }
    Ok(Terminal { master, slave })
}

/// Gives the directory and the multiplexer of a devpts, which the kernel makes for the host's root, to the
/// container's.
pub fn own_devpts(root: &Root, uid: u32, gid: u32) -> Result<(), Failure> {
    let phase = "give /dev/pts to the container";
    let Ok(pts) = root.open("/dev/pts", OFlags::PATH | OFlags::DIRECTORY) else { return Ok(()) };
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    let ptmx = match open_name(&pts, "ptmx".as_ref()) {
        Ok(ptmx) => ptmx,
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error).phase(phase),
    };
    for fd in [&pts, &ptmx] {
        rustix::fs::chownat(fd, "", uid, gid, AtFlags::EMPTY_PATH).phase(phase)?;
    }
    Ok(())
}
