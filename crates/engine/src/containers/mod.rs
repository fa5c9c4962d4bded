//! Containers: one file per use case, around one actor per container.

pub mod actor;
mod attach;
mod bundle;
mod create;
pub mod ending;
mod exit;
mod inspect;
pub mod lifecycle;
mod list;
mod log_file;
mod log_watch;
mod logs;
mod maps;
mod mounts;
mod names;
mod prune;
pub mod record;
pub mod registry;
pub mod remove;
mod signal;
mod start;
mod status;
mod wait;

pub use actor::launch;
pub use attach::AttachOptions;
pub use list::{ListOptions, is_stopped};
pub use log_watch::LogWatch;
pub use logs::LogOptions;
pub use remove::RemoveOptions;
pub use signal::StopOptions;
pub use wait::{WaitCondition, WaitHandle};

use std::sync::Arc;

use tokio::sync::oneshot;

use self::actor::{Answer, Command};
use self::registry::Container;
use crate::{Caller, Changed, Engine, Error, Result};

/// Sends a request to a container's actor and waits for the answer.
pub async fn ask<T>(container: &Arc<Container>, command: impl FnOnce(Answer<T>) -> Command) -> Result<T> {
    let (answer, answered) = oneshot::channel();
    let gone = |_| Error::NoSuchContainer(container.id.clone());
    container.inbox.send(command(answer)).await.map_err(|_| Error::NoSuchContainer(container.id.clone()))?;
    answered.await.map_err(gone)?
}

impl Engine {
    /// Starts a container (`POST /containers/{id}/start`).
    pub async fn container_start(&self, caller: &Caller, name: &str) -> Result<Changed> {
        let container = self.0.containers.resolve(name)?;
        let caller = caller.clone();
        ask(&container, |answer| Command::Start { caller, answer }).await
    }

    /// Gives a container another name (`POST /containers/{id}/rename`).
    pub async fn container_rename(&self, caller: &Caller, name: &str, new_name: &str) -> Result<()> {
        if name.is_empty() || new_name.is_empty() {
            return Err(Error::Invalid("Neither old nor new names may be empty".into()));
        }
        let container = self.0.containers.resolve(name)?;
        let refused = |error: Error| match error {
            Error::Invalid(text) => Error::Invalid(format!("Error when allocating new name: {text}")),
            taken @ Error::NameTaken { .. } => {
                Error::Conflict(format!("Error when allocating new name: {taken}"))
            }
            other => other,
        };
        let new = names::validate(new_name).map_err(refused)?;
        if container.record().row.name == new {
            return Err(Error::Invalid("Renaming a container with the same name as its current name".into()));
        }
        if let Some(holder) = self.0.containers.holder(&new) {
            return Err(refused(Error::NameTaken { name: new, holder }));
        }
        let caller = caller.clone();
        ask(&container, |answer| Command::Rename { caller, name: new, answer }).await.map_err(refused)
    }

    /// Sets the size of a container's terminal (`POST /containers/{id}/resize`).
    pub async fn container_resize(
        &self,
        _caller: &Caller,
        name: &str,
        height: u16,
        width: u16,
    ) -> Result<()> {
        let container = self.0.containers.resolve(name)?;
        let record = container.record();
        lifecycle::kill(record.id(), record.row.status)?;
        attach::resize(&self.0, &container, height, width).await?;
        let attributes = vec![("height", height.to_string()), ("width", width.to_string())];
        // A container that ended meanwhile has nothing more to announce.
        let _ = container.inbox.send(Command::Announce { action: "resize", attributes }).await;
        Ok(())
    }
}
