//! The crate from outside: real archives, hostile archives, and what ends up on disk. Needs root.
// Helpers of tests may panic as tests do; the lints only know the latter.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;
mod exact;
mod hostile;
mod loading;
mod making;
mod unpack;
