//! What a container runs: the part of its configuration that an image can also carry.
//!
//! An absent list is `null` on the wire where Docker emits `null`, so those fields are `Option`; an empty list stays
//! an empty list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::HealthConfig;
use crate::presence::{is_default, or_default, str_slice};

/// The portable configuration of a container or image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerConfig {
    /// Host name; empty asks for the short container ID.
    #[serde(deserialize_with = "or_default")]
    pub hostname: String,
    /// NIS domain name.
    #[serde(deserialize_with = "or_default")]
    pub domainname: String,
    /// `name|uid[:group|gid]`; empty means root.
    #[serde(deserialize_with = "or_default")]
    pub user: String,
    /// Whether the creating client means to attach standard input.
    #[serde(deserialize_with = "or_default")]
    pub attach_stdin: bool,
    /// Whether the creating client means to attach standard output.
    #[serde(deserialize_with = "or_default")]
    pub attach_stdout: bool,
    /// Whether the creating client means to attach standard error.
    #[serde(deserialize_with = "or_default")]
    pub attach_stderr: bool,
    /// Exposed ports as `PORT/PROTOCOL`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub exposed_ports: Option<BTreeMap<String, EmptyObject>>,
    /// Whether the process gets a pseudo-terminal.
    #[serde(deserialize_with = "or_default")]
    pub tty: bool,
    /// Whether standard input stays open without a client attached.
    #[serde(deserialize_with = "or_default")]
    pub open_stdin: bool,
    /// Whether standard input closes after the first attached client leaves.
    #[serde(deserialize_with = "or_default")]
    pub stdin_once: bool,
    /// Environment as `NAME=value`; `NAME` alone removes a variable of the image.
    #[serde(deserialize_with = "or_default")]
    pub env: Option<Vec<String>>,
    /// Command, or the arguments of the entrypoint.
    #[serde(deserialize_with = "str_slice")]
    pub cmd: Option<Vec<String>>,
    /// Health check; absent means the image's.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub healthcheck: Option<HealthConfig>,
    /// Windows only, kept for round trips.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub args_escaped: bool,
    /// Image reference as the client wrote it.
    #[serde(deserialize_with = "or_default")]
    pub image: String,
    /// Paths that become anonymous volumes.
    #[serde(deserialize_with = "or_default")]
    pub volumes: Option<BTreeMap<String, EmptyObject>>,
    /// Absolute working directory; empty means `/`.
    #[serde(deserialize_with = "or_default")]
    pub working_dir: String,
    /// Program and leading arguments.
    #[serde(deserialize_with = "str_slice")]
    pub entrypoint: Option<Vec<String>>,
    /// Whether the container gets no network at all.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub network_disabled: bool,
    /// MAC address, where the client sets it outside an endpoint.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub mac_address: String,
    /// `ONBUILD` triggers of an image.
    #[serde(deserialize_with = "or_default")]
    pub on_build: Option<Vec<String>>,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Signal that asks the process to end; empty means `SIGTERM`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub stop_signal: String,
    /// Seconds between stop signal and `SIGKILL`; absent means 10, negative means for ever.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub stop_timeout: Option<i64>,
    /// Shell of shell-form instructions.
    #[serde(deserialize_with = "str_slice", skip_serializing_if = "is_default")]
    pub shell: Option<Vec<String>>,
}

/// Go's `struct{}`: the value of Docker's string sets (`{"80/tcp": {}}`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct EmptyObject {}

impl<'de> Deserialize<'de> for EmptyObject {
    /// Accepts any object and `null`, as Go does.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<BTreeMap<String, serde::de::IgnoredAny>>::deserialize(deserializer)?;
        Ok(EmptyObject {})
    }
}
