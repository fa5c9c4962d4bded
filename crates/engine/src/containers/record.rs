//! What is known of a container: its row, decoded once.

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_api_types::container::{ContainerConfig, HostConfig, MountPoint, NetworkingConfig};
use berth_store::Durability;
use berth_store::containers::ContainerRow;
use berth_store::containers::Status;
use serde::{Deserialize, Serialize};

use crate::ids::Lease;
use crate::{Error, Result};

/// The part of a container that running does not change. Stored as JSON in its row, and as `berth.json` in its
/// bundle, from which a lost row can be made again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Definition {
    /// The configuration, merged with the image's.
    pub config: ContainerConfig,
    /// What it gets from the host.
    pub host_config: HostConfig,
    /// The networks it was created with.
    #[serde(default)]
    pub networking: Option<NetworkingConfig>,
    /// What is mounted into it beside what every container has.
    #[serde(default)]
    pub mounts: Vec<MountPoint>,
    /// Directory names of its layers in the layer store, topmost first.
    pub layers: Vec<String>,
}

impl Definition {
    /// Entrypoint and command as one list: the program and its arguments.
    pub fn argv(&self) -> impl Iterator<Item = &String> {
        self.config.entrypoint.iter().flatten().chain(self.config.cmd.iter().flatten())
    }

    /// Its labels.
    pub fn labels(&self) -> impl Iterator<Item = (&String, &String)> {
        self.config.labels.iter().flatten()
    }
}

/// A snapshot of a container. Readers get one without waiting for anything.
#[derive(Debug, Clone)]
pub struct Record {
    /// The row as it was committed last.
    pub row: ContainerRow,
    /// The decoded definition.
    pub definition: Arc<Definition>,
    /// Its host IDs: while it runs in a user namespace of its own, and for as long as what is left of it cannot
    /// be ended.
    pub id_range: Option<Lease>,
    /// How often it ended since the daemon started; waiting for the next exit counts on it.
    pub exits: u64,
    /// The row is gone.
    pub removed: bool,
}

impl Record {
    /// Decodes a row.
    pub fn decode(row: ContainerRow) -> Result<Self> {
        let definition: Definition = serde_json::from_str(&row.spec).map_err(|e| Error::Host {
            action: format!("reading the row of container {}", row.id),
            source: e.into(),
        })?;
        Ok(Record { row, definition: Arc::new(definition), id_range: None, exits: 0, removed: false })
    }

    /// Full ID.
    pub fn id(&self) -> &str {
        &self.row.id
    }

    /// Its process lives.
    pub fn is_running(&self) -> bool {
        matches!(self.row.status, Status::Running | Status::Paused)
    }

    /// How a change of what is wanted of it is committed: what a restart policy goes by must survive a power cut,
    /// like the policy itself.
    pub fn policy_durability(&self) -> Durability {
        match self.definition.host_config.restart_policy.name.as_str() {
            "" | "no" => Durability::CrashSafe,
            _ => Durability::Durable,
        }
    }

    /// The attributes of its events: labels, image and name, as Docker sends them.
    pub fn event_attributes(&self) -> BTreeMap<String, String> {
        let mut attributes: BTreeMap<_, _> =
            self.definition.labels().map(|(k, v)| (k.clone(), v.clone())).collect();
        attributes.insert("image".into(), self.row.image_ref.clone());
        attributes.insert("name".into(), self.row.name.clone());
        attributes
    }
}
