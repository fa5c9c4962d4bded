//! SIGKILL of a process that writes: what was acknowledged is there, and what was not is there as a whole or not at
//! all. The test runs itself again as the process to kill.

// The helpers of a test may end it like the test itself.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use berth_store::events::{self, EventRange, NewEvent};
use berth_store::{Durability, Store, meta};

const NAME: &str = "acknowledged_crash_safe_writes_survive_sigkill";
const DATABASE: &str = "BERTH_STORE_TEST_DATABASE";
/// Writes after which the process is killed, in each round; it never waits for the kill.
const ROUNDS: [usize; 4] = [1, 40, 150, 400];

#[test]
fn acknowledged_crash_safe_writes_survive_sigkill() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(path) = std::env::var_os(DATABASE) {
        return runtime.block_on(write_for_ever(PathBuf::from(path)));
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("berth.db");
    for writes in ROUNDS {
        let acknowledged = killed_after(writes, &path);
        runtime.block_on(check(&path, acknowledged));
    }
}

/// Four clients write, each transaction an event and a counter, and acknowledge each on standard output.
async fn write_for_ever(path: PathBuf) {
    let store = Store::open(&path).await.unwrap();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        clients.spawn(async move {
            loop {
                let seq = store
                    .write(Durability::CrashSafe, |tx| {
                        Box::pin(async move {
                            let seq = events::append(tx, event()).await?;
                            meta::set(tx, "last", &seq.to_string()).await?;
                            Ok(seq)
                        })
                    })
                    .await
                    .unwrap();
                // Past the test harness, which would keep what println prints.
                std::io::stdout().write_all(format!("ack {seq}\n").as_bytes()).unwrap();
            }
        });
    }
    clients.join_next().await;
    panic!("a client ended");
}

fn event() -> NewEvent {
    NewEvent {
        time_ns: 1,
        kind: "container".to_owned(),
        action: "start".to_owned(),
        actor_id: "c".repeat(64),
        attributes: "{}".to_owned(),
        scope: "local".to_owned(),
    }
}

/// Runs the writer until it has acknowledged so many writes, kills it, and gives the highest number acknowledged.
fn killed_after(writes: usize, path: &Path) -> i64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(DATABASE, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut highest = 0;
    let mut seen = 0;
    let mut killed = false;
    // What is in the pipe after the kill was acknowledged too.
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some(seq) = line.rsplit_once("ack ").and_then(|(_, seq)| seq.parse::<i64>().ok()) else {
            continue;
        };
        highest = highest.max(seq);
        seen += 1;
        if seen >= writes && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed && !status.success(), "the writer ended by itself after {seen} writes: {status}");
    highest
}

async fn check(path: &Path, acknowledged: i64) {
    let store = Store::open(path).await.unwrap();
    let mut reader = store.read().await.unwrap();
    let rows = events::range(&mut reader, EventRange::default()).await.unwrap();
    let last = rows.last().unwrap().seq;
    assert!(last >= acknowledged, "write {acknowledged} was acknowledged, {last} is the last one there");
    assert!(rows.iter().zip(1..).all(|(row, seq)| row.seq == seq), "there is a gap");
    let counter = meta::get(&mut reader, "last").await.unwrap().unwrap();
    assert_eq!(counter, last.to_string(), "half a transaction is there");
    drop(reader);
    store.close().await;
}
