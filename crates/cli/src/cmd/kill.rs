//! `berth kill`.

use crate::client::Client;
use crate::client::query::{Target, escape};
use crate::error::Result;
use crate::out;

/// Flags of `kill`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Signal to send to the container
    #[arg(short, long, value_name = "string")]
    pub signal: Option<String>,
    /// Containers
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
}

/// Sends a signal to containers.
pub async fn kill(client: &Client, args: Args) -> Result<u8> {
    let mut failures = Vec::new();
    for name in &args.containers {
        let target = Target::new(format!("/containers/{}/kill", escape(name)))
            .with_text("signal", args.signal.as_deref().unwrap_or(""));
        match client.post(&target.done(), None).await {
            Ok(_) => out::line(name)?,
            Err(error) => failures.push(error),
        }
    }
    out::finish(failures)
}
