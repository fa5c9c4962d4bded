//! What happens before a new daemon takes its first request: the database and the host are brought together.
//!
//! 1. Interrupted operations are finished or taken back ([`crate::operations`]).
//! 2. Each container that should be running is looked for: its shim is connected to again, or the exit it
//!    wrote down is recorded, or what is left of it is ended.
//! 3. Whatever exists without a row is swept: directories, control groups, layers.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_linux::process::{PidFd, Process};
use berth_store::containers::{self as rows, ContainerRow, Status};
use berth_store::{id_ranges, operations};

use crate::blocking::blocking;
use crate::containers;
use crate::containers::actor::Command;
use crate::containers::ending::{self, Shim};
use crate::containers::record::Record;
use crate::containers::registry::Container;
use crate::engine::Inner;
use crate::ids::Lease;
use crate::supervisor::Connection;
use crate::{Error, Result};

/// How long the start of the daemon waits for one container.
const PATIENCE: Duration = Duration::from_secs(5);

/// Brings everything into order. What cannot be put in order is logged and left for the next start: one broken
/// container must not keep the others from their daemon.
pub async fn run(engine: &Arc<Inner>) -> Result<()> {
    let unfinished = operations::unfinished(&mut engine.store.read().await?).await?;
    for row in &unfinished {
        if let Err(error) = crate::operations::recover(engine, row).await {
            tracing::error!(operation = row.kind, subject = row.subject, %error, "an interrupted operation stays");
        }
    }
    engine.images.reload(engine).await?;
    let all = rows::all(&mut engine.store.read().await?).await?;
    let ranges = id_ranges::all(&mut engine.store.read().await?).await?;
    // Also of rows that cannot be read: their files are all there is of them.
    let known: HashSet<String> = all.iter().map(|row| row.id.clone()).collect();
    let mut returning = Vec::new();
    for row in all {
        let range = ranges.iter().find(|range| range.container_id == row.id);
        match Record::decode(row) {
            Ok(mut record) => {
                record.id_range = range.map(|range| Lease { first: range.first, size: range.size });
                returning.push(tokio::spawn(restore(engine.clone(), record)));
            }
            Err(error) => tracing::error!(%error, "a container is left out"),
        }
    }
    for restored in returning {
        let outcome = restored.await;
        if let Err(error) = outcome.map_err(Error::host("restoring")).flatten() {
            tracing::error!(%error, "a container could not be restored in full");
        }
    }
    if let Err(error) = sweep(engine, known).await {
        tracing::error!(%error, "something without a row stays");
    }
    Ok(())
}

/// Gives a container its actor and finds out what became of it.
async fn restore(engine: Arc<Inner>, record: Record) -> Result<()> {
    let row = record.row.clone();
    if !record.is_running() {
        let removing = row.status == Status::Removing;
        let leased = record.id_range.is_some();
        let mut record = record;
        if removing {
            // Nobody is at it any more.
            record.row.status = Status::Dead;
        }
        let container = containers::launch(&engine, record, None);
        // Docker removes at boot what should have gone when it ended.
        if removing || (row.auto_remove && row.status == Status::Exited) {
            remove(&container).await;
        }
        // With host IDs still leased something of it may live, and the directory says what: the next start or
        // removal ends that first.
        if leased {
            return Ok(());
        }
        return crate::files::remove_tree(&engine.config.run_dir(&row.id));
    }
    let process = find(&engine, &row, row.pid, row.start_time)?;
    let shim = find(&engine, &row, row.shim_pid, row.shim_start_time)?;
    let container = containers::launch(&engine, record, process);
    let Some(shim) = shim else {
        let exit = ending::read_exit(&engine, &row.id).unwrap_or_else(|error| {
            tracing::error!(id = row.id, %error, "an exit record cannot be read");
            None
        });
        tracing::info!(id = row.id, ?exit, "container ended while no daemon ran");
        let mut watch = container.watch();
        if container.inbox.send(Command::Ended { run: 0, exit, shim_gone: None }).await.is_ok() {
            // Its actor goes on trying if this cannot be recorded now.
            let ended = watch.wait_for(|record| !record.is_running());
            if tokio::time::timeout(PATIENCE, ended).await.is_err() {
                tracing::error!(id = row.id, "an end could not be recorded yet");
            }
        }
        return Ok(());
    };
    let run_dir = engine.config.run_dir(&row.id);
    let connection = match tokio::time::timeout(PATIENCE, Connection::connect(&run_dir)).await {
        Ok(Ok(connection)) => {
            tracing::info!(id = row.id, "container found again");
            Some(connection)
        }
        // It is about to end, or stuck for now: whoever listens goes on trying for as long as it lives.
        outcome => {
            tracing::warn!(id = row.id, ?outcome, "a shim does not answer yet");
            None
        }
    };
    tokio::spawn(ending::listen(container, engine, connection, Shim::Found(shim), 0));
    Ok(())
}

/// A process of this boot, if it still is the one that was written down.
fn find(
    engine: &Inner,
    row: &ContainerRow,
    pid: Option<i32>,
    start_time: Option<i64>,
) -> Result<Option<PidFd>> {
    let (Some(pid), Some(start_time)) = (pid, start_time) else { return Ok(None) };
    if row.boot_id.as_deref() != Some(engine.boot_id.as_str()) {
        return Ok(None);
    }
    Process::open(pid, start_time.cast_unsigned())
        .map_err(|e| Error::Host { action: format!("looking for process {pid}"), source: e.into() })
}

async fn remove(container: &Arc<Container>) {
    let command = |answer| Command::Remove { caller: crate::Caller::Engine, force: true, answer };
    if let Err(error) = containers::ask(container, command).await {
        tracing::error!(id = container.id, %error, "a container could not be removed at start");
    }
}

/// Takes away what no row speaks of.
async fn sweep(engine: &Arc<Inner>, known: HashSet<String>) -> Result<()> {
    for id in strangers(&engine.config.runs(), &known)? {
        tracing::info!(id, "ending what a start without a row left behind");
        if let Err(error) = ending::destroy_shim(engine, &id).await {
            tracing::error!(id, %error, "it stays");
        }
    }
    let sweeping = engine.clone();
    blocking("sweeping", move || {
        for directory in [engine_dir(&sweeping, "containers"), engine_dir(&sweeping, "store/containers")] {
            for id in strangers(&directory, &known)? {
                tracing::info!(id, "sweeping files without a row");
                crate::files::remove_tree(&directory.join(id))?;
            }
        }
        // A container that ended has no control groups; one whose row cannot be read may be running.
        let ended: HashSet<String> = sweeping
            .containers
            .newest_first()
            .into_iter()
            .filter(|(_, record)| !record.is_running())
            .map(|(container, _)| container.id.clone())
            .collect();
        let keep = known.difference(&ended).cloned().collect();
        for hierarchy in sweeping.hierarchies.for_containers() {
            let parent = hierarchy.dir(sweeping.cgroup_parent());
            for id in strangers(&parent, &keep)? {
                ending::end_cgroup(&parent.join(&id))?;
            }
        }
        Ok::<_, Error>(())
    })
    .await?;
    engine.sweep_layers().await
}

fn engine_dir(engine: &Inner, name: &str) -> std::path::PathBuf {
    engine.config.data_root.join(name)
}

/// Names of directories that are not among the known.
fn strangers(directory: &Path, known: &HashSet<String>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(Error::file("reading", directory))? {
        let entry = entry.map_err(Error::file("reading", directory))?;
        let is_dir = entry.file_type().map_err(Error::file("reading", directory))?.is_dir();
        match entry.file_name().into_string() {
            Ok(name) if is_dir && !known.contains(&name) => found.push(name),
            _ => {}
        }
    }
    Ok(found)
}
