//! Limits: memory, CPU, block IO, ulimits, restart policy, health check.

use serde_json::{Value, json};

use super::create::CreateFlags;
use super::values;
use crate::error::{CliError, Result};

/// Parses an optional flag with one of the [`values`] parsers; absent means `default`.
pub fn parsed(
    flag: &'static str,
    value: Option<&String>,
    parse: fn(&str) -> Result<i64, String>,
    default: i64,
) -> Result<i64> {
    match value {
        Some(text) => parse(text).map_err(|reason| CliError::flag(flag, text, reason)),
        None => Ok(default),
    }
}

/// Sizes in bytes where `-1` means unlimited.
fn swap(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { values::bytes(text) }
}

/// The resource members of `HostConfig`.
pub fn resources(flags: &CreateFlags) -> Result<Vec<(&'static str, Value)>> {
    let int = |flag, value: &Option<String>, default| parsed(flag, value.as_ref(), values::integer, default);
    let size = |flag, value: &Option<String>| parsed(flag, value.as_ref(), values::bytes, 0);
    let swappiness = int("--memory-swappiness", &flags.memory_swappiness, -1)?;
    if swappiness != -1 && !(0..=100).contains(&swappiness) {
        let reason = format!("invalid value: {swappiness}. Valid memory swappiness range is 0-100");
        return Err(CliError::options(reason));
    }
    let text = |value: &Option<String>| json!(value.as_deref().unwrap_or(""));
    Ok(vec![
        ("CpuShares", json!(int("-c, --cpu-shares", &flags.cpu_shares, 0)?)),
        ("Memory", json!(size("-m, --memory", &flags.memory)?)),
        ("NanoCpus", json!(parsed("--cpus", flags.cpus.as_ref(), values::nano_cpus, 0)?)),
        ("CgroupParent", text(&flags.cgroup_parent)),
        ("BlkioWeight", json!(int("--blkio-weight", &flags.blkio_weight, 0)?)),
        ("BlkioWeightDevice", weights(&flags.blkio_weight_device)?),
        ("BlkioDeviceReadBps", rates("--device-read-bps", &flags.device_read_bps, values::bytes)?),
        ("BlkioDeviceWriteBps", rates("--device-write-bps", &flags.device_write_bps, values::bytes)?),
        ("BlkioDeviceReadIOps", rates("--device-read-iops", &flags.device_read_iops, values::integer)?),
        ("BlkioDeviceWriteIOps", rates("--device-write-iops", &flags.device_write_iops, values::integer)?),
        ("CpuPeriod", json!(int("--cpu-period", &flags.cpu_period, 0)?)),
        ("CpuQuota", json!(int("--cpu-quota", &flags.cpu_quota, 0)?)),
        ("CpuRealtimePeriod", json!(int("--cpu-rt-period", &flags.cpu_rt_period, 0)?)),
        ("CpuRealtimeRuntime", json!(int("--cpu-rt-runtime", &flags.cpu_rt_runtime, 0)?)),
        ("CpusetCpus", text(&flags.cpuset_cpus)),
        ("CpusetMems", text(&flags.cpuset_mems)),
        ("MemoryReservation", json!(size("--memory-reservation", &flags.memory_reservation)?)),
        ("MemorySwap", json!(parsed("--memory-swap", flags.memory_swap.as_ref(), swap, 0)?)),
        ("MemorySwappiness", json!(swappiness)),
        ("OomKillDisable", json!(flags.oom_kill_disable)),
        ("PidsLimit", json!(int("--pids-limit", &flags.pids_limit, 0)?)),
        ("Ulimits", ulimits(&flags.ulimit)?),
        ("ShmSize", json!(size("--shm-size", &flags.shm_size)?)),
        ("OomScoreAdj", json!(int("--oom-score-adj", &flags.oom_score_adj, 0)?)),
    ])
}

fn weights(flags: &[String]) -> Result<Value> {
    let flag = "--blkio-weight-device";
    let list: Result<Vec<Value>> = flags
        .iter()
        .map(|text| {
            let (path, weight) = device_pair(flag, text)?;
            let weight = values::integer(weight)
                .ok()
                .filter(|w| *w == 0 || (10..=1000).contains(w))
                .ok_or_else(|| CliError::flag(flag, text, format!("invalid weight for device: {text}")))?;
            Ok(json!({"Path": path, "Weight": weight}))
        })
        .collect();
    Ok(Value::Array(list?))
}

fn rates(flag: &'static str, flags: &[String], parse: fn(&str) -> Result<i64, String>) -> Result<Value> {
    let list: Result<Vec<Value>> = flags
        .iter()
        .map(|text| {
            let (path, rate) = device_pair(flag, text)?;
            let rate = parse(rate).ok().filter(|rate| *rate >= 0).ok_or_else(|| {
                let reason =
                    format!("invalid rate for device: {text}. The correct format is <device-path>:<number>");
                CliError::flag(flag, text, reason)
            })?;
            Ok(json!({"Path": path, "Rate": rate}))
        })
        .collect();
    Ok(Value::Array(list?))
}

fn device_pair<'a>(flag: &'static str, text: &'a str) -> Result<(&'a str, &'a str)> {
    let (path, value) =
        text.split_once(':').ok_or_else(|| CliError::flag(flag, text, format!("bad format: {text}")))?;
    if !path.starts_with("/dev/") {
        return Err(CliError::flag(flag, text, format!("bad format for device path: {text}")));
    }
    Ok((path, value))
}

const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// `name=soft[:hard]`, sorted by name; the last one of a name counts.
fn ulimits(flags: &[String]) -> Result<Value> {
    let mut found = std::collections::BTreeMap::new();
    for text in flags {
        let bad = |reason: String| CliError::flag("--ulimit", text, reason);
        let (name, limits) =
            text.split_once('=').ok_or_else(|| bad(format!("invalid ulimit argument: {text}")))?;
        if !ULIMITS.contains(&name) {
            return Err(bad(format!("invalid ulimit type: {name}")));
        }
        let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
        let soft = values::integer(soft).map_err(bad)?;
        let hard = values::integer(hard).map_err(|reason| CliError::flag("--ulimit", text, reason))?;
        if hard != -1 && (soft > hard || soft == -1) {
            let reason =
                format!("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}");
            return Err(CliError::flag("--ulimit", text, reason));
        }
        found.insert(name.to_owned(), json!({"Name": name, "Hard": hard, "Soft": soft}));
    }
    Ok(Value::Array(found.into_values().collect()))
}

/// `--restart NAME[:COUNT]`.
pub fn restart_policy(flag: Option<&str>) -> Result<Value> {
    let text = flag.unwrap_or("no");
    let (name, count) = text.split_once(':').unwrap_or((text, ""));
    if name.is_empty() && !text.is_empty() {
        return Err(CliError::options("invalid restart policy format: no policy provided before colon"));
    }
    let count = if count.is_empty() {
        0
    } else {
        values::integer(count).map_err(|_| {
            CliError::options("invalid restart policy format: maximum retry count must be an integer")
        })?
    };
    Ok(json!({"Name": name, "MaximumRetryCount": count}))
}

/// The `Healthcheck` member, when a flag asks for one.
pub fn health(flags: &CreateFlags) -> Result<Option<Value>> {
    let times = [
        ("--health-interval", "Interval", &flags.health_interval),
        ("--health-timeout", "Timeout", &flags.health_timeout),
        ("--health-start-period", "StartPeriod", &flags.health_start_period),
        ("--health-start-interval", "StartInterval", &flags.health_start_interval),
    ];
    let any =
        flags.health_cmd.is_some() || flags.health_retries.is_some() || times.iter().any(|t| t.2.is_some());
    if flags.no_healthcheck {
        return if any {
            Err(CliError::options("--no-healthcheck conflicts with --health-* options"))
        } else {
            Ok(Some(json!({"Test": ["NONE"]})))
        };
    }
    if !any {
        return Ok(None);
    }
    let mut health = serde_json::Map::new();
    if let Some(command) = &flags.health_cmd {
        health.insert("Test".into(), json!(["CMD-SHELL", command]));
    }
    for (flag, key, value) in times {
        let nanos = parsed(flag, value.as_ref(), values::duration, 0)?;
        if nanos < 0 {
            return Err(CliError::options(format!("{flag} cannot be negative")));
        }
        if nanos > 0 {
            health.insert(key.into(), json!(nanos));
        }
    }
    let retries = parsed("--health-retries", flags.health_retries.as_ref(), values::integer, 0)?;
    if retries < 0 {
        return Err(CliError::options("--health-retries cannot be negative"));
    }
    if retries > 0 {
        health.insert("Retries".into(), json!(retries));
    }
    Ok(Some(Value::Object(health)))
}
