//! What a daemon tells its engine at start.

use std::path::PathBuf;

/// User namespace of containers that do not ask for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DefaultUserns {
    /// One of their own, with host IDs nobody else has.
    #[default]
    Private,
    /// The host's.
    Host,
}

/// Settings of an [`Engine`](crate::Engine).
#[derive(Debug, Clone)]
pub struct Config {
    /// Everything that outlives a reboot.
    pub data_root: PathBuf,
    /// Everything that does not: shim sockets, exit records.
    pub exec_root: PathBuf,
    /// The `berth-shim` executable.
    pub shim: PathBuf,
    /// User namespace of containers that do not ask for one.
    pub default_userns: DefaultUserns,
    /// Events kept for replay; older ones are dropped.
    pub events_kept: u64,
    /// Soft and hard limit of open files for containers that ask for none; `None`: the daemon's own, inherited.
    pub open_files: Option<(u64, u64)>,
    /// Where host ID ranges are claimed, shared by all daemons of a host.
    pub id_claims: PathBuf,
}

impl Config {
    /// Settings for these roots and this shim, everything else at its default.
    pub fn new(
        data_root: impl Into<PathBuf>,
        exec_root: impl Into<PathBuf>,
        shim: impl Into<PathBuf>,
    ) -> Self {
        Config {
            data_root: data_root.into(),
            exec_root: exec_root.into(),
            shim: shim.into(),
            default_userns: DefaultUserns::Private,
            events_kept: 10_000,
            open_files: None,
            id_claims: PathBuf::from("/run/berth-ids"),
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data_root.join("berth.db")
    }

    /// The directory that holds one container's bundle.
    pub(crate) fn bundle(&self, id: &str) -> PathBuf {
        self.data_root.join("containers").join(id)
    }

    /// The layer store, of which each container gets one idmapped clone.
    pub(crate) fn layer_store(&self) -> PathBuf {
        self.data_root.join("store")
    }

    /// A container's writable layer (`u`) and overlay work directory (`w`).
    pub(crate) fn writable(&self, id: &str) -> PathBuf {
        self.layer_store().join("containers").join(id)
    }

    /// A shim's run directory.
    pub(crate) fn run_dir(&self, id: &str) -> PathBuf {
        self.runs().join(id)
    }

    /// The parent of all run directories.
    pub(crate) fn runs(&self) -> PathBuf {
        self.exec_root.join("c")
    }
}
