//! `berth import`.

use super::load::stdin_or_file;
use crate::client::Client;
use crate::client::query::Target;
use crate::error::Result;
use crate::progress::{Show, show};

/// Flags of `import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Apply Dockerfile instruction to the created image
    #[arg(short, long, value_name = "list")]
    pub change: Vec<String>,
    /// Set commit message for imported image
    #[arg(short, long, value_name = "string")]
    pub message: Option<String>,
    /// Set platform if server is multi-platform capable
    #[arg(long, value_name = "string")]
    pub platform: Option<String>,
    /// A tar archive, a URL, or - for standard input
    #[arg(value_name = "file|URL|-")]
    pub source: String,
    /// The image's name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    pub reference: Option<String>,
}

/// Makes an image of one layer from a tar archive and prints its ID.
pub async fn import(client: &Client, args: Args) -> Result<u8> {
    let is_url = ["http://", "https://"].iter().any(|scheme| args.source.starts_with(scheme));
    let body = match args.source.as_str() {
        _ if is_url => crate::client::empty(),
        "-" => stdin_or_file(None).await?,
        path => stdin_or_file(Some(path)).await?,
    };
    let mut target = Target::new("/images/create")
        .with("fromSrc", if is_url { &args.source } else { "-" })
        .with_text("message", args.message.as_deref().unwrap_or(""))
        .with_text("platform", args.platform.as_deref().unwrap_or(""))
        .with_text("repo", args.reference.as_deref().unwrap_or(""));
    for change in &args.change {
        target = target.with("changes", change);
    }
    let response = client.send(http::Method::POST, &target.done(), Some("application/x-tar"), body).await?;
    show(response.into_body(), "import", Show::Stdout).await?;
    Ok(0)
}
