//! `berth rmi`.

use crate::client::Client;
use crate::client::query::{Target, escape_reference};
use crate::error::Result;
use crate::out;

/// Flags of `rmi`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Force removal of the image
    #[arg(short, long)]
    pub force: bool,
    /// Do not delete untagged parents
    #[arg(long)]
    pub no_prune: bool,
    /// Images
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
}

/// Removes images and prints what was untagged and deleted. With `--force` one that does not exist is only
/// mentioned.
pub async fn rmi(client: &Client, args: Args) -> Result<u8> {
    let mut failures = Vec::new();
    for image in &args.images {
        let target = Target::new(format!("/images/{}", escape_reference(image)))
            .with_flag("force", args.force)
            .with_flag("noprune", args.no_prune);
        match client.delete(&target.done()).await {
            Ok(answer) => {
                for item in answer.items() {
                    match item.text("Deleted") {
                        "" => out::line(format_args!("Untagged: {}", item.text("Untagged")))?,
                        id => out::line(format_args!("Deleted: {id}"))?,
                    }
                }
            }
            Err(error) if args.force && error.status() == Some(404) => out::warn(error),
            Err(error) => failures.push(error),
        }
    }
    out::finish(failures)
}
