//! `berth stop` and `berth restart`, which differ only in the endpoint.

use crate::client::Client;
use crate::client::query::{Target, escape};
use crate::error::{CliError, Result};
use crate::flags::resources::parsed;
use crate::flags::values;
use crate::out;

/// Flags of `stop` and `restart`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Signal to send to the container
    #[arg(short, long, value_name = "string")]
    pub signal: Option<String>,
    /// Seconds to wait before killing the container
    #[arg(short, long, alias = "time", value_name = "int")]
    pub timeout: Option<String>,
    /// Containers
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
}

/// Stops containers.
pub async fn stop(client: &Client, args: Args) -> Result<u8> {
    each(client, args, "stop").await
}

/// Restarts containers.
pub async fn restart(client: &Client, args: Args) -> Result<u8> {
    each(client, args, "restart").await
}

/// Sends all requests at once: each may take its whole timeout.
async fn each(client: &Client, args: Args, verb: &'static str) -> Result<u8> {
    let timeout = match &args.timeout {
        Some(text) => parsed("-t, --timeout", Some(text), values::integer, 0)?.to_string(),
        None => String::new(),
    };
    let mut running = Vec::new();
    for name in args.containers {
        let target = Target::new(format!("/containers/{}/{verb}", escape(&name)))
            .with_text("signal", args.signal.as_deref().unwrap_or(""))
            .with_text("t", &timeout)
            .done();
        let client = client.clone();
        running.push(tokio::spawn(async move { client.post(&target, None).await.map(|_| name) }));
    }
    let mut failures = Vec::new();
    for task in running {
        match task.await {
            Ok(Ok(name)) => out::line(name)?,
            Ok(Err(error)) => failures.push(error),
            Err(e) => failures.push(CliError::Transport { request: verb.into(), reason: e.to_string() }),
        }
    }
    out::finish(failures)
}
