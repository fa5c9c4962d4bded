//! What a write, a read and an idle store cost on this machine:
//! `cargo run --release -p berth-store --example measure [DIRECTORY]`.
//!
//! The disk decides about durable writes, so the fsync latency of the moment is printed first.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use berth_store::containers::{self, ContainerRow, Running};
use berth_store::events::{self, NewEvent};
use berth_store::operations::{self, NewOperation};
use berth_store::{Durability, Error, Store, meta};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let dir = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let place = dir.join(format!("berth-store-measure-{}", std::process::id()));
    std::fs::create_dir(&place)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(measure(&place));
    std::fs::remove_dir_all(&place)?;
    outcome
}

async fn measure(place: &Path) -> Outcome {
    fsyncs(place)?;
    let before = resident_kib()?;
    let started = Instant::now();
    let store = Store::open(place.join("berth.db")).await?;
    println!("{:44} {:9.1} ms", "open, new database", started.elapsed().as_secs_f64() * 1e3);
    println!("{:44} {:9} KiB", "resident, added by opening", resident_kib()? - before);

    for (label, class, times) in
        [("crash-safe", Durability::CrashSafe, 4000), ("durable", Durability::Durable, 500)]
    {
        let mut each = Vec::new();
        for n in 0..times {
            let value = format!("{n}");
            let started = Instant::now();
            store.write(class, |tx| Box::pin(async move { meta::set(tx, "x", &value).await })).await?;
            each.push(started.elapsed());
        }
        report(&format!("{label} write, 1 statement"), each);
    }

    let mut each = Vec::new();
    for n in 0..2000_u32 {
        let started = Instant::now();
        store.write(Durability::CrashSafe, move |tx| Box::pin(async move { start(tx, n).await })).await?;
        each.push(started.elapsed());
    }
    report("crash-safe write, 5 statements", each);

    let (clients, times) = (16, 50);
    let commits = store.stats().durable_commits;
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..clients {
        let store = store.clone();
        tasks.spawn(async move {
            let mut each = Vec::new();
            for _ in 0..times {
                let (key, started) = (format!("k{client}"), Instant::now());
                store
                    .write(Durability::Durable, |tx| Box::pin(async move { meta::set(tx, &key, "v").await }))
                    .await?;
                each.push(started.elapsed());
            }
            Ok::<_, Error>(each)
        });
    }
    let mut each = Vec::new();
    while let Some(client) = tasks.join_next().await {
        each.extend(client??);
    }
    let rate = each.len() as f64 / started.elapsed().as_secs_f64();
    let shared = each.len() as u64 / (store.stats().durable_commits - commits).max(1);
    println!("{:44} {:9} KiB", "resident, added since, after the writes", resident_kib()? - before);
    report("durable write, 16 clients", each);
    println!("{:44} {rate:9.0} / s, {shared} writes a commit", "");

    let mut each = Vec::new();
    for n in 0..2000_u32 {
        let id = format!("{n:064x}");
        let started = Instant::now();
        containers::get(&mut store.read().await?, &id).await?;
        each.push(started.elapsed());
    }
    report("read of one container", each);
    let mut each = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        containers::all(&mut store.read().await?).await?;
        each.push(started.elapsed());
    }
    report("read of 2000 containers", each);
    println!("{:44} {:9} KiB", "resident, added since, after the reads", resident_kib()? - before);

    let started = Instant::now();
    store.close().await;
    println!("{:44} {:9.1} ms", "close", started.elapsed().as_secs_f64() * 1e3);
    let started = Instant::now();
    Store::open(place.join("berth.db")).await?.close().await;
    println!("{:44} {:9.1} ms", "open and close, 2000 containers", started.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

/// About what a create and a start write together.
async fn start(tx: &mut berth_store::Tx, n: u32) -> Result<(), Error> {
    let id = format!("{n:064x}");
    let operation = NewOperation {
        kind: "container-start".to_owned(),
        subject: id.clone(),
        caller: "{}".to_owned(),
        detail: "{}".to_owned(),
        started_ns: 1,
    };
    let operation = operations::begin(tx, &operation).await?;
    let spec = format!("{{\"filler\":\"{}\"}}", "x".repeat(2000));
    let row =
        ContainerRow::new(id.clone(), format!("c{n}"), "sha256:x".to_owned(), "busybox".to_owned(), 1, spec);
    containers::insert(tx, &row).await?;
    let running = Running {
        pid: 2,
        start_time: 3,
        boot_id: "b".to_owned(),
        shim_pid: 4,
        shim_start_time: 5,
        started_ns: 6,
    };
    containers::set_running(tx, &id, &running).await?;
    let event = NewEvent {
        time_ns: 1,
        kind: "container".to_owned(),
        action: "start".to_owned(),
        actor_id: id,
        attributes: "{\"image\":\"busybox\"}".to_owned(),
        scope: "local".to_owned(),
    };
    events::append(tx, event).await?;
    operations::finish(tx, operation).await.map(drop)
}

fn fsyncs(place: &Path) -> Outcome {
    let mut file = File::create(place.join("fsync"))?;
    let mut each = Vec::new();
    for _ in 0..200 {
        file.write_all(&[0; 4096])?;
        let started = Instant::now();
        file.sync_data()?;
        each.push(started.elapsed());
    }
    report("fdatasync of a 4 KiB append", each);
    Ok(())
}

fn report(label: &str, mut each: Vec<Duration>) {
    each.sort();
    let at = |share: f64| {
        let index = (each.len() as f64 * share) as usize;
        each.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    println!("{label:44} {:9.0} µs median, {:7.0} p90, {:7.0} p99", at(0.5), at(0.9), at(0.99));
}

fn resident_kib() -> Result<i64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
