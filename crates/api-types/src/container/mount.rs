//! Mounts as clients ask for them and as inspect reports them.
//!

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::presence::{is_default, or_default};

/// A mount in the long form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs`, `image`, `npipe` or `cluster`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub r#type: String,
    /// Host path or volume name.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub source: String,
    /// Path in the container.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub target: String,
    /// Whether the mount is read-only.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// Desktop platforms only.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub consistency: String,
    /// Options of `bind`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub bind_options: Option<BindOptions>,
    /// Options of `volume`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub volume_options: Option<VolumeOptions>,
    /// Options of `image`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub image_options: Option<ImageOptions>,
    /// Options of `tmpfs`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub tmpfs_options: Option<TmpfsOptions>,
}

/// Options of a bind mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct BindOptions {
    /// `private`, `rprivate`, `shared`, `rshared`, `slave` or `rslave`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub propagation: String,
    /// Whether submounts are left out.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub non_recursive: bool,
    /// Whether a missing source directory is created.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub create_mountpoint: bool,
    /// Whether only the top mount becomes read-only.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub read_only_non_recursive: bool,
    /// Whether failing to make submounts read-only is an error.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub read_only_force_recursive: bool,
}

/// Options of a volume mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeOptions {
    /// Whether the image's content is not copied into a new volume.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub no_copy: bool,
    /// Labels of a new volume.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Path inside the volume that is mounted.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub subpath: String,
    /// Driver of a new volume.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub driver_config: Option<VolumeDriverConfig>,
}

/// A volume driver and its options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct VolumeDriverConfig {
    /// Driver name.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub name: String,
    /// Driver options.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub options: Option<BTreeMap<String, String>>,
}

/// Options of an image mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageOptions {
    /// Path inside the image that is mounted.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub subpath: String,
}

/// Options of a tmpfs mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct TmpfsOptions {
    /// Size limit in bytes; 0 means none.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub size_bytes: i64,
    /// Mode bits of the root directory.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub mode: u32,
    /// Further mount options as `[name]` or `[name, value]`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub options: Option<Vec<Vec<String>>>,
}

/// A mount of an existing container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct MountPoint {
    /// `bind`, `volume` or `tmpfs`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub r#type: String,
    /// Volume name.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub name: String,
    /// Host path.
    #[serde(deserialize_with = "or_default")]
    pub source: String,
    /// Path in the container.
    #[serde(deserialize_with = "or_default")]
    pub destination: String,
    /// Volume driver.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub driver: String,
    /// Mount options as the client gave them.
    #[serde(deserialize_with = "or_default")]
    pub mode: String,
    /// Whether the mount is writable.
    #[serde(rename = "RW", deserialize_with = "or_default")]
    pub rw: bool,
    /// Mount propagation.
    #[serde(deserialize_with = "or_default")]
    pub propagation: String,
}
