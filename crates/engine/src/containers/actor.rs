//! The one writer of a container's state.
//!
//! Each container has one task that reads its inbox. Requests and the shim's word arrive there in one order;
//! every step the task takes ends at once or has a deadline, so a stuck container holds up nobody but itself.
//! Waiting (for a process to end, for a timeout to pass) is done by whoever asked, on the published state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use berth_linux::process::PidFd;
use berth_shim_proto::{Attach, Exit};
use berth_store::{Durability, Tx, containers};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::record::Record;
use super::registry::Container;
use super::{lifecycle, start};
use crate::engine::Inner;
use crate::events;
use crate::supervisor;
use crate::{Caller, Changed, Error, Result};

/// Where the answer to a request goes. A requester that left is no reason to stop.
pub type Answer<T> = oneshot::Sender<Result<T>>;

/// Why a signal is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A client sends this very signal.
    Kill,
    /// The container is being stopped and stays so.
    Stop,
    /// The container is being restarted.
    Restart,
}

/// What an actor is asked or told.
#[derive(Debug)]
pub enum Command {
    /// Start it.
    Start {
        /// Who asks.
        caller: Caller,
        /// Whether it was started or ran already.
        answer: Answer<Changed>,
    },
    /// Send a signal to its first process.
    Signal {
        /// Who asks.
        caller: Caller,
        /// Signal number.
        signal: i32,
        /// Why.
        purpose: Purpose,
        /// Done.
        answer: Answer<()>,
    },
    /// Connect to its streams, now or when it starts.
    Attach {
        /// Which streams.
        what: Attach,
        /// Gets the stream from the shim.
        give: oneshot::Sender<UnixStream>,
        /// Done.
        answer: Answer<()>,
    },
    /// Give it another name.
    Rename {
        /// Who asks.
        caller: Caller,
        /// The new name, valid.
        name: String,
        /// Done.
        answer: Answer<()>,
    },
    /// Remove it; it must not run.
    Remove {
        /// Who asks.
        caller: Caller,
        /// Also one that is `dead` or whose earlier removal failed.
        force: bool,
        /// Done.
        answer: Answer<()>,
    },
    /// Write down something that happened to it.
    Announce {
        /// The event's action.
        action: &'static str,
        /// Attributes beyond the usual.
        attributes: Vec<(&'static str, String)>,
    },
    /// Its shim says it ended, or is gone without a word.
    Ended {
        /// Which run of it ended.
        run: u64,
        /// How, if the shim could tell.
        exit: Option<Exit>,
        /// Closes when the shim's process is gone too.
        shim_gone: Option<oneshot::Receiver<()>>,
    },
}

/// The task's own view.
pub struct Actor {
    pub(super) engine: Arc<Inner>,
    pub(super) container: Arc<Container>,
    /// The process, for signals: a handle, so that a reused PID is never meant.
    pub(super) process: Option<PidFd>,
    /// Attach streams that wait for the container to start.
    pub(super) waiting: Vec<(Attach, oneshot::Sender<UnixStream>)>,
    /// Closes when the shim of the last run is gone.
    shim_gone: Option<oneshot::Receiver<()>>,
    /// The run directory of the last run is being deleted.
    pub(super) tidying: Option<JoinHandle<Result<()>>>,
    /// Which run this is; the end of an earlier one must not be taken for the end of this.
    pub(super) run: u64,
    /// The next end is half of a restart.
    pub(super) restarting: bool,
}

/// Puts a container into the registry and starts its actor.
pub fn launch(engine: &Arc<Inner>, record: Record, process: Option<PidFd>) -> Arc<Container> {
    let (inbox, commands) = mpsc::channel(64);
    let container = Container::new(record, inbox);
    let actor = Actor {
        engine: engine.clone(),
        container: container.clone(),
        process,
        waiting: Vec::new(),
        shim_gone: None,
        tidying: None,
        run: 0,
        restarting: false,
    };
    engine.containers.insert(container.clone());
    tokio::spawn(actor.run(commands));
    container
}

impl Actor {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = commands.recv().await {
            match command {
                Command::Start { caller, answer } => {
                    let outcome = self.start(&caller).await;
                    let _ = answer.send(outcome);
                }
                Command::Signal { caller, signal, purpose, answer } => {
                    let _ = answer.send(self.signal(&caller, signal, purpose).await);
                }
                Command::Attach { what, give, answer } => {
                    let _ = answer.send(self.attach(what, give).await);
                }
                Command::Rename { caller, name, answer } => {
                    let _ = answer.send(self.rename(&caller, name).await);
                }
                Command::Remove { caller, force, answer } => {
                    let outcome = self.remove(&caller, force).await;
                    let _ = answer.send(outcome);
                }
                Command::Announce { action, attributes } => {
                    if let Err(error) = self.announce(action, attributes).await {
                        tracing::error!(id = self.container.id, action, %error, "an event was not recorded");
                    }
                }
                Command::Ended { run, exit, shim_gone } if run == self.run => {
                    self.shim_gone = shim_gone;
                    self.ended(exit).await;
                }
                Command::Ended { run, .. } => tracing::debug!(id = self.container.id, run, "an old end"),
            }
            if self.record().removed {
                return;
            }
        }
    }

    /// The present state.
    pub(super) fn record(&self) -> Arc<Record> {
        self.container.record()
    }

    /// Runs `job` in a transaction together with this container's event; when both are committed the change
    /// is made visible, before anybody is answered.
    pub(super) async fn commit<F>(
        &self,
        durability: Durability,
        event: Option<(&'static str, BTreeMap<String, String>)>,
        change: impl FnOnce(&mut Record) + Send + 'static,
        job: F,
    ) -> Result<()>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> berth_store::JobFuture<'t, (), berth_store::Error> + Send + 'static,
    {
        let container = self.container.clone();
        self.engine
            .store
            .write(durability, move |tx| {
                Box::pin(async move {
                    job(tx).await?;
                    if let Some((action, attributes)) = event {
                        events::append(tx, "container", action, &container.id, attributes).await?;
                    }
                    tx.on_commit(move || {
                        let mut record = Record::clone(&container.record());
                        change(&mut record);
                        container.publish(Arc::new(record));
                    });
                    Ok(())
                })
            })
            .await?;
        Ok(())
    }

    /// Waits until the last run's shim has given the container's file system up: it must not be mounted twice.
    pub(super) async fn wait_for_shim(&mut self) -> Result<()> {
        if let Some(tidying) = self.tidying.take() {
            let tidied = tidying.await;
            if !matches!(tidied, Ok(Ok(()))) {
                tracing::warn!(id = self.container.id, ?tidied, "a run directory was left behind");
            }
        }
        let Some(gone) = &mut self.shim_gone else { return Ok(()) };
        let seconds = 30;
        // Nothing is ever sent: the channel closes.
        if tokio::time::timeout(Duration::from_secs(seconds), gone).await.is_err() {
            let id = self.container.id.clone();
            return Err(Error::Deadline { step: "the end of the last run", id, seconds });
        }
        self.shim_gone = None;
        Ok(())
    }

    async fn start(&mut self, caller: &Caller) -> Result<Changed> {
        self.restarting = false;
        let record = self.record();
        match lifecycle::start(record.id(), record.row.status)? {
            lifecycle::Admission::AlreadyDone => return Ok(Changed::Already),
            lifecycle::Admission::Proceed => {}
        }
        match start::start(self, caller).await {
            Ok(()) => Ok(Changed::Yes),
            Err(error) => {
                // Like Docker: a container that is to vanish at its end vanishes when it cannot even begin.
                if self.record().row.auto_remove && !self.record().removed {
                    let id = self.container.id.clone();
                    if let Err(error) = self.remove(&Caller::Engine, true).await {
                        tracing::error!(id, %error, "a container that failed to start was not removed");
                    }
                }
                Err(error)
            }
        }
    }

    async fn signal(&mut self, caller: &Caller, signal: i32, purpose: Purpose) -> Result<()> {
        let record = self.record();
        lifecycle::kill(record.id(), record.row.status)?;
        let gone = || Error::Conflict(format!("container {} is not running", self.container.id));
        tracing::debug!(id = self.container.id, signal, ?caller, ?purpose, "signal");
        let sent = match &self.process {
            Some(process) => process.signal(signal).map_err(Error::host("sending a signal"))?,
            // It had ended before it could be opened.
            None => false,
        };
        if !sent {
            // It ended a moment ago and its shim's word is on the way.
            return if purpose == Purpose::Kill { Err(gone()) } else { Ok(()) };
        }
        let mut attributes = record.event_attributes();
        attributes.insert("signal".into(), signal.to_string());
        let id = record.row.id.clone();
        let stop = purpose == Purpose::Stop;
        let durability = if stop { record.policy_durability() } else { Durability::CrashSafe };
        // Docker keeps a container that removes itself at its end when that end is a restart's.
        self.restarting = purpose == Purpose::Restart;
        let change = move |record: &mut Record| {
            if stop {
                record.row.manually_stopped = true;
                record.row.desired = berth_store::containers::Desired::Stopped;
            }
        };
        self.commit(durability, Some(("kill", attributes)), change, move |tx| {
            Box::pin(async move {
                if stop {
                    containers::set_desired(tx, &id, berth_store::containers::Desired::Stopped, true).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn attach(&mut self, what: Attach, give: oneshot::Sender<UnixStream>) -> Result<()> {
        self.announce("attach", Vec::new()).await?;
        if !self.record().is_running() {
            self.waiting.retain(|(_, give)| !give.is_closed());
            self.waiting.push((what, give));
            return Ok(());
        }
        let stream = self.open_stream(what).await?;
        let _ = give.send(stream);
        Ok(())
    }

    /// Opens an attach stream to the running shim.
    pub(super) async fn open_stream(&self, what: Attach) -> Result<UnixStream> {
        let id = &self.container.id;
        let run_dir = self.engine.config.run_dir(id);
        let connect = supervisor::connect_attach(&run_dir, what);
        match tokio::time::timeout(Duration::from_secs(5), connect).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(failure)) => Err(Error::Shim {
                action: "attaching to",
                id: id.clone(),
                source: std::io::Error::other(failure),
            }),
            Err(_) => Err(Error::Deadline { step: "attaching", id: id.clone(), seconds: 5 }),
        }
    }

    async fn announce(&self, action: &'static str, attributes: Vec<(&'static str, String)>) -> Result<()> {
        let mut all = self.record().event_attributes();
        all.extend(attributes.into_iter().map(|(k, v)| (k.to_owned(), v)));
        self.commit(Durability::CrashSafe, Some((action, all)), |_| {}, |_| Box::pin(async { Ok(()) })).await
    }

    async fn rename(&mut self, _caller: &Caller, name: String) -> Result<()> {
        let record = self.record();
        let (id, old) = (record.row.id.clone(), record.row.name.clone());
        let mut attributes = record.event_attributes();
        attributes.insert("name".into(), name.clone());
        attributes.insert("oldName".into(), format!("/{old}"));
        let engine = self.engine.clone();
        let new = name.clone();
        let (row_id, row_name) = (id.clone(), name.clone());
        let change = move |record: &mut Record| {
            engine.containers.rename(&id, &old, &new);
            record.row.name = new;
        };
        self.commit(Durability::Durable, Some(("rename", attributes)), change, move |tx| {
            Box::pin(async move { containers::rename(tx, &row_id, &row_name).await })
        })
        .await?;
        // The name in the database counts; this copy is for the day the database is lost.
        if let Err(error) = super::create::write_rebuild(&self.engine.config, &self.record().row) {
            tracing::warn!(id = self.container.id, %error, "the new name was not written to the bundle");
        }
        Ok(())
    }
}
