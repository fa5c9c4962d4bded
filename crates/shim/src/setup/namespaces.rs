//! Which namespaces a container gets: new ones, joined ones, or the host's.

use std::path::PathBuf;

use berth_linux::clone::flags;

use super::spec::Namespace;
use crate::report::Failure;

/// A container's namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namespaces {
    /// `clone3` flags of the new ones.
    pub new: u64,
    /// The ones to join, the user namespace last: entering it gives up what joining the others needs.
    pub join: Vec<(u64, PathBuf)>,
}

impl Namespaces {
    /// Reads the list of a specification.
    pub fn new(list: &[Namespace]) -> Result<Namespaces, Failure> {
        let phase = "read namespaces";
        let mut found = Namespaces::default();
        for namespace in list {
            let flag = match namespace.kind.as_str() {
                "pid" => flags::NEWPID,
                "network" => flags::NEWNET,
                "mount" => flags::NEWNS,
                "ipc" => flags::NEWIPC,
                "uts" => flags::NEWUTS,
                "user" => flags::NEWUSER,
                "cgroup" => flags::NEWCGROUP,
                other => return Err(Failure::new(phase, format!("unsupported namespace: {other}"))),
            };
            if found.own_or_joined(flag) {
                return Err(Failure::new(phase, format!("namespace {} is listed twice", namespace.kind)));
            }
            match &namespace.path {
                Some(path) if !path.as_os_str().is_empty() => found.join.push((flag, path.clone())),
                _ => found.new |= flag,
            }
        }
        found.join.sort_by_key(|(flag, _)| *flag == flags::NEWUSER);
        if !found.is_new(flags::NEWNS) {
            return Err(Failure::new(phase, "a container needs a new mount namespace"));
        }
        Ok(found)
    }

    /// Whether a new one of this kind is made.
    pub fn is_new(&self, flag: u64) -> bool {
        self.new & flag != 0
    }

    /// Whether the container's namespace of this kind is not the host's.
    pub fn own_or_joined(&self, flag: u64) -> bool {
        self.is_new(flag) || self.join.iter().any(|(joined, _)| *joined == flag)
    }

    /// Out of `candidates`, the kinds that are not the host's.
    pub fn not_the_hosts(&self, candidates: u64) -> u64 {
        self.join.iter().fold(self.new, |all, (flag, _)| all | flag) & candidates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(kind: &str, path: Option<&str>) -> Namespace {
        Namespace { kind: kind.to_owned(), path: path.map(PathBuf::from) }
    }

    #[test]
    fn a_joined_user_namespace_is_entered_last() {
        let list = [
            namespace("user", Some("/u")),
            namespace("mount", None),
            namespace("network", Some("/n")),
            namespace("pid", Some("")),
        ];
        let found = Namespaces::new(&list).unwrap();
        assert_eq!(found.new, flags::NEWNS | flags::NEWPID);
        assert_eq!(found.join, [(flags::NEWNET, "/n".into()), (flags::NEWUSER, "/u".into())]);
        assert!(found.own_or_joined(flags::NEWNET) && !found.own_or_joined(flags::NEWIPC));
        assert_eq!(found.not_the_hosts(flags::NEWNET | flags::NEWIPC), flags::NEWNET);
    }

    #[test]
    fn a_list_without_mount_namespace_or_with_surprises_is_refused() {
        assert!(Namespaces::new(&[namespace("pid", None)]).is_err());
        assert!(Namespaces::new(&[namespace("mount", None), namespace("time", None)]).is_err());
        assert!(Namespaces::new(&[namespace("mount", None), namespace("mount", None)]).is_err());
    }
}
