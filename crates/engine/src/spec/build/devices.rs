//! Device nodes, and who may use which.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use berth_api_types::container::{HostConfig, ThrottleDevice};

use super::super::oci::{Device, DeviceRule, Throttle};
use super::super::resources::Throttles;
use super::super::validate::parse_rule;
use super::BuildError;

/// Devices of every container: memory, terminals. (type, major, minor)
const STANDARD: [(char, u32, Option<u32>); 9] = [
    ('c', 1, Some(3)), // null
    ('c', 1, Some(5)), // zero
    ('c', 1, Some(7)), // full
    ('c', 1, Some(8)), // random
    ('c', 1, Some(9)), // urandom
    ('c', 5, Some(0)), // tty
    ('c', 5, Some(1)), // console
    ('c', 5, Some(2)), // ptmx
    ('c', 136, None),  // pts
];

/// Directories of the host's `/dev` that are not about devices, or that a container has of its own.
const OWN: [&str; 9] = ["pts", "ptmx", "shm", "fd", "mqueue", "console", ".lxc", ".lxd-mounts", ".udev"];

/// The nodes beyond the standard ones, and the access rules.
pub(super) fn devices(host: &HostConfig) -> Result<(Vec<Device>, Vec<DeviceRule>), BuildError> {
    if host.privileged {
        let mut devices = Vec::new();
        host_devices(Path::new("/dev"), &mut devices)?;
        return Ok((devices, vec![rule(true, 'a', None, None, "rwm")]));
    }
    let mut devices = Vec::new();
    let mut rules = vec![
        rule(false, 'a', None, None, "rwm"),
        // Making a node is harmless where opening it is not allowed.
        rule(true, 'c', None, None, "m"),
        rule(true, 'b', None, None, "m"),
    ];
    rules.extend(STANDARD.map(|(kind, major, minor)| rule(true, kind, Some(major), minor, "rwm")));
    for mapping in host.devices.iter().flatten() {
        let source = Path::new(&mapping.path_on_host);
        let failed = |source_error| BuildError::Device { path: source.to_owned(), source: source_error };
        let meta = fs::metadata(source).map_err(failed)?;
        let first = devices.len();
        if meta.is_dir() {
            directory(source, &mapping.path_in_container, &mut devices).map_err(failed)?;
        } else {
            let device = device(&meta, &mapping.path_in_container);
            devices.push(device.ok_or_else(|| BuildError::NotADevice(source.to_owned()))?);
        }
        let new = devices.iter().skip(first);
        rules.extend(
            new.map(|it| rule(true, it.kind, Some(it.major), Some(it.minor), &mapping.cgroup_permissions)),
        );
    }
    for text in host.device_cgroup_rules.iter().flatten() {
        if let Some((kind, major, minor, access)) = parse_rule(text) {
            rules.push(rule(true, kind, major, minor, access));
        }
    }
    Ok((devices, rules))
}

fn rule(allow: bool, kind: char, major: Option<u32>, minor: Option<u32>, access: &str) -> DeviceRule {
    DeviceRule { allow, kind, major, minor, access: access.to_owned() }
}

/// A node's description; `None` for what is not a device.
fn device(meta: &Metadata, path: &str) -> Option<Device> {
    let kind = match meta.file_type() {
        kind if kind.is_char_device() => 'c',
        kind if kind.is_block_device() => 'b',
        _ => return None,
    };
    let (major, minor) = numbers(meta.rdev());
    Some(Device {
        path: path.to_owned(),
        kind,
        major,
        minor,
        file_mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
    })
}

/// Splits the C library's `dev_t`.
fn numbers(device: u64) -> (u32, u32) {
    let low = |value: u64| u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & 0xffff_f000);
    let minor = (device & 0xff) | ((device >> 12) & 0xffff_ff00);
    (low(major), low(minor))
}

/// All devices below a directory of the host, at the same places below another.
fn directory(source: &Path, target: &str, out: &mut Vec<Device>) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(source)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = format!("{}/{name}", target.trim_end_matches('/'));
        // Not following links: what they lead to is found in its own place.
        let meta = match entry.metadata() {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if meta.is_dir() {
            directory(&entry.path(), &path, out)?;
        } else {
            out.extend(device(&meta, &path));
        }
    }
    Ok(())
}

/// The host's devices, but for those a container has of its own.
fn host_devices(dev: &Path, out: &mut Vec<Device>) -> Result<(), BuildError> {
    let failed = |source| BuildError::Device { path: dev.to_owned(), source };
    let mut all = Vec::new();
    directory(dev, "/dev", &mut all).map_err(failed)?;
    out.extend(all.into_iter().filter(|device| {
        let name = device.path.trim_start_matches("/dev/");
        !OWN.contains(&name.split('/').next().unwrap_or_default())
    }));
    Ok(())
}

/// Rates of block devices, with the devices looked up.
pub(super) fn throttles(host: &HostConfig) -> Result<Throttles, BuildError> {
    let resolve = |list: &Option<Vec<ThrottleDevice>>| -> Result<Vec<Throttle>, BuildError> {
        let entries = list.iter().flatten().map(|entry| {
            let path = Path::new(&entry.path);
            let meta =
                fs::metadata(path).map_err(|source| BuildError::Device { path: path.to_owned(), source })?;
            if !meta.file_type().is_block_device() {
                return Err(BuildError::NotADevice(path.to_owned()));
            }
            let (major, minor) = numbers(meta.rdev());
            Ok(Throttle { major, minor, rate: entry.rate })
        });
        entries.collect()
    };
    Ok(Throttles {
        read_bps: resolve(&host.blkio_device_read_bps)?,
        write_bps: resolve(&host.blkio_device_write_bps)?,
        read_iops: resolve(&host.blkio_device_read_i_ops)?,
        write_iops: resolve(&host.blkio_device_write_i_ops)?,
    })
}

#[cfg(test)]
mod tests {
    use berth_api_types::container::DeviceMapping;

    use super::*;

    fn mapped(source: &str, target: &str) -> HostConfig {
        HostConfig {
            devices: Some(vec![DeviceMapping {
                path_on_host: source.to_owned(),
                path_in_container: target.to_owned(),
                cgroup_permissions: "rw".to_owned(),
            }]),
            ..HostConfig::default()
        }
    }

    #[test]
    fn device_numbers_are_split_as_the_c_library_does() {
        assert_eq!(numbers(0x0103), (1, 3));
        assert_eq!(numbers(0x8801), (136, 1));
        assert_eq!(numbers(0x1000_0001), (0, 0x1_0001));
    }

    #[test]
    fn everything_is_denied_but_the_standard_devices() {
        let (devices, rules) = devices(&HostConfig::default()).unwrap();
        assert!(devices.is_empty());
        assert_eq!((rules[0].allow, rules[0].kind), (false, 'a'));
        assert!(rules.iter().any(|rule| rule.allow && rule.major == Some(1) && rule.minor == Some(3)));
        assert_eq!(rules.len(), 12);
    }

    #[test]
    fn a_mapped_device_gets_a_node_and_a_rule() {
        let (devices, rules) = devices(&mapped("/dev/zero", "/dev/mine")).unwrap();
        assert_eq!(
            (&*devices[0].path, devices[0].kind, devices[0].major, devices[0].minor),
            ("/dev/mine", 'c', 1, 5)
        );
        assert_eq!(rules.last().unwrap().access, "rw");
    }

    #[test]
    fn what_is_not_a_device_is_refused() {
        assert!(matches!(devices(&mapped("/etc/passwd", "/dev/x")), Err(BuildError::NotADevice(_))));
        let host = HostConfig {
            blkio_device_read_bps: Some(vec![ThrottleDevice { path: "/dev/null".to_owned(), rate: 1 }]),
            ..HostConfig::default()
        };
        assert!(matches!(throttles(&host), Err(BuildError::NotADevice(_))));
    }

    #[test]
    fn a_privileged_container_has_the_hosts_devices_but_not_its_terminals() {
        let host = HostConfig { privileged: true, ..HostConfig::default() };
        let (devices, rules) = devices(&host).unwrap();
        assert!(devices.iter().any(|device| device.path == "/dev/null"));
        assert!(
            !devices
                .iter()
                .any(|device| device.path.starts_with("/dev/pts/") || device.path == "/dev/console")
        );
        assert_eq!((rules.len(), rules[0].allow), (1, true));
    }
}
