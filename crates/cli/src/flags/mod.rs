//! From docker's flags to the API's create request.
//!
//! The flags themselves are plain strings ([`create::CreateFlags`]); each module here turns one family into JSON
//! and says what is wrong with a value in docker's words.

pub mod body;
pub mod create;
pub mod mounts;
pub mod network;
pub mod resources;
pub mod security;
pub mod text;
pub mod values;
