//! Attaching to a container's streams (`POST /containers/{id}/attach`) and setting its terminal's size.

use std::sync::Arc;
use std::time::Duration;

use berth_shim_proto::{Attach, Message, Reply, Request};
use tokio::sync::{mpsc, oneshot};

use super::actor::Command;
use super::ask;
use super::registry::Container;
use crate::engine::Inner;
use crate::supervisor::{self, Connection, Failure};
use crate::{Attachment, Caller, Engine, Error, LogOptions, LogStream, Output, Result};

/// What to attach to.
#[derive(Debug, Clone, Copy, Default)]
pub struct AttachOptions {
    /// Standard input, where the container has it open.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// What was written so far, from the log.
    pub logs: bool,
    /// What is written from now on.
    pub stream: bool,
}

impl Engine {
    /// Attaches to a container that runs, or that will be started.
    pub async fn container_attach(
        &self,
        caller: &Caller,
        name: &str,
        options: AttachOptions,
    ) -> Result<Attachment> {
        let container = self.0.containers.resolve(name)?;
        let record = container.record();
        match record.row.status {
            berth_store::containers::Status::Paused => {
                return Err(Error::Conflict(format!(
                    "container {name} is paused, unpause the container before attach"
                )));
            }
            berth_store::containers::Status::Restarting => {
                return Err(Error::Conflict(format!(
                    "container {name} is restarting, wait until the container is running"
                )));
            }
            _ => {}
        }
        let config = &record.definition.config;
        let what = Attach {
            stdin: options.stdin && options.stream && config.open_stdin,
            stdout: options.stdout,
            stderr: options.stderr,
            close_stdin_on_eof: config.stdin_once,
        };
        let live = if options.stream {
            let (give, stream) = oneshot::channel();
            let attachment =
                supervisor::open_attachment(stream, what, config.tty, self.0.config.data_root.clone());
            ask(&container, |answer| Command::Attach { what, give, answer }).await?;
            attachment
        } else {
            Attachment { tty: config.tty, output: mpsc::channel(1).1, input: None, ends_with_input: false }
        };
        if !options.logs {
            return Ok(live);
        }
        let past = LogOptions { stdout: options.stdout, stderr: options.stderr, ..LogOptions::default() };
        let past = self.container_logs(caller, name, past).await?;
        Ok(replay(past, live))
    }
}

/// The log first, then what is live.
fn replay(mut past: LogStream, live: Attachment) -> Attachment {
    let Attachment { tty, output: mut coming, input, ends_with_input } = live;
    let (sender, output) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Some(Ok(record)) = past.records.recv().await {
            if sender.send(Output { stream: record.stream, bytes: record.line }).await.is_err() {
                return;
            }
        }
        while let Some(output) = coming.recv().await {
            if sender.send(output).await.is_err() {
                return;
            }
        }
    });
    Attachment { tty, output, input, ends_with_input }
}

/// Asks the shim to set the terminal's size.
pub async fn resize(engine: &Arc<Inner>, container: &Container, height: u16, width: u16) -> Result<()> {
    let id = &container.id;
    let tty = container.record().definition.config.tty;
    let run_dir = engine.config.run_dir(id);
    let broken = |failure: Failure| Error::Shim {
        action: "talking to",
        id: id.clone(),
        source: std::io::Error::other(failure),
    };
    let conversation = async {
        let mut connection = Connection::connect(&run_dir).await.map_err(broken)?;
        let seq = connection.call(Request::Resize { height, width }).await.map_err(broken)?;
        loop {
            match connection.message().await.map_err(broken)? {
                Message::Reply { seq: of, reply } if of == seq => {
                    return match reply {
                        Reply::Done => Ok(()),
                        // Without a terminal there is nothing to set; Docker says nothing about it either.
                        Reply::Error { .. } if !tty => Ok(()),
                        Reply::Error { message, .. } => Err(Error::Conflict(message)),
                        other => Err(Error::Conflict(format!("the shim answered {other:?}"))),
                    };
                }
                _ => {}
            }
        }
    };
    let late = |_| Error::Deadline { step: "setting the terminal's size", id: id.clone(), seconds: 5 };
    tokio::time::timeout(Duration::from_secs(5), conversation).await.map_err(late)?
}
