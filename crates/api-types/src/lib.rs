//! The JSON types of the Docker Engine API, shared by server, client and tests.
//!
//! Field presence follows what Docker's daemon sends: a list or map that nobody set is `null` (an `Option` here),
//! and fields that Docker leaves out when empty are left out. Reading is lenient in the way Go is: unknown fields
//! are ignored, missing ones and `null` mean the zero value. Maps are sorted, so documents are stable.

pub mod container;
pub mod duration;
pub mod error;
pub mod event;
pub mod filters;
pub mod image;
mod presence;
pub mod system;
pub mod time;

/// Newest API version served.
pub const API_VERSION: &str = "1.51";
/// Oldest API version served.
pub const MIN_API_VERSION: &str = "1.24";

#[cfg(test)]
mod recorded_tests;
