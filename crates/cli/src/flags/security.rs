//! Capabilities, security options and devices.

use std::path::Path;

use serde_json::{Value, json};

use crate::error::{CliError, Result};

/// `--cap-add` or `--cap-drop` as the API spells them: upper case, `CAP_` prefix, sorted, each once. `None` stands
/// for `null`.
pub fn capabilities(caps: &[String]) -> Option<Vec<String>> {
    let mut list: Vec<String> = caps
        .iter()
        .map(|cap| cap.trim().to_uppercase())
        .map(|cap| if cap == "ALL" || cap.starts_with("CAP_") { cap } else { format!("CAP_{cap}") })
        .collect();
    list.sort();
    list.dedup();
    if list.is_empty() { None } else { Some(list) }
}

/// `--security-opt`, with seccomp profile files replaced by their content.
#[derive(Debug, Default)]
pub struct SecurityOptions {
    /// `HostConfig.SecurityOpt`; `None` stands for `null`.
    pub options: Option<Vec<String>>,
    /// `systempaths=unconfined` was given: no path is masked or read-only.
    pub open_system_paths: bool,
}

/// Reads `--security-opt` flags.
pub fn security_options(flags: &[String]) -> Result<SecurityOptions> {
    let mut found = SecurityOptions::default();
    for flag in flags {
        let list = found.options.get_or_insert_default();
        if flag == "systempaths=unconfined" {
            found.open_system_paths = true;
            continue;
        }
        let Some((key, value)) = flag.split_once('=').or_else(|| flag.split_once(':')) else {
            if flag != "no-new-privileges" {
                return Err(CliError::options(format!("Invalid --security-opt: {flag:?}")));
            }
            list.push(flag.clone());
            continue;
        };
        if key == "seccomp" && !matches!(value, "unconfined" | "builtin") {
            list.push(format!("seccomp={}", profile(value)?));
        } else {
            list.push(flag.clone());
        }
    }
    Ok(found)
}

fn profile(file: &str) -> Result<String> {
    let path = Path::new(file);
    let text = std::fs::read_to_string(path).map_err(|source| {
        let inner = CliError::File { path: path.into(), source };
        CliError::options(format!("opening seccomp profile ({file}) failed: {inner}"))
    })?;
    crate::json::Doc::parse(&text)
        .map(|doc| doc.compact(false))
        .map_err(|e| CliError::options(format!("compacting json for seccomp profile ({file}) failed: {e}")))
}

/// `--device host[:container[:permissions]]`.
pub fn devices(flags: &[String]) -> Result<Value> {
    let list: Result<Vec<Value>> = flags.iter().map(|flag| device(flag)).collect();
    Ok(Value::Array(list?))
}

fn device(flag: &str) -> Result<Value> {
    let parts: Vec<&str> = flag.split(':').collect();
    let is_mode = |s: &str| !s.is_empty() && s.chars().all(|c| "rwm".contains(c));
    let (host, container, mode) = match *parts.as_slice() {
        [host] => (host, host, "rwm"),
        [host, mode] if is_mode(mode) => (host, host, mode),
        [host, container] => (host, container, "rwm"),
        [host, container, mode] if is_mode(mode) => (host, container, mode),
        [_, _, mode] => return Err(CliError::options(format!("bad mode specified: {mode}"))),
        _ => return Err(CliError::options(format!("bad format for path: {flag}"))),
    };
    let container = if container.is_empty() { host } else { container };
    if !container.starts_with('/') {
        return Err(CliError::options(format!("{container} is not an absolute path")));
    }
    Ok(json!({"PathOnHost": host, "PathInContainer": container, "CgroupPermissions": mode}))
}

/// `--device-cgroup-rule 'c 1:3 rwm'`; `None` stands for `null`.
pub fn device_rules(flags: &[String]) -> Result<Option<Vec<String>>> {
    for flag in flags {
        let mut words = flag.split(' ');
        let number = |s: &str| s == "*" || (!s.is_empty() && s.bytes().all(|b| b.is_ascii_digit()));
        let ok = matches!(words.next(), Some("a" | "b" | "c"))
            && words.next().and_then(|w| w.split_once(':')).is_some_and(|(a, b)| number(a) && number(b))
            && words
                .next()
                .is_some_and(|w| (1..=3).contains(&w.len()) && w.chars().all(|c| "rwm".contains(c)))
            && words.next().is_none();
        if !ok {
            let reason = format!("invalid device cgroup format '{flag}'");
            return Err(CliError::flag("--device-cgroup-rule", flag, reason));
        }
    }
    Ok(if flags.is_empty() { None } else { Some(flags.to_vec()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_normalized() {
        let caps =
            capabilities(&["sys_time".into(), "NET_ADMIN".into(), "CAP_SYS_TIME".into(), "all".into()]);
        assert_eq!(caps.unwrap(), ["ALL", "CAP_NET_ADMIN", "CAP_SYS_TIME"]);
        assert_eq!(capabilities(&[]), None);
    }

    #[test]
    fn a_two_part_device_may_be_a_mode_or_a_path() {
        assert_eq!(device("/dev/a:r").unwrap()["PathInContainer"], "/dev/a");
        assert_eq!(device("/dev/a:/dev/b").unwrap()["CgroupPermissions"], "rwm");
        assert!(device("a:b:c:d").is_err());
        assert!(device("/dev/a:/dev/b:x").is_err());
    }
}
