//! Docker's seccomp profile format.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use super::SeccompError;

type Text = Cow<'static, str>;

/// Most rules a profile may have, a rule being one call and one condition. The default profile has a tenth of it.
const MAX_RULES: usize = 4096;

/// A profile, before it is settled for a host and a set of capabilities.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// What happens to calls that no rule matches.
    pub default_action: Action,
    /// The error number of a default `SCMP_ACT_ERRNO`; EPERM where unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// Architectures, chosen by the native one.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub arch_map: Vec<ArchMap>,
    /// Architectures, as they are. The older form.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<Text>,
    /// Flags for seccomp(2), such as `SECCOMP_FILTER_FLAG_LOG`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Text>,
    /// The rules, in any order.
    #[serde(default, deserialize_with = "or_default")]
    pub syscalls: Vec<Rule>,
}

/// A native architecture and those its kernel also runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchMap {
    /// For example `SCMP_ARCH_X86_64`.
    pub architecture: Text,
    /// For example `SCMP_ARCH_X86`.
    #[serde(default, deserialize_with = "or_default")]
    pub sub_architectures: Vec<Text>,
}

/// What is done about some system calls.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// One system call. The older form.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub name: Text,
    /// System calls.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Text>,
    /// What happens to a call that matches.
    pub action: Action,
    /// The error number of `SCMP_ACT_ERRNO` (EPERM where unset), the message of `SCMP_ACT_TRACE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// Conditions on arguments; all must hold, but several on one argument are alternatives.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Arg>,
    /// The rule applies only where all of this holds.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Subject::is_empty")]
    pub includes: Subject,
    /// The rule does not apply where any of this holds.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Subject::is_empty")]
    pub excludes: Subject,
}

/// Circumstances a rule depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Capabilities by full name.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<Text>,
    /// Native architectures in Go's spelling: `amd64`, `arm64`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub arches: Vec<Text>,
    /// `major.minor`, or empty.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "str::is_empty")]
    pub min_kernel: Text,
}

impl Subject {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A condition on one argument. Arguments are compared as unsigned 64-bit numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Arg {
    /// 0–5.
    pub index: u32,
    /// What it is compared with; for [`Op::MaskedEqual`] the mask.
    pub value: u64,
    /// For [`Op::MaskedEqual`], what the masked argument must be.
    #[serde(default)]
    pub value_two: u64,
    /// How.
    pub op: Op,
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[expect(missing_docs, reason = "named like the operators they are")]
pub enum Op {
    #[serde(rename = "SCMP_CMP_NE")]
    NotEqual,
    #[serde(rename = "SCMP_CMP_LT")]
    Less,
    #[serde(rename = "SCMP_CMP_LE")]
    LessOrEqual,
    #[serde(rename = "SCMP_CMP_EQ")]
    Equal,
    #[serde(rename = "SCMP_CMP_GE")]
    GreaterOrEqual,
    #[serde(rename = "SCMP_CMP_GT")]
    Greater,
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEqual,
}

/// What the kernel does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Action {
    /// Kills the thread; the older name of [`Action::KillThread`].
    #[serde(rename = "SCMP_ACT_KILL")]
    Kill,
    /// Kills the process.
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    /// Kills the thread.
    #[serde(rename = "SCMP_ACT_KILL_THREAD")]
    KillThread,
    /// Sends SIGSYS.
    #[serde(rename = "SCMP_ACT_TRAP")]
    Trap,
    /// Fails with an error number.
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    /// Tells a tracer.
    #[serde(rename = "SCMP_ACT_TRACE")]
    Trace,
    /// Goes ahead.
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    /// Goes ahead and is logged.
    #[serde(rename = "SCMP_ACT_LOG")]
    Log,
    /// Asks a listener in user space. Refused by [`Profile::resolve`].
    #[serde(rename = "SCMP_ACT_NOTIFY")]
    Notify,
}

/// Go programs write `null` for an empty list.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

impl Profile {
    /// Reads a profile in Docker's format, as `--security-opt seccomp=` passes it.
    ///
    /// # Errors
    /// JSON that does not fit, and fields that contradict each other.
    pub fn parse(json: &str) -> Result<Self, SeccompError> {
        let profile: Self = serde_json::from_str(json).map_err(SeccompError::Decode)?;
        if !profile.architectures.is_empty() && !profile.arch_map.is_empty() {
            return Err(SeccompError::Both { old: "architectures", new: "archMap" });
        }
        if profile.syscalls.iter().any(|rule| !rule.name.is_empty() && !rule.names.is_empty()) {
            return Err(SeccompError::Both { old: "name", new: "names" });
        }
        let rules =
            profile.syscalls.iter().map(|rule| rule.names.len().max(1) * rule.args.len().max(1)).sum();
        if rules > MAX_RULES {
            return Err(SeccompError::TooManyRules(rules, MAX_RULES));
        }
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_format_is_read_with_nulls_and_old_forms() {
        let profile = Profile::parse(
            r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":null,"archMap":[
                {"architecture":"SCMP_ARCH_X86_64","subArchitectures":null}],
               "syscalls":[{"name":"chmod","action":"SCMP_ACT_ERRNO","args":null,"comment":"x","includes":{},
                            "excludes":{"caps":["CAP_SYS_ADMIN"],"minKernel":"5.4"}}]}"#,
        )
        .unwrap();
        assert_eq!(profile.syscalls[0].name, "chmod");
        assert_eq!(profile.syscalls[0].excludes.min_kernel, "5.4");
        assert!(profile.architectures.is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (json, words) in [
            ("", "Decoding seccomp profile failed: EOF"),
            ("/etc/profile.json", "Decoding seccomp profile failed: "),
            ("{}", "missing field `defaultAction`"),
            (r#"{"defaultAction":"SCMP_ACT_DANCE"}"#, "unknown variant `SCMP_ACT_DANCE`"),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["a"],
                    "archMap":[{"architecture":"b"}]}"#,
                "use either 'architectures' or 'archMap'",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
                    {"name":"a","names":["b"],"action":"SCMP_ACT_ALLOW"}]}"#,
                "use either 'name' or 'names'",
            ),
        ] {
            let error = Profile::parse(json).unwrap_err().to_string();
            assert!(error.contains(words), "{json}: {error}");
        }
    }

    #[test]
    fn a_profile_that_no_kernel_would_take_is_refused_before_it_costs_anything() {
        let names = vec!["\"read\""; 5000].join(",");
        let json = format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{"names":[{names}],"action":"SCMP_ACT_LOG"}}]}}"#
        );
        assert!(matches!(Profile::parse(&json), Err(SeccompError::TooManyRules(5000, _))));
    }

    #[test]
    fn a_profile_survives_the_round_trip() {
        let profile = super::super::default_profile();
        let json = serde_json::to_string(profile).unwrap();
        assert_eq!(&Profile::parse(&json).unwrap(), profile);
    }
}
