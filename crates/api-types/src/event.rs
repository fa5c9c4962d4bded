//! Events: `GET /events` streams one [`EventMessage`] per change.
//!

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::presence::{is_default, or_default};

/// One change of one object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EventMessage {
    /// Same as `Action`; containers and images only.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub status: String,
    /// Same as `Actor.ID`; containers and images only.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub id: String,
    /// Image of the container, or name of the image; containers and images only.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub from: String,
    /// `container`, `image`, `network`, `volume`, `daemon`, …
    #[serde(rename = "Type", deserialize_with = "or_default")]
    pub r#type: String,
    /// What happened, such as `start`; execs carry their command after a colon.
    #[serde(rename = "Action", deserialize_with = "or_default")]
    pub action: String,
    /// What it happened to.
    #[serde(rename = "Actor", deserialize_with = "or_default")]
    pub actor: Actor,
    /// `local`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub scope: String,
    /// Unix time in seconds.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub time: i64,
    /// Unix time in nanoseconds.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub time_nano: i64,
}

/// The object of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct Actor {
    /// ID or name.
    #[serde(rename = "ID", deserialize_with = "or_default")]
    pub id: String,
    /// Labels and facts about it.
    #[serde(deserialize_with = "or_default")]
    pub attributes: Option<BTreeMap<String, String>>,
}
