//! The image configuration: what a container made from the image looks like, and which layers it stands on.
//!
//! The format is the OCI image specification's, with what Docker adds to it. An image's ID is the SHA-256 of its
//! configuration's bytes, so those are kept exactly as they came; the types here are a view of them.

mod nulls;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use store::ImageStore;

use crate::digest::Digest;
use crate::error::{Error, Result};

/// Largest configuration that is accepted, in bytes.
pub const MAX_CONFIG_SIZE: u64 = 8 << 20;

/// An image's configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Processor architecture as Go names it, e.g. `amd64`.
    #[serde(default, deserialize_with = "nulls::or_default")]
    pub architecture: String,
    /// Variant of the architecture, e.g. `v8`.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Operating system, e.g. `linux`.
    #[serde(default, deserialize_with = "nulls::or_default")]
    pub os: String,
    /// Version of the operating system (only Windows images have one).
    #[serde(
        default,
        rename = "os.version",
        deserialize_with = "nulls::or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub os_version: String,
    /// When the image was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// What was said when it was made.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Version of the engine that made it.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "String::is_empty")]
    pub docker_version: String,
    /// Defaults for containers.
    #[serde(default, deserialize_with = "nulls::or_default")]
    pub config: ContainerConfig,
    /// The layers.
    pub rootfs: RootFs,
    /// How each layer came to be, oldest first.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
}

/// Defaults for containers made from an image. `None` is "not said", which differs from "said to be empty".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// User and optionally group, by name or number: `user[:group]`.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports the image listens on, as `80/tcp`.
    #[serde(default, with = "nulls::set", skip_serializing_if = "Option::is_none")]
    pub exposed_ports: Option<BTreeSet<String>>,
    /// Environment as `NAME=value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// What is executed, in front of `cmd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// The default command or arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Windows only: the command is one escaped string.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "std::ops::Not::not")]
    pub args_escaped: bool,
    /// Paths that become volumes.
    #[serde(default, with = "nulls::set", skip_serializing_if = "Option::is_none")]
    pub volumes: Option<BTreeSet<String>>,
    /// Where the command starts.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Signal that asks the command to stop, by name or number.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Seconds to wait between that signal and killing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// How the container's health is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Shell of the shell forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// Instructions for builds that start from this image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_build: Option<Vec<String>>,
}

/// A health check. Durations are nanoseconds; 0 means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", args...]` or `["CMD-SHELL", command]`; empty inherits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Vec<String>>,
    /// Time between checks.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "nulls::is_zero")]
    pub interval: i64,
    /// Time after which a check has failed.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "nulls::is_zero")]
    pub timeout: i64,
    /// Time in which failures do not count.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "nulls::is_zero")]
    pub start_period: i64,
    /// Time between checks during the start period.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "nulls::is_zero")]
    pub start_interval: i64,
    /// Failures in a row that make a container unhealthy.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "nulls::is_zero")]
    pub retries: i64,
}

/// The layers of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// DiffIDs, lowest layer first.
    #[serde(default, deserialize_with = "nulls::or_default")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".into(), diff_ids: Vec::new() }
    }
}

/// One step in an image's making.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By whom.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// By which instruction.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// What was said.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// True if the step made no layer.
    #[serde(default, deserialize_with = "nulls::or_default", skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if it is not JSON of this shape, has no `rootfs` or one that is not made of layers, or
    /// a time that is none.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Outline {
            rootfs: Option<serde::de::IgnoredAny>,
        }
        let invalid = |e: serde_json::Error| Error::InvalidConfig(e.to_string());
        let outline: Outline = serde_json::from_slice(bytes).map_err(invalid)?;
        if outline.rootfs.is_none() {
            return Err(Error::InvalidConfig("no RootFS key".into()));
        }
        let config: Self = serde_json::from_slice(bytes).map_err(invalid)?;
        if config.rootfs.kind != "layers" {
            return Err(Error::InvalidConfig(format!(
                "rootfs type {:?} is not supported",
                config.rootfs.kind
            )));
        }
        let times = config.history.iter().map(|h| &h.created).chain([&config.created]);
        for time in times.flatten() {
            OffsetDateTime::parse(time, &Rfc3339)
                .map_err(|_| Error::InvalidConfig(format!("{time:?} is not a time")))?;
        }
        Ok(config)
    }

    /// The configuration as JSON. The same configuration always gives the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::InvalidConfig(e.to_string()))
    }

    /// When the image was made; none if it does not say.
    pub fn created_at(&self) -> Option<OffsetDateTime> {
        self.created.as_deref().and_then(|time| OffsetDateTime::parse(time, &Rfc3339).ok())
    }
}

/// This host's architecture as image configurations name it, and its variant (may be empty).
pub fn host_architecture() -> (&'static str, &'static str) {
    match std::env::consts::ARCH {
        "x86_64" => ("amd64", ""),
        "x86" => ("386", ""),
        "aarch64" => ("arm64", "v8"),
        "arm" => ("arm", "v7"),
        "powerpc64" if cfg!(target_endian = "little") => ("ppc64le", ""),
        "loongarch64" => ("loong64", ""),
        // riscv64, s390x and others have the same name in both worlds.
        other => (other, ""),
    }
}

/// A time as image configurations hold it: RFC 3339, UTC.
pub(crate) fn timestamp(time: OffsetDateTime) -> Result<String> {
    time.to_offset(time::UtcOffset::UTC)
        .format(&Rfc3339)
        .map_err(|e| Error::InvalidConfig(format!("the time cannot be written: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_missing_fields_are_what_go_takes_them_for() {
        let json = r#"{"architecture":"amd64","os":"linux","created":null,"history":null,
            "config":{"Env":null,"Cmd":null,"Labels":null,"Volumes":null,"ExposedPorts":null,"User":null},
            "rootfs":{"type":"layers","diff_ids":null},"unknown":{"x":1}}"#;
        let config = ImageConfig::parse(json.as_bytes()).unwrap();
        assert_eq!(config.config, ContainerConfig::default());
        assert!(config.rootfs.diff_ids.is_empty() && config.created_at().is_none());
        let null = r#"{"config":null,"rootfs":{"type":"layers"}}"#;
        assert_eq!(ImageConfig::parse(null.as_bytes()).unwrap().config, ContainerConfig::default());
    }

    #[test]
    fn sets_are_objects_with_empty_values() {
        let json = r#"{"rootfs":{"type":"layers"},"config":{"ExposedPorts":{"80/tcp":{},"53/udp":null},"Volumes":{"/d":{}}}}"#;
        let config = ImageConfig::parse(json.as_bytes()).unwrap();
        let ports = config.config.exposed_ports.clone().unwrap();
        assert_eq!(ports.into_iter().collect::<Vec<_>>(), ["53/udp", "80/tcp"]);
        let written = String::from_utf8(config.to_bytes().unwrap()).unwrap();
        assert!(written.contains(r#""ExposedPorts":{"53/udp":{},"80/tcp":{}}"#), "{written}");
        assert_eq!(ImageConfig::parse(written.as_bytes()).unwrap(), config);
    }

    #[test]
    fn unusable_configurations_are_refused_with_the_reason() {
        let cases = [
            ("", "EOF while parsing"),
            ("[]", "invalid length"),
            ("7", "invalid type"),
            ("{}", "no RootFS key"),
            (r#"{"rootfs":null}"#, "no RootFS key"),
            (r#"{"rootfs":{"type":"disk"}}"#, "not supported"),
            (r#"{"rootfs":{"type":"layers","diff_ids":["sha256:1"]}}"#, "length"),
            (r#"{"rootfs":{"type":"layers"},"created":"yesterday"}"#, "is not a time"),
        ];
        for (json, reason) in cases {
            let error = ImageConfig::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("invalid image JSON: ") && error.contains(reason), "{json}: {error}");
        }
    }
}
