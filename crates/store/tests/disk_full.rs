//! A disk that is really full. The test runs itself again in user and mount namespaces of its own, on a tmpfs of 1 MiB.

// The helpers of a test may end it like the test itself.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use berth_store::{Durability, Error, Store, meta};

const NAME: &str = "a_full_disk_fails_writes_clearly_and_room_makes_them_work_again";
const MOUNT: &str = "BERTH_STORE_TEST_MOUNT";

#[test]
fn a_full_disk_fails_writes_clearly_and_room_makes_them_work_again() {
    if let Some(dir) = std::env::var_os(MOUNT) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(fill(PathBuf::from(dir)));
    }
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg(format!("mount -t tmpfs -o size=1m tmpfs \"${MOUNT}\" && exec \"$0\" \"$@\""))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(MOUNT, dir.path())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

async fn write(store: &Store, class: Durability, key: String, bytes: usize) -> Result<(), Error> {
    let job =
        store.write(class, move |tx| Box::pin(async move { meta::set(tx, &key, &"x".repeat(bytes)).await }));
    job.await
}

async fn fill(dir: PathBuf) {
    assert!(mounts_tmpfs(&dir), "the file system of the test is not there");
    let store = Store::open(dir.join("berth.db")).await.unwrap();
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![0; 400 << 10]).unwrap();

    let mut acknowledged = Vec::new();
    let refusal = loop {
        let n = acknowledged.len();
        let class = if n % 2 == 0 { Durability::Durable } else { Durability::CrashSafe };
        match write(&store, class, format!("k{n}"), 10_000).await {
            Ok(()) => acknowledged.push(format!("k{n}")),
            Err(error) => break error,
        }
        assert!(n < 1000, "the disk does not fill");
    };
    assert!(refusal.is_disk_full(), "{refusal:?}");
    assert!(!acknowledged.is_empty());

    // Several in one transaction, which has no room.
    let together = (0..4).map(|n| write(&store, Durability::Durable, format!("t{n}"), 100_000));
    for outcome in futures_util::future::join_all(together).await {
        assert!(outcome.is_err_and(|error| error.is_disk_full()));
    }
    // Reads work all the time.
    let mut reader = store.read().await.unwrap();
    for key in &acknowledged {
        assert!(meta::get(&mut reader, key).await.unwrap().is_some(), "{key} was acknowledged");
    }
    assert_eq!(meta::get(&mut reader, "t0").await.unwrap(), None);
    drop(reader);

    std::fs::remove_file(&ballast).unwrap();
    write(&store, Durability::Durable, "later".to_owned(), 10_000).await.unwrap();
    store.close().await;
    let store = Store::open(dir.join("berth.db")).await.unwrap();
    let mut reader = store.read().await.unwrap();
    acknowledged.push("later".to_owned());
    for key in &acknowledged {
        assert!(meta::get(&mut reader, key).await.unwrap().is_some(), "{key} was acknowledged");
    }
}

fn mounts_tmpfs(dir: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.lines().any(|line| line.starts_with(&format!("tmpfs {} tmpfs ", dir.display())))
}
