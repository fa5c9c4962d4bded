//! `berth logs`.

use http_body_util::BodyExt;

use super::create::has_tty;
use crate::client::Client;
use crate::client::query::{Target, escape};
use crate::error::{CliError, Result};
use crate::format::time;
use crate::session::Printer;

/// Flags of `logs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show extra details provided to logs
    #[arg(long)]
    pub details: bool,
    /// Follow log output
    #[arg(short, long)]
    pub follow: bool,
    /// Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
    #[arg(long, value_name = "string")]
    pub since: Option<String>,
    /// Number of lines to show from the end of the logs
    #[arg(short = 'n', long, value_name = "string", default_value = "all")]
    pub tail: String,
    /// Show timestamps
    #[arg(short, long)]
    pub timestamps: bool,
    /// Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
    #[arg(long, value_name = "string")]
    pub until: Option<String>,
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

/// Reads `--since` or `--until`.
pub fn point(name: &str, flag: Option<&str>) -> Result<String> {
    match flag.filter(|text| !text.is_empty()) {
        None => Ok(String::new()),
        Some(text) => time::parameter(text, jiff::Timestamp::now())
            .map_err(|reason| CliError::options(format!("invalid value for {name:?}: {reason}"))),
    }
}

/// Prints a container's logs, each stream to its own.
pub async fn logs(client: &Client, args: Args) -> Result<u8> {
    let container = client.get(&format!("/containers/{}/json", escape(&args.container))).await?;
    let target = Target::new(format!("/containers/{}/logs", escape(container.text("Id"))))
        .with_flag("details", args.details)
        .with_flag("follow", args.follow)
        .with_text("since", &point("since", args.since.as_deref())?)
        .with_flag("stderr", true)
        .with_flag("stdout", true)
        .with("tail", &args.tail)
        .with_flag("timestamps", args.timestamps)
        .with_text("until", &point("until", args.until.as_deref())?)
        .done();
    let mut body = client.get_stream(&target).await?;
    let mut printer = Printer::new(!has_tty(&container));
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|e| CliError::Transport { request: "logs".into(), reason: e.to_string() })?;
        if let Some(data) = frame.data_ref() {
            printer.feed(data).await?;
        }
    }
    Ok(0)
}
