//! A shim is killed: its container goes with it, and that is said.

use std::time::Duration;

use berth_testkit::{Daemon, eventually, process};
use serde_json::{Value, json};

/// The shim of a running container: the parent of its init, with the ID among its arguments.
fn shim_of(d: &Daemon, id: &str) -> i32 {
    let shim = process::parent(d.init_pid(id));
    assert!(process::with_argument(id).contains(&shim), "the full ID stands in the shim's arguments");
    shim
}

fn kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}

fn members(namespace: &str) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| {
            std::fs::read_link(entry.path().join("ns/pid"))
                .is_ok_and(|link| link.to_string_lossy() == namespace)
        })
        .count()
}

#[test]
fn one_shim_per_container_and_not_below_a_client() {
    let d = Daemon::berth();
    let (one, two) = (d.idle("one"), d.idle("two"));
    let shims = [shim_of(&d, &one), shim_of(&d, &two)];
    assert_ne!(shims[0], shims[1]);
    for shim in shims {
        assert!([1, d.pid()].contains(&process::parent(shim)));
        let name = std::fs::read_to_string(format!("/proc/{shim}/comm")).unwrap();
        assert_eq!(name.trim(), "berth-shim");
    }
}

#[test]
fn a_killed_shim_takes_the_container_down_and_is_reported() {
    let d = Daemon::berth();
    let script = "(setsid sleep 5000 &); sleep 5000 & echo up; trap '' TERM HUP; while :; do sleep 1; done";
    let id = d.run("victim", &["sh", "-c", script], Value::Null);
    d.await_log(&id, "up");
    let namespace = process::namespace(&d.init_pid(&id).to_string(), "pid");
    kill(shim_of(&d, &id));
    eventually("the container's processes are gone", || (members(&namespace) == 0).then_some(()));
    d.await_status(&id, "exited");
    let state = d.inspect(&id)["State"].clone();
    assert_eq!(state["ExitCode"], 137);
    assert!(state["Error"].as_str().unwrap().contains("shim"), "{state}");
    assert_eq!(
        d.sql(&format!("SELECT count(*) FROM events WHERE actor_id = '{id}' AND action = 'die'")),
        "1"
    );
    assert_eq!(d.logs(&id), "up\n");
    d.begin(&id);
    assert_eq!(d.inspect(&id)["State"]["Error"], "");
    d.remove(&id);
    d.assert_nothing_left(&[&id]);
}

#[test]
fn a_program_that_cleared_its_death_signal_is_taken_down_too() {
    let d = Daemon::berth();
    // Changing the user clears PDEATHSIG.
    let id = d.run("setuid", &["su", "app", "-s", "/bin/sh", "-c", "echo up; sleep 5000"], Value::Null);
    d.await_log(&id, "up");
    let namespace = process::namespace(&d.init_pid(&id).to_string(), "pid");
    kill(shim_of(&d, &id));
    eventually("the container's processes are gone", || (members(&namespace) == 0).then_some(()));
    d.await_status(&id, "exited");
}

#[test]
fn a_shim_killed_while_the_daemon_is_away_is_found_at_the_next_start() {
    let mut d = Daemon::berth();
    let (id, other) = (d.idle("away"), d.idle("well"));
    let (shim, pid) = (shim_of(&d, &id), d.init_pid(&id));
    let namespace = process::namespace(&pid.to_string(), "pid");
    d.kill9();
    kill(shim);
    std::thread::sleep(Duration::from_millis(300));
    d.launch();
    eventually("the container's processes are gone", || (members(&namespace) == 0).then_some(()));
    d.await_status(&id, "exited");
    let state = d.inspect(&id)["State"].clone();
    assert_eq!(state["ExitCode"], 137);
    assert!(!state["Error"].as_str().unwrap().is_empty(), "{state}");
    assert_eq!(d.status(&other), "running");
    d.remove(&id);
    d.remove(&other);
    d.assert_nothing_left(&[&id, &other]);
}

#[test]
fn waiting_clients_hear_of_it() {
    let d = Daemon::berth();
    let id = d.create("heard", &["sleep", "5000"], json!({"HostConfig": {"AutoRemove": true}}));
    let mut waiting =
        d.client.stream(http::Method::POST, &format!("/containers/{id}/wait?condition=removed"));
    d.begin(&id);
    kill(shim_of(&d, &id));
    let answer: Value = serde_json::from_slice(&waiting.rest()).unwrap();
    assert_eq!(answer["StatusCode"], 137);
    d.assert_nothing_left(&[&id]);
}
