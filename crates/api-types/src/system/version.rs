//! What the daemon is: `GET /version`.
//!

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::presence::{is_default, or_default};

/// Versions of the daemon and its parts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Version {
    /// Product.
    #[serde(deserialize_with = "or_default")]
    pub platform: Platform,
    /// Parts of the engine.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub components: Option<Vec<Component>>,
    /// Engine version.
    #[serde(deserialize_with = "or_default")]
    pub version: String,
    /// Newest API version.
    #[serde(deserialize_with = "or_default")]
    pub api_version: String,
    /// Oldest API version.
    #[serde(rename = "MinAPIVersion", deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub min_api_version: String,
    /// Commit it was built from.
    #[serde(deserialize_with = "or_default")]
    pub git_commit: String,
    /// Toolchain it was built with.
    #[serde(deserialize_with = "or_default")]
    pub go_version: String,
    /// Operating system.
    #[serde(deserialize_with = "or_default")]
    pub os: String,
    /// CPU architecture in Go's words.
    #[serde(deserialize_with = "or_default")]
    pub arch: String,
    /// Kernel release.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub kernel_version: String,
    /// Always false.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub experimental: bool,
    /// When it was built.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub build_time: String,
}

/// Product name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Platform {
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
}

/// A part of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Component {
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Version.
    #[serde(deserialize_with = "or_default")]
    pub version: String,
    /// Facts as text.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub details: Option<BTreeMap<String, String>>,
}
