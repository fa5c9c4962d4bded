//! Binds, mounts and tmpfs of a request.

use std::collections::BTreeSet;
use std::path::Path;

use berth_api_types::container::{HostConfig, Mount, TmpfsOptions};

use super::ValidateError;
use super::error::MountReason;
use super::process::clean;

/// A mount the client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserMount {
    /// Absolute path in the container, without detours.
    pub target: String,
    /// What is mounted there.
    pub kind: MountKind,
    /// Whether it is read-only.
    pub read_only: bool,
}

/// What a mount shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// A path of the host.
    Bind {
        /// Absolute path on the host.
        source: String,
        /// Whether a missing source is made, as a directory owned by the container's root.
        create: bool,
        /// Whether mounts below the source come along.
        recursive: bool,
        /// Whether read-only extends to mounts below the source.
        read_only_recursive: bool,
        /// `rprivate`, `shared`, …
        propagation: String,
        /// The options as written, for inspect's `Mode`.
        mode: String,
    },
    /// Memory.
    Tmpfs {
        /// Mount options, settled: flags and `size=`, `mode=` and the like.
        options: Vec<String>,
    },
}

const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
/// Without an own word on it, what happens on the host below a source stays there.
const DEFAULT_PROPAGATION: &str = "rprivate";

/// Reads all mounts of a request, refusing two in one place.
///
/// `fresh` is false for configurations that were accepted before: a source that has gone since is then reported by
/// whoever mounts it.
pub(super) fn check(host: &HostConfig, fresh: bool) -> Result<Vec<UserMount>, ValidateError> {
    let mut mounts = Vec::new();
    for spec in host.binds.iter().flatten() {
        mounts.push(bind(spec)?);
    }
    for mount in host.mounts.iter().flatten() {
        let read = long(mount, fresh)
            .map_err(|reason| ValidateError::MountConfig { kind: mount.r#type.clone(), reason })?;
        mounts.push(read.ok_or(ValidateError::Unavailable("volumes"))?);
    }
    for (path, options) in host.tmpfs.iter().flatten() {
        let target = target(path).map_err(ValidateError::Tmpfs)?;
        let options = tmpfs_options(options.split(',')).map_err(ValidateError::Tmpfs)?;
        let read_only = options.iter().any(|option| option == "ro");
        mounts.push(UserMount { target, kind: MountKind::Tmpfs { options }, read_only });
    }
    let mut seen = BTreeSet::new();
    for mount in &mounts {
        if !seen.insert(&mount.target) {
            return Err(ValidateError::DuplicateMount(mount.target.clone()));
        }
    }
    Ok(mounts)
}

fn target(path: &str) -> Result<String, MountReason> {
    if path.is_empty() {
        return Err(MountReason::Missing("Target"));
    }
    absolute(path)?;
    match clean(path) {
        root if root == "/" => Err(MountReason::Root),
        path => Ok(path),
    }
}

fn absolute(path: &str) -> Result<(), MountReason> {
    if path.contains('\0') {
        Err(MountReason::Nul)
    } else if path.starts_with('/') {
        Ok(())
    } else {
        Err(MountReason::Relative(path.to_owned()))
    }
}

/// `SOURCE:TARGET[:OPTIONS]`.
fn bind(spec: &str) -> Result<UserMount, ValidateError> {
    let invalid = || ValidateError::VolumeSpec(spec.to_owned());
    let parts: Vec<&str> = spec.split(':').collect();
    let (source, path, mode) = match *parts.as_slice() {
        [path] if !path.is_empty() => ("", path, ""),
        [source, path] if !source.is_empty() && read_mode(path).is_none() => (source, path, ""),
        [source, path, mode] if !source.is_empty() => (source, path, mode),
        _ => return Err(invalid()),
    };
    let mode_read = read_mode(mode).ok_or_else(|| ValidateError::VolumeMode(mode.to_owned()))?;
    let kind = if source.starts_with('/') { "bind" } else { "volume" };
    let target =
        target(path).and_then(|target| absolute_or_name(source).map(|()| target)).map_err(|reason| {
            ValidateError::VolumeConfig { spec: spec.to_owned(), kind: kind.to_owned(), reason }
        })?;
    if kind == "volume" {
        return Err(ValidateError::Unavailable("volumes"));
    }
    Ok(UserMount {
        target,
        read_only: mode_read.read_only,
        kind: MountKind::Bind {
            source: clean(source),
            create: true,
            recursive: mode_read.recursive,
            read_only_recursive: true,
            propagation: mode_read.propagation.unwrap_or(DEFAULT_PROPAGATION).to_owned(),
            mode: mode.to_owned(),
        },
    })
}

fn absolute_or_name(source: &str) -> Result<(), MountReason> {
    if source.contains('\0') { Err(MountReason::Nul) } else { Ok(()) }
}

struct Mode<'a> {
    read_only: bool,
    recursive: bool,
    propagation: Option<&'a str>,
}

/// Options of the short form; each kind at most once. `None` where Docker does not know one. SELinux labels,
/// consistency and `nocopy` are known and mean nothing here.
fn read_mode(mode: &str) -> Option<Mode<'_>> {
    let mut out = Mode { read_only: false, recursive: true, propagation: None };
    let (mut access, mut label, mut consistency, mut copy, mut bind) = (0, 0, 0, 0, 0);
    for option in mode.split(',').filter(|_| !mode.is_empty()) {
        match option {
            "ro" | "rw" => {
                access += 1;
                out.read_only = option == "ro";
            }
            "z" | "Z" => label += 1,
            "consistent" | "cached" | "delegated" => consistency += 1,
            "nocopy" => copy += 1,
            "bind" | "rbind" => {
                bind += 1;
                out.recursive = option == "rbind";
            }
            other if PROPAGATIONS.contains(&other) && out.propagation.is_none() => {
                out.propagation = Some(other)
            }
            _ => return None,
        }
    }
    [access, label, consistency, copy, bind].iter().all(|count| *count <= 1).then_some(out)
}

/// The long form. `Ok(None)` is a good volume mount.
fn long(mount: &Mount, fresh: bool) -> Result<Option<UserMount>, MountReason> {
    let known = matches!(&*mount.r#type, "bind" | "tmpfs" | "volume");
    if !known {
        return Err(MountReason::Unknown);
    }
    let target = target(&mount.target)?;
    if mount.r#type != "bind" && mount.bind_options.is_some() {
        return Err(MountReason::Extra("BindOptions"));
    }
    if mount.r#type != "volume" && mount.volume_options.is_some() {
        return Err(MountReason::Extra("VolumeOptions"));
    }
    let kind = match &*mount.r#type {
        "bind" => {
            if mount.source.is_empty() {
                return Err(MountReason::Missing("Source"));
            }
            absolute(&mount.source)?;
            let options = mount.bind_options.clone().unwrap_or_default();
            let propagation = match &*options.propagation {
                "" => DEFAULT_PROPAGATION,
                known if PROPAGATIONS.contains(&known) => known,
                other => return Err(MountReason::Propagation(other.to_owned())),
            };
            if fresh && !options.create_mountpoint && !Path::new(&mount.source).exists() {
                return Err(MountReason::NoSource(mount.source.clone()));
            }
            MountKind::Bind {
                source: clean(&mount.source),
                create: options.create_mountpoint,
                recursive: !options.non_recursive,
                read_only_recursive: !options.read_only_non_recursive,
                propagation: propagation.to_owned(),
                mode: String::new(),
            }
        }
        "tmpfs" => {
            if !mount.source.is_empty() {
                return Err(MountReason::Extra("Source"));
            }
            let options = mount.tmpfs_options.clone().unwrap_or_default();
            MountKind::Tmpfs { options: long_tmpfs(&options, mount.read_only)? }
        }
        _ => {
            if mount.source.is_empty() && mount.read_only {
                return Err(MountReason::ReadOnlyAnonymous);
            }
            return Ok(None);
        }
    };
    Ok(Some(UserMount { target, kind, read_only: mount.read_only }))
}

fn long_tmpfs(options: &TmpfsOptions, read_only: bool) -> Result<Vec<String>, MountReason> {
    let mut words = Vec::new();
    if read_only {
        words.push("ro".to_owned());
    }
    if options.size_bytes < 0 {
        return Err(MountReason::TmpfsSize(options.size_bytes));
    }
    if options.size_bytes > 0 {
        words.push(format!("size={}", options.size_bytes));
    }
    if options.mode > 0 {
        words.push(format!("mode={:o}", options.mode & 0o7777));
    }
    words.extend(options.options.iter().flatten().map(|pair| pair.join("=")));
    tmpfs_options(words.iter().map(String::as_str))
}

/// Adds options to a tmpfs's defaults: of flags that contradict each other the last one counts.
fn tmpfs_options<'a>(words: impl Iterator<Item = &'a str>) -> Result<Vec<String>, MountReason> {
    const FLAGS: [(&str, &str); 8] = [
        ("rw", "ro"),
        ("nosuid", "suid"),
        ("nodev", "dev"),
        ("noexec", "exec"),
        ("atime", "noatime"),
        ("diratime", "nodiratime"),
        ("relatime", "relatime"),
        ("strictatime", "strictatime"),
    ];
    const KEYS: [&str; 7] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];
    let mut out: Vec<String> = ["noexec", "nosuid", "nodev"].map(str::to_owned).to_vec();
    for word in words.map(str::trim).filter(|word| !word.is_empty()) {
        let unknown = || MountReason::TmpfsOption(word.to_owned());
        match word.split_once('=') {
            Some((key, value))
                if KEYS.contains(&key) && !value.is_empty() && !value.contains(['\0', ' ', '\n']) =>
            {
                out.retain(|option| option.split_once('=').is_none_or(|(known, _)| known != key));
            }
            Some(_) => return Err(unknown()),
            None if PROPAGATIONS.contains(&word) => {
                out.retain(|option| !PROPAGATIONS.contains(&&**option));
            }
            None => {
                let (on, off) =
                    FLAGS.iter().find(|(on, off)| *on == word || *off == word).ok_or_else(unknown)?;
                out.retain(|option| option != on && option != off);
            }
        }
        out.push(word.to_owned());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use berth_api_types::container::BindOptions;

    use super::*;

    fn short(spec: &str) -> Result<UserMount, String> {
        let host = HostConfig { binds: Some(vec![spec.to_owned()]), ..HostConfig::default() };
        check(&host, true).map(|mounts| mounts[0].clone()).map_err(|error| error.to_string())
    }

    fn of(mount: Mount) -> Result<UserMount, String> {
        let host = HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() };
        check(&host, true).map(|mounts| mounts[0].clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn binds_are_read() {
        let mount = short("/srv//x:/data/:ro,z,rslave").unwrap();
        assert_eq!((&*mount.target, mount.read_only), ("/data", true));
        let MountKind::Bind { source, create, recursive, propagation, .. } = mount.kind else { panic!() };
        assert_eq!((&*source, create, recursive, &*propagation), ("/srv/x", true, true, "rslave"));
        assert!(!short("/a:/b").unwrap().read_only);
    }

    #[test]
    fn bad_binds_are_refused_in_dockers_words() {
        let relative = |spec: &str, kind: &str, path: &str| {
            format!(
                "invalid volume specification: '{spec}': invalid mount config for type \"{kind}\": invalid mount \
                 path: '{path}' mount path must be absolute"
            )
        };
        assert_eq!(short("a").unwrap_err(), relative("a", "volume", "a"));
        assert_eq!(short("/nosuchdir:rel").unwrap_err(), relative("/nosuchdir:rel", "bind", "rel"));
        assert_eq!(short("/a:/b:xx").unwrap_err(), "invalid mode: xx");
        assert_eq!(short("/a:/b:ro,rw").unwrap_err(), "invalid mode: ro,rw");
        for spec in ["", ":/a", "/a:ro", "/a:/b:ro:x"] {
            assert_eq!(short(spec).unwrap_err(), format!("invalid volume specification: '{spec}'"));
        }
        assert!(short("/a:/").unwrap_err().ends_with("invalid specification: destination can't be '/'"));
        assert!(short("/a:/x/..").unwrap_err().ends_with("destination can't be '/'"));
        assert!(short("/a:/b\0").unwrap_err().ends_with("NUL byte"));
    }

    #[test]
    fn volumes_are_refused_clearly() {
        assert_eq!(short("data:/data").unwrap_err(), "volumes are not available yet");
        let mount = Mount { r#type: "volume".to_owned(), target: "/x".to_owned(), ..Mount::default() };
        assert_eq!(of(mount).unwrap_err(), "volumes are not available yet");
    }

    #[test]
    fn bad_mounts_are_refused_in_dockers_words() {
        let mount = |kind: &str, source: &str, target: &str| Mount {
            r#type: kind.to_owned(),
            source: source.to_owned(),
            target: target.to_owned(),
            ..Mount::default()
        };
        let bind = "invalid mount config for type \"bind\": ";
        assert_eq!(
            of(mount("bogus", "/tmp", "/x")).unwrap_err(),
            "invalid mount config for type \"bogus\": mount type unknown"
        );
        assert_eq!(
            of(mount("bind", "/tmp", "")).unwrap_err(),
            format!("{bind}field Target must not be empty")
        );
        assert_eq!(of(mount("bind", "", "/x")).unwrap_err(), format!("{bind}field Source must not be empty"));
        assert_eq!(
            of(mount("bind", "/proc/nosuchdir", "/x")).unwrap_err(),
            format!("{bind}bind source path does not exist: /proc/nosuchdir")
        );
        let options = BindOptions { propagation: "x".to_owned(), ..BindOptions::default() };
        let wrong = Mount { bind_options: Some(options), ..mount("bind", "/tmp", "/x") };
        assert_eq!(of(wrong).unwrap_err(), format!("{bind}invalid propagation mode: x"));
        assert!(of(mount("tmpfs", "/a", "/x")).unwrap_err().ends_with("field Source must not be specified"));
    }

    #[test]
    fn a_stored_mount_may_have_lost_its_source() {
        let mount = Mount {
            r#type: "bind".to_owned(),
            source: "/proc/nosuchdir".to_owned(),
            target: "/x".to_owned(),
            ..Mount::default()
        };
        let host = HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() };
        assert!(check(&host, false).is_ok());
    }

    fn tmpfs(path: &str, options: &str) -> Result<Vec<String>, String> {
        let host = HostConfig {
            tmpfs: Some(BTreeMap::from([(path.to_owned(), options.to_owned())])),
            ..HostConfig::default()
        };
        match check(&host, true) {
            Ok(mut mounts) => match mounts.remove(0).kind {
                MountKind::Tmpfs { options } => Ok(options),
                MountKind::Bind { .. } => panic!(),
            },
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn tmpfs_options_override_the_defaults() {
        assert_eq!(tmpfs("/run", "").unwrap(), ["noexec", "nosuid", "nodev"]);
        assert_eq!(
            tmpfs("/run", "rw,exec,size=64k,mode=755,size=1m").unwrap(),
            ["nosuid", "nodev", "rw", "exec", "mode=755", "size=1m"]
        );
        assert_eq!(tmpfs("/run", "bogus").unwrap_err(), "invalid tmpfs option \"bogus\"");
        assert!(tmpfs("/run", "lowerdir=/x").is_err());
        assert_eq!(tmpfs("rel", "").unwrap_err(), "invalid mount path: 'rel' mount path must be absolute");
    }

    #[test]
    fn the_long_form_of_tmpfs_means_the_same() {
        let options =
            TmpfsOptions { size_bytes: 4096, mode: 0o1770, options: Some(vec![vec!["exec".to_owned()]]) };
        let mount = Mount {
            r#type: "tmpfs".to_owned(),
            target: "/t".to_owned(),
            read_only: true,
            tmpfs_options: Some(options),
            ..Mount::default()
        };
        let MountKind::Tmpfs { options } = of(mount).unwrap().kind else { panic!() };
        assert_eq!(options, ["nosuid", "nodev", "ro", "size=4096", "mode=1770", "exec"]);
    }

    #[test]
    fn two_mounts_in_one_place_are_refused() {
        let host = HostConfig {
            binds: Some(vec!["/a:/x".to_owned()]),
            tmpfs: Some(BTreeMap::from([("/x/".to_owned(), String::new())])),
            ..HostConfig::default()
        };
        assert_eq!(check(&host, true).unwrap_err().to_string(), "Duplicate mount point: /x");
    }
}
