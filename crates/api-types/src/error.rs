//! How every failed request is answered.
//!

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::presence::or_default;

/// Body of every error response.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorMessage {
    /// Reason, in words clients match on.
    #[serde(deserialize_with = "or_default")]
    pub message: String,
}

impl ErrorMessage {
    /// An error body with this reason.
    pub fn new(message: impl Into<String>) -> Self {
        ErrorMessage { message: message.into() }
    }
}
