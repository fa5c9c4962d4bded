//! The root filesystem: an overlay over unpacked layers.
//!
//! One idmapped clone of the layer store serves the lower directories, the upper and the work directory. The
//! overlay keeps the credentials it is mounted with, so it has to be mounted while the filesystem owner is
//! the container's root and the capabilities are raised; as plain host root it would come up read-only.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use berth_linux::mount::{self, Attributes, Change};
use berth_shim_proto::Rootfs;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::MountFlags;

use super::paths::Root;
use crate::report::{Failure, Phase};

/// What `mount(2)` takes: a page, with its closing zero byte.
const MAX_OPTIONS: usize = 4095;

/// Features that would make a renamed directory or a changed mode lose data in a commit, which reads the
/// upper directory as plain files.
const FEATURES: [&str; 3] = ["redirect_dir=off", "metacopy=off", "index=off"];

/// The idmapped clone of the store, detached; none without a user namespace. To be made in the host's mount
/// namespace.
pub fn clone_store(rootfs: &Rootfs, userns: Option<BorrowedFd<'_>>) -> Result<Option<OwnedFd>, Failure> {
    let Some(userns) = userns else { return Ok(None) };
    let phase = "clone layer store";
    let failed = |error: std::io::Error| Failure::io(phase, rootfs.store.display(), &error);
    let clone = mount::clone_tree(CWD, &rootfs.store, false).map_err(failed)?;
    let change = Change { idmap: Some(userns), ..Change::default() };
    mount::set_attributes(&clone, false, &change)
        .map_err(|error| Failure::io("idmap layer store", rootfs.store.display(), &error))?;
    Ok(Some(clone))
}

/// Mounts the overlay, over the store's own directory in the container's mount namespace, and opens it. What
/// it covers goes away with the old root.
pub fn mount(rootfs: &Rootfs, clone: Option<&OwnedFd>) -> Result<Root, Failure> {
    let store = &rootfs.store;
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: &Path| {
        rustix::fs::open(path, directory, Mode::empty())
            .map_err(|error| Failure::io("open layer store", path.display(), &error.into()))
    };
    let base = open(store)?;
    let layers = match clone {
        Some(clone) => {
            mount::attach(clone, &base, "").phase("attach layer store")?;
            rustix::fs::openat(clone, &rootfs.layers, directory, Mode::empty())
                .map_err(|error| Failure::io("open layers", rootfs.layers.display(), &error.into()))?
        }
        None => open(&store.join(&rootfs.layers))?,
    };
    rustix::process::fchdir(&layers).phase("enter layers")?;

    let phase = "mount overlay";
    let options = options(rootfs)?;
    let joined = joined(&options);
    if joined.len() <= MAX_OPTIONS {
        let data = std::ffi::CString::new(joined).map_err(|error| Failure::new(phase, error.to_string()))?;
        rustix::mount::mount("overlay", store, "overlay", MountFlags::empty(), Some(data.as_c_str()))
            .phase(phase)?;
    } else {
        let overlay = mount::new_filesystem("overlay", Some("overlay"), &options, Attributes::NONE)
            .map_err(|error| Failure::io(phase, format!("{} layers", rootfs.lowers.len()), &error))?;
        let top = open(store)?;
        mount::attach(overlay, top.as_fd(), "").phase(phase)?;
    }
    rustix::process::chdir("/").phase("leave layers")?;
    let root = rustix::fs::open(store, directory, Mode::empty()).phase("open root filesystem")?;
    Ok(Root::new(root))
}

/// The overlay's options, one layer each, as the new mount interface takes them.
fn options(rootfs: &Rootfs) -> Result<Vec<String>, Failure> {
    let phase = "read root filesystem";
    if rootfs.lowers.is_empty() {
        return Err(Failure::new(phase, "an image needs at least one layer"));
    }
    let name = |path: &Path| {
        let text = path.to_str().filter(|text| !text.is_empty());
        // These separate options and layers; the store's own names never hold them.
        let plain = text.filter(|_| !path.as_os_str().as_bytes().iter().any(|byte| b",:\\\0".contains(byte)));
        plain
            .map(str::to_owned)
            .ok_or_else(|| Failure::new(phase, format!("{}: not a name of the layer store", path.display())))
    };
    let mut options = Vec::with_capacity(rootfs.lowers.len() + 5);
    for lower in &rootfs.lowers {
        options.push(format!("lowerdir+={}", name(lower)?));
    }
    options.push(format!("upperdir={}", name(&rootfs.upper)?));
    options.push(format!("workdir={}", name(&rootfs.work)?));
    options.extend(FEATURES.map(str::to_owned));
    Ok(options)
}

/// The same as `mount(2)` takes them.
fn joined(options: &[String]) -> String {
    let lowers: Vec<&str> = options.iter().filter_map(|option| option.strip_prefix("lowerdir+=")).collect();
    let rest = options.iter().filter(|option| !option.starts_with("lowerdir+=")).map(String::as_str);
    let lower = format!("lowerdir={}", lowers.join(":"));
    [lower.as_str()].into_iter().chain(rest).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rootfs(lowers: &[&str]) -> Rootfs {
        Rootfs {
            store: "/data/store".into(),
            layers: "layers".into(),
            lowers: lowers.iter().map(Into::into).collect(),
            upper: "../containers/x/u".into(),
            work: "../containers/x/w".into(),
            readonly: false,
        }
    }

    #[test]
    fn layers_stack_in_the_given_order_with_the_commit_safe_features() {
        let options = options(&rootfs(&["top", "bottom"])).unwrap();
        let expected = "lowerdir=top:bottom,upperdir=../containers/x/u,workdir=../containers/x/w,\
                        redirect_dir=off,metacopy=off,index=off";
        assert_eq!(joined(&options), expected);
    }

    #[test]
    fn a_full_stack_of_layers_fits_into_one_page() {
        let id = "0".repeat(64);
        let lowers: Vec<String> = (0..127).map(|n| format!("{n:0>26}")).collect();
        let mut rootfs = rootfs(&lowers.iter().map(String::as_str).collect::<Vec<_>>());
        rootfs.upper = format!("../containers/{id}/u").into();
        rootfs.work = format!("../containers/{id}/w").into();
        assert!(joined(&options(&rootfs).unwrap()).len() <= MAX_OPTIONS);
    }

    #[test]
    fn names_that_would_be_read_as_options_are_refused() {
        for bad in ["a:b", "a,upperdir=/", "a\\", ""] {
            assert!(options(&rootfs(&[bad])).is_err(), "{bad}");
        }
        assert!(options(&rootfs(&[])).is_err());
    }
}
