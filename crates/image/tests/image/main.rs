//! The crate from outside: real archives, hostile archives, and what ends up on disk. Needs root.

mod common;
mod exact;
mod hostile;
mod loading;
mod making;
mod unpack;
