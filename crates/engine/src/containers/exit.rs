//! Recording the end of a container.

use std::time::Duration;

use berth_api_types::time::now_ns;
use berth_shim_proto::Exit;
use berth_store::containers::{self, Status};
use berth_store::{Durability, id_ranges};

use super::actor::Actor;
use super::ending;
use super::record::Record;
use crate::events;
use crate::{Caller, Result, files};

/// What inspect says of a container whose shim could not tell how it ended.
const SHIM_DIED: &str = "its shim (berth-shim) was killed or crashed, and the container was ended with it";

impl Actor {
    /// The program ended: one durable transaction, then the shim's record may go.
    pub(super) async fn ended(&mut self, exit: Option<Exit>) {
        let record = self.record();
        if !record.is_running() {
            return;
        }
        let id = record.row.id.clone();
        let (exit, error, clean) = match exit {
            Some(exit) => (exit, "", true),
            None => {
                let clean = ending::destroy_remains(&self.engine, &record, self.process.take()).await;
                let exit = Exit { code: 137, signal: Some(9), at_ns: now_ns(), oom_killed: false };
                (exit, SHIM_DIED, clean)
            }
        };
        self.process = None;
        // A full disk must not lose the exit: the record stays with the shim's files, and this is tried again.
        while let Err(error) = self.commit_exit(&record, &exit, error, clean).await {
            tracing::error!(id, %error, "an exit could not be recorded; trying again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if let Some(lease) = record.id_range.filter(|_| clean) {
            self.engine.ids.release(lease);
        }
        if clean {
            // Not waited for here: a client may be about to remove or start the container.
            let run_dir = self.engine.config.run_dir(&id);
            self.tidying = Some(tokio::task::spawn_blocking(move || files::remove_tree(&run_dir)));
        }
        if record.row.auto_remove
            && !self.restarting
            && let Err(error) = self.remove(&Caller::Engine, false).await
        {
            tracing::error!(id, %error, "a container was not removed after its end");
        }
    }

    /// `clean`: nothing of it lives any more. Else it keeps its host IDs, which no other container may get.
    async fn commit_exit(&self, record: &Record, exit: &Exit, error: &str, clean: bool) -> Result<()> {
        let id = record.row.id.clone();
        let row = containers::Exit {
            status: Status::Exited,
            finished_ns: exit.at_ns,
            exit_code: exit.code,
            error: error.to_owned(),
            oom_killed: exit.oom_killed,
        };
        let mut attributes = record.event_attributes();
        let oom = exit.oom_killed.then(|| attributes.clone());
        let seconds = (exit.at_ns - record.row.started_ns).max(0) / 1_000_000_000;
        attributes.insert("execDuration".into(), seconds.to_string());
        attributes.insert("exitCode".into(), exit.code.to_string());
        let visible = row.clone();
        let change = move |record: &mut Record| {
            record.row.status = visible.status;
            record.row.pid = None;
            record.row.start_time = None;
            record.row.boot_id = None;
            record.row.shim_pid = None;
            record.row.shim_start_time = None;
            record.row.finished_ns = visible.finished_ns;
            record.row.exit_code = visible.exit_code;
            record.row.error = visible.error;
            record.row.oom_killed = visible.oom_killed;
            record.id_range = record.id_range.filter(|_| !clean);
            record.exits += 1;
        };
        self.commit(Durability::Durable, Some(("die", attributes)), change, move |tx| {
            Box::pin(async move {
                containers::set_exited(tx, &id, &row).await?;
                if clean {
                    id_ranges::release(tx, &id).await?;
                }
                if let Some(attributes) = oom {
                    events::append(tx, "container", "oom", &id, attributes).await?;
                }
                Ok(())
            })
        })
        .await
    }
}
