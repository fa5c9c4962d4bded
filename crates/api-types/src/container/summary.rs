//! One line of the container list: `GET /containers/json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EndpointSettings, MountPoint};
use crate::presence::{is_default, or_default};

/// A container in a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerSummary {
    /// 64 hexadecimal digits.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// Names with a leading slash.
    #[serde(deserialize_with = "or_default")]
    pub names: Option<Vec<String>>,
    /// Image as the client wrote it, or its ID once the name means another image.
    #[serde(deserialize_with = "or_default")]
    pub image: String,
    /// Image ID as `sha256:…`.
    #[serde(rename = "ImageID", deserialize_with = "or_default")]
    pub image_id: String,
    /// Program and arguments, joined by spaces.
    #[serde(deserialize_with = "or_default")]
    pub command: String,
    /// Unix time in seconds.
    #[serde(deserialize_with = "or_default")]
    pub created: i64,
    /// Exposed and published ports.
    #[serde(deserialize_with = "or_default")]
    pub ports: Option<Vec<PortSummary>>,
    /// Bytes in the writable layer; only on request, absent when 0.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub size_rw: i64,
    /// Bytes in all layers; only on request.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub size_root_fs: i64,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: Option<BTreeMap<String, String>>,
    /// State, such as `running`.
    #[serde(deserialize_with = "or_default")]
    pub state: String,
    /// State in words, such as `Up 2 hours`.
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// Excerpt of the host configuration.
    #[serde(deserialize_with = "or_default")]
    pub host_config: SummaryHostConfig,
    /// Excerpt of the network state.
    #[serde(deserialize_with = "or_default")]
    pub network_settings: Option<SummaryNetworkSettings>,
    /// Mounts.
    #[serde(deserialize_with = "or_default")]
    pub mounts: Option<Vec<MountPoint>>,
}

/// The part of the host configuration that lists show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryHostConfig {
    /// Network mode.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub network_mode: String,
    /// Annotations.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// The part of the network state that lists show.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryNetworkSettings {
    /// Endpoints by network name.
    #[serde(deserialize_with = "or_default")]
    pub networks: Option<BTreeMap<String, EndpointSettings>>,
}

/// A port in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortSummary {
    /// Host address, where published.
    #[serde(rename = "IP", deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ip: String,
    /// Port in the container.
    #[serde(deserialize_with = "or_default")]
    pub private_port: u16,
    /// Port on the host, where published.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub public_port: u16,
    /// `tcp`, `udp` or `sctp`.
    #[serde(deserialize_with = "or_default")]
    pub r#type: String,
}
