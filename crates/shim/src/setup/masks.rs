//! Paths a container must not read or not write, covered by mounts.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use berth_linux::mount::{self, Attributes, Change};
use rustix::fs::OFlags;

use super::Blueprint;
use super::mounts::view;
use super::paths::{Root, is_directory};
use crate::report::{Failure, Phase};

/// Covers masked paths: files by the container's null device, directories by an empty filesystem that all of
/// them share.
pub fn mask(root: &Root, blueprint: &Blueprint) -> Result<(), Failure> {
    let mut empty: Option<OwnedFd> = None;
    for path in &blueprint.spec.linux.masked_paths {
        let phase = format!("mask {}", path.display());
        let Some(target) = existing(root, path).phase(&phase)? else { continue };
        if is_directory(&target).phase(&phase)? {
            match &empty {
                Some(first) => mount::attach(view(first, false).phase(&phase)?, target, "").phase(&phase)?,
                None => {
                    let set = Attributes::READ_ONLY
                        .or(Attributes::NO_SUID)
                        .or(Attributes::NO_DEV)
                        .or(Attributes::NO_EXEC);
                    let options = ["mode=555".to_owned(), "size=4k".to_owned()];
                    let made = mount::new_filesystem("tmpfs", Some("tmpfs"), &options, set).phase(&phase)?;
                    mount::attach(&made, target, "").phase(&phase)?;
                    empty = Some(made);
                }
            }
        } else {
            let null = root.open("/dev/null", OFlags::PATH).phase(&phase)?;
            mount::attach(view(null, false).phase(&phase)?, target, "").phase(&phase)?;
        }
    }
    Ok(())
}

/// Makes paths read-only, with everything mounted below them.
pub fn make_read_only(root: &Root, blueprint: &Blueprint) -> Result<(), Failure> {
    let change = Change { set: Attributes::READ_ONLY, ..Change::default() };
    for path in &blueprint.spec.linux.readonly_paths {
        let phase = format!("make {} read-only", path.display());
        let Some(target) = existing(root, path).phase(&phase)? else { continue };
        let view = view(&target, true).phase(&phase)?;
        mount::set_attributes(&view, true, &change).phase(&phase)?;
        mount::attach(view, target, "").phase(&phase)?;
    }
    if blueprint.launch.rootfs.readonly || blueprint.spec.root.readonly {
        mount::set_attributes(root, false, &change).phase("make root filesystem read-only")?;
    }
    Ok(())
}

/// The path, if it is there: kernels differ in what `/proc` and `/sys` have.
fn existing(root: &Root, path: &Path) -> io::Result<Option<OwnedFd>> {
    match root.open(path, OFlags::PATH) {
        Ok(fd) => Ok(Some(fd)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
