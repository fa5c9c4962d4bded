//! `make bench`: the promised numbers, against Docker's own daemon in the same run.
//!
//! Both daemons are private, hold the same image and take turns, so that whatever else the machine does hits
//! both. Times are medians. Every daemon that makes state durable waits for the disk: the time one `fdatasync`
//! takes at the moment is printed beside them.
//!
//! usage: `berth-bench [RUNS]`; exits with 1 when Berth takes more than 1/20 of Docker's time for the first entry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    process::{ExitCode, Stdio},
    time::{Duration, Instant},
};

use berth_testkit::{Client, Daemon, Dockerd, IMAGE, http::Connection, image, process};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

/// Berth's time over Docker's, at most, for create + start + wait + remove without a network.
const BUDGET: f64 = 1.0 / 20.0;
/// Rest before every turn, on both sides.
const SETTLE: Duration = Duration::from_millis(500);
/// Runs of one side in a row.
const TURN: usize = 5;
/// Containers running while memory is measured.
const IDLE: usize = 50;

fn main() -> ExitCode {
    let runs: usize = std::env::args().nth(1).map_or(40, |text| text.parse().expect("RUNS is a number"));
    let berth = Daemon::berth();
    let docker = match Dockerd::start() {
        Ok(docker) => docker,
        Err(error) => {
            eprintln!("{error}\nWithout an opponent the budget cannot be checked.");
            return ExitCode::FAILURE;
        }
    };
    load(&docker.client);
    let sync = sync_latency(&berth.home().dir);
    let version =
        |client: &Client| client.get("/version").json()["Version"].as_str().unwrap_or("?").to_owned();
    println!("berth {} against dockerd {}", version(&berth.client), version(&docker.client));
    println!("{} CPUs, one fdatasync takes {}", std::thread::available_parallelism().unwrap(), millis(sync));
    println!();
    println!("{:<56} {:>10} {:>10} {:>8}", "work (median)", "berth", "docker", "ratio");

    let mut phases = Vec::new();
    let mut life = api_run(Client::new(berth.client.socket()).connect());
    let mut opponent = api_run(docker.client.connect());
    let lives = interleave(
        runs,
        || {
            let times = life();
            phases.push(times);
            times.iter().sum()
        },
        || opponent().iter().sum(),
    );
    let ratio = report("create + start + wait + remove, no network, API", &lives);
    for (n, name) in ["create", "start", "wait", "remove"].into_iter().enumerate() {
        let times: Vec<Duration> = phases.iter().skip(1).map(|phase| phase[n]).collect();
        println!("{:<56} {:>10}", format!("  of which {name}"), millis(median(&times)));
    }
    report(
        "docker run --rm --network none … true",
        &interleave(
            runs.div_ceil(3),
            || {
                command_run(
                    &berth,
                    berth.client.socket(),
                    &["run", "--rm", "--network", "none", IMAGE, "true"],
                )
            },
            || {
                command_run(
                    &berth,
                    docker.client.socket(),
                    &["run", "--rm", "--network", "none", IMAGE, "true"],
                )
            },
        ),
    );
    report(
        "docker version (what the client alone costs)",
        &interleave(
            runs.div_ceil(3),
            || command_run(&berth, berth.client.socket(), &["version"]),
            || command_run(&berth, docker.client.socket(), &["version"]),
        ),
    );
    memory(&berth, &docker);

    if ratio > BUDGET {
        println!("\nover budget: {ratio:.4} of Docker's time, {BUDGET:.4} allowed");
        return ExitCode::FAILURE;
    }
    println!("\nwithin budget: {ratio:.4} of Docker's time, {BUDGET:.4} allowed");
    ExitCode::SUCCESS
}

fn load(client: &Client) {
    let path = format!(
        "/images/create?fromSrc=-&repo={}&changes=ENV%20PATH%3D%2Fbin",
        IMAGE.trim_end_matches(":latest")
    );
    client.post_bytes(&path, "application/x-tar", image::busybox()).expect(200);
}

/// Both sides' times, taken in turns of a few runs each. What a daemon still does after its last answer must not
/// count against the other one, so each turn begins with a rest; its first run wakes the processors up and does not
/// count.
fn interleave(
    runs: usize,
    mut berth: impl FnMut() -> Duration,
    mut docker: impl FnMut() -> Duration,
) -> (Vec<Duration>, Vec<Duration>) {
    let turn = |side: &mut dyn FnMut() -> Duration, times: &mut Vec<Duration>| {
        std::thread::sleep(SETTLE);
        side();
        times.extend((0..TURN).map(|_| side()));
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs.div_ceil(TURN) {
        turn(&mut berth, &mut ours);
        turn(&mut docker, &mut theirs);
    }
    (ours, theirs)
}

/// One container's life over a kept connection: the times of create, start, wait and remove.
fn api_run(mut connection: Connection) -> impl FnMut() -> [Duration; 4] {
    let body = json!({"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}).to_string();
    move || {
        let mut timed = |method: Method, path: &str, body: &str, status: u16| {
            let begun = Instant::now();
            let json = [("Content-Type", "application/json")];
            let headers = if body.is_empty() { &[][..] } else { &json };
            let answer = connection.send(method, path, headers, Bytes::copy_from_slice(body.as_bytes()));
            (answer.expect(status), begun.elapsed())
        };
        let (created, create) = timed(Method::POST, "/containers/create", &body, 201);
        let id = created.json()["Id"].as_str().unwrap().to_owned();
        let (_, start) = timed(Method::POST, &format!("/containers/{id}/start"), "", 204);
        let (ended, wait) = timed(Method::POST, &format!("/containers/{id}/wait"), "", 200);
        let (_, remove) = timed(Method::DELETE, &format!("/containers/{id}"), "", 204);
        assert_eq!(ended.json()["StatusCode"], 0, "the container failed");
        [create, start, wait, remove]
    }
}

fn command_run(daemon: &Daemon, socket: &Path, arguments: &[&str]) -> Duration {
    let mut command = daemon.environment_for(Path::new("docker"));
    command.env("DOCKER_HOST", format!("unix://{}", socket.display())).args(arguments);
    let begun = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).status();
    let time = begun.elapsed();
    assert!(status.expect("run docker").success(), "docker {arguments:?} failed");
    time
}

/// Prints a row and returns Berth's share of Docker's time.
fn report(what: &str, (berth, docker): &(Vec<Duration>, Vec<Duration>)) -> f64 {
    let (berth, docker) = (median(berth), median(docker));
    let ratio = berth.as_secs_f64() / docker.as_secs_f64();
    println!(
        "{what:<56} {:>10} {:>10} {:>8}",
        millis(berth),
        millis(docker),
        format!("1/{:.1}", 1.0 / ratio)
    );
    ratio
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[sorted.len() / 2]
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// Median time of making 4 KiB durable in the directory.
fn sync_latency(dir: &Path) -> Duration {
    let path = dir.join("sync");
    let mut file = OpenOptions::new().create_new(true).append(true).open(&path).expect("make a file");
    let times: Vec<Duration> = (0..50)
        .map(|_| {
            file.write_all(&[0; 4096]).expect("write");
            let begun = Instant::now();
            file.sync_data().expect("sync");
            begun.elapsed()
        })
        .collect();
    fs::remove_file(path).expect("remove a file");
    median(&times)
}

fn memory(berth: &Daemon, docker: &Dockerd) {
    let resident =
        |pid: i32| kilobytes(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap(), "VmRSS:");
    let total = |pids: Vec<i32>| pids.into_iter().map(resident).sum::<u64>();
    println!(
        "{:<56} {:>10} {:>10}",
        "idle daemon, resident",
        mib(resident(berth.pid())),
        mib(total(docker.pids()))
    );
    let ids: Vec<String> =
        (0..IDLE).map(|n| berth.run(&format!("idle{n}"), &["sleep", "1000"], Value::Null)).collect();
    let mut connection = berth.client.connect();
    let times: Vec<Duration> = (0..50)
        .map(|_| {
            let begun = Instant::now();
            connection.send(Method::GET, "/containers/json", &[], Bytes::new()).expect(200);
            begun.elapsed()
        })
        .collect();
    println!("{:<56} {:>10}", format!("list of {IDLE} running containers"), millis(median(&times)));
    println!("{:<56} {:>10}", format!("daemon with {IDLE} containers, resident"), mib(resident(berth.pid())));
    let mut shares: Vec<u64> =
        ids.iter().map(|id| proportional(process::parent(berth.init_pid(id)))).collect();
    shares.sort_unstable();
    println!(
        "{:<56} {:>10}",
        format!("one shim, proportional share at {IDLE}"),
        format!("{} KiB", shares[IDLE / 2])
    );
    for id in &ids {
        berth.remove(id);
    }
}

/// Proportional set size of a process in KiB.
fn proportional(pid: i32) -> u64 {
    kilobytes(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default(), "Pss:")
}

fn kilobytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}
