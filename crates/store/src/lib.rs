//! Berth's persistence: one SQLite database, one writer, pooled readers. No other crate knows SQL.
//!
//! [`Store::write`] queues a job for the writer task, which runs everything that waits in one transaction (group
//! commit) and replies after COMMIT. [`Store::read`] lends a connection of the read pool, which sees the last commit
//! and never waits for the writer. What can be done on either is in one module per resource: functions that change
//! something take the [`Tx`] of a job, functions that only read take any [`Access`], so a job may read its own writes.
//!
//! ```no_run
//! # async fn example() -> Result<(), berth_store::Error> {
//! use berth_store::{Durability, Store, containers, meta};
//!
//! let store = Store::open("/var/lib/berth/berth.db").await?;
//! let id = "0".repeat(64);
//! store
//!     .write(Durability::Durable, move |tx| {
//!         Box::pin(async move {
//!             containers::rename(tx, &id, "web").await?;
//!             meta::set(tx, "last-renamed", &id).await
//!         })
//!     })
//!     .await?;
//! let rows = containers::all(&mut store.read().await?).await?;
//! # drop(rows); Ok(()) }
//! ```
//!
//! Times are nanoseconds since the Unix epoch (`i64`, 0 = never). JSON columns are opaque here: their shape belongs to
//! the engine.

pub mod containers;
mod error;
pub mod events;
pub mod id_ranges;
pub mod images;
mod job;
pub mod layers;
pub mod meta;
mod open;
pub mod operations;
mod store;
pub mod tags;
mod tx;
mod writer;

#[cfg(test)]
mod testing;

pub use error::{Error, Result};
pub use store::{Durability, Stats, Store};
pub use tx::{Access, JobFuture, Reader, Tx};
