//! Statements about Docker's behaviour that must hold for Berth and for the reference alike.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod attach;
mod bad_create;
mod bad_requests;
mod bollard_client;
mod debian;
mod events;
mod filters;
mod images;
mod inspect;
mod isolation;
mod lifecycle;
mod limits;
mod load;
mod logs;
mod naming;
mod options;
mod ps;
mod python_sdk;
mod run;
mod start_failures;
mod system;
mod wait;
