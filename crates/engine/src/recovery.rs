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
use berth_shim_proto::files;
use berth_store::containers::{self, ContainerRow, Status};
use berth_store::{Durability, events, id_ranges, operations};

use crate::containers::actor::Command;
use crate::containers::ending::{self, Shim};
use crate::containers::record::Record;
use crate::containers::registry::Container;
use crate::engine::Inner;
use crate::supervisor::Connection;
use crate::{Error, Result};

/// How long a shim may take to answer before it counts as stuck.
const RECONNECT: Duration = Duration::from_secs(5);

/// Brings everything into order.
pub async fn run(engine: &Arc<Inner>) -> Result<()> {
    let unfinished = operations::unfinished(&mut engine.store.read().await?).await?;
    for row in &unfinished {
        crate::operations::recover(engine, row).await?;
    }
    engine.images.reload(engine).await?;
    let rows = containers::all(&mut engine.store.read().await?).await?;
    let ranges = id_ranges::all(&mut engine.store.read().await?).await?;
    let mut returning = Vec::new();
    for row in rows {
        let range = ranges.iter().find(|range| range.container_id == row.id).map(|range| range.first);
        let mut record = match Record::decode(row) {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(%error, "a container is left out");
                continue;
            }
        };
        record.id_range = range;
        returning.push(tokio::spawn(restore(engine.clone(), record)));
    }
    for restored in returning {
        restored
            .await
            .map_err(|e| Error::Host { action: "restoring containers".into(), source: e.into() })??;
    }
    sweep(engine).await?;
    let keep = u32::try_from(engine.config.events_kept).unwrap_or(u32::MAX);
    let pruned = engine
        .store
        .write(Durability::CrashSafe, move |tx| Box::pin(async move { events::prune(tx, keep).await }))
        .await?;
    if pruned > 0 {
        tracing::debug!(pruned, "old events were dropped");
    }
    Ok(())
}

/// Gives a container its actor and finds out what became of it.
async fn restore(engine: Arc<Inner>, record: Record) -> Result<()> {
    let row = record.row.clone();
    if !record.is_running() {
        let removing = row.status == Status::Removing;
        crate::files::remove_tree(&engine.config.run_dir(&row.id))?;
        let container = crate::containers::launch(&engine, record, None);
        // Docker removes at boot what should have gone when it ended.
        if removing || (row.auto_remove && row.status == Status::Exited) {
            remove(&container, &row.id).await;
        }
        return Ok(());
    }
    let process = find(&engine, &row, row.pid, row.start_time)?;
    let shim = find(&engine, &row, row.shim_pid, row.shim_start_time)?;
    let socket = engine.config.run_dir(&row.id).join(files::SOCKET);
    let connection = match shim {
        Some(shim) => match tokio::time::timeout(RECONNECT, Connection::connect(&socket)).await {
            Ok(Ok(connection)) => Some((connection, Shim::Found(shim))),
            // It may have ended between our look and our call.
            outcome => {
                tracing::warn!(id = row.id, ?outcome, "a shim does not answer");
                if ending::read_exit(&engine, &row.id)?.is_none() {
                    end(shim).await;
                }
                None
            }
        },
        None => None,
    };
    let container = crate::containers::launch(&engine, record, process);
    match connection {
        Some((connection, shim)) => {
            tracing::info!(id = row.id, "container found again");
            tokio::spawn(ending::listen(container, engine, connection, shim));
        }
        None => {
            let exit = ending::read_exit(&engine, &row.id)?;
            tracing::info!(id = row.id, ?exit, "container ended while no daemon ran");
            let mut watch = container.watch();
            if container.inbox.send(Command::Ended { exit, shim_gone: None }).await.is_ok() {
                let _ = watch.wait_for(|record| !record.is_running()).await;
            }
        }
    }
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

async fn end(process: PidFd) {
    let ended = tokio::task::spawn_blocking(move || {
        process.signal(9)?;
        process.wait_exit(Some(RECONNECT))
    });
    if !matches!(ended.await, Ok(Ok(true))) {
        tracing::error!("a stuck shim does not end");
    }
}

async fn remove(container: &Arc<Container>, id: &str) {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let command = Command::Remove { caller: crate::Caller::Engine, force: true, answer };
    if container.inbox.send(command).await.is_err() {
        return;
    }
    if let Ok(Err(error)) = answered.await {
        tracing::error!(id, %error, "a container could not be removed at start");
    }
}

/// Takes away what no row speaks of.
async fn sweep(engine: &Arc<Inner>) -> Result<()> {
    let known: HashSet<String> =
        engine.containers.newest_first().into_iter().map(|(container, _)| container.id.clone()).collect();
    for id in strangers(&engine.config.runs(), &known)? {
        tracing::info!(id, "ending what a start without a row left behind");
        ending::destroy_shim(engine, &id).await?;
    }
    let sweeping = engine.clone();
    tokio::task::spawn_blocking(move || {
        for directory in [engine_dir(&sweeping, "containers"), engine_dir(&sweeping, "store/containers")] {
            for id in strangers(&directory, &known)? {
                tracing::info!(id, "sweeping files without a row");
                crate::files::remove_tree(&directory.join(id))?;
            }
        }
        for hierarchy in sweeping.hierarchies.for_containers() {
            let parent = hierarchy.dir(sweeping.cgroup_parent());
            let running: HashSet<String> = sweeping
                .containers
                .newest_first()
                .into_iter()
                .filter(|(_, record)| record.is_running())
                .map(|(container, _)| container.id.clone())
                .collect();
            for id in strangers(&parent, &running)? {
                let host = |e: berth_linux::Error| Error::Host {
                    action: "sweeping control groups".into(),
                    source: e.into(),
                };
                berth_linux::cgroup::kill_all(parent.join(&id)).map_err(host)?;
                berth_linux::cgroup::remove(parent.join(&id)).map_err(host)?;
            }
        }
        Ok::<_, Error>(())
    })
    .await
    .map_err(|e| Error::Host { action: "sweeping".into(), source: e.into() })??;
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
