//! Starting a container: lease, bundle, shim, and the way back from each.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use berth_linux::process::{PidFd, Process};
use berth_shim_proto::{Event, Launch, Log, Request, Rootfs, Stdio};
use berth_store::containers::Status;
use berth_store::id_ranges::IdRangeRow;
use berth_store::{Durability, containers, id_ranges, operations};

use super::actor::Actor;
use super::ending::{Shim, destroy_shim, listen, read_identity};
use super::record::{Definition, Record};
use super::{bundle, maps};
use crate::blocking::blocking;
use crate::engine::Inner;
use crate::ids::Lease;
use crate::operations::Operation;
use crate::spec::oci::IdMapping;
use crate::spec::validate::{LogDriver, TagFacts};
use crate::spec::{self, ValidatedConfig};
use crate::supervisor::{self, Connection, Failure};
use crate::{Caller, Error, Result};

/// A start that takes longer than this has failed.
const DEADLINE: Duration = Duration::from_secs(60);

/// What is known once the shim says that the program was executed.
struct Begun {
    pid: i32,
    start_time: u64,
    shim_pid: i32,
    shim_start_time: u64,
    started_ns: i64,
    /// `None` if it has ended already: the program may be faster than its announcement.
    process: Option<PidFd>,
}

/// Starts the container of `actor`. When this fails nothing is left but the error in its state.
pub async fn start(actor: &mut Actor, caller: &Caller) -> Result<()> {
    let engine = actor.engine.clone();
    let record = actor.record();
    let id = record.row.id.clone();
    let valid = match admit(actor, &record).await {
        Ok(valid) => valid,
        Err(error) => {
            write_down(actor, &error).await;
            return Err(error);
        }
    };
    let blocks =
        if valid.namespaces().user.is_own() { maps::blocks(&engine.images, &record) } else { Vec::new() };
    let range = lease(&engine, &record, &blocks, caller).await?;
    let mappings = range.map(|lease| maps::extents(&blocks, lease)).unwrap_or_default();
    let launched = tokio::time::timeout(DEADLINE, launch(actor, &record, valid, mappings)).await;
    let late = || Error::Deadline { step: "the start", id: id.clone(), seconds: DEADLINE.as_secs() };
    match launched.unwrap_or_else(|_| Err(late())) {
        Ok((begun, connection, child)) => {
            actor.process = begun.process;
            let running = containers::Running {
                pid: begun.pid,
                start_time: begun.start_time.cast_signed(),
                boot_id: engine.boot_id.clone(),
                shim_pid: begun.shim_pid,
                shim_start_time: begun.shim_start_time.cast_signed(),
                started_ns: begun.started_ns,
            };
            actor.run += 1;
            let committed = commit_running(actor, running, range).await;
            // From here on the shim's word must be heard, whatever became of the commit.
            let (container, shim) = (actor.container.clone(), Shim::Child(child));
            tokio::spawn(listen(container, engine.clone(), Some(connection), shim, actor.run));
            if let Err(error) = committed {
                roll_back(actor, range, &error).await;
                return Err(error);
            }
            Ok(())
        }
        Err(error) => {
            tracing::info!(id, %error, "a container did not start");
            roll_back(actor, range, &error).await;
            Err(error)
        }
    }
}

/// What has to hold before anything is done.
async fn admit(actor: &mut Actor, record: &Record) -> Result<ValidatedConfig> {
    let definition = &record.definition;
    let facts = &actor.engine.host_facts;
    let valid = spec::stored(definition.config.clone(), definition.host_config.clone(), facts)?;
    check_network(definition)?;
    actor.wait_for_shim().await?;
    if record.id_range.is_some() {
        // What was left of an earlier run could not be ended then, and kept its host IDs. It has to go first.
        destroy_shim(&actor.engine, record.id()).await?;
    }
    Ok(valid)
}

/// A start that was refused shows in inspect, like one that failed.
async fn write_down(actor: &Actor, error: &Error) {
    let id = actor.container.id.clone();
    let (code, text) = outcome(error);
    let message = text.clone();
    let change = move |record: &mut Record| {
        record.row.exit_code = code;
        record.row.error = text;
    };
    let written = actor.commit(Durability::CrashSafe, None, change, move |tx| {
        Box::pin(async move { containers::set_error(tx, &id, code, &message).await })
    });
    if let Err(error) = written.await {
        tracing::error!(id = actor.container.id, %error, "a refused start was not recorded");
    }
}

/// Exit code and words that inspect shows of a start that did not succeed.
fn outcome(error: &Error) -> (i32, String) {
    match error {
        Error::StartFailed { code, message } => (*code, message.clone()),
        other => (128, other.to_string()),
    }
}

/// There are no networks but those that need none.
fn check_network(definition: &Definition) -> Result<()> {
    match definition.host_config.network_mode.as_str() {
        "" | "default" | "bridge" | "none" | "host" => Ok(()),
        other => Err(Error::NotFound(format!("network {other} not found"))),
    }
}

/// The intent: the operation's row and the lease of host IDs, before anything else happens.
async fn lease(
    engine: &Arc<Inner>,
    record: &Record,
    blocks: &[u32],
    caller: &Caller,
) -> Result<Option<Lease>> {
    let begin = Operation::Start.begin(record.id(), caller);
    let count = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
    let lease = match count {
        0 => None,
        count => Some(match engine.ids.lease_at_hand(count) {
            Some(lease) => lease,
            None => {
                let engine = engine.clone();
                blocking("leasing host IDs", move || engine.ids.lease(count)).await?
            }
        }),
    };
    let id = record.row.id.clone();
    let held = record.id_range.is_some();
    let written = engine
        .store
        .write(Durability::CrashSafe, move |tx| {
            Box::pin(async move {
                operations::begin(tx, &begin).await?;
                if held {
                    // One that an earlier run could not give back is in the way of its own container.
                    id_ranges::release(tx, &id).await?;
                }
                if let Some(Lease { first, size }) = lease {
                    id_ranges::insert(tx, &IdRangeRow { first, size, container_id: id }).await?;
                }
                Ok(())
            })
        })
        .await;
    // Whichever of the two is not in the table now.
    let unused = if written.is_ok() { record.id_range } else { lease };
    if let Some(unused) = unused {
        engine.ids.release(unused);
    }
    written?;
    Ok(lease)
}

async fn launch(
    actor: &mut Actor,
    record: &Arc<Record>,
    valid: ValidatedConfig,
    mappings: Vec<IdMapping>,
) -> Result<(Begun, Connection, tokio::process::Child)> {
    let engine = actor.engine.clone();
    let id = record.row.id.clone();
    let log = log(&engine, record, &valid);
    // The bundle is written while the shim is being executed: it reads nothing before it is asked to.
    let writing = bundle::begin_writing(&engine, record, valid, mappings);
    let run_dir = engine.config.run_dir(&id);
    // One that a crash left behind would speak of an earlier run.
    crate::files::remove_tree(&run_dir)?;
    crate::files::make_dir(&run_dir, 0o700)?;
    let (mut connection, mut child) =
        supervisor::spawn(&engine.shim, &id, &engine.config.bundle(&id), &run_dir)?;
    let conversation = async {
        let prepared = writing.await.map_err(Error::host("writing a bundle"))??;
        converse(actor, &mut connection, launch_request(&engine, record, log, prepared)).await
    };
    match conversation.await {
        Ok(begun) => Ok((begun, connection, child)),
        Err(error) => {
            drop(connection);
            // A shim that failed in order has cleaned up and ends by itself.
            if tokio::time::timeout(Duration::from_secs(2), child.wait()).await.is_err() {
                let _ = child.start_kill();
                let _ = child.wait().await;
            }
            Err(error)
        }
    }
}

/// Hello, launch, start: pipelined, unless clients wait to be attached between creation and start.
async fn converse(actor: &mut Actor, connection: &mut Connection, launch: Launch) -> Result<Begun> {
    let id = actor.container.id.clone();
    let broken = |failure: Failure| Error::Shim {
        action: "talking to",
        id: id.clone(),
        source: std::io::Error::other(failure),
    };
    actor.waiting.retain(|(_, give)| !give.is_closed());
    let waiting = std::mem::take(&mut actor.waiting);
    connection.send_hello().await.map_err(broken)?;
    connection.call(Request::Launch(Box::new(launch))).await.map_err(broken)?;
    if waiting.is_empty() {
        connection.call(Request::Start).await.map_err(broken)?;
    }
    connection.receive_hello().await.map_err(broken)?;
    let mut created = None;
    loop {
        match connection.event().await.map_err(broken)? {
            Event::Created { pid, start_time, warnings } => {
                for warning in warnings {
                    tracing::warn!(id, warning, "a container was not set up quite as asked");
                }
                created = Some((pid, start_time, process(&id, pid, start_time)?));
                if !waiting.is_empty() {
                    break;
                }
            }
            Event::Started { at_ns } => return begun(actor, created, at_ns).await,
            other => return Err(failed(&id, other)),
        }
    }
    // Clients are connected before the program runs, so that they miss nothing.
    for (what, give) in waiting {
        if !give.is_closed() {
            let stream = actor.open_stream(what).await?;
            let _ = give.send(stream);
        }
    }
    connection.call(Request::Start).await.map_err(broken)?;
    match connection.event().await.map_err(broken)? {
        Event::Started { at_ns } => begun(actor, created, at_ns).await,
        other => Err(failed(&id, other)),
    }
}

fn process(id: &str, pid: i32, start_time: u64) -> Result<Option<PidFd>> {
    Process::open(pid, start_time).map_err(|e| Error::Host {
        action: format!("opening process {pid} of container {id}"),
        source: e.into(),
    })
}

async fn begun(actor: &Actor, created: Option<(i32, u64, Option<PidFd>)>, started_ns: i64) -> Result<Begun> {
    let id = &actor.container.id;
    let (pid, start_time, process) =
        created.ok_or_else(|| failed(id, Event::Started { at_ns: started_ns }))?;
    let identity = read_identity(&actor.engine, id)?;
    Ok(Begun {
        pid,
        start_time,
        process,
        shim_pid: identity.shim_pid,
        shim_start_time: identity.shim_start_time,
        started_ns,
    })
}

/// Docker's sentence around the cause; its clients look for the cause in it.
fn failed(id: &str, event: Event) -> Error {
    match event {
        // Docker looks users up before it asks its runtime for anything.
        Event::Failed { phase, message, .. } if phase == "look up user" => {
            Error::StartFailed { message, code: 128 }
        }
        Event::Failed { phase, message, code, .. } => {
            let cause = if message.starts_with("exec: ") || phase.is_empty() {
                message
            } else {
                format!("{phase}: {message}")
            };
            Error::StartFailed {
                message: format!(
                    "failed to create task for container: failed to create shim task: OCI runtime create failed: unable to start container process: {cause}: unknown"
                ),
                code,
            }
        }
        other => Error::Shim {
            action: "talking to",
            id: id.to_owned(),
            source: std::io::Error::other(format!("unexpected event {other:?}")),
        },
    }
}

fn launch_request(engine: &Inner, record: &Record, log: Log, prepared: bundle::Prepared) -> Launch {
    let config = &record.definition.config;
    let host = &record.definition.host_config;
    let [height, width] = host.console_size.map(|n| u16::try_from(n).unwrap_or(0));
    let writable = PathBuf::from("../containers").join(record.id());
    Launch {
        id: record.row.id.clone(),
        rootfs: Rootfs {
            store: engine.config.layer_store(),
            layers: PathBuf::from("layers"),
            lowers: record.definition.layers.iter().map(PathBuf::from).collect(),
            upper: writable.join("u"),
            work: writable.join("w"),
            readonly: host.readonly_rootfs,
        },
        user: config.user.clone(),
        additional_groups: host.group_add.clone().unwrap_or_default(),
        seccomp: prepared.seccomp,
        stdio: Stdio {
            tty: config.tty,
            open_stdin: config.open_stdin,
            size: (height > 0 && width > 0).then_some((height, width)),
        },
        log,
        cgroups: prepared.cgroups,
    }
}

/// Where a container logs to.
fn log(engine: &Inner, record: &Record, valid: &ValidatedConfig) -> Log {
    match valid.log() {
        LogDriver::None => Log::None,
        LogDriver::JsonFile { max_size, max_file, extra } => Log::JsonFile {
            path: engine.config.bundle(record.id()).join(format!("{}-json.log", record.id())),
            max_size: *max_size,
            max_file: *max_file,
            attrs: extra.attrs(
                &record.definition.config,
                TagFacts {
                    id: record.id(),
                    name: &record.row.name,
                    image_id: &record.row.image_id,
                    image: &record.row.image_ref,
                },
            ),
        },
    }
}

async fn commit_running(actor: &Actor, running: containers::Running, range: Option<Lease>) -> Result<()> {
    let id = actor.container.id.clone();
    let visible = running.clone();
    let change = move |record: &mut Record| {
        record.row.status = Status::Running;
        record.row.desired = berth_store::containers::Desired::Running;
        record.row.manually_stopped = false;
        record.row.pid = Some(visible.pid);
        record.row.start_time = Some(visible.start_time);
        record.row.boot_id = Some(visible.boot_id);
        record.row.shim_pid = Some(visible.shim_pid);
        record.row.shim_start_time = Some(visible.shim_start_time);
        record.row.started_ns = visible.started_ns;
        record.row.exit_code = 0;
        record.row.error = String::new();
        record.row.oom_killed = false;
        record.id_range = range;
    };
    let attributes = actor.record().event_attributes();
    actor
        .commit(actor.record().policy_durability(), Some(("start", attributes)), change, move |tx| {
            Box::pin(async move {
                containers::set_running(tx, &id, &running).await?;
                operations::finish_of(tx, &id).await?;
                Ok(())
            })
        })
        .await
}

/// Takes every step of a start back and writes down why.
async fn roll_back(actor: &mut Actor, range: Option<Lease>, error: &Error) {
    let engine = actor.engine.clone();
    let id = actor.container.id.clone();
    actor.process = None;
    let destroyed = destroy_shim(&engine, &id).await;
    if let Err(error) = &destroyed {
        tracing::error!(id, %error, "remains of a failed start were left behind and keep its host IDs");
    }
    let clean = destroyed.is_ok();
    let (code, text) = outcome(error);
    let (subject, message) = (id.clone(), text.clone());
    let change = move |record: &mut Record| {
        record.row.exit_code = code;
        record.row.error = text;
        record.id_range = range.filter(|_| !clean);
    };
    let written = actor
        .commit(Durability::CrashSafe, None, change, move |tx| {
            Box::pin(async move {
                containers::set_error(tx, &subject, code, &message).await?;
                // Left on record otherwise: the next start or boot tries again.
                if clean {
                    id_ranges::release(tx, &subject).await?;
                    operations::finish_of(tx, &subject).await?;
                }
                Ok(())
            })
        })
        .await;
    match (written, range.filter(|_| clean)) {
        (Ok(()), Some(lease)) => engine.ids.release(lease),
        (Ok(()), None) => {}
        (Err(error), _) => tracing::error!(id, %error, "a failed start was not recorded; boot will"),
    }
}
