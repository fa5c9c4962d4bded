//! Waiting for a container (`POST /containers/{id}/wait`).

use std::sync::Arc;

use berth_api_types::container::{WaitError, WaitResponse};
use berth_store::containers::Status;
use tokio::sync::watch;

use super::record::Record;
use crate::{Caller, Engine, Result};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WaitCondition {
    /// That it does not run; at once if it does not now.
    #[default]
    NotRunning,
    /// That it ends, be it started first.
    NextExit,
    /// That it is removed.
    Removed,
}

/// A wait that has begun: nothing that happens from now on is missed.
#[derive(Debug)]
pub struct WaitHandle {
    watch: watch::Receiver<Arc<Record>>,
    condition: WaitCondition,
    exits: u64,
    /// Keeps the sender of `watch` alive.
    _container: Arc<super::registry::Container>,
}

impl Engine {
    /// Begins to wait. Separate from waiting itself, because clients rely on having begun before they start
    /// the container.
    pub fn container_wait(
        &self,
        _caller: &Caller,
        name: &str,
        condition: WaitCondition,
    ) -> Result<WaitHandle> {
        let container = self.0.containers.resolve(name)?;
        let watch = container.watch();
        let exits = container.record().exits;
        Ok(WaitHandle { watch, condition, exits, _container: container })
    }
}

impl WaitHandle {
    /// Waits, and says how it ended.
    pub async fn finished(mut self) -> Result<WaitResponse> {
        let (condition, exits) = (self.condition, self.exits);
        let done = |record: &Arc<Record>| match condition {
            WaitCondition::NotRunning => !record.is_running(),
            WaitCondition::NextExit => record.exits > exits || record.removed,
            // A removal that failed is over, too.
            WaitCondition::Removed => record.removed || record.row.status == Status::Dead,
        };
        // The sender lives in `_container`.
        drop(self.watch.wait_for(done).await);
        let record = self.watch.borrow().clone();
        // A start that failed has no exit of its own to tell of. Docker forgets it with the container.
        let told = !record.removed && !record.row.error.is_empty();
        let error = told.then(|| WaitError { message: record.row.error.clone() });
        Ok(WaitResponse { status_code: i64::from(record.row.exit_code), error })
    }
}
