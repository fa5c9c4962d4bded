//! `berth attach`.

use super::create::has_tty;
use super::run::{Wait, attach_target, check_tty};
use crate::client::Client;
use crate::client::query::escape;
use crate::error::{CliError, Result};
use crate::flags::body::Attach;
use crate::json::Doc;
use crate::session::{self, Ended, Session};
use crate::{cli, out, signals, terminal};

/// Flags of `attach`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string")]
    pub detach_keys: Option<String>,
    /// Do not attach STDIN
    #[arg(long)]
    pub no_stdin: bool,
    /// Proxy all received signals to the process
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "true",
          default_missing_value = "true", value_parser = cli::boolean, value_name = "bool")]
    pub sig_proxy: bool,
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

/// Connects the standard streams to a running container until it ends or the user detaches.
pub async fn attach(client: &Client, args: Args) -> Result<u8> {
    let container = client.get(&format!("/containers/{}/json", escape(&args.container))).await?;
    let state = |key: &str| container.at(&["State", key]) == Some(&Doc::Bool(true));
    if !state("Running") {
        return Err(CliError::options("cannot attach to a stopped container, start it first"));
    }
    if state("Paused") {
        return Err(CliError::options("cannot attach to a paused container, unpause it first"));
    }
    if state("Restarting") {
        return Err(CliError::options("cannot attach to a restarting container, wait until it is running"));
    }
    let (id, tty) = (container.text("Id"), has_tty(&container));
    let stdin = !args.no_stdin && container.at(&["Config", "OpenStdin"]) == Some(&Doc::Bool(true));
    check_tty(stdin, tty)?;
    let attach = Attach { stdin, stdout: true, stderr: true };
    let session = Session { tty, attach, detach_keys: session::detach_keys(args.detach_keys.as_deref())? };
    let waiting = Wait::open(client, id, "not-running").await?;
    if args.sig_proxy && !tty {
        session::forward_signals(client, id, signals::forwarded()?);
    }
    let connection = client.hijack(&attach_target(id, attach, args.detach_keys.as_deref())).await?;
    if tty && terminal::size().is_some() {
        session::follow_window_size(client, id).await?;
    }
    if session.run(connection).await? == Ended::Detached {
        out::warn("read escape sequence");
        return Ok(0);
    }
    waiting.status().await
}
