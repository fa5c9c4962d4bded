//! Settling a profile for one host and one set of capabilities.

use std::fs;

use serde::Serialize;

use super::super::caps::CapSet;
use super::SeccompError;
use super::profile::{Action, Arg, Profile, Rule, Subject};

/// The greatest error number the kernel knows.
const MAX_ERRNO: u32 = 4095;

/// What rules may depend on besides capabilities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Native architecture in Go's spelling.
    pub go_arch: &'static str,
    /// Native architecture as libseccomp's constant.
    pub scmp_arch: &'static str,
    /// Kernel version, major and minor.
    pub kernel: (u32, u32),
}

impl Host {
    /// This host.
    ///
    /// # Errors
    /// Fails where the kernel's version cannot be read.
    pub fn detect() -> Result<Self, SeccompError> {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").map_err(SeccompError::Release)?;
        let (go_arch, scmp_arch) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", "SCMP_ARCH_X86_64"),
            "x86" => ("386", "SCMP_ARCH_X86"),
            "aarch64" => ("arm64", "SCMP_ARCH_AARCH64"),
            "arm" => ("arm", "SCMP_ARCH_ARM"),
            "riscv64" => ("riscv64", "SCMP_ARCH_RISCV64"),
            "s390x" => ("s390x", "SCMP_ARCH_S390X"),
            "loongarch64" => ("loong64", "SCMP_ARCH_LOONGARCH64"),
            "powerpc64" => ("ppc64le", "SCMP_ARCH_PPC64LE"),
            other => (other, "SCMP_ARCH_NATIVE"),
        };
        Ok(Self { go_arch, scmp_arch, kernel: version(release.trim())? })
    }
}

/// `major.minor`, ignoring what follows.
fn version(text: &str) -> Result<(u32, u32), SeccompError> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => Err(SeccompError::Kernel(text.to_owned())),
    }
}

/// A settled profile. Serialises as `linux.seccomp` of the OCI runtime specification 1.2.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resolved {
    /// What happens to calls that no rule matches.
    pub default_action: Action,
    /// Its error number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// Architectures besides the native one, and usually that one too.
    pub architectures: Vec<String>,
    /// Flags for seccomp(2).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The rules that apply.
    pub syscalls: Vec<ResolvedRule>,
}

/// A rule that applies.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedRule {
    /// System calls.
    pub names: Vec<String>,
    /// What happens to a call that matches.
    pub action: Action,
    /// Its error number or message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// Conditions on arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Arg>,
}

impl Profile {
    /// The rules that apply to a container with these capabilities in its bounding set.
    ///
    /// # Errors
    /// Versions, error numbers and argument indexes that make no sense; `SCMP_ACT_NOTIFY`.
    pub fn resolve(&self, host: &Host, caps: CapSet) -> Result<Resolved, SeccompError> {
        check(self.default_action, self.default_errno_ret)?;
        let mut syscalls = Vec::new();
        for rule in &self.syscalls {
            check(rule.action, rule.errno_ret)?;
            if applies(rule, host, caps)? {
                syscalls.push(settle(rule)?);
            }
        }
        let architectures = match self.arch_map.iter().find(|entry| entry.architecture == host.scmp_arch) {
            Some(entry) => std::iter::once(&entry.architecture)
                .chain(&entry.sub_architectures)
                .map(|arch| arch.clone().into_owned())
                .collect(),
            None => self.architectures.iter().map(|arch| arch.clone().into_owned()).collect(),
        };
        Ok(Resolved {
            default_action: self.default_action,
            default_errno_ret: self.default_errno_ret,
            architectures,
            flags: self.flags.iter().map(|flag| flag.clone().into_owned()).collect(),
            syscalls,
        })
    }
}

fn check(action: Action, errno: Option<u32>) -> Result<(), SeccompError> {
    match (action, errno) {
        (Action::Notify, _) => Err(SeccompError::Notify),
        (Action::Errno, Some(errno)) if errno > MAX_ERRNO => Err(SeccompError::Errno(errno)),
        (Action::Trace, Some(message)) if message > u32::from(u16::MAX) => Err(SeccompError::Errno(message)),
        _ => Ok(()),
    }
}

fn applies(rule: &Rule, host: &Host, caps: CapSet) -> Result<bool, SeccompError> {
    let newer = |subject: &Subject| match &*subject.min_kernel {
        "" => Ok(None),
        text => version(text).map(|wanted| Some(host.kernel >= wanted)),
    };
    let excluded = rule.excludes.arches.iter().any(|arch| arch == host.go_arch)
        || rule.excludes.caps.iter().any(|cap| caps.contains(cap))
        || newer(&rule.excludes)? == Some(true);
    let included = (rule.includes.arches.is_empty()
        || rule.includes.arches.iter().any(|arch| arch == host.go_arch))
        && rule.includes.caps.iter().all(|cap| caps.contains(cap))
        && newer(&rule.includes)? != Some(false);
    Ok(included && !excluded)
}

fn settle(rule: &Rule) -> Result<ResolvedRule, SeccompError> {
    let names: Vec<String> = if rule.name.is_empty() {
        rule.names.iter().map(|name| name.clone().into_owned()).collect()
    } else {
        vec![rule.name.clone().into_owned()]
    };
    if let Some(arg) = rule.args.iter().find(|arg| arg.index > 5) {
        return Err(SeccompError::Argument { name: names.join(", "), index: arg.index });
    }
    Ok(ResolvedRule { names, action: rule.action, errno_ret: rule.errno_ret, args: rule.args.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::default_profile;
    use super::*;

    const HOST: Host = Host { go_arch: "amd64", scmp_arch: "SCMP_ARCH_X86_64", kernel: (6, 1) };

    fn allowed(resolved: &Resolved, name: &str) -> bool {
        resolved.syscalls.iter().any(|rule| {
            rule.action == Action::Allow && rule.args.is_empty() && rule.names.iter().any(|n| n == name)
        })
    }

    #[test]
    fn capabilities_bring_their_calls() {
        let plain = default_profile().resolve(&HOST, CapSet::defaults()).unwrap();
        let full = default_profile().resolve(&HOST, CapSet::from_bits(u64::MAX)).unwrap();
        for name in ["mount", "bpf", "clone3", "reboot", "init_module", "settimeofday", "syslog", "mbind"] {
            assert!(!allowed(&plain, name), "{name}");
            assert!(allowed(&full, name), "{name}");
        }
        assert!(allowed(&plain, "chroot"));
        assert!(!allowed(&default_profile().resolve(&HOST, CapSet::EMPTY).unwrap(), "chroot"));
    }

    #[test]
    fn architecture_and_kernel_are_honoured() {
        let amd64 = default_profile().resolve(&HOST, CapSet::EMPTY).unwrap();
        assert!(allowed(&amd64, "arch_prctl") && !allowed(&amd64, "set_tls"));
        assert_eq!(amd64.architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
        let arm = Host { go_arch: "arm64", scmp_arch: "SCMP_ARCH_AARCH64", kernel: (4, 7) };
        let arm64 = default_profile().resolve(&arm, CapSet::EMPTY).unwrap();
        assert!(allowed(&arm64, "set_tls") && !allowed(&arm64, "arch_prctl"));
        assert!(allowed(&amd64, "ptrace") && !allowed(&arm64, "ptrace"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let with = |rule: &str| {
            let json = format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{rule}]}}"#);
            Profile::parse(&json).unwrap().resolve(&HOST, CapSet::EMPTY).unwrap_err().to_string()
        };
        assert!(with(r#"{"names":["a"],"action":"SCMP_ACT_NOTIFY"}"#).contains("NOTIFY"));
        assert!(with(r#"{"names":["a"],"action":"SCMP_ACT_ERRNO","errnoRet":5000}"#).contains("5000"));
        assert!(
            with(
                r#"{"names":["a"],"action":"SCMP_ACT_LOG","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}"#
            )
            .contains("argument 6")
        );
        assert!(
            with(r#"{"names":["a"],"action":"SCMP_ACT_LOG","includes":{"minKernel":"new"}}"#).contains("new")
        );
    }

    #[test]
    fn this_host_is_recognised() {
        let host = Host::detect().unwrap();
        assert!(host.kernel >= (4, 0), "{host:?}");
    }
}
