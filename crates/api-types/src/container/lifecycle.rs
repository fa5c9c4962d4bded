//! Requests and answers of the calls that create, watch and remove containers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ContainerConfig, HostConfig, NetworkingConfig};
use crate::presence::{is_default, object, or_default};

/// Body of `POST /containers/create`: a [`ContainerConfig`] with two more keys beside its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateRequest {
    /// Host configuration; absent means all defaults.
    #[serde(deserialize_with = "object", skip_serializing_if = "is_default")]
    pub host_config: Option<HostConfig>,
    /// Networks to join.
    #[serde(deserialize_with = "object", skip_serializing_if = "is_default")]
    pub networking_config: Option<NetworkingConfig>,
    /// The portable configuration, inlined.
    #[serde(flatten)]
    pub config: ContainerConfig,
}

/// Answer to `POST /containers/create`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateResponse {
    /// 64 hexadecimal digits.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// What will not be as asked.
    #[serde(deserialize_with = "or_default")]
    pub warnings: Vec<String>,
}

/// Answer to `POST /containers/{id}/wait`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitResponse {
    /// Exit code.
    #[serde(deserialize_with = "or_default")]
    pub status_code: i64,
    /// Why there is no proper exit code.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub error: Option<WaitError>,
}

/// Why waiting failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct WaitError {
    /// Reason.
    #[serde(deserialize_with = "or_default")]
    pub message: String,
}

/// Answer to `POST /containers/prune`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct PruneResponse {
    /// IDs of removed containers.
    #[serde(deserialize_with = "or_default")]
    pub containers_deleted: Option<Vec<String>>,
    /// Bytes freed.
    #[serde(deserialize_with = "or_default")]
    pub space_reclaimed: u64,
}
