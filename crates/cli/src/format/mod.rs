//! Turning answers into what docker prints: units, columns and `--format`.

pub mod listing;
pub mod table;
pub mod time;
pub mod units;
