//! `berth start`.

use super::create::has_tty;
use super::run::{Wait, attach_target, start as start_one};
use crate::client::Client;
use crate::client::query::escape;
use crate::error::{CliError, Result};
use crate::flags::body::Attach;
use crate::json::Doc;
use crate::session::{self, Ended, Session};
use crate::{out, signals, terminal};

/// Flags of `start`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Attach STDOUT/STDERR and forward signals
    #[arg(short, long)]
    pub attach: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string")]
    pub detach_keys: Option<String>,
    /// Attach container's STDIN
    #[arg(short, long)]
    pub interactive: bool,
    /// Containers
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
}

/// Starts containers, or starts one and attaches to it.
pub async fn start(client: &Client, args: Args) -> Result<u8> {
    if args.attach || args.interactive {
        let [name] = args.containers.as_slice() else {
            return Err(CliError::options("you cannot start and attach multiple containers at once"));
        };
        return attached(client, name, &args).await;
    }
    let mut failures = Vec::new();
    for name in &args.containers {
        match start_one(client, name).await {
            Ok(()) => out::line(name)?,
            Err(error) => {
                out::warn(error);
                failures.push(name.as_str());
            }
        }
    }
    if failures.is_empty() {
        return Ok(0);
    }
    Err(CliError::options(format!("Error: failed to start containers: {}", failures.join(", "))))
}

async fn attached(client: &Client, name: &str, args: &Args) -> Result<u8> {
    let container = client.get(&format!("/containers/{}/json", escape(name))).await?;
    let (id, tty) = (container.text("Id").to_owned(), has_tty(&container));
    let on = |path: &[&str]| container.at(path) == Some(&Doc::Bool(true));
    let stdin = args.interactive && on(&["Config", "OpenStdin"]);
    let attach = Attach { stdin, stdout: true, stderr: true };
    let keys = session::detach_keys(args.detach_keys.as_deref())?;
    let signals = if tty { None } else { Some(signals::forwarded()?) };
    let connection = client.hijack(&attach_target(&id, attach, args.detach_keys.as_deref())).await?;
    let session = Session { tty, attach, detach_keys: keys };
    let running = tokio::spawn(async move { session.run(connection).await });
    let condition = if on(&["HostConfig", "AutoRemove"]) { "removed" } else { "next-exit" };
    let waiting = Wait::open(client, &id, condition).await?;
    if let Err(error) = start_one(client, &id).await {
        running.abort();
        terminal::restore();
        return Err(error);
    }
    if let Some(signals) = signals {
        session::forward_signals(client, &id, signals);
    }
    if tty && terminal::size().is_some() {
        session::follow_window_size(client, &id).await?;
    }
    match running.await {
        Ok(Ok(Ended::Detached)) => {
            out::warn("read escape sequence");
            Ok(0)
        }
        Ok(Ok(Ended::Closed)) => waiting.status().await,
        Ok(Err(error)) => Err(error),
        Err(e) => Err(CliError::Transport { request: "attach".into(), reason: e.to_string() }),
    }
}
