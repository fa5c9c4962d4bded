//! Linux capabilities: the set a container starts with and how requests change it.
//!
//! A set is 64 bits in the kernel's own numbering (`linux/capability.h`). Names are accepted with and
//! without `CAP_`, in any case, and `ALL` stands for everything that can be given on this host.

use std::fmt;
use std::fs;
use std::io;

use berth_linux::caps::NAMES;

/// What a container gets without asking.
const DEFAULTS: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// Why a capability request was refused. The wording is Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapError {
    /// No kernel has it.
    #[error("invalid {list}: unknown capability: \"{name}\"")]
    Unknown {
        /// `CapAdd` or `CapDrop`.
        list: &'static str,
        /// As requested, in capitals and with the prefix.
        name: String,
    },
    /// This kernel, or this daemon, cannot give it.
    #[error(
        "invalid {list}: capability not supported by your kernel or not available in the current environment: \"{name}\""
    )]
    Unavailable {
        /// `CapAdd`; dropping what cannot be had is fine.
        list: &'static str,
        /// Full name.
        name: String,
    },
}

/// A set of capabilities.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CapSet(u64);

impl CapSet {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// The set with exactly these bits, in kernel numbering. Bits beyond the capabilities known here are kept out.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << NAMES.len()) - 1))
    }

    /// The bits, in kernel numbering.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The 14 capabilities of an ordinary container.
    pub fn defaults() -> Self {
        DEFAULTS.iter().filter_map(|name| bit(name)).collect()
    }

    /// All that this process could hand on: its bounding set cut down to its permitted set.
    ///
    /// # Errors
    /// Fails where `/proc/self/status` cannot be read.
    pub fn available() -> io::Result<Self> {
        Ok(Self::from_status(&fs::read_to_string("/proc/self/status")?))
    }

    fn from_status(status: &str) -> Self {
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|value| u64::from_str_radix(value.trim(), 16).ok())
                .unwrap_or(0)
        };
        Self::from_bits(field("CapBnd:") & field("CapPrm:"))
    }

    /// True if `name` (full name, in capitals) is in the set.
    pub fn contains(self, name: &str) -> bool {
        bit(name).is_some_and(|bit| self.0 & (1 << bit) != 0)
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// True for the empty set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Full names in kernel order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().enumerate().filter(move |(bit, _)| self.0 & (1 << bit) != 0).map(|(_, name)| *name)
    }
}

impl FromIterator<u32> for CapSet {
    fn from_iter<I: IntoIterator<Item = u32>>(bits: I) -> Self {
        Self(bits.into_iter().fold(0, |set, bit| set | 1 << bit))
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

fn bit(name: &str) -> Option<u32> {
    NAMES.iter().position(|known| *known == name).and_then(|index| u32::try_from(index).ok())
}

/// A list of requested names, read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Named {
    all: bool,
    set: CapSet,
}

fn read(list: &'static str, names: &[String]) -> Result<Named, CapError> {
    let mut out = Named::default();
    for name in names {
        let name = name.to_ascii_uppercase();
        if name == "ALL" || name == "CAP_ALL" {
            out.all = true;
            continue;
        }
        let name = if name.starts_with("CAP_") { name } else { format!("CAP_{name}") };
        let Some(bit) = bit(&name) else { return Err(CapError::Unknown { list, name }) };
        out.set = out.set.union(CapSet(1 << bit));
    }
    Ok(out)
}

/// The capabilities of a container.
///
/// `available` is what can be given at all (see [`CapSet::available`]). A privileged container gets all of it,
/// whatever was added or dropped, as with Docker. Otherwise: `add` containing `ALL` means all but `drop`;
/// `drop` containing `ALL` means only `add`; else the default set, less `drop`, plus `add`. Defaults that the
/// host cannot give are left out silently: nobody asked for them by name.
///
/// The result is meant for bounding, effective and permitted sets alike, with empty inheritable and ambient
/// sets: a process that is not root inside loses its effective and permitted capabilities at exec, which is
/// the kernel's doing and what users expect.
///
/// # Errors
/// A name no kernel has, or a request for one this host cannot give.
pub fn resolve(
    add: &[String],
    drop: &[String],
    privileged: bool,
    available: CapSet,
) -> Result<CapSet, CapError> {
    let add = read("CapAdd", add)?;
    let drop = read("CapDrop", drop)?;
    if let Some(name) = add.set.without(available).names().next() {
        return Err(CapError::Unavailable { list: "CapAdd", name: name.to_owned() });
    }
    Ok(if privileged {
        available
    } else if add.all {
        available.without(drop.set)
    } else if drop.all {
        add.set
    } else {
        CapSet::defaults().intersection(available).without(drop.set).union(add.set)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: CapSet = CapSet::from_bits(u64::MAX);

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn of(add: &[&str], drop: &[&str]) -> CapSet {
        resolve(&list(add), &list(drop), false, ALL).unwrap()
    }

    #[test]
    fn an_ordinary_container_has_the_fourteen_defaults() {
        let caps = of(&[], &[]);
        assert_eq!(caps.names().count(), 14);
        // The value every container on a stock Docker host shows as CapBnd.
        assert_eq!(caps.bits(), 0xa804_25fb);
    }

    #[test]
    fn names_are_taken_with_and_without_prefix_in_any_case() {
        for name in ["NET_ADMIN", "net_admin", "CAP_NET_ADMIN", "cap_Net_Admin"] {
            assert!(of(&[name], &[]).contains("CAP_NET_ADMIN"), "{name}");
            assert!(!of(&["ALL"], &[name]).contains("CAP_NET_ADMIN"), "{name}");
        }
    }

    #[test]
    fn all_is_everything_or_nothing() {
        assert_eq!(of(&["ALL"], &[]), ALL);
        assert_eq!(of(&[], &["all"]), CapSet::EMPTY);
        assert_eq!(of(&["CHOWN"], &["ALL"]).names().collect::<Vec<_>>(), ["CAP_CHOWN"]);
        assert_eq!(of(&["ALL"], &["SYS_ADMIN"]).names().count(), 40);
    }

    #[test]
    fn an_added_capability_beats_a_dropped_one() {
        assert!(of(&["CHOWN"], &["CHOWN"]).contains("CAP_CHOWN"));
    }

    #[test]
    fn an_unknown_name_is_refused_in_dockers_words() {
        let error = resolve(&list(&["foo"]), &[], false, ALL).unwrap_err();
        assert_eq!(error.to_string(), "invalid CapAdd: unknown capability: \"CAP_FOO\"");
        let error = resolve(&[], &list(&["CAP_"]), false, ALL).unwrap_err();
        assert_eq!(error.to_string(), "invalid CapDrop: unknown capability: \"CAP_\"");
    }

    #[test]
    fn what_the_host_lacks_is_refused_when_named_and_absent_otherwise() {
        let few = CapSet::defaults().without(CapSet::from_iter([bit("CAP_MKNOD").unwrap()]));
        let error = resolve(&list(&["SYS_RESOURCE"]), &[], false, few).unwrap_err();
        assert!(error.to_string().contains("not supported by your kernel"), "{error}");
        assert!(!resolve(&[], &[], false, few).unwrap().contains("CAP_MKNOD"));
        assert_eq!(resolve(&[], &list(&["SYS_RESOURCE"]), true, few).unwrap(), few);
    }

    #[test]
    fn the_hosts_set_is_read_from_proc() {
        let status = "Name:\tx\nCapPrm:\t000001fffeffffff\nCapBnd:\t000001ffffffffff\n";
        assert!(!CapSet::from_status(status).contains("CAP_SYS_RESOURCE"));
        assert!(CapSet::from_status(status).contains("CAP_CHECKPOINT_RESTORE"));
        CapSet::available().unwrap();
    }
}
