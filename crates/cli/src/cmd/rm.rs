//! `berth rm`.

use crate::client::Client;
use crate::client::query::{Target, escape};
use crate::error::Result;
use crate::out;

/// Flags of `rm`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Force the removal of a running container (uses SIGKILL)
    #[arg(short, long)]
    pub force: bool,
    /// Remove the specified link
    #[arg(short, long)]
    pub link: bool,
    /// Remove anonymous volumes associated with the container
    #[arg(short, long)]
    pub volumes: bool,
    /// Containers
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
}

/// Removes containers. With `--force` one that does not exist is only mentioned.
pub async fn rm(client: &Client, args: Args) -> Result<u8> {
    let mut failures = Vec::new();
    for name in &args.containers {
        let name = name.trim_matches('/');
        let target = Target::new(format!("/containers/{}", escape(name)))
            .with_flag("force", args.force)
            .with_flag("link", args.link)
            .with_flag("v", args.volumes);
        match client.delete(&target.done()).await {
            Ok(_) => out::line(name)?,
            Err(error) if args.force && error.status() == Some(404) => out::warn(error),
            Err(error) => failures.push(error),
        }
    }
    out::finish(failures)
}
