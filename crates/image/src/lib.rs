//! Images: their names, their content, and the archives they travel in.
//!
//! Everything here is synchronous and meant for blocking threads: it reads from [`std::io::Read`] and works on a
//! data root. It knows no database and no HTTP; the engine records what these functions return and maps
//! [`Error::kind`] to a status.
//!
//! The way in is always the same: bytes of a layer go through [`LayerStore::unpack`], which verifies, extracts
//! and stores them under the layer's DiffID; [`import()`], [`load()`] and [`bootstrap()`] are three sources of such bytes.

pub mod bootstrap;
pub mod chain;
pub mod changes;
mod compress;
pub mod config;
pub mod digest;
mod durable;
pub mod error;
mod import;
pub mod load;
mod pipeline;
pub mod reference;
pub mod store;
mod tarfmt;

pub use bootstrap::{Bootstrapped, bootstrap};
pub use chain::{chain_id, chain_ids};
pub use changes::apply_changes;
pub use compress::Compression;
pub use config::{ContainerConfig, Healthcheck, History, ImageConfig, ImageStore, RootFs};
pub use digest::Digest;
pub use error::{Error, ErrorKind, Result};
pub use import::{ImportOptions, Imported, import};
pub use load::{LoadedImage, load};
pub use reference::{AnyReference, Reference};
pub use store::{Layer, LayerStore, LayerTar, Listing, RootAttributes, TreeSize};
