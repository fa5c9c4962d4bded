//! What runs: names, environment, health, resource limits, restarts.

use berth_api_types::container::{ContainerConfig, HealthConfig, HostConfig};

use super::super::oci::Rlimit;
use super::super::signal::Signal;
use super::ValidateError;

/// What happens when a container exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Nothing.
    No,
    /// It is started again, and also when the daemon starts.
    Always,
    /// Like [`RestartPolicy::Always`], but not after it was stopped by hand.
    UnlessStopped,
    /// It is started again after a failure, at most this often; 0 is for ever.
    OnFailure(u32),
}

/// Longest host name the kernel takes (`__NEW_UTS_LEN`).
const MAX_HOSTNAME: usize = 64;
/// A millisecond in nanoseconds.
const MILLISECOND: i64 = 1_000_000;

/// Names of `RLIMIT_*`.
const ULIMITS: [&str; 16] = [
    "as",
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

/// Checks the portable configuration, and makes the working directory one without detours.
pub(super) fn config(config: &mut ContainerConfig) -> Result<Option<Signal>, ValidateError> {
    let lists = [("Env", &config.env), ("Cmd", &config.cmd), ("Entrypoint", &config.entrypoint)];
    for (field, list) in lists {
        if list.iter().flatten().any(|item| item.contains('\0')) {
            return Err(ValidateError::Nul(field));
        }
    }
    for (field, text) in [("User", &config.user), ("WorkingDir", &config.working_dir)] {
        if text.contains('\0') {
            return Err(ValidateError::Nul(field));
        }
    }
    for entry in config.env.iter().flatten() {
        if entry.is_empty() || entry.starts_with('=') {
            return Err(ValidateError::Environment(entry.clone()));
        }
    }
    if !is_host_name(&config.hostname) {
        return Err(ValidateError::Hostname(config.hostname.clone()));
    }
    if !is_host_name(&config.domainname) {
        return Err(ValidateError::Domainname(config.domainname.clone()));
    }
    if !config.working_dir.is_empty() {
        if !config.working_dir.starts_with('/') {
            return Err(ValidateError::WorkingDir(config.working_dir.clone()));
        }
        config.working_dir = clean(&config.working_dir);
    }
    if let Some(health) = &config.healthcheck {
        healthcheck(health)?;
    }
    if config.stop_signal.is_empty() { Ok(None) } else { Ok(Some(config.stop_signal.parse()?)) }
}

/// Host names end up in files line by line, so white space and control characters are out; underscores and
/// capitals are not proper either but in wide use. Empty means unset.
fn is_host_name(name: &str) -> bool {
    name.len() <= MAX_HOSTNAME && name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'#'))
}

/// An absolute path without `.`, `..` and doubled slashes; `..` at the top stays there.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

pub(super) fn healthcheck(health: &HealthConfig) -> Result<(), ValidateError> {
    for (field, nanoseconds) in [
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ] {
        if nanoseconds != 0 && nanoseconds < MILLISECOND {
            return Err(ValidateError::HealthDuration { field });
        }
    }
    if health.retries < 0 {
        return Err(ValidateError::HealthRetries);
    }
    if health.test.iter().flatten().any(|word| word.contains('\0')) {
        return Err(ValidateError::Nul("Healthcheck"));
    }
    Ok(())
}

pub(super) fn ulimits(host: &HostConfig) -> Result<Vec<Rlimit>, ValidateError> {
    let value = |name: &str, value: i64| match value {
        -1 => Ok(u64::MAX),
        _ => u64::try_from(value).map_err(|_| ValidateError::UlimitValue { name: name.to_owned(), value }),
    };
    host.ulimits
        .iter()
        .flatten()
        .map(|limit| {
            let name = limit.name.to_ascii_lowercase();
            if !ULIMITS.contains(&&*name) {
                return Err(ValidateError::UlimitName(limit.name.clone()));
            }
            let (soft, hard) = (value(&name, limit.soft)?, value(&name, limit.hard)?);
            if soft > hard {
                return Err(ValidateError::UlimitOrder { soft: limit.soft, hard: limit.hard });
            }
            Ok(Rlimit { kind: format!("RLIMIT_{}", name.to_ascii_uppercase()), soft, hard })
        })
        .collect()
}

pub(super) fn restart(host: &mut HostConfig) -> Result<RestartPolicy, ValidateError> {
    let count = host.restart_policy.maximum_retry_count;
    if host.restart_policy.name.is_empty() {
        "no".clone_into(&mut host.restart_policy.name);
    }
    let policy = match &*host.restart_policy.name {
        "no" => RestartPolicy::No,
        "always" => RestartPolicy::Always,
        "unless-stopped" => RestartPolicy::UnlessStopped,
        "on-failure" if count < 0 => return Err(ValidateError::RestartNegative),
        "on-failure" => RestartPolicy::OnFailure(u32::try_from(count).unwrap_or(u32::MAX)),
        other => return Err(ValidateError::RestartPolicy(other.to_owned())),
    };
    if count != 0 && !matches!(policy, RestartPolicy::OnFailure(_)) {
        return Err(ValidateError::RestartCount { negative: count < 0 });
    }
    if host.auto_remove && policy != RestartPolicy::No {
        return Err(ValidateError::AutoRemove);
    }
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use berth_api_types::container::Ulimit;

    use super::*;

    fn run(change: impl FnOnce(&mut ContainerConfig)) -> Result<ContainerConfig, String> {
        let mut it = ContainerConfig::default();
        change(&mut it);
        config(&mut it).map(|_| it).map_err(|error| error.to_string())
    }

    #[test]
    fn environment_entries_have_a_name() {
        assert_eq!(
            run(|c| c.env = Some(vec!["=x".to_owned()])).unwrap_err(),
            "invalid environment variable: =x"
        );
        assert_eq!(run(|c| c.env = Some(vec![String::new()])).unwrap_err(), "invalid environment variable: ");
        assert!(run(|c| c.env = Some(vec!["A=".to_owned(), "B".to_owned(), "C=a=b\nc".to_owned()])).is_ok());
        assert_eq!(run(|c| c.env = Some(vec!["A=\0".to_owned()])).unwrap_err(), "Env contains a NUL byte");
    }

    #[test]
    fn the_working_directory_is_absolute() {
        assert_eq!(
            run(|c| c.working_dir = "rel".to_owned()).unwrap_err(),
            "the working directory 'rel' is invalid, it needs to be an absolute path"
        );
        assert_eq!(run(|c| c.working_dir = "/a//b/../c/.".to_owned()).unwrap().working_dir, "/a/c");
        assert_eq!(clean("/../.."), "/");
    }

    #[test]
    fn host_names_fit_a_line_and_the_kernel() {
        for name in ["", "web-1", "my_host", "a.b.example", &"x".repeat(64)] {
            assert!(run(|c| c.hostname = name.to_owned()).is_ok(), "{name}");
        }
        for name in ["a b", "a\nb", "a\t", "a/b", "\u{e9}", "#x", &"x".repeat(65)] {
            assert_eq!(
                run(|c| c.hostname = name.to_owned()).unwrap_err(),
                format!("invalid hostname format: {name}")
            );
        }
    }

    #[test]
    fn health_numbers_and_stop_signals_make_sense() {
        let health = |change: fn(&mut HealthConfig)| {
            let mut health = HealthConfig::default();
            change(&mut health);
            run(|c| c.healthcheck = Some(health)).unwrap_err()
        };
        assert_eq!(health(|h| h.interval = 1), "Interval in Healthcheck cannot be less than 1ms");
        assert_eq!(health(|h| h.timeout = -1), "Timeout in Healthcheck cannot be less than 1ms");
        assert_eq!(health(|h| h.start_period = 5), "StartPeriod in Healthcheck cannot be less than 1ms");
        assert_eq!(health(|h| h.retries = -1), "Retries in Healthcheck cannot be negative");
        assert_eq!(run(|c| c.stop_signal = "BOGUS".to_owned()).unwrap_err(), "invalid signal: BOGUS");
    }

    fn limit(name: &str, soft: i64, hard: i64) -> Result<Vec<Rlimit>, String> {
        let host = HostConfig {
            ulimits: Some(vec![Ulimit { name: name.to_owned(), hard, soft }]),
            ..HostConfig::default()
        };
        ulimits(&host).map_err(|error| error.to_string())
    }

    #[test]
    fn resource_limits_are_known_and_ordered() {
        assert_eq!(
            limit("nofile", 1024, -1).unwrap(),
            [Rlimit { kind: "RLIMIT_NOFILE".to_owned(), soft: 1024, hard: u64::MAX }]
        );
        assert_eq!(limit("bogus", 1, 1).unwrap_err(), "invalid ulimit type: bogus");
        assert_eq!(
            limit("nofile", 5, 1).unwrap_err(),
            "ulimit soft limit must be less than or equal to hard limit: 5 > 1"
        );
        assert!(limit("nofile", -1, 5).is_err());
        assert!(limit("nofile", -7, -1).is_err());
    }

    fn policy(name: &str, count: i64, auto_remove: bool) -> Result<RestartPolicy, String> {
        let mut host = HostConfig { auto_remove, ..HostConfig::default() };
        host.restart_policy.name = name.to_owned();
        host.restart_policy.maximum_retry_count = count;
        restart(&mut host).map_err(|error| error.to_string())
    }

    #[test]
    fn restart_policies_are_known_and_counted() {
        assert_eq!(policy("", 0, true), Ok(RestartPolicy::No));
        assert_eq!(policy("on-failure", 3, false), Ok(RestartPolicy::OnFailure(3)));
        assert_eq!(policy("unless-stopped", 0, false), Ok(RestartPolicy::UnlessStopped));
        assert!(
            policy("bogus", 0, false)
                .unwrap_err()
                .starts_with("invalid restart policy: unknown policy 'bogus'")
        );
        assert_eq!(
            policy("always", 3, false).unwrap_err(),
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
        );
        assert!(policy("always", -3, false).unwrap_err().ends_with("and cannot be negative"));
        assert!(policy("on-failure", -1, false).unwrap_err().ends_with("cannot be negative"));
        assert_eq!(
            policy("always", 0, true).unwrap_err(),
            "can't create 'AutoRemove' container with restart policy"
        );
    }
}
