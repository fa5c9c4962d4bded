//! `berth run`: create, attach, wait, start, copy, exit code.
//!
//! The order matters. Streams are attached and the wait is opened before the start, so that a program which ends
//! at once loses neither its output nor its status; with `--rm` the wait is for the removal, after which there
//! would be nothing left to ask.

use std::time::Duration;

use super::create::{create_container, request};
use crate::client::Client;
use crate::client::query::{Target, escape};
use crate::error::{CliError, Result};
use crate::flags::body::Attach;
use crate::flags::create::CreateFlags;
use crate::json::Doc;
use crate::session::{self, Ended, Session};
use crate::{cli, out, signals, terminal};

/// Flags of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run container in background and print container ID
    #[arg(short, long)]
    pub detach: bool,
    /// Override the key sequence for detaching a container
    #[arg(long, value_name = "string")]
    pub detach_keys: Option<String>,
    /// Proxy received signals to the process
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "true",
          default_missing_value = "true", value_parser = cli::boolean, value_name = "bool")]
    pub sig_proxy: bool,
    /// What to create
    #[command(flatten)]
    pub create: CreateFlags,
    /// Print usage
    #[arg(long, action = clap::ArgAction::Help)]
    pub help: Option<bool>,
}

/// Runs a container; the result is its exit code unless it is detached.
pub async fn run(client: &Client, args: Args) -> Result<u8> {
    run_container(client, &args).await.map_err(|e| e.in_verb("run"))
}

async fn run_container(client: &Client, args: &Args) -> Result<u8> {
    let flags = &args.create;
    if args.detach && !flags.attach.is_empty() {
        out::warn("conflicting options: cannot specify both --attach and --detach");
        return Err(CliError::Reported { code: 1 });
    }
    let request = request(flags, args.detach)?;
    let keys = session::detach_keys(args.detach_keys.as_deref())?;
    if !args.detach {
        check_tty(request.attach.stdin, flags.tty)?;
    }
    let id = create_container(client, flags, &request).await?;
    // From here on an interrupt is meant for the container, even if it arrives before the start.
    let proxy = args.sig_proxy && !flags.tty && !args.detach;
    let signals = if proxy { Some(signals::forwarded()?) } else { None };
    let attached = if request.attach.any() {
        let target = attach_target(&id, request.attach, args.detach_keys.as_deref());
        let connection = client.hijack(&target).await?;
        let session = Session { tty: flags.tty, attach: request.attach, detach_keys: keys };
        Some(tokio::spawn(async move { session.run(connection).await }))
    } else {
        None
    };
    if args.detach {
        start(client, &id).await?;
        out::line(&id)?;
        return Ok(0);
    }
    let waiting = Wait::open(client, &id, if flags.rm { "removed" } else { "next-exit" }).await?;
    if let Err(error) = start(client, &id).await {
        if let Some(attached) = attached {
            attached.abort();
        }
        terminal::restore();
        if flags.rm {
            // The daemon removes what could not start; whoever looks next must not find it half gone.
            let _ = tokio::time::timeout(Duration::from_secs(10), waiting.status()).await;
        }
        return Err(error);
    }
    if let Some(signals) = signals {
        session::forward_signals(client, &id, signals);
    }
    if flags.tty && terminal::size().is_some() {
        session::follow_window_size(client, &id).await?;
    }
    if let Some(attached) = attached {
        match attached.await {
            Ok(ended) => {
                if ended? == Ended::Detached {
                    out::warn("read escape sequence");
                    return Ok(0);
                }
            }
            Err(e) => return Err(CliError::Transport { request: "attach".into(), reason: e.to_string() }),
        }
    } else {
        out::line(&id)?;
        return Ok(0);
    }
    waiting.status().await
}

/// docker's check: a terminal cannot be emulated from a pipe.
pub fn check_tty(stdin: bool, tty: bool) -> Result<()> {
    if stdin && tty && !terminal::stdin_is_terminal() {
        out::warn("the input device is not a TTY");
        return Err(CliError::Reported { code: 1 });
    }
    Ok(())
}

/// The attach request for some streams.
pub fn attach_target(id: &str, attach: Attach, detach_keys: Option<&str>) -> String {
    Target::new(format!("/containers/{}/attach", escape(id)))
        .with_text("detachKeys", detach_keys.unwrap_or(""))
        .with_flag("stderr", attach.stderr)
        .with_flag("stdin", attach.stdin)
        .with_flag("stdout", attach.stdout)
        .with_flag("stream", true)
        .done()
}

/// Starts a container.
pub async fn start(client: &Client, id: &str) -> Result<()> {
    client.post(&format!("/containers/{}/start", escape(id)), None).await.map(|_| ())
}

/// An open wait request: the daemon has registered it, the answer is still to come.
pub struct Wait {
    client: Client,
    response: http::Response<hyper::body::Incoming>,
}

impl Wait {
    /// Opens the wait; returns when the daemon has registered it.
    pub async fn open(client: &Client, id: &str, condition: &str) -> Result<Self> {
        let target =
            Target::new(format!("/containers/{}/wait", escape(id))).with("condition", condition).done();
        let response = client.send(http::Method::POST, &target, None, crate::client::empty()).await?;
        Ok(Self { client: client.clone(), response })
    }

    /// The exit code, when it comes.
    pub async fn status(self) -> Result<u8> {
        let text = self.client.text_of(self.response, "wait").await?;
        let answer = Doc::parse(&text)
            .map_err(|e| CliError::Answer { request: "wait".into(), reason: e.to_string() })?;
        if let Some(message) =
            answer.at(&["Error", "Message"]).and_then(Doc::as_str).filter(|m| !m.is_empty())
        {
            return Err(CliError::Daemon { status: 500, message: message.to_owned() });
        }
        // The kernel keeps eight bits of an exit status, and so does ours.
        Ok(answer.int("StatusCode").rem_euclid(256) as u8)
    }
}
