//! Resource limits and the out-of-memory score, as far as they need the host's privileges.
//!
//! Hard limits are raised here, from outside: inside a user namespace nobody may. The exact values are set by
//! the init itself just before it executes the program, so that they do not hinder its own work.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit};

use super::Blueprint;
use crate::report::{Failure, Phase, Reporter};

/// The value that means no limit, in the specification and in the kernel.
const INFINITY: u64 = u64::MAX;

/// The resource a specification names.
pub fn resource(kind: &str) -> Option<Resource> {
    Some(match kind.strip_prefix("RLIMIT_").unwrap_or(kind) {
        "AS" => Resource::As,
        "CORE" => Resource::Core,
        "CPU" => Resource::Cpu,
        "DATA" => Resource::Data,
        "FSIZE" => Resource::Fsize,
        "LOCKS" => Resource::Locks,
        "MEMLOCK" => Resource::Memlock,
        "MSGQUEUE" => Resource::Msgqueue,
        "NICE" => Resource::Nice,
        "NOFILE" => Resource::Nofile,
        "NPROC" => Resource::Nproc,
        "RSS" => Resource::Rss,
        "RTPRIO" => Resource::Rtprio,
        "RTTIME" => Resource::Rttime,
        "SIGPENDING" => Resource::Sigpending,
        "STACK" => Resource::Stack,
        _ => return None,
    })
}

/// Raises hard limits of the init and sets its out-of-memory score. What the host does not allow becomes a
/// warning.
pub fn raise(blueprint: &Blueprint, pid: i32, report: &Reporter) -> Result<(), Failure> {
    for limit in &blueprint.spec.process.rlimits {
        let phase = "read resource limits";
        let Some(resource) = resource(&limit.kind) else {
            return Err(Failure::new(phase, format!("unknown resource limit: {}", limit.kind)));
        };
        if limit.soft > limit.hard {
            let message =
                format!("{}: soft limit {} is above the hard limit {}", limit.kind, limit.soft, limit.hard);
            return Err(Failure::new(phase, message));
        }
        let now = rustix::process::getrlimit(resource);
        let hard = now.maximum.unwrap_or(INFINITY);
        if limit.hard <= hard {
            continue;
        }
        let wanted = Rlimit { current: now.current, maximum: finite(limit.hard) };
        match rustix::process::prlimit(Pid::from_raw(pid), resource, wanted) {
            Ok(_) => {}
            Err(Errno::PERM) => {
                let text = format!(
                    "{}: raising the hard limit from {hard} to {} is not permitted",
                    limit.kind, limit.hard
                );
                report.warn(text)?;
            }
            Err(error) => return Err(Failure::io("set resource limit", &limit.kind, &error.into())),
        }
    }
    if let Some(score) = blueprint.spec.process.oom_score_adj {
        // Equal values are not written: even that needs the privilege when it is below the recorded minimum.
        let file = format!("/proc/{pid}/oom_score_adj");
        let now = fs::read_to_string(&file).phase("read out-of-memory score")?;
        if now.trim() != score.to_string()
            && let Err(error) = fs::write(&file, score.to_string())
        {
            match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    report.warn(format!("out-of-memory score adjustment {score} is not permitted"))?;
                }
                _ => return Err(Failure::io("set out-of-memory score", score, &error)),
            }
        }
    }
    Ok(())
}

/// Sets the exact limits of the calling process, within its hard limits.
pub fn apply(blueprint: &Blueprint) -> Result<(), Failure> {
    for limit in &blueprint.spec.process.rlimits {
        let Some(resource) = resource(&limit.kind) else { continue };
        let most = rustix::process::getrlimit(resource).maximum.unwrap_or(INFINITY);
        let hard = limit.hard.min(most);
        let wanted = Rlimit { current: finite(limit.soft.min(hard)), maximum: finite(hard) };
        rustix::process::setrlimit(resource, wanted)
            .map_err(|error| Failure::io("set resource limit", &limit.kind, &error.into()))?;
    }
    Ok(())
}

fn finite(limit: u64) -> Option<u64> {
    (limit != INFINITY).then_some(limit)
}
