//! Kernel parameters of the container's own namespaces.

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_linux::clone::flags;

use super::namespaces::Namespaces;
use crate::report::Failure;

/// Parameters of an IPC namespace outside `fs.mqueue.`.
const IPC: [&str; 8] = [
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
];

/// Writes the parameters. The caller must already be in the container's namespaces: which namespace a file in
/// `/proc/sys` speaks of is decided by who writes to it.
pub fn write(list: &BTreeMap<String, String>, namespaces: &Namespaces) -> Result<(), Failure> {
    for (name, value) in list {
        let phase = format!("set sysctl {name}");
        let Some(path) = path(name, namespaces) else {
            return Err(Failure::new(
                phase,
                format!("sysctl \"{name}\" is not in a separate kernel namespace"),
            ));
        };
        std::fs::write(&path, value)
            .map_err(|error| Failure::io(phase, format!("value {value:?}"), &error))?;
    }
    Ok(())
}

/// The file of a parameter, if it belongs to a namespace that is the container's alone; anything else would
/// change the host.
fn path(name: &str, namespaces: &Namespaces) -> Option<PathBuf> {
    // As sysctl(8) has it: the first separator says which of the two separates, the other one is then part of
    // a name (`net.ipv4.conf.eth0/1.rp_filter`).
    let swap = |letter| match letter {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let relative = match name.find(['.', '/']).and_then(|at| name.get(at..at + 1)) {
        Some(".") => name.chars().map(swap).collect(),
        _ => name.to_owned(),
    };
    let allowed = if relative.starts_with("net/") {
        namespaces.is_new(flags::NEWNET)
    } else if relative.starts_with("fs/mqueue/") || IPC.contains(&relative.as_str()) {
        namespaces.is_new(flags::NEWIPC)
    } else if relative == "kernel/domainname" {
        namespaces.is_new(flags::NEWUTS)
    } else {
        false
    };
    let plain = relative.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    (allowed && plain).then(|| PathBuf::from("/proc/sys").join(relative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameters_of_new_namespaces_are_written() {
        let namespaces = Namespaces { new: flags::NEWNET | flags::NEWNS, join: Vec::new() };
        let file = path("net.ipv4.ip_forward", &namespaces).unwrap();
        assert_eq!(file, PathBuf::from("/proc/sys/net/ipv4/ip_forward"));
        let dotted = path("net.ipv4.conf.eth0/1.rp_filter", &namespaces).unwrap();
        assert_eq!(dotted, PathBuf::from("/proc/sys/net/ipv4/conf/eth0.1/rp_filter"));
        for refused in [
            "kernel.shmmax",
            "vm.swappiness",
            "kernel.core_pattern",
            "net.../kernel/x",
            "net/../vm/x",
            "net.//.vm",
        ] {
            assert_eq!(path(refused, &namespaces), None, "{refused}");
        }
    }
}
