//! Rows and stores for this crate's tests.

use tempfile::TempDir;

use crate::containers::{ContainerRow, Running};
use crate::events::NewEvent;
use crate::images::ImageRow;
use crate::layers::LayerRow;
use crate::{Durability, JobFuture, Result, Store, Tx};

/// A store in a directory that goes with the first value.
pub(crate) async fn fresh() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("berth.db")).await.unwrap();
    (dir, store)
}

/// A crash-safe write that must succeed.
pub(crate) async fn write<T: Send + 'static>(
    store: &Store,
    job: impl for<'t> FnOnce(&'t mut Tx) -> JobFuture<'t, T, crate::Error> + Send + 'static,
) -> T {
    attempt(store, job).await.unwrap()
}

/// A crash-safe write.
pub(crate) async fn attempt<T: Send + 'static>(
    store: &Store,
    job: impl for<'t> FnOnce(&'t mut Tx) -> JobFuture<'t, T, crate::Error> + Send + 'static,
) -> Result<T> {
    store.write(Durability::CrashSafe, job).await
}

/// A 64-digit ID made of one number.
pub(crate) fn id(n: u32) -> String {
    format!("{n:064x}")
}

/// A digest made of one number.
pub(crate) fn digest(n: u32) -> String {
    format!("sha256:{}", id(n))
}

/// A new container called `c<n>`, of image 1.
pub(crate) fn container(n: u32) -> ContainerRow {
    let spec = r#"{"cmd":["true"]}"#.to_owned();
    ContainerRow::new(id(n), format!("c{n}"), digest(1), "busybox".to_owned(), 1_000 + i64::from(n), spec)
}

/// A process with this PID.
pub(crate) fn running(pid: i32) -> Running {
    Running {
        pid,
        start_time: 77,
        boot_id: "b00t".to_owned(),
        shim_pid: pid - 1,
        shim_start_time: 76,
        started_ns: 5_000,
    }
}

pub(crate) fn image(n: u32) -> ImageRow {
    ImageRow {
        id: digest(n),
        created_ns: 10 + i64::from(n),
        size: 1 << 40,
        architecture: "amd64".to_owned(),
        variant: String::new(),
        os: "linux".to_owned(),
        author: "somebody".to_owned(),
        comment: "imported".to_owned(),
        labels: r#"{"a":"b"}"#.to_owned(),
        parent: Some(digest(999)),
        loaded_ns: 20,
    }
}

pub(crate) fn layer(n: u32) -> LayerRow {
    LayerRow {
        diff_id: digest(n),
        key: format!("key{n}"),
        size: 4096,
        max_uid: u32::MAX - 1,
        max_gid: 65534,
        created_ns: 3,
    }
}

pub(crate) fn event(time_ns: i64, action: &str) -> NewEvent {
    NewEvent {
        time_ns,
        kind: "container".to_owned(),
        action: action.to_owned(),
        actor_id: id(1),
        attributes: r#"{"name":"c1"}"#.to_owned(),
        scope: "local".to_owned(),
    }
}
