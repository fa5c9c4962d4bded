//! Shims: starting one, talking to it, finding it again.

mod connection;
mod pump;
mod spawn;
mod spill;

pub use connection::{Connection, Failure};
pub use pump::{connect_attach, open_attachment};
pub use spawn::{ShimProgram, find_unidentified, spawn};
