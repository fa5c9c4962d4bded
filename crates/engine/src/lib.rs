//! The use cases of Berth: containers, images and events, and the supervision of shims.
//!
//! [`Engine`] is the only entrance. Every operation takes its [`Caller`] first. Reads are served from an
//! in-memory view that is updated when a transaction commits; writes go through the store and, for
//! containers, through the one actor that owns the container's state.

mod blocking;
mod caller;
mod config;
mod containers;
mod engine;
mod error;
mod events;
mod files;
mod ids;
pub mod images;
mod operations;
mod recovery;
pub mod spec;
pub mod streams;
mod supervisor;
mod system;

pub use caller::Caller;
pub use config::{Config, DefaultUserns};
pub use containers::{
    AttachOptions, ListOptions, LogOptions, RemoveOptions, StopOptions, WaitCondition, WaitHandle,
};
pub use engine::Engine;
pub use error::{Error, Kind, Result};
pub use events::EventStream;
pub use streams::{Attachment, LogRecord, LogStream, Output, StdStream, StdinWriter};

/// Whether an operation changed something (Docker's 204) or found it done already (304).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// The state changed.
    Yes,
    /// It already was as asked.
    Already,
}
