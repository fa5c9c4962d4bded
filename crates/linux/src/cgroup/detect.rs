//! Which hierarchies a host has, where they are mounted, and with which controllers.

use std::fs;
use std::path::{Path, PathBuf};

use super::tree;
use crate::{Error, Result};

/// How a host arranges its control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only version 2.
    Unified,
    /// Only version 1.
    Legacy,
    /// Controllers in version 1, and a version 2 tree beside them.
    Hybrid,
}

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// True for the version 2 tree.
    pub v2: bool,
    /// Controllers it offers, sorted. Empty for a named version 1 hierarchy, and often for version 2 in a
    /// hybrid layout.
    pub controllers: Vec<String>,
    /// The name of a version 1 hierarchy without controllers (`systemd`).
    pub name: Option<String>,
}

impl Hierarchy {
    /// The directory called `name` (may hold slashes, must be relative) in this hierarchy.
    pub fn dir(&self, name: impl AsRef<Path>) -> PathBuf {
        self.mount.join(name)
    }

    /// Whether it offers `controller`.
    pub fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|have| have == controller)
    }
}

/// Every hierarchy of the host, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hierarchies {
    all: Vec<Hierarchy>,
}

impl Hierarchies {
    /// Reads them from `/proc/self/mountinfo`.
    pub fn detect() -> Result<Hierarchies> {
        let path = "/proc/self/mountinfo";
        let mountinfo = fs::read_to_string(path).map_err(|error| Error::path("read", path, error))?;
        let mut found = Hierarchies::parse(&mountinfo);
        for hierarchy in found.all.iter_mut().filter(|h| h.v2) {
            let file = hierarchy.mount.join("cgroup.controllers");
            let list = fs::read_to_string(&file).map_err(|error| Error::path("read", file, error))?;
            hierarchy.controllers = list.split_ascii_whitespace().map(str::to_owned).collect();
            hierarchy.controllers.sort();
        }
        Ok(found)
    }

    /// Hierarchies named in the text of a `mountinfo` file; version 2 controllers are not in there.
    fn parse(mountinfo: &str) -> Hierarchies {
        let mut all: Vec<Hierarchy> = Vec::new();
        for line in mountinfo.lines() {
            let Some((mount, tail)) = line.split_once(" - ") else { continue };
            let mut mount = mount.split(' ').skip(3);
            let (Some(root), Some(point)) = (mount.next(), mount.next()) else { continue };
            // A bind mount of a part of a hierarchy is no place to build trees in.
            if root != "/" {
                continue;
            }
            let mut tail = tail.split(' ');
            let (Some(kind), Some(options)) = (tail.next(), tail.nth(1)) else { continue };
            let mount = PathBuf::from(unescape(point));
            let hierarchy = match kind {
                "cgroup2" => Hierarchy { mount, v2: true, controllers: Vec::new(), name: None },
                "cgroup" => {
                    let mut controllers = Vec::new();
                    let mut name = None;
                    for option in options.split(',') {
                        match option.split_once('=') {
                            Some(("name", value)) => name = Some(value.to_owned()),
                            Some(_) => {}
                            None if NOT_CONTROLLERS.contains(&option) => {}
                            None => controllers.push(option.to_owned()),
                        }
                    }
                    controllers.sort();
                    Hierarchy { mount, v2: false, controllers, name }
                }
                _ => continue,
            };
            let known = all.iter().any(|have| {
                have.v2 == hierarchy.v2
                    && (have.v2 || (have.controllers == hierarchy.controllers && have.name == hierarchy.name))
            });
            if !known {
                all.push(hierarchy);
            }
        }
        Hierarchies { all }
    }

    /// Every hierarchy, in the order it is mounted.
    pub fn iter(&self) -> impl Iterator<Item = &Hierarchy> {
        self.all.iter()
    }

    /// The arrangement, `None` where no control groups are mounted at all.
    pub fn mode(&self) -> Option<Mode> {
        let v1 = self.all.iter().any(|h| !h.v2 && !h.controllers.is_empty());
        match (self.unified().is_some(), v1) {
            (true, false) => Some(Mode::Unified),
            (false, true) => Some(Mode::Legacy),
            (true, true) => Some(Mode::Hybrid),
            (false, false) => None,
        }
    }

    /// The version 2 tree.
    pub fn unified(&self) -> Option<&Hierarchy> {
        self.all.iter().find(|h| h.v2)
    }

    /// The hierarchy that offers `controller` (`memory`, `cpu`, `pids`, …).
    pub fn controller(&self, controller: &str) -> Option<&Hierarchy> {
        self.all.iter().find(|h| h.has(controller))
    }

    /// Hierarchies a container should have a directory in: those with controllers, and the version 2 tree
    /// even without any, because `cgroup.kill` there ends a container in one step. Named version 1
    /// hierarchies are left to whoever made them (systemd).
    pub fn for_containers(&self) -> impl Iterator<Item = &Hierarchy> {
        self.all.iter().filter(|h| h.v2 || !h.controllers.is_empty())
    }

    /// Makes the directory `name` in every hierarchy of [`Hierarchies::for_containers`], ready to hold
    /// containers: version 2 controllers are delegated to it and by it, a version 1 cpuset is populated and
    /// hands its CPUs on to directories made below. Making it again is no error.
    pub fn create_parent(&self, name: impl AsRef<Path>) -> Result<()> {
        for hierarchy in self.for_containers() {
            let dir = hierarchy.dir(&name);
            if hierarchy.v2 {
                tree::enable_controllers(&hierarchy.mount)?;
                tree::create(&dir)?;
                tree::enable_controllers(&dir)?;
            } else {
                tree::create(&dir)?;
                if hierarchy.has("cpuset") {
                    tree::populate_cpuset(&dir)?;
                    let file = dir.join("cgroup.clone_children");
                    fs::write(&file, "1").map_err(|error| Error::path("write", file, error))?;
                }
            }
        }
        Ok(())
    }

    /// Kills what is left below the directory `name` and removes it, in every hierarchy. Goes on past errors
    /// and reports the first. A directory that is not there is no error.
    pub fn remove_parent(&self, name: impl AsRef<Path>) -> Result<()> {
        let mut first = Ok(());
        for hierarchy in self.for_containers() {
            let dir = hierarchy.dir(&name);
            let done = tree::kill_all(&dir).and_then(|()| tree::remove(&dir));
            first = first.and(done);
        }
        first
    }
}

/// Mount options of version 1 that look like controllers.
const NOT_CONTROLLERS: [&str; 10] = [
    "rw",
    "ro",
    "all",
    "none",
    "noprefix",
    "clone_children",
    "xattr",
    "cpuset_v2_mode",
    "favordynmods",
    "nofavordynmods",
];

/// Undoes the octal escapes of `mountinfo` (space, tab, newline, backslash).
fn unescape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:32 /a /mnt/part rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/a\\040b rw,relatime - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn a_hybrid_host_is_recognised_with_its_comounted_controllers() {
        let found = Hierarchies::parse(HYBRID);
        assert_eq!(found.mode(), Some(Mode::Hybrid));
        let cpu = found.controller("cpu").unwrap();
        assert_eq!(cpu, found.controller("cpuacct").unwrap());
        assert_eq!(cpu.dir("x/y"), PathBuf::from("/sys/fs/cgroup/cpu,cpuacct/x/y"));
        assert_eq!(found.unified().unwrap().mount, PathBuf::from("/sys/fs/cgroup/a b"));
        assert_eq!(found.controller("memory").unwrap().mount, PathBuf::from("/sys/fs/cgroup/memory"));
        assert_eq!(found.for_containers().count(), 3);
        let named = found.iter().find(|h| h.name.is_some()).unwrap();
        assert_eq!((named.name.as_deref(), named.controllers.len()), (Some("systemd"), 0));
    }

    #[test]
    fn a_pure_version_2_host_is_unified() {
        let found = Hierarchies::parse("25 23 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n");
        assert_eq!(found.mode(), Some(Mode::Unified));
        assert!(Hierarchies::parse("").mode().is_none());
    }
}
