//! The end of a container as the daemon sees it: hearing the shim's last word, and ending what is left where
//! there was none.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_linux::process::{PidFd, Process};
use berth_shim_proto::{Cgroup, Event, Exit, Identity, Message, files};
use tokio::sync::oneshot;

use super::actor::Command;
use super::record::Record;
use super::registry::Container;
use crate::blocking::blocking;
use crate::engine::Inner;
use crate::supervisor::{self, Connection};
use crate::{Error, Result};

/// How long a process may take to end once it should.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a shim may take to answer a new connection.
const ANSWER: Duration = Duration::from_secs(5);
/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(20);

/// What the shim wrote down about itself and its container.
pub fn read_identity(engine: &Inner, id: &str) -> Result<Identity> {
    let path = engine.config.run_dir(id).join(files::IDENTITY);
    let bytes = std::fs::read(&path).map_err(Error::file("reading", &path))?;
    serde_json::from_slice(&bytes).map_err(|e| Error::file("decoding", &path)(e.into()))
}

/// How it ended, as the shim wrote it down; `None` while it has not.
pub fn read_exit(engine: &Inner, id: &str) -> Result<Option<Exit>> {
    let path = engine.config.run_dir(id).join(files::EXIT);
    match std::fs::read(&path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::file("decoding", &path)(e.into()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("reading", &path)(error)),
    }
}

/// A shim's process.
#[derive(Debug)]
pub enum Shim {
    /// Started by this daemon, which has to reap it.
    Child(tokio::process::Child),
    /// Started by an earlier one.
    Found(PidFd),
}

impl Shim {
    /// Whether it has ended.
    fn has_ended(&mut self) -> std::io::Result<bool> {
        match self {
            Shim::Child(child) => Ok(child.try_wait()?.is_some()),
            Shim::Found(process) => Ok(process.has_exited()?),
        }
    }

    /// Waits until it is gone, and with it its hold on the container's file system. One that hangs is ended.
    async fn gone(self, id: &str) {
        let waited = match self {
            Shim::Child(mut child) => match tokio::time::timeout(PATIENCE, child.wait()).await {
                Ok(waited) => waited.map(drop),
                Err(_) => {
                    tracing::warn!(id, "a shim did not end after its container and is killed");
                    child.kill().await
                }
            },
            Shim::Found(process) => tokio::task::spawn_blocking(move || {
                if !process.wait_exit(Some(PATIENCE))? {
                    process.signal(9)?;
                }
                Ok(())
            })
            .await
            .unwrap_or_else(|error| Err(error.into())),
        };
        if let Err(error) = waited {
            tracing::error!(id, %error, "waiting for a shim to end");
        }
    }
}

/// Waits for the shim's last word on this `run` of the container and passes it on. Only the end of the shim's
/// process counts as its end: a connection that breaks is opened again.
pub async fn listen(
    container: Arc<Container>,
    engine: Arc<Inner>,
    mut connection: Option<Connection>,
    mut shim: Shim,
    run: u64,
) {
    let id = container.id.clone();
    let run_dir = engine.config.run_dir(&id);
    let told = loop {
        let Some(open) = &mut connection else {
            match shim.has_ended() {
                Ok(true) => break None,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(id, %error, "a shim's process cannot be watched");
                    break None;
                }
            }
            match tokio::time::timeout(ANSWER, Connection::connect(&run_dir)).await {
                Ok(Ok(again)) => connection = Some(again),
                // It is just ending, or stuck.
                _ => tokio::time::sleep(PAUSE).await,
            }
            continue;
        };
        match open.message().await {
            Ok(Message::Event { event: Event::Exited(exit) }) => break Some(exit),
            Ok(other) => tracing::debug!(id, ?other, "from the shim"),
            Err(failure) => {
                tracing::debug!(id, %failure, "the shim's connection ended");
                connection = None;
            }
        }
    };
    drop(connection);
    let ended = if let Some(exit) = told {
        // Its last act, giving the container's file system up, may take the kernel a while (it writes back what
        // is dirty). Who waits for the container need not wait for that.
        let (left, shim_gone) = oneshot::channel();
        let ended = Command::Ended { run, exit: Some(exit), shim_gone: Some(shim_gone) };
        let sent = container.inbox.send(ended).await;
        shim.gone(&id).await;
        drop::<oneshot::Sender<()>>(left);
        sent
    } else {
        // Its record is complete now that it is gone.
        let exit = read_exit(&engine, &id).unwrap_or_else(|error| {
            tracing::error!(id, %error, "an exit record cannot be read");
            None
        });
        shim.gone(&id).await;
        container.inbox.send(Command::Ended { run, exit, shim_gone: None }).await
    };
    if ended.is_err() {
        tracing::debug!(id, "the container is gone already");
    }
}

/// Ends whatever lives in a container's control groups and removes them; with the run directory's word also
/// the shim and the first process.
pub async fn destroy_shim(engine: &Arc<Inner>, id: &str) -> Result<()> {
    let (engine, id) = (engine.clone(), id.to_owned());
    blocking("ending a container", move || {
        let processes = match read_identity(&engine, &id) {
            Ok(identity) if identity.boot_id == engine.boot_id => {
                vec![(identity.shim_pid, identity.shim_start_time), (identity.pid, identity.start_time)]
            }
            _ => supervisor::find_unidentified(&engine.config.run_dir(&id))?,
        };
        for (pid, start_time) in processes {
            kill_and_wait(pid, start_time)?;
        }
        for Cgroup { path, .. } in engine.cgroups_of(&id) {
            end_cgroup(&path)?;
        }
        crate::files::remove_tree(&engine.config.run_dir(&id))
    })
    .await
}

/// A shim died and left its container alone: end that too. False if something of it could not be ended.
pub async fn destroy_remains(engine: &Arc<Inner>, record: &Record, process: Option<PidFd>) -> bool {
    let id = record.id();
    tracing::warn!(id, "a shim is gone without a word; its container is ended");
    if let Some(process) = process {
        let ended = tokio::task::spawn_blocking(move || {
            process.signal(9)?;
            process.wait_exit(Some(PATIENCE))
        });
        match ended.await {
            Ok(Ok(true)) => {}
            other => {
                tracing::error!(id, ?other, "the container's process does not end");
                return false;
            }
        }
    }
    match destroy_shim(engine, id).await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(id, %error, "remains of a container were left behind");
            false
        }
    }
}

fn kill_and_wait(pid: i32, start_time: u64) -> Result<()> {
    let host =
        |e: berth_linux::Error| Error::Host { action: format!("ending process {pid}"), source: e.into() };
    if let Some(process) = Process::open(pid, start_time).map_err(host)? {
        process.signal(9).map_err(host)?;
        if !process.wait_exit(Some(PATIENCE)).map_err(host)? {
            return Err(Error::Host {
                action: format!("ending process {pid}"),
                source: std::io::ErrorKind::TimedOut.into(),
            });
        }
    }
    Ok(())
}

/// Kills what is left in a control group and removes it. Blocks.
pub fn end_cgroup(path: &Path) -> Result<()> {
    berth_linux::cgroup::kill_all(path).map_err(Error::host("removing a control group"))?;
    berth_linux::cgroup::remove(path).map_err(Error::host("removing a control group"))
}
