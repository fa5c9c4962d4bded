//! Images: lists, the complete document, history, removal, and the progress stream of long operations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::container::{ContainerConfig, GraphDriver};
use crate::presence::{is_default, or_default};

/// An image in a list: `GET /images/json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageSummary {
    /// Containers that use it; −1 when not counted.
    #[serde(deserialize_with = "or_default")]
    pub containers: i64,
    /// Unix time in seconds.
    #[serde(deserialize_with = "or_default")]
    pub created: i64,
    /// `sha256:…`.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Image it was built on, where known.
    #[serde(deserialize_with = "or_default")]
    pub parent_id: String,
    /// Names with a digest.
    #[serde(deserialize_with = "or_default")]
    pub repo_digests: Option<Vec<String>>,
    /// Names with a tag.
    #[serde(deserialize_with = "or_default")]
    pub repo_tags: Option<Vec<String>>,
    /// Bytes shared with other images; −1 when not computed.
    #[serde(deserialize_with = "or_default")]
    pub shared_size: i64,
    /// Bytes of all layers.
    #[serde(deserialize_with = "or_default")]
    pub size: i64,
    /// Same as `Size`; only before API 1.44.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub virtual_size: i64,
}

/// Everything about one image: `GET /images/{name}/json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageInspect {
    /// `sha256:…`.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// Names with a tag.
    #[serde(deserialize_with = "or_default")]
    pub repo_tags: Option<Vec<String>>,
    /// Names with a digest.
    #[serde(deserialize_with = "or_default")]
    pub repo_digests: Option<Vec<String>>,
    /// Image it was built on, where known.
    #[serde(deserialize_with = "or_default")]
    pub parent: String,
    /// Comment.
    #[serde(deserialize_with = "or_default")]
    pub comment: String,
    /// RFC 3339 with nanoseconds.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub created: String,
    /// Container it was committed from; only before API 1.45.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub container: Option<String>,
    /// Configuration of that container; only before API 1.45.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub container_config: Option<ContainerConfig>,
    /// Engine version that built it.
    #[serde(deserialize_with = "or_default")]
    pub docker_version: String,
    /// Author.
    #[serde(deserialize_with = "or_default")]
    pub author: String,
    /// Configuration that containers inherit.
    #[serde(deserialize_with = "or_default")]
    pub config: Option<ContainerConfig>,
    /// CPU architecture in Go's words.
    #[serde(deserialize_with = "or_default")]
    pub architecture: String,
    /// CPU variant.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub variant: String,
    /// Operating system.
    #[serde(deserialize_with = "or_default")]
    pub os: String,
    /// Windows only.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub os_version: String,
    /// Bytes of all layers.
    #[serde(deserialize_with = "or_default")]
    pub size: i64,
    /// Same as `Size`; only before API 1.44.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub virtual_size: i64,
    /// Where the layers' directories are.
    #[serde(deserialize_with = "or_default")]
    pub graph_driver: GraphDriver,
    /// Layers.
    #[serde(rename = "RootFS", deserialize_with = "or_default")]
    pub root_fs: RootFs,
    /// What is known locally.
    #[serde(deserialize_with = "or_default")]
    pub metadata: ImageMetadata,
}

/// The layers of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub r#type: String,
    /// Digests of the uncompressed layers, lowest first.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub layers: Option<Vec<String>>,
}

/// Local facts about an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageMetadata {
    /// When it was last tagged; year 1 when never.
    #[serde(deserialize_with = "or_default")]
    pub last_tag_time: String,
}

/// A step in an image's history, newest first in lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct HistoryItem {
    /// Comment.
    #[serde(deserialize_with = "or_default")]
    pub comment: String,
    /// Unix time in seconds.
    #[serde(deserialize_with = "or_default")]
    pub created: i64,
    /// Instruction.
    #[serde(deserialize_with = "or_default")]
    pub created_by: String,
    /// Image ID of the topmost step, `<missing>` of the others.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// Bytes this step added.
    #[serde(deserialize_with = "or_default")]
    pub size: i64,
    /// Names of the topmost step.
    #[serde(deserialize_with = "or_default")]
    pub tags: Option<Vec<String>>,
}

/// A step of an image removal: `DELETE /images/{name}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeleteItem {
    /// Name that was removed.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub untagged: String,
    /// Image or layer that was removed.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub deleted: String,
}

/// Answer to `POST /images/prune`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImagePruneResponse {
    /// What was removed.
    #[serde(deserialize_with = "or_default")]
    pub images_deleted: Option<Vec<DeleteItem>>,
    /// Bytes freed.
    #[serde(deserialize_with = "or_default")]
    pub space_reclaimed: u64,
}

/// Answer to `POST /berth/v1/images/bootstrap`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct BootstrapResponse {
    /// `sha256:…`.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// Name with a tag.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
}

/// One JSON document in the progress stream of a load, import, pull or build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProgressMessage {
    /// Text for the user's terminal.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub stream: String,
    /// What happens.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub status: String,
    /// How far it got.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub progress_detail: Option<ProgressDetail>,
    /// The same as a bar.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub progress: String,
    /// Layer or image it is about.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub id: String,
    /// Why the operation failed; the last document of the stream.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub error_detail: Option<ErrorDetail>,
    /// The same as text.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub error: String,
    /// Machine-readable result.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub aux: Option<serde_json::Value>,
}

/// How far an operation got, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProgressDetail {
    /// Done.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub current: i64,
    /// Expected.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub total: i64,
}

/// Why an operation failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorDetail {
    /// Exit code of a failed step.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub code: i64,
    /// Reason.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub message: String,
}

impl ProgressMessage {
    /// The document that ends a stream with an error.
    pub fn failure(message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = ErrorDetail { code: 0, message: message.clone() };
        ProgressMessage { error_detail: Some(detail), error: message, ..Default::default() }
    }

    /// A status line.
    pub fn status(text: impl Into<String>) -> Self {
        ProgressMessage { status: text.into(), ..Default::default() }
    }

    /// Text for the terminal, as `load` and `build` send it.
    pub fn stream(text: impl Into<String>) -> Self {
        ProgressMessage { stream: text.into(), ..Default::default() }
    }
}
