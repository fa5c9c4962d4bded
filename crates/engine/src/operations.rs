//! The registry of operations with side effects outside the database, their steps and their undos.
//!
//! An operation writes its row before its first side effect and deletes it in the transaction that completes
//! it. A row that is found at boot was interrupted: [`recover`] finishes it or takes it back. Every step's
//! undo can be repeated and tolerates that the step never happened, because a crash may fall anywhere.

use std::sync::Arc;

use berth_api_types::time::now_ns;
use berth_store::operations::{self, NewOperation, OperationRow};
use berth_store::{Durability, containers, id_ranges};

use crate::blocking::blocking;
use crate::engine::Inner;
use crate::ids::Lease;
use crate::{Caller, Error, Result};

/// Every operation there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Make a container's directories, then its row.
    Create,
    /// Lease host IDs, write the bundle, start the shim, then mark it running.
    Start,
    /// Delete a container's files, then its row.
    Remove,
    /// Unpack layers, then make the image's row.
    ImageAdd,
}

/// What has to be done to an operation that did not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Take back the steps that may have happened, last first.
    Undo,
    /// Go through with it: it had reached the point of no return when it began.
    Finish,
}

/// A side effect outside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The container's bundle and writable layer.
    Directories,
    /// The lease of host IDs.
    HostIds,
    /// The shim's run directory, the shim, its processes and control groups.
    Shim,
    /// Layers without a row; the sweep of the layer store knows them.
    Layers,
}

impl Operation {
    /// All of them, for recovery and for tests that go through each.
    pub const ALL: [Operation; 4] =
        [Operation::Create, Operation::Start, Operation::Remove, Operation::ImageAdd];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Create => "container-create",
            Operation::Start => "container-start",
            Operation::Remove => "container-remove",
            Operation::ImageAdd => "image-add",
        }
    }

    /// Its steps in the order they happen.
    pub fn steps(self) -> &'static [Step] {
        match self {
            Operation::Create | Operation::Remove => &[Step::Directories],
            Operation::Start => &[Step::HostIds, Step::Shim],
            Operation::ImageAdd => &[Step::Layers],
        }
    }

    /// What an interruption leads to.
    pub fn recovery(self) -> Recovery {
        match self {
            Operation::Create | Operation::Start | Operation::ImageAdd => Recovery::Undo,
            Operation::Remove => Recovery::Finish,
        }
    }

    /// The row that announces it.
    pub fn begin(self, subject: &str, caller: &Caller) -> NewOperation {
        NewOperation {
            kind: self.name().to_owned(),
            subject: subject.to_owned(),
            caller: serde_json::to_string(caller).unwrap_or_default(),
            detail: "{}".to_owned(),
            started_ns: now_ns(),
        }
    }
}

impl Step {
    /// Takes the step back.
    pub async fn undo(self, engine: &Arc<Inner>, subject: &str) -> Result<()> {
        match self {
            Step::Directories => {
                let (config, subject) = (engine.config.clone(), subject.to_owned());
                blocking("removing files", move || crate::containers::remove::clear(&config, &subject)).await
            }
            Step::HostIds => {
                let subject = subject.to_owned();
                let held = engine
                    .store
                    .write(Durability::CrashSafe, move |tx| {
                        Box::pin(async move {
                            let held = id_ranges::of_container(tx, &subject).await?;
                            id_ranges::release(tx, &subject).await?;
                            Ok(held)
                        })
                    })
                    .await?;
                if let Some(held) = held {
                    engine.ids.release(Lease { first: held.first, size: held.size });
                }
                Ok(())
            }
            Step::Shim => crate::containers::ending::destroy_shim(engine, subject).await,
            Step::Layers => engine.sweep_layers().await,
        }
    }
}

/// Finishes or takes back one interrupted operation.
pub async fn recover(engine: &Arc<Inner>, row: &OperationRow) -> Result<()> {
    let Some(operation) = Operation::ALL.into_iter().find(|operation| operation.name() == row.kind) else {
        return Err(Error::Host {
            action: format!("recovering operation {} on {}", row.kind, row.subject),
            source: std::io::Error::other("this version does not know it"),
        });
    };
    tracing::info!(operation = row.kind, subject = row.subject, "recovering an interrupted operation");
    for step in operation.steps().iter().rev() {
        step.undo(engine, &row.subject).await?;
    }
    let (id, subject) = (row.id, row.subject.clone());
    engine
        .store
        .write(Durability::Durable, move |tx| {
            Box::pin(async move {
                // Taking a removal's steps "back" and finishing it are the same deed; what is left is the row.
                if operation.recovery() == Recovery::Finish {
                    if let Some(row) = containers::get(tx, &subject).await? {
                        let record = crate::containers::record::Record::decode(row).ok();
                        let attributes = record.map(|r| r.event_attributes()).unwrap_or_default();
                        crate::events::append(tx, "container", "destroy", &subject, attributes).await?;
                    }
                    containers::delete(tx, &subject).await?;
                }
                operations::finish(tx, id).await
            })
        })
        .await?;
    Ok(())
}
