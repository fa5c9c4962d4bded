//! `berth tag`.

use super::create::split_reference;
use crate::client::Client;
use crate::client::query::{Target, escape_reference};
use crate::error::{CliError, Result};

/// Operands of `tag`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image
    #[arg(value_name = "SOURCE_IMAGE[:TAG]")]
    pub source: String,
    /// Its additional name
    #[arg(value_name = "TARGET_IMAGE[:TAG]")]
    pub target: String,
}

/// Gives an image another name.
pub async fn tag(client: &Client, args: Args) -> Result<u8> {
    if args.target.contains('@') {
        return Err(CliError::options("refusing to create a tag with a digest reference"));
    }
    let (repo, tag) = split_reference(&args.target);
    let target = Target::new(format!("/images/{}/tag", escape_reference(&args.source)))
        .with("repo", repo)
        .with("tag", tag.unwrap_or("latest"))
        .done();
    client.post(&target, None).await?;
    Ok(0)
}
