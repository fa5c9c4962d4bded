//! `berth wait`.

use super::run::Wait;
use crate::client::Client;
use crate::error::Result;
use crate::out;

/// Operands of `wait`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Containers
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
}

/// Waits for containers one after the other and prints their exit codes.
pub async fn wait(client: &Client, args: Args) -> Result<u8> {
    let mut failures = Vec::new();
    for name in &args.containers {
        let status = match Wait::open(client, name, "not-running").await {
            Ok(waiting) => waiting.status().await,
            Err(error) => Err(error),
        };
        match status {
            Ok(code) => out::line(code)?,
            Err(error) => failures.push(error),
        }
    }
    out::finish(failures)
}
