//! Removing a container (`DELETE /containers/{id}`).

use std::sync::Arc;
use std::time::Duration;

use berth_store::containers::{self, Status};
use berth_store::{Durability, operations};

use super::actor::{Actor, Command, Purpose};
use super::record::Record;
use super::registry::Container;
use super::{ask, ending, lifecycle, signal};
use crate::blocking::blocking;
use crate::config::Config;
use crate::operations::Operation;
use crate::{Caller, Engine, Error, Result, files};

/// Deleting the files of a container may take this long; what a container wrote can be a lot.
const CLEARING: Duration = Duration::from_secs(600);
/// How often force is used again on a container that somebody else starts meanwhile.
const TRIES: u32 = 5;

/// How to remove.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemoveOptions {
    /// Kill it first if it runs.
    pub force: bool,
    /// Also its anonymous volumes.
    pub volumes: bool,
    /// Only a legacy link of this name.
    pub link: bool,
}

impl Engine {
    /// Removes a container and everything of it.
    pub async fn container_remove(&self, caller: &Caller, name: &str, options: RemoveOptions) -> Result<()> {
        let container = self.0.containers.resolve(name)?;
        if options.link {
            return Err(Error::NotImplemented("removing a link: legacy links need a bridge network".into()));
        }
        let record = container.record();
        lifecycle::remove(&record.row.name, record.row.status, options.force)?;
        remove(&container, caller, options.force).await
    }
}

async fn remove(container: &Arc<Container>, caller: &Caller, force: bool) -> Result<()> {
    let mut last = None;
    for _ in 0..TRIES {
        let record = container.record();
        if record.removed {
            return Ok(());
        }
        if record.is_running() {
            if !force {
                break;
            }
            signal::kill(container, caller, Purpose::Stop).await?;
            if record.row.auto_remove && removed_itself(container).await {
                return Ok(());
            }
        }
        let asking = caller.clone();
        match ask(container, |answer| Command::Remove { caller: asking, force, answer }).await {
            // Started while the request waited for its turn, or removed by its own end.
            Err(Error::Conflict(text)) if force && container.record().is_running() => {
                last = Some(Error::Conflict(text))
            }
            Err(Error::NoSuchContainer(_)) if container.record().removed => return Ok(()),
            other => return other,
        }
    }
    let record = container.record();
    lifecycle::remove(&record.row.name, record.row.status, force)?;
    Err(last.unwrap_or_else(|| Error::Conflict(format!("container {} keeps being started", container.id))))
}

/// Waits while a container removes itself at its end; false if that failed.
async fn removed_itself(container: &Container) -> bool {
    let mut watch = container.watch();
    let over = |record: &Arc<Record>| record.removed || record.row.status == Status::Dead;
    let waited = tokio::time::timeout(CLEARING, watch.wait_for(over)).await;
    waited.is_ok_and(|record| record.is_ok_and(|record| record.removed))
}

impl Actor {
    /// Removes the container: the intent, its files, its row.
    pub(super) async fn remove(&mut self, caller: &Caller, force: bool) -> Result<()> {
        let record = self.record();
        lifecycle::remove(&record.row.name, record.row.status, force)?;
        if record.is_running() {
            // The force was used before the request came here.
            return Err(Error::Conflict(format!(
                "container {} was started again while it was being removed",
                record.id()
            )));
        }
        let id = record.row.id.clone();
        let begin = Operation::Remove.begin(&id, caller);
        let change = |record: &mut Record| record.row.status = Status::Removing;
        self.commit(Durability::CrashSafe, None, change, move |tx| {
            Box::pin(async move {
                operations::begin(tx, &begin).await?;
                containers::set_status(tx, &id, Status::Removing).await
            })
        })
        .await?;
        if let Err(error) = self.finish_removal(&record).await {
            self.give_removal_up().await;
            return Err(error);
        }
        if let Some(lease) = record.id_range {
            self.engine.ids.release(lease);
        }
        crate::images::collect_layers(&self.engine, &record).await;
        Ok(())
    }

    async fn finish_removal(&mut self, record: &Record) -> Result<()> {
        let id = record.row.id.clone();
        if record.id_range.is_some() {
            // Something of it still lived when it ended.
            ending::destroy_shim(&self.engine, &id).await?;
        }
        let (engine, subject) = (self.engine.clone(), id.clone());
        let clearing = blocking("removing files", move || clear(&engine.config, &subject));
        let late =
            |_| Error::Deadline { step: "deleting files", id: id.clone(), seconds: CLEARING.as_secs() };
        tokio::time::timeout(CLEARING, clearing).await.map_err(late)??;
        // Nothing of it may be left when the client is told; the shim was busy ending all the while.
        self.wait_for_shim().await?;
        let engine = self.engine.clone();
        let change = move |record: &mut Record| {
            engine.containers.remove(record.id());
            record.removed = true;
        };
        let attributes = record.event_attributes();
        self.commit(Durability::Durable, Some(("destroy", attributes)), change, move |tx| {
            Box::pin(async move {
                operations::finish_of(tx, &id).await?;
                containers::delete(tx, &id).await?;
                Ok(())
            })
        })
        .await
    }

    /// A removal that failed leaves a container that can only be removed again.
    async fn give_removal_up(&self) {
        let id = self.container.id.clone();
        let dead = |record: &mut Record| record.row.status = Status::Dead;
        let written = self.commit(Durability::CrashSafe, None, dead, move |tx| {
            Box::pin(async move {
                operations::finish_of(tx, &id).await?;
                containers::set_status(tx, &id, Status::Dead).await
            })
        });
        if let Err(error) = written.await {
            // The operation stays on record, and the next start of the daemon finishes it.
            tracing::error!(id = self.container.id, %error, "a failed removal was not recorded");
            let mut record = Record::clone(&self.record());
            dead(&mut record);
            self.container.publish(Arc::new(record));
        }
    }
}

/// Deletes every file of a container; what is not there is fine. Blocks.
pub fn clear(config: &Config, id: &str) -> Result<()> {
    // Past errors, so that one stubborn directory does not keep the others.
    let outcomes = [
        files::remove_tree(&config.writable(id)),
        files::remove_tree(&config.bundle(id)),
        files::remove_tree(&config.run_dir(id)),
    ];
    outcomes.into_iter().collect()
}
