//! Capability sets of the calling thread (`capabilities(7)`), as bit masks.

use std::io;

use crate::error::check;
use crate::{Error, Result};

/// A set of capabilities: bit *n* is capability number *n*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Set(pub u64);

impl Set {
    /// No capability.
    pub const EMPTY: Set = Set(0);

    /// The set of `names` (`CAP_CHOWN`, in any case, with or without the prefix), and the names that no
    /// kernel is known to have.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> (Set, Vec<&'a str>) {
        let mut set = Set::EMPTY;
        let mut unknown = Vec::new();
        for name in names {
            match number(name) {
                Some(number) => set.0 |= 1 << number,
                None => unknown.push(name),
            }
        }
        (set, unknown)
    }

    /// What both sets have.
    pub fn and(self, other: Set) -> Set {
        Set(self.0 & other.0)
    }

    /// What this set has and the other has not.
    pub fn without(self, other: Set) -> Set {
        Set(self.0 & !other.0)
    }

    /// What either has.
    pub fn or(self, other: Set) -> Set {
        Set(self.0 | other.0)
    }

    /// Whether it holds the capability with this number.
    pub fn has(self, number: u32) -> bool {
        number < 64 && self.0 & (1 << number) != 0
    }

    /// The numbers it holds, ascending.
    pub fn numbers(self) -> impl Iterator<Item = u32> {
        (0..64).filter(move |number| self.has(*number))
    }

    /// The names of what it holds; numbers beyond the known names are left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.numbers().filter_map(|number| NAMES.get(number as usize).copied())
    }
}

/// Number of `CAP_SYS_ADMIN`.
pub const SYS_ADMIN: u32 = 21;

/// Names by number, `linux/capability.h`.
pub const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The number of a capability name, with or without `CAP_`, in any case.
pub fn number(name: &str) -> Option<u32> {
    let bare = match name.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("CAP_") => name.get(4..)?,
        _ => name,
    };
    NAMES
        .iter()
        .position(|known| known.get(4..).is_some_and(|known| known.eq_ignore_ascii_case(bare)))
        .and_then(|index| u32::try_from(index).ok())
}

/// The sets of a thread that `capset(2)` handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sets {
    /// What permission checks look at.
    pub effective: Set,
    /// What may be made effective.
    pub permitted: Set,
    /// What is kept across `execve(2)` of files with inheritable capabilities, and what may become ambient.
    pub inheritable: Set,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3`: 64-bit sets in two halves.
const VERSION: u32 = 0x2008_0522;

/// The calling thread's sets.
pub fn get() -> Result<Sets> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 of the call reads one header and writes exactly two data elements.
    check(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })
        .map_err(|error| Error::call("read capabilities", error))?;
    let [low, high] = data;
    let join = |low: u32, high: u32| Set(u64::from(low) | u64::from(high) << 32);
    Ok(Sets {
        effective: join(low.effective, high.effective),
        permitted: join(low.permitted, high.permitted),
        inheritable: join(low.inheritable, high.inheritable),
    })
}

/// Replaces the calling thread's sets.
pub fn set(sets: Sets) -> Result<()> {
    let header = Header { version: VERSION, pid: 0 };
    let half = |shift: u32| Data {
        effective: (sets.effective.0 >> shift) as u32,
        permitted: (sets.permitted.0 >> shift) as u32,
        inheritable: (sets.inheritable.0 >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: version 3 of the call reads one header and exactly two data elements.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })
        .map_err(|error| Error::call("set capabilities", error))?;
    Ok(())
}

/// Every capability this kernel knows, whether the caller has it or not.
pub fn known() -> Set {
    let mut known = Set::EMPTY;
    for number in 0..64 {
        if in_bounding(number).is_none() {
            break;
        }
        known.0 |= 1 << number;
    }
    known
}

/// The calling thread's bounding set.
pub fn bounding() -> Set {
    let mut set = Set::EMPTY;
    for number in 0..64 {
        match in_bounding(number) {
            None => break,
            Some(true) => set.0 |= 1 << number,
            Some(false) => {}
        }
    }
    set
}

/// `None`: the kernel does not know the capability.
fn in_bounding(number: u32) -> Option<bool> {
    prctl(libc::PR_CAPBSET_READ, number.into(), 0).ok().map(|answer| answer == 1)
}

/// Takes everything that is not in `keep` out of the bounding set.
pub fn limit_bounding(keep: Set) -> Result<()> {
    for number in bounding().without(keep).numbers() {
        prctl(libc::PR_CAPBSET_DROP, number.into(), 0)
            .map_err(|error| Error::call("drop capability from the bounding set", error))?;
    }
    Ok(())
}

/// Makes the ambient set exactly `set`, which must be permitted and inheritable.
pub fn set_ambient(set: Set) -> Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0)
        .map_err(|error| Error::call("clear ambient capabilities", error))?;
    for number in set.numbers() {
        prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, number.into())
            .map_err(|error| Error::call("raise ambient capability", error))?;
    }
    Ok(())
}

fn prctl(option: i32, first: u64, second: u64) -> io::Result<i32> {
    // SAFETY: the options used here take plain integers and touch no memory.
    let result = unsafe { libc::prctl(option, first, second, 0u64, 0u64) };
    check(result.into()).map(|value| value as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_in_any_spelling_and_the_rest_is_reported() {
        let (set, unknown) = Set::from_names(["CAP_CHOWN", "net_raw", "Cap_Bpf", "CAP_FLY", ""]);
        assert_eq!(set.numbers().collect::<Vec<_>>(), [0, 13, 39]);
        assert_eq!(unknown, ["CAP_FLY", ""]);
        assert_eq!(number("SYS_ADMIN"), Some(SYS_ADMIN));
        assert_eq!(set.names().collect::<Vec<_>>(), ["CAP_CHOWN", "CAP_NET_RAW", "CAP_BPF"]);
    }

    #[test]
    fn the_kernel_reports_the_sets_it_was_given() {
        let before = get().unwrap();
        assert_eq!(before.effective.without(before.permitted), Set::EMPTY);
        set(before).unwrap();
        assert_eq!(get().unwrap(), before);
        assert!(known().has(SYS_ADMIN) && !known().has(63));
        assert_eq!(bounding().without(known()), Set::EMPTY);
    }
}
