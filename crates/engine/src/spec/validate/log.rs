//! Log drivers and their options.

use std::collections::BTreeMap;

use berth_api_types::container::{ContainerConfig, HostConfig};
use serde_json::{Map, Value};

use super::ValidateError;
use super::security::go_bool;

/// Bytes after which a log is rotated where nothing else is asked for. Docker's default is never, which fills disks.
const MAX_SIZE: &str = "10m";
/// Files kept where nothing else is asked for.
const MAX_FILE: &str = "3";

/// Longest tag, in bytes.
const MAX_TAG: usize = 1024;

/// Where output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogDriver {
    /// `json-file`.
    JsonFile {
        /// Rotate beyond this many bytes; `None` is never.
        max_size: Option<u64>,
        /// Files kept in all.
        max_file: u32,
        /// What else stands in each line.
        extra: Extra,
    },
    /// `none`: nothing is kept.
    None,
}

/// Options that put facts of the container into each log line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    labels: Vec<String>,
    env: Vec<String>,
    tag: Option<String>,
}

/// The names a tag's template may use.
#[derive(Debug, Clone, Copy)]
pub struct TagFacts<'a> {
    /// Full container ID.
    pub id: &'a str,
    /// Container name without its slash.
    pub name: &'a str,
    /// Image ID, `sha256:…`.
    pub image_id: &'a str,
    /// Image as the client wrote it.
    pub image: &'a str,
}

impl Extra {
    /// The `attrs` of a container's log lines; `None` where there are none.
    pub fn attrs(&self, config: &ContainerConfig, facts: TagFacts<'_>) -> Option<Map<String, Value>> {
        let mut attrs = Map::new();
        for name in &self.labels {
            if let Some(value) = config.labels.as_ref().and_then(|labels| labels.get(name)) {
                attrs.insert(name.clone(), value.clone().into());
            }
        }
        for name in &self.env {
            let mut entries = config.env.iter().flatten().filter_map(|entry| entry.split_once('='));
            if let Some((_, value)) = entries.rfind(|(key, _)| key == name) {
                attrs.insert(name.clone(), value.into());
            }
        }
        if let Some(template) = &self.tag {
            attrs.insert("tag".to_owned(), render(template, facts).into());
        }
        Some(attrs).filter(|attrs| !attrs.is_empty())
    }
}

fn short(id: &str) -> &str {
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    id.get(..12).unwrap_or(id)
}

/// Fills in `{{.Name}}` and its like; what is not one stays as it is.
fn render(template: &str, facts: TagFacts<'_>) -> String {
    let mut out = template.to_owned();
    for (field, value) in [
        ("ID", short(facts.id)),
        ("FullID", facts.id),
        ("Name", facts.name),
        ("ImageID", short(facts.image_id)),
        ("ImageFullID", facts.image_id),
        ("ImageName", facts.image),
        ("DaemonName", "berth"),
    ] {
        out = out.replace(&format!("{{{{.{field}}}}}"), value).replace(&format!("{{{{ .{field} }}}}"), value);
    }
    out
}

/// Reads the driver and its options. The default limits are not filled in: clients compare what inspect shows with
/// what they sent.
pub(super) fn check(host: &mut HostConfig, warnings: &mut Vec<String>) -> Result<LogDriver, ValidateError> {
    let log = &mut host.log_config;
    if log.r#type.is_empty() {
        "json-file".clone_into(&mut log.r#type);
    }
    let options = log.config.get_or_insert_default();
    match &*log.r#type {
        "none" => return Ok(LogDriver::None),
        "json-file" => {}
        other => return Err(ValidateError::LogDriver(other.to_owned())),
    }
    let driver = || "json-file".to_owned();
    for option in options.keys() {
        match &**option {
            "max-size" | "max-file" | "compress" | "labels" | "env" | "tag" | "mode" | "max-buffer-size" => {}
            "labels-regex" | "env-regex" => {
                return Err(ValidateError::LogUnavailable { option: option.clone(), driver: driver() });
            }
            _ => return Err(ValidateError::LogOption { option: option.clone(), driver: driver() }),
        }
    }
    mode(options)?;
    let max_size = options.get("max-size").map_or(MAX_SIZE, String::as_str);
    let max_size = match max_size {
        "-1" => None,
        text => Some(parse_size(text).ok_or_else(|| ValidateError::LogSize(text.to_owned()))?),
    };
    let max_file = options.get("max-file").map_or(MAX_FILE, String::as_str);
    let max_file = match max_file.parse::<u32>() {
        Ok(number @ 1..=1000) => number,
        _ => return Err(ValidateError::LogValue { option: "max-file", value: max_file.to_owned() }),
    };
    if let Some(value) = options.get("compress") {
        let bad = || ValidateError::LogValue { option: "compress", value: value.clone() };
        if go_bool(value).ok_or_else(bad)? {
            warnings.push("compression of rotated logs is not available yet".to_owned());
        }
    }
    let list = |name: &str| -> Vec<String> {
        let words = options.get(name).map(String::as_str).unwrap_or_default().split(',');
        words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let tag = options.get("tag").filter(|tag| !tag.is_empty()).cloned();
    if let Some(value) = tag.as_ref().filter(|tag| tag.len() > MAX_TAG) {
        // It stands in every line.
        return Err(ValidateError::LogValue { option: "tag", value: value.chars().take(64).collect() });
    }
    Ok(LogDriver::JsonFile {
        max_size,
        max_file,
        extra: Extra { labels: list("labels"), env: list("env"), tag },
    })
}

/// `mode` is about slow drivers; files are written by the shim, where both modes come to the same.
fn mode(options: &BTreeMap<String, String>) -> Result<(), ValidateError> {
    let mode = options.get("mode").map(String::as_str).unwrap_or_default();
    if !matches!(mode, "" | "blocking" | "non-blocking") {
        return Err(ValidateError::LogMode(mode.to_owned()));
    }
    match options.get("max-buffer-size") {
        Some(_) if mode != "non-blocking" => Err(ValidateError::LogBuffer),
        Some(text) if parse_size(text).is_none() => Err(ValidateError::LogSize(text.clone())),
        _ => Ok(()),
    }
}

/// Bytes of `10m`, `1.5g`, `512`, `100kB`: decimal multiples, as Docker reads log sizes. `None` for what is no size,
/// and for zero.
pub fn parse_size(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let lower = lower.strip_suffix('i').unwrap_or(lower);
    let multiple: u64 = match lower.as_bytes().last()? {
        b'k' => 1_000,
        b'm' => 1_000_000,
        b'g' => 1_000_000_000,
        b't' => 1_000_000_000_000,
        _ => 1,
    };
    let number = if multiple == 1 { lower } else { lower.get(..lower.len() - 1)? }.trim_end_matches(' ');
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let part = match fraction {
        "" => 0,
        _ => {
            fraction.parse::<u64>().ok()?.checked_mul(multiple)?
                / 10u64.pow(u32::try_from(fraction.len()).ok()?)
        }
    };
    let bytes = whole.parse::<u64>().ok()?.checked_mul(multiple)?.checked_add(part)?;
    (bytes > 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(driver: &str, options: &[(&str, &str)]) -> Result<(LogDriver, HostConfig), String> {
        let mut host = HostConfig::default();
        host.log_config.r#type = driver.to_owned();
        host.log_config.config =
            Some(options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        check(&mut host, &mut Vec::new()).map(|log| (log, host)).map_err(|error| error.to_string())
    }

    #[test]
    fn logs_are_bounded_unless_said_otherwise() {
        let (log, host) = run("", &[]).unwrap();
        let LogDriver::JsonFile { max_size, max_file, .. } = log else { panic!() };
        assert_eq!((max_size, max_file), (Some(10_000_000), 3));
        assert_eq!(host.log_config.r#type, "json-file");
        assert!(host.log_config.config.unwrap().is_empty());
        let LogDriver::JsonFile { max_size, .. } = run("json-file", &[("max-size", "-1")]).unwrap().0 else {
            panic!()
        };
        assert_eq!(max_size, None);
        assert_eq!(run("none", &[]).unwrap().0, LogDriver::None);
    }

    #[test]
    fn sizes_are_read_as_docker_does() {
        for (text, bytes) in [
            ("10m", 10_000_000),
            ("1.5G", 1_500_000_000),
            ("512", 512),
            ("100kB", 100_000),
            ("2 mb", 2_000_000),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "abc", "0", "-5", "1x", "m", "1.2.3", "99999999999999999999", "1.m.", "+5"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_in_dockers_words() {
        assert_eq!(run("bogus", &[]).unwrap_err(), "logger: no log driver named 'bogus' is registered");
        assert_eq!(
            run("json-file", &[("bogus", "1")]).unwrap_err(),
            "unknown log opt 'bogus' for json-file log driver"
        );
        assert_eq!(run("json-file", &[("max-size", "abc")]).unwrap_err(), "invalid size: 'abc'");
        assert!(run("json-file", &[("max-file", "0")]).is_err());
        assert_eq!(run("json-file", &[("mode", "x")]).unwrap_err(), "logger: logging mode not supported: x");
        assert!(run("json-file", &[("max-buffer-size", "1m")]).is_err());
        assert!(run("json-file", &[("max-buffer-size", "1m"), ("mode", "non-blocking")]).is_ok());
    }

    #[test]
    fn facts_of_the_container_go_into_each_line() {
        let (log, _) =
            run("json-file", &[("labels", "a,b"), ("env", "E"), ("tag", "{{.Name}}/{{.ID}}")]).unwrap();
        let LogDriver::JsonFile { extra, .. } = log else { panic!() };
        let config = ContainerConfig {
            labels: Some(BTreeMap::from([("a".to_owned(), "1".to_owned())])),
            env: Some(vec!["E=old".to_owned(), "E=x=y".to_owned()]),
            ..ContainerConfig::default()
        };
        let facts = TagFacts { id: "0123456789abcdef", name: "web", image_id: "sha256:1", image: "i" };
        let attrs = extra.attrs(&config, facts).unwrap();
        assert_eq!(Value::Object(attrs).to_string(), r#"{"E":"x=y","a":"1","tag":"web/0123456789ab"}"#);
        assert_eq!(Extra::default().attrs(&config, facts), None);
    }
}
