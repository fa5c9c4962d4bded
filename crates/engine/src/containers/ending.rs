//! The end of a container as the daemon sees it: hearing the shim's last word, and ending what is left where
//! there was none.

use std::sync::Arc;
use std::time::Duration;

use berth_linux::process::{PidFd, Process};
use berth_shim_proto::{Cgroup, Event, Exit, Identity, Message, files};
use tokio::sync::oneshot;

use super::actor::Command;
use super::record::Record;
use super::registry::Container;
use crate::engine::Inner;
use crate::supervisor::{self, Connection};
use crate::{Error, Result};

/// How long a process may take to end once it should.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// Waits for the shim's last word and passes it on.
pub async fn listen(container: Arc<Container>, engine: Arc<Inner>, mut connection: Connection, shim: Shim) {
    let id = container.id.clone();
    let told = loop {
        match connection.message().await {
            Ok(Message::Event { event: Event::Exited(exit) }) => break Some(exit),
            Ok(other) => tracing::debug!(id, ?other, "from the shim"),
            Err(failure) => {
                tracing::debug!(id, %failure, "the shim's connection ended");
                break None;
            }
        }
    };
    drop(connection);
    let ended = if let Some(exit) = told {
        // Its last act, giving the container's file system up, may take the kernel a while (it writes back what
        // is dirty). Who waits for the container need not wait for that.
        let (left, shim_gone) = oneshot::channel();
        let sent =
            container.inbox.send(Command::Ended { exit: Some(exit), shim_gone: Some(shim_gone) }).await;
        shim.gone(&id).await;
        drop::<oneshot::Sender<()>>(left);
        sent
    } else {
        // Its record is complete once it is gone.
        shim.gone(&id).await;
        let exit = read_exit(&engine, &id).unwrap_or_else(|error| {
            tracing::error!(id, %error, "an exit record cannot be read");
            None
        });
        container.inbox.send(Command::Ended { exit, shim_gone: None }).await
    };
    if ended.is_err() {
        tracing::debug!(id, "the container is gone already");
    }
}

/// Ends whatever lives in a container's control groups and removes them; with the run directory's word also
/// the shim and the first process.
pub async fn destroy_shim(engine: &Arc<Inner>, id: &str) -> Result<()> {
    let processes = match read_identity(engine, id) {
        Ok(identity) if identity.boot_id == engine.boot_id => {
            vec![(identity.shim_pid, identity.shim_start_time), (identity.pid, identity.start_time)]
        }
        _ => supervisor::find_unidentified(&engine.config.run_dir(id))?,
    };
    let (engine, id) = (engine.clone(), id.to_owned());
    tokio::task::spawn_blocking(move || {
        for (pid, start_time) in processes {
            kill_and_wait(pid, start_time)?;
        }
        remove_cgroups(&engine, &id)?;
        crate::files::remove_tree(&engine.config.run_dir(&id))
    })
    .await
    .map_err(|e| Error::Host { action: "ending a container".into(), source: e.into() })?
}

/// A shim died and left its container alone: end that too.
pub async fn destroy_remains(engine: &Arc<Inner>, record: &Record, process: Option<PidFd>) {
    let id = record.id();
    tracing::warn!(id, "a shim is gone without a word; its container is ended");
    if let Some(process) = process {
        let ended = tokio::task::spawn_blocking(move || {
            process.signal(9)?;
            process.wait_exit(Some(PATIENCE))
        });
        match ended.await {
            Ok(Ok(true)) => {}
            other => tracing::error!(id, ?other, "the container's process does not end"),
        }
    }
    if let Err(error) = destroy_shim(engine, id).await {
        tracing::error!(id, %error, "remains of a container were left behind");
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

/// Kills what is left in a container's control groups and removes them.
fn remove_cgroups(engine: &Inner, id: &str) -> Result<()> {
    for Cgroup { path, .. } in engine.cgroups_of(id) {
        let host = |e: berth_linux::Error| Error::Host {
            action: "removing a control group".into(),
            source: e.into(),
        };
        berth_linux::cgroup::kill_all(&path).map_err(host)?;
        berth_linux::cgroup::remove(&path).map_err(host)?;
    }
    Ok(())
}
