//! Removing a container (`DELETE /containers/{id}`).

use super::actor::{Command, Purpose};
use super::{ask, lifecycle, signal, to_the_end};
use crate::config::Config;
use crate::{Caller, Engine, Error, Result, files};

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
        let caller = caller.clone();
        to_the_end(async move {
            if container.record().is_running() {
                signal::kill(&container, &caller, Purpose::Stop).await?;
                if container.record().row.auto_remove {
                    // It removes itself at its end; asked twice, it would refuse.
                    let mut watch = container.watch();
                    let _ = watch.wait_for(|record| record.removed).await;
                    return Ok(());
                }
            }
            let force = options.force;
            ask(&container, |answer| Command::Remove { caller, force, answer }).await
        })
        .await
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
