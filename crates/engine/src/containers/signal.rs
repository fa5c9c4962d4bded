//! Stopping, restarting and signalling (`POST /containers/{id}/stop`, `…/restart`, `…/kill`).

use std::sync::Arc;
use std::time::Duration;

use berth_linux::process::Process;

use super::actor::{Command, Purpose};
use super::registry::Container;
use super::{ask, lifecycle};
use crate::spec::signal::Signal;
use crate::{Caller, Changed, Engine, Error, Result};

/// How long SIGKILL may take.
const KILL_DEADLINE: Duration = Duration::from_secs(15);
/// Docker's default between the stop signal and SIGKILL.
const STOP_TIMEOUT: i64 = 10;

/// How to stop.
#[derive(Debug, Clone, Default)]
pub struct StopOptions {
    /// Instead of the container's stop signal.
    pub signal: Option<String>,
    /// Seconds until SIGKILL, instead of the container's; negative: never.
    pub timeout: Option<i64>,
}

impl Engine {
    /// Asks the program to end and kills it when it does not.
    pub async fn container_stop(&self, caller: &Caller, name: &str, options: StopOptions) -> Result<Changed> {
        let container = self.0.containers.resolve(name)?;
        let plan = Plan::new(&container, &options)?;
        if lifecycle::stop(container.record().row.status) == lifecycle::Admission::AlreadyDone {
            return Ok(Changed::Already);
        }
        stop(&container, caller, plan, Purpose::Stop).await?;
        announce(&container, "stop").await;
        Ok(Changed::Yes)
    }

    /// Stops and starts again; a container that does not run is just started.
    pub async fn container_restart(&self, caller: &Caller, name: &str, options: StopOptions) -> Result<()> {
        let container = self.0.containers.resolve(name)?;
        let plan = Plan::new(&container, &options)?;
        if lifecycle::stop(container.record().row.status) == lifecycle::Admission::Proceed {
            stop(&container, caller, plan, Purpose::Restart).await?;
            announce(&container, "stop").await;
        }
        let caller = caller.clone();
        ask(&container, |answer| Command::Start { caller, answer }).await?;
        announce(&container, "restart").await;
        Ok(())
    }

    /// Sends a signal to the program, SIGKILL if none is named. After SIGKILL, returns once it has ended.
    pub async fn container_kill(&self, caller: &Caller, name: &str, signal: Option<&str>) -> Result<()> {
        let signal = match signal {
            Some(text) if !text.is_empty() => parse(text)?,
            _ => Signal::KILL,
        };
        let container = self.0.containers.resolve(name)?;
        send(&container, caller, signal, Purpose::Kill).await?;
        if signal == Signal::KILL {
            ended(&container, Some(KILL_DEADLINE)).await?;
        }
        Ok(())
    }
}

/// What a stop will do, decided before anything is done.
struct Plan {
    signal: Signal,
    /// `None`: wait for ever.
    patience: Option<Duration>,
}

impl Plan {
    fn new(container: &Container, options: &StopOptions) -> Result<Self> {
        let record = container.record();
        let config = &record.definition.config;
        let text = options.signal.as_deref().filter(|s| !s.is_empty()).unwrap_or(&config.stop_signal);
        let signal = match text {
            "" => Signal::TERM,
            text => parse(text)?,
        };
        let seconds = options.timeout.or(config.stop_timeout).unwrap_or(STOP_TIMEOUT);
        Ok(Plan { signal, patience: u64::try_from(seconds).ok().map(Duration::from_secs) })
    }
}

async fn stop(container: &Arc<Container>, caller: &Caller, plan: Plan, purpose: Purpose) -> Result<()> {
    match send(container, caller, plan.signal, purpose).await {
        // It ended before the signal came: that is what was wanted.
        Err(Error::Conflict(_)) if !container.record().is_running() => return Ok(()),
        other => other?,
    }
    if ended(container, plan.patience).await.is_ok() {
        return Ok(());
    }
    tracing::info!(
        id = container.id,
        signal = plan.signal.number(),
        "a container did not end in time and is killed"
    );
    kill(container, caller, purpose).await
}

/// SIGKILL, and the wait for its effect.
pub async fn kill(container: &Arc<Container>, caller: &Caller, purpose: Purpose) -> Result<()> {
    match send(container, caller, Signal::KILL, purpose).await {
        Err(Error::Conflict(_)) if !container.record().is_running() => return Ok(()),
        other => other?,
    }
    if ended(container, Some(KILL_DEADLINE)).await.is_ok() {
        return Ok(());
    }
    // The program is dead, but its shim does not say so: without it the end is found out all the same.
    let row = container.record().row.clone();
    if let (Some(pid), Some(start_time)) = (row.shim_pid, row.shim_start_time) {
        tracing::warn!(id = row.id, pid, "a shim is stuck and is killed");
        let host = |e: berth_linux::Error| Error::Host { action: "killing a shim".into(), source: e.into() };
        if let Some(shim) = Process::open(pid, start_time.cast_unsigned()).map_err(host)? {
            shim.signal(9).map_err(host)?;
        }
    }
    ended(container, Some(KILL_DEADLINE)).await
}

async fn send(container: &Arc<Container>, caller: &Caller, signal: Signal, purpose: Purpose) -> Result<()> {
    let caller = caller.clone();
    ask(container, |answer| Command::Signal { caller, signal: signal.number(), purpose, answer }).await
}

/// Waits until the container does not run.
async fn ended(container: &Container, patience: Option<Duration>) -> Result<()> {
    let mut watch = container.watch();
    // The sender lives in `container`, so the wait itself cannot fail.
    let wait = watch.wait_for(|record| !record.is_running());
    match patience {
        None => drop(wait.await),
        Some(patience) => {
            let late = |_| Error::Deadline {
                step: "the end",
                id: container.id.clone(),
                seconds: patience.as_secs(),
            };
            drop(tokio::time::timeout(patience, wait).await.map_err(late)?);
        }
    }
    Ok(())
}

async fn announce(container: &Container, action: &'static str) {
    // A container that was removed at its end has nothing more to announce.
    let _ = container.inbox.send(Command::Announce { action, attributes: Vec::new() }).await;
}

fn parse(text: &str) -> Result<Signal> {
    text.parse().map_err(|e: crate::spec::signal::SignalError| Error::Invalid(e.to_string()))
}
