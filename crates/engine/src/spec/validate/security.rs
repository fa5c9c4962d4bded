//! Security options, devices, kernel parameters.

use berth_api_types::container::HostConfig;

use super::super::seccomp::{Profile, default_profile};
use super::ValidateError;
use super::modes::{IpcMode, Namespaces, NetworkMode};

/// Which system call filter a container gets.
#[derive(Debug, Clone, PartialEq)]
pub enum SeccompChoice {
    /// None.
    Unconfined,
    /// The default profile.
    Default,
    /// One of the client's.
    Custom(Box<Profile>),
}

impl SeccompChoice {
    /// The profile, if there is one.
    pub fn profile(&self) -> Option<&Profile> {
        match self {
            Self::Unconfined => None,
            Self::Default => Some(default_profile()),
            Self::Custom(profile) => Some(profile),
        }
    }
}

/// `SecurityOpt`, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Security {
    pub seccomp: SeccompChoice,
    pub no_new_privileges: bool,
}

/// Kernel parameters that belong to an IPC namespace, besides all of `fs.mqueue.`.
const IPC_SYSCTLS: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

pub(super) fn options(host: &HostConfig, warnings: &mut Vec<String>) -> Result<Security, ValidateError> {
    let mut seccomp = None;
    let mut no_new_privileges = false;
    for option in host.security_opt.iter().flatten() {
        match &**option {
            "no-new-privileges" => {
                no_new_privileges = true;
                continue;
            }
            // SELinux labelling, off: it is.
            "disable" => continue,
            _ => {}
        }
        // The colon is the older separator; a profile's JSON is full of them, so the equals sign is looked for first.
        let (key, value) = option
            .split_once('=')
            .or_else(|| option.split_once(':'))
            .ok_or_else(|| ValidateError::SecurityOpt1(option.clone()))?;
        let second = || ValidateError::SecurityOpt2(option.clone());
        match key {
            "seccomp" => {
                seccomp = Some(match value {
                    "unconfined" => SeccompChoice::Unconfined,
                    "builtin" | "default" => SeccompChoice::Default,
                    json => SeccompChoice::Custom(Box::new(Profile::parse(json)?)),
                });
            }
            "no-new-privileges" => no_new_privileges = go_bool(value).ok_or_else(second)?,
            "apparmor" if matches!(value, "unconfined" | "") => {}
            "apparmor" => {
                warnings.push(format!("AppArmor is not available: profile {value:?} was not applied"))
            }
            "label" if value == "disable" => {}
            "label" => warnings.push(format!("SELinux is not available: label {value:?} was not applied")),
            "writable-cgroups" => {
                if go_bool(value).ok_or_else(second)? {
                    return Err(ValidateError::Unavailable("writable control groups"));
                }
            }
            _ => return Err(second()),
        }
    }
    let seccomp = match seccomp {
        // A privileged container is not filtered, whatever was asked for.
        _ if host.privileged => SeccompChoice::Unconfined,
        Some(choice) => choice,
        None => SeccompChoice::Default,
    };
    Ok(Security { seccomp, no_new_privileges })
}

/// Go's `strconv.ParseBool`.
pub(super) fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

pub(super) fn devices(host: &mut HostConfig) -> Result<(), ValidateError> {
    for device in host.devices.iter_mut().flatten() {
        if device.path_in_container.is_empty() {
            device.path_in_container.clone_from(&device.path_on_host);
        }
        for path in [&device.path_on_host, &device.path_in_container] {
            if !path.starts_with('/') || path.contains('\0') {
                return Err(ValidateError::DevicePath(path.clone()));
            }
        }
        if device.cgroup_permissions.is_empty() {
            "rwm".clone_into(&mut device.cgroup_permissions);
        }
        if !is_access(&device.cgroup_permissions) {
            return Err(ValidateError::DeviceMode(device.cgroup_permissions.clone()));
        }
    }
    for rule in host.device_cgroup_rules.iter().flatten() {
        if parse_rule(rule).is_none() {
            return Err(ValidateError::DeviceRule(rule.clone()));
        }
    }
    if let Some(request) = host.device_requests.iter().flatten().next() {
        let sets: Vec<String> =
            request.capabilities.iter().flatten().map(|set| format!("[{}]", set.join(" "))).collect();
        return Err(ValidateError::DeviceDriver {
            driver: request.driver.clone(),
            capabilities: sets.join(" "),
        });
    }
    Ok(())
}

fn is_access(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'r' | b'w' | b'm'))
}

/// Reads `c 1:3 rwm`: type, numbers (`None` is any), access.
pub fn parse_rule(rule: &str) -> Option<(char, Option<u32>, Option<u32>, &str)> {
    let mut words = rule.split(' ');
    let (kind, numbers, access) = (words.next()?, words.next()?, words.next()?);
    let (major, minor) = numbers.split_once(':')?;
    let number = |text: &str| match text {
        "*" => Some(None),
        _ if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok().map(Some),
        _ => None,
    };
    let kind = match kind {
        "a" => 'a',
        "b" => 'b',
        "c" => 'c',
        _ => return None,
    };
    if words.next().is_some() || !is_access(access) {
        return None;
    }
    Some((kind, number(major)?, number(minor)?, access))
}

/// Only parameters that a namespace of the container has its own copy of: the shim sets them with the host's
/// power, so a name that means a host-wide parameter must never get that far. Nor may a name that is a path.
pub(super) fn sysctls(host: &HostConfig, namespaces: &Namespaces) -> Result<(), ValidateError> {
    for (key, value) in host.sysctls.iter().flatten() {
        let refused = || ValidateError::Sysctl(key.clone());
        let in_host = |namespace| ValidateError::SysctlHost { key: key.clone(), namespace };
        let word = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        if !key.split('.').all(word) {
            return Err(refused());
        }
        if value.contains('\0') {
            return Err(ValidateError::Nul("a sysctl"));
        }
        if IPC_SYSCTLS.contains(&&**key) || key.starts_with("fs.mqueue.") {
            if namespaces.ipc == IpcMode::Host {
                return Err(in_host("ipc"));
            }
        } else if key.starts_with("net.") {
            if namespaces.network == NetworkMode::Host {
                return Err(in_host("network"));
            }
        } else if key == "kernel.domainname" {
            if !namespaces.uts.is_own() {
                return Err(in_host("uts"));
            }
        } else {
            return Err(refused());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use berth_api_types::container::{ContainerConfig, DeviceMapping, DeviceRequest};

    use super::super::super::host::tests::facts;
    use super::super::modes;
    use super::*;

    fn opts(list: &[&str]) -> Result<(Security, Vec<String>), String> {
        let host = HostConfig {
            security_opt: Some(list.iter().map(|opt| (*opt).to_owned()).collect()),
            ..HostConfig::default()
        };
        let mut warnings = Vec::new();
        options(&host, &mut warnings).map(|security| (security, warnings)).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read_with_both_separators() {
        assert_eq!(opts(&[]).unwrap().0.seccomp, SeccompChoice::Default);
        for text in ["seccomp=unconfined", "seccomp:unconfined"] {
            assert_eq!(opts(&[text]).unwrap().0.seccomp, SeccompChoice::Unconfined);
        }
        assert_eq!(opts(&["seccomp=builtin"]).unwrap().0.seccomp, SeccompChoice::Default);
        for (text, on) in [
            ("no-new-privileges", true),
            ("no-new-privileges=true", true),
            ("no-new-privileges:false", false),
        ] {
            assert_eq!(opts(&[text]).unwrap().0.no_new_privileges, on, "{text}");
        }
        let custom = opts(&[r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#]).unwrap().0;
        assert!(matches!(custom.seccomp, SeccompChoice::Custom(_)));
        assert_eq!(opts(&["apparmor=x"]).unwrap().1.len(), 1);
        assert!(opts(&["label=disable", "disable", "apparmor=unconfined"]).unwrap().1.is_empty());
    }

    #[test]
    fn nonsense_is_refused_in_dockers_words() {
        assert_eq!(opts(&["bogus"]).unwrap_err(), r#"invalid --security-opt 1: "bogus""#);
        assert_eq!(opts(&["bogus=1"]).unwrap_err(), r#"invalid --security-opt 2: "bogus=1""#);
        assert_eq!(
            opts(&["no-new-privileges=yes"]).unwrap_err(),
            r#"invalid --security-opt 2: "no-new-privileges=yes""#
        );
        assert!(opts(&["seccomp=/nosuch"]).unwrap_err().starts_with("Decoding seccomp profile failed: "));
    }

    #[test]
    fn privileged_means_no_filter() {
        let host = HostConfig { privileged: true, ..HostConfig::default() };
        assert_eq!(options(&host, &mut Vec::new()).unwrap().seccomp, SeccompChoice::Unconfined);
    }

    fn sysctl(key: &str, change: impl FnOnce(&mut HostConfig)) -> Result<(), String> {
        let mut host = HostConfig {
            sysctls: Some(BTreeMap::from([(key.to_owned(), "1".to_owned())])),
            ..HostConfig::default()
        };
        change(&mut host);
        let config = ContainerConfig::default();
        let namespaces = modes::check(&config, &mut host, &facts(), &mut Vec::new()).unwrap();
        sysctls(&host, &namespaces).map_err(|error| error.to_string())
    }

    #[test]
    fn kernel_parameters_are_those_of_the_containers_namespaces() {
        for key in ["net.ipv4.ip_forward", "kernel.shmmax", "fs.mqueue.msg_max", "kernel.domainname"] {
            assert_eq!(sysctl(key, |_| {}), Ok(()), "{key}");
        }
        for key in [
            "kernel.core_pattern",
            "kernel.hostname",
            "vm.swappiness",
            "fs.file-max",
            "net",
            "",
            "net.",
            "net.ipv4/../../kernel/core_pattern",
            "net..ipv4",
            "fs.mqueue./../../kernel/core_pattern",
            "kernel",
            "net.ipv4.\u{e9}",
            "net.a\0b",
        ] {
            let text = format!("sysctl {key:?} is not in a separate kernel namespace");
            assert_eq!(sysctl(key, |_| {}), Err(text), "{key}");
        }
        assert!(sysctl("net.ipv4.ip_forward", |h| h.network_mode = "host".to_owned()).is_err());
        assert!(sysctl("kernel.shmmax", |h| h.ipc_mode = "host".to_owned()).is_err());
        assert!(sysctl("kernel.domainname", |h| h.uts_mode = "host".to_owned()).is_err());
    }

    #[test]
    fn devices_and_their_rules_are_read() {
        assert_eq!(parse_rule("c 1:3 rwm"), Some(('c', Some(1), Some(3), "rwm")));
        assert_eq!(parse_rule("a *:* r"), Some(('a', None, None, "r")));
        for rule in
            ["", "c 1:3", "x 1:3 r", "c 1:3 rx", "c 1 r", "c 1:3 r w", "c -1:3 r", "c 1:3 rwmr", "c 1:3 r\n"]
        {
            assert_eq!(parse_rule(rule), None, "{rule}");
        }
        let device = |path: &str, access: &str| HostConfig {
            devices: Some(vec![DeviceMapping {
                path_on_host: path.to_owned(),
                path_in_container: String::new(),
                cgroup_permissions: access.to_owned(),
            }]),
            ..HostConfig::default()
        };
        let mut host = device("/dev/null", "");
        devices(&mut host).unwrap();
        let mapped = &host.devices.unwrap()[0];
        assert_eq!((&*mapped.path_in_container, &*mapped.cgroup_permissions), ("/dev/null", "rwm"));
        assert_eq!(devices(&mut device("/dev/null", "x")).unwrap_err().to_string(), "bad mode specified: x");
        assert!(devices(&mut device("null", "")).is_err());
    }

    #[test]
    fn a_graphics_card_cannot_be_had() {
        let mut host = HostConfig {
            device_requests: Some(vec![DeviceRequest {
                capabilities: Some(vec![vec!["gpu".to_owned()]]),
                ..DeviceRequest::default()
            }]),
            ..HostConfig::default()
        };
        assert_eq!(
            devices(&mut host).unwrap_err().to_string(),
            r#"could not select device driver "" with capabilities: [[gpu]]"#
        );
    }
}
