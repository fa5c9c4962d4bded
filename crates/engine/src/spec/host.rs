//! What validation has to know about the machine.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::caps::CapSet;

/// Which control group interface containers are placed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupVersion {
    /// A hierarchy per controller.
    V1,
    /// The unified hierarchy.
    V2,
}

/// Facts of the host that requests are checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// Which interface the controllers are in.
    pub cgroup: CgroupVersion,
    /// Processors, as the kernel writes lists (`0-3`).
    pub cpus: String,
    /// Memory nodes, likewise.
    pub mems: String,
    /// Capabilities this daemon can give.
    pub caps: CapSet,
    /// Swap can be limited.
    pub swap_limit: bool,
    /// Block input and output can be weighted.
    pub blkio_weight: bool,
    /// Controllers that can be used, by their v1 names; a limit without its controller is dropped with a warning.
    pub controllers: Vec<String>,
    /// Names `HostConfig.Runtime` may have; the first is the default.
    pub runtimes: Vec<String>,
}

impl HostFacts {
    /// Asks the kernel.
    ///
    /// # Errors
    /// Fails where `/proc` or `/sys` cannot be read.
    pub fn detect(cgroup: CgroupVersion) -> io::Result<Self> {
        let online = |path: &str| fs::read_to_string(path).map(|list| list.trim().to_owned());
        let group = Path::new("/sys/fs/cgroup");
        let controllers: Vec<String> = match cgroup {
            CgroupVersion::V2 => fs::read_to_string(group.join("cgroup.controllers"))?
                .split_ascii_whitespace()
                .map(|name| if name == "io" { "blkio".to_owned() } else { name.to_owned() })
                .collect(),
            CgroupVersion::V1 => ["memory", "cpu", "cpuset", "pids", "blkio", "devices"]
                .into_iter()
                .filter(|name| group.join(name).join("cgroup.procs").exists())
                .map(str::to_owned)
                .collect(),
        };
        let has = |name: &str| controllers.iter().any(|known| known == name);
        Ok(Self {
            cgroup,
            cpus: online("/sys/devices/system/cpu/online")?,
            // Absent on kernels built without NUMA.
            mems: online("/sys/devices/system/node/online").unwrap_or_else(|_| "0".to_owned()),
            caps: CapSet::available()?,
            swap_limit: match cgroup {
                CgroupVersion::V1 => group.join("memory/memory.memsw.limit_in_bytes").exists(),
                CgroupVersion::V2 => has("memory"),
            },
            blkio_weight: match cgroup {
                CgroupVersion::V1 => group.join("blkio/blkio.bfq.weight").exists(),
                CgroupVersion::V2 => has("blkio"),
            },
            controllers,
            runtimes: vec!["berth".to_owned(), "runc".to_owned(), "io.containerd.runc.v2".to_owned()],
        })
    }

    /// True if limits of this controller (v1 name) can be set.
    pub fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|known| known == controller)
    }

    /// Number of processors.
    pub fn cpu_count(&self) -> usize {
        parse_list(&self.cpus).map_or(1, |list| list.len().max(1))
    }
}

/// Longest list that is read: room for every other number there is.
const MAX_LIST: usize = 24 << 10;

/// Reads a kernel list such as `0-2,7`; `None` where it is none. Numbers stop at 8191, the most any kernel has.
pub fn parse_list(text: &str) -> Option<BTreeSet<u32>> {
    if text.len() > MAX_LIST {
        return None;
    }
    let number = |text: &str| match text.parse::<u32>() {
        Ok(number) if number < 8192 && text.bytes().all(|b| b.is_ascii_digit()) => Some(number),
        _ => None,
    };
    let mut out = BTreeSet::new();
    for part in text.split(',') {
        match part.split_once('-') {
            None => {
                out.insert(number(part)?);
            }
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                if to < from {
                    return None;
                }
                out.extend(from..=to);
            }
        }
    }
    Some(out)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A machine with two processors and everything the kernel offers.
    pub fn facts() -> HostFacts {
        HostFacts {
            cgroup: CgroupVersion::V2,
            cpus: "0-1".to_owned(),
            mems: "0".to_owned(),
            caps: CapSet::from_bits(u64::MAX),
            swap_limit: true,
            blkio_weight: true,
            controllers: ["memory", "cpu", "cpuset", "pids", "blkio"].map(str::to_owned).to_vec(),
            runtimes: vec!["runc".to_owned()],
        }
    }

    #[test]
    fn kernel_lists_are_read() {
        assert_eq!(parse_list("0-2,1,7"), Some(BTreeSet::from([0, 1, 2, 7])));
        assert_eq!(parse_list("3"), Some(BTreeSet::from([3])));
        assert_eq!(parse_list(&"0-8191,".repeat(100_000)), None);
        for text in ["", "a", "1-", "-1", "2-1", "1,,2", "+1", "99999", "0-4294967295"] {
            assert_eq!(parse_list(text), None, "{text}");
        }
    }

    #[test]
    fn this_host_has_processors() {
        let cgroup = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            CgroupVersion::V2
        } else {
            CgroupVersion::V1
        };
        assert!(HostFacts::detect(cgroup).unwrap().cpu_count() >= 1);
    }
}
