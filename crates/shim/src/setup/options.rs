//! Mount options as `config.json` has them, told apart into attributes, propagation and filesystem data.

use berth_linux::idmap::{Extent, to_host};
use berth_linux::mount::{Attributes, Propagation};

/// The options of one mount.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// `bind` or `rbind` is among them.
    pub bind: bool,
    /// What is mounted below the source comes along.
    pub recursive: bool,
    /// Attributes to set.
    pub set: Attributes,
    /// Attributes to clear, on binds that inherit them.
    pub clear: Attributes,
    /// Attributes for the mounts below as well (`rro` and the like).
    pub set_recursive: Attributes,
    /// Propagation, other than private.
    pub propagation: Option<Propagation>,
    /// The rest: options of the filesystem.
    pub data: Vec<String>,
}

impl Options {
    /// Tells options apart.
    pub fn parse(list: &[String]) -> Options {
        let mut found = Options::default();
        for option in list {
            found.add(option);
        }
        found
    }

    fn add(&mut self, option: &str) {
        use Attributes as A;
        let (set, clear) = match option {
            "bind" => return self.bind = true,
            "rbind" => {
                (self.bind, self.recursive) = (true, true);
                return;
            }
            "defaults" | "async" | "auto" | "" => return,
            "private" | "rprivate" | "unbindable" | "runbindable" => return self.propagation = None,
            "slave" | "rslave" => return self.propagation = Some(Propagation::Slave),
            "shared" | "rshared" => return self.propagation = Some(Propagation::Shared),
            "ro" => (A::READ_ONLY, A::NONE),
            "rw" => (A::NONE, A::READ_ONLY),
            "nosuid" => (A::NO_SUID, A::NONE),
            "suid" => (A::NONE, A::NO_SUID),
            "nodev" => (A::NO_DEV, A::NONE),
            "dev" => (A::NONE, A::NO_DEV),
            "noexec" => (A::NO_EXEC, A::NONE),
            "exec" => (A::NONE, A::NO_EXEC),
            "noatime" => (A::NO_ATIME, A::ATIME),
            "strictatime" => (A::STRICT_ATIME, A::ATIME),
            "relatime" | "atime" => (A::NONE, A::ATIME),
            "nodiratime" => (A::NO_DIR_ATIME, A::NONE),
            "diratime" => (A::NONE, A::NO_DIR_ATIME),
            "nosymfollow" => (A::NO_SYMLINK_FOLLOW, A::NONE),
            "symfollow" => (A::NONE, A::NO_SYMLINK_FOLLOW),
            "rro" => return self.set_recursive = self.set_recursive.or(A::READ_ONLY),
            "rnosuid" => return self.set_recursive = self.set_recursive.or(A::NO_SUID),
            "rnodev" => return self.set_recursive = self.set_recursive.or(A::NO_DEV),
            "rnoexec" => return self.set_recursive = self.set_recursive.or(A::NO_EXEC),
            data => return self.data.push(data.to_owned()),
        };
        self.set = A(self.set.0 & !clear.0).or(set);
        self.clear = A(self.clear.0 & !set.0).or(clear);
    }

    /// Options for a filesystem whose IDs the kernel reads as the host's: `uid=` and `gid=` are translated.
    /// Both maps empty: no user namespace, nothing to translate.
    ///
    /// # Errors
    /// The option whose ID has no place in the maps.
    pub fn host_data(&self, uids: &[Extent], gids: &[Extent]) -> Result<Vec<String>, String> {
        self.data
            .iter()
            .map(|option| {
                let (key, map) = match option.split_once('=') {
                    Some(("uid", _)) => ("uid", uids),
                    Some(("gid", _)) => ("gid", gids),
                    _ => return Ok(option.clone()),
                };
                if map.is_empty() {
                    return Ok(option.clone());
                }
                let value = option.get(key.len() + 1..).and_then(|value| value.parse().ok());
                match value.and_then(|id| to_host(map, id)) {
                    Some(host) => Ok(format!("{key}={host}")),
                    None => Err(option.clone()),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &str) -> Options {
        Options::parse(&list.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_and_data_are_told_apart() {
        let options = parse("nosuid,strictatime,mode=755,size=65536k,ro");
        assert!(!options.bind);
        let expected = Attributes::NO_SUID.or(Attributes::STRICT_ATIME).or(Attributes::READ_ONLY);
        assert_eq!(options.set, expected);
        assert_eq!(options.data, ["mode=755", "size=65536k"]);
    }

    #[test]
    fn of_contradicting_options_the_last_one_wins() {
        let options = parse("rbind,ro,rw,noatime,relatime");
        assert!(options.bind && options.recursive);
        assert_eq!(options.set, Attributes::NONE);
        assert!(options.clear.has(Attributes::READ_ONLY));
        assert_eq!(parse("rw,ro").clear, Attributes::NONE);
        assert_eq!(parse("rshared,rprivate").propagation, None);
    }

    #[test]
    fn recursive_read_only_is_kept_apart_from_read_only() {
        let options = parse("rbind,rro");
        assert_eq!((options.set, options.set_recursive), (Attributes::NONE, Attributes::READ_ONLY));
    }

    #[test]
    fn ids_in_filesystem_options_are_translated_and_unmapped_ones_named() {
        let map = [Extent { container: 0, host: 100_000, count: 10 }];
        assert_eq!(parse("gid=5,mode=620").host_data(&map, &map).unwrap(), ["gid=100005", "mode=620"]);
        assert_eq!(parse("gid=5").host_data(&[], &[]).unwrap(), ["gid=5"]);
        assert_eq!(parse("uid=10").host_data(&map, &map).unwrap_err(), "uid=10");
    }
}
