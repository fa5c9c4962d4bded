//! The engine as a whole: what is opened at start, in which order, and closed at the end.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use berth_image::{ImageStore, LayerStore};
use berth_linux::cgroup::{Hierarchies, Mode};
use berth_linux::lock::LockFile;
use berth_shim_proto::Cgroup;
use berth_store::{Durability, Store, id_ranges, meta};
use tokio::sync::{RwLock, Semaphore, watch};

use crate::containers::LogWatch;
use crate::containers::registry::Registry;
use crate::ids::{IdRanges, Lease};
use crate::images::ImageView;
use crate::spec::{CgroupVersion, HostFacts, seccomp};
use crate::supervisor::ShimProgram;
use crate::{Config, Error, Result, files, recovery};

/// Images that may be brought in at the same time; others wait.
const UPLOADS: usize = 8;

/// A running engine. Clones are the same engine.
///
/// What changes something takes several steps: run it in a task that the end of a request does not cancel.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub config: Config,
    pub store: Store,
    pub layers: LayerStore,
    pub image_blobs: ImageStore,
    pub images: ImageView,
    /// Held for reading while rows that stand on layers are written, for writing while unused layers are deleted.
    pub layer_use: RwLock<()>,
    pub containers: Registry,
    pub ids: IdRanges,
    pub hierarchies: Hierarchies,
    pub host_facts: HostFacts,
    pub seccomp: seccomp::Cache,
    pub shim: ShimProgram,
    pub log_watch: Arc<LogWatch>,
    /// Eight hex digits that tell this daemon's host-wide names from those of others.
    pub short_id: String,
    /// What `info` shows as the engine's ID.
    pub uuid: String,
    pub boot_id: String,
    /// Filesystem of the data root, by Docker's name.
    pub backing_filesystem: String,
    /// Each upload occupies a thread for as long as its client takes.
    pub uploads: Semaphore,
    shutdown: watch::Sender<bool>,
    /// Given back by [`Engine::close`]: actors keep the engine for as long as the process lives.
    lock: Mutex<Option<LockFile>>,
}

impl Engine {
    /// Opens the engine on its roots: recovers what was interrupted, finds running containers again, and
    /// returns when everything is as the database says.
    pub async fn open(config: Config) -> Result<Self> {
        for directory in ["", "containers", "images", "seccomp", "store", "store/layers", "store/containers"]
        {
            files::make_dir(&config.data_root.join(directory), 0o700)?;
        }
        files::make_dir(&config.runs(), 0o711)?;
        let (lock_path, lock) = lock(&config)?;
        let host = |action: &str| {
            let action = action.to_owned();
            move |e: berth_linux::Error| Error::Host { action, source: e.into() }
        };
        let store = Store::open(config.database()).await?;
        let (short_id, uuid) = identity(&store).await?;
        let hierarchies = Hierarchies::detect().map_err(host("looking for control groups"))?;
        hierarchies.create_parent(parent_name(&short_id)).map_err(host("making control groups"))?;
        let version = match hierarchies.mode() {
            Some(Mode::Unified) => CgroupVersion::V2,
            _ => CgroupVersion::V1,
        };
        let host_facts = HostFacts::detect(version)
            .map_err(|source| Error::Host { action: "looking at the host".into(), source })?;
        let leased = id_ranges::all(&mut store.read().await?).await?;
        let ids = IdRanges::open(
            &config.id_claims,
            &short_id,
            &lock_path,
            leased.iter().map(|row| Lease { first: row.first, size: row.size }),
        )?;
        let inner = Arc::new(Inner {
            layers: LayerStore::open(&config.data_root)?,
            image_blobs: ImageStore::open(&config.data_root)?,
            images: ImageView::default(),
            layer_use: RwLock::new(()),
            containers: Registry::default(),
            seccomp: seccomp::Cache::open(config.data_root.join("seccomp")).map_err(|e| Error::Host {
                action: "opening the seccomp cache".into(),
                source: std::io::Error::other(e),
            })?,
            shim: ShimProgram::load(&config.shim)?,
            log_watch: LogWatch::start()
                .map_err(|source| Error::Host { action: "starting inotify".into(), source })?,
            boot_id: berth_linux::process::boot_id().map_err(host("reading the boot ID"))?,
            shutdown: watch::Sender::new(false),
            backing_filesystem: crate::system::backing_filesystem(&config.data_root),
            uploads: Semaphore::new(UPLOADS),
            lock: Mutex::new(Some(lock)),
            config,
            store,
            ids,
            hierarchies,
            host_facts,
            short_id,
            uuid,
        });
        recovery::run(&inner).await?;
        tokio::spawn(crate::events::keep_bounded(inner.store.clone(), inner.config.events_kept));
        Ok(Engine(inner))
    }

    /// Turns true when the engine is about to stop: streams end on it.
    pub fn shutting_down(&self) -> watch::Receiver<bool> {
        self.0.shutting_down()
    }

    /// Tells everybody who waits or follows that the engine is about to stop.
    pub fn begin_shutdown(&self) {
        self.0.shutdown.send_replace(true);
    }

    /// Closes the database. Containers go on; the next engine on these roots finds them.
    pub async fn close(&self) {
        self.0.store.close().await;
        // Only an empty directory can be removed, and only then it should be.
        for hierarchy in self.0.hierarchies.for_containers() {
            let _ = std::fs::remove_dir(hierarchy.dir(parent_name(&self.0.short_id)));
        }
        self.0.ids.give_back();
        drop(self.0.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// The eight hex digits in this daemon's host-wide names.
    pub fn short_id(&self) -> &str {
        &self.0.short_id
    }
}

impl Inner {
    pub fn shutting_down(&self) -> watch::Receiver<bool> {
        self.shutdown.subscribe()
    }

    /// Where the control groups of this daemon's containers are, relative to each hierarchy.
    pub fn cgroup_parent(&self) -> PathBuf {
        parent_name(&self.short_id)
    }

    /// A container's directories in all hierarchies, without settings.
    pub fn cgroups_of(&self, id: &str) -> Vec<Cgroup> {
        let name = self.cgroup_parent().join(id);
        self.hierarchies
            .for_containers()
            .map(|hierarchy| Cgroup { path: hierarchy.dir(&name), v2: hierarchy.v2, settings: Vec::new() })
            .collect()
    }
}

fn parent_name(short_id: &str) -> PathBuf {
    PathBuf::from(format!("berth-{short_id}"))
}

/// One daemon per data root: the second one is told who the first is.
fn lock(config: &Config) -> Result<(PathBuf, LockFile)> {
    let path = config.data_root.join("lock");
    let taken = LockFile::try_acquire(&path).map_err(|e| Error::file("locking", &path)(e.into()))?;
    let Some(lock) = taken else {
        let holder = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
        return Err(Error::Locked { path: config.data_root.clone(), holder });
    };
    let mut file = lock.file();
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(Error::file("writing", &path))?;
    Ok((path, lock))
}

/// The names of this daemon, made up at its first start.
async fn identity(store: &Store) -> Result<(String, String)> {
    let short = hex::encode(rand::random::<[u8; 4]>());
    let long = hex::encode(rand::random::<[u8; 16]>());
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| long.get(range).unwrap_or_default());
    let uuid = parts.join("-");
    let names = store
        .write(Durability::Durable, move |tx| {
            Box::pin(async move {
                Ok((
                    meta::get_or_set(tx, "short-id", &short).await?,
                    meta::get_or_set(tx, "uuid", &uuid).await?,
                ))
            })
        })
        .await?;
    Ok(names)
}
