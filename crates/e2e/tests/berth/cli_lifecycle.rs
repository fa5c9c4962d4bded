//! Berth's own client: the life of a container.

use std::time::Duration;

use berth_testkit::{Daemon, IMAGE};
use nix::sys::signal::Signal;

const SCRIPT: &str = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 1000 & wait; done";

#[test]
fn a_life_from_create_to_remove() {
    let d = Daemon::berth();
    let name = d.name("life");
    let id = d.berth_cli(&["create", "--name", &name, "-l", "a=b", IMAGE, "sh", "-c", SCRIPT]).ok();
    assert_eq!(id.len(), 64);
    assert_eq!(d.berth_cli(&["start", &name]).ok(), name);
    d.await_log(&id, "up");
    assert_eq!(d.berth_cli(&["logs", &name]).ok(), "up");
    assert_eq!(d.berth_cli(&["rename", &name, &d.name("new")]).expect_code(0).code, 0);
    let name = d.name("new");
    assert_eq!(d.berth_cli(&["stop", &name]).ok(), name);
    assert_eq!(d.berth_cli(&["wait", &name]).ok(), "3");
    assert_eq!(d.berth_cli(&["restart", "-t", "1", &name]).ok(), name);
    assert_eq!(d.berth_cli(&["kill", &name]).ok(), name);
    assert_eq!(d.berth_cli(&["wait", &name]).ok(), "137");
    assert_eq!(d.berth_cli(&["rm", &name]).ok(), name);
    d.berth_cli(&["rm", &name]).expect_code(1).stderr_has(&format!("o such container: {name}"));
    d.assert_nothing_left(&[&id]);
}

#[test]
fn detached_and_forced_removal() {
    let d = Daemon::berth();
    let id = d.berth_cli(&["run", "-d", "--name", &d.name("bg"), IMAGE, "sleep", "1000"]).ok();
    assert_eq!(d.status(&id), "running");
    let refused = d.berth_cli(&["rm", &id]);
    assert!(refused.code == 1 && refused.stderr.contains("running"), "{refused:?}");
    assert_eq!(d.berth_cli(&["rm", "-f", &id]).ok(), id);
    let id = d.berth_cli(&["run", "-itd", IMAGE]).ok();
    assert_eq!(d.status(&id), "running");
}

#[test]
fn following_logs_and_events() {
    let d = Daemon::berth();
    let name = d.name("follow");
    let mut events =
        d.berth_spawn(&["events", "--filter", &format!("container={name}"), "--format", "{{.Action}}"]);
    events.stays_silent(Duration::from_millis(500));
    let id = d.berth_cli(&["run", "-d", "--name", &name, IMAGE, "sh", "-c", SCRIPT]).ok();
    assert_eq!(
        (events.next_line().as_deref(), events.next_line().as_deref()),
        (Some("create"), Some("start"))
    );
    let mut logs = d.berth_spawn(&["logs", "-f", &name]);
    assert_eq!(logs.next_line().as_deref(), Some("up"));
    d.berth_cli(&["stop", &name]).ok();
    assert_eq!(logs.finish(), (vec!["bye".to_owned()], 0));
    assert_eq!(d.berth_cli(&["logs", "--tail", "1", &id]).ok(), "bye");
    let stamped = d.berth_cli(&["logs", "-t", &id]).ok();
    assert!(stamped.lines().all(|line| line.split(' ').next().unwrap().ends_with('Z')), "{stamped}");
}

#[test]
fn signals_pass_through_run() {
    let d = Daemon::berth();
    let mut running = d.berth_spawn(&["run", "--rm", "--name", &d.name("sig"), IMAGE, "sh", "-c", SCRIPT]);
    assert_eq!(running.next_line().as_deref(), Some("up"));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.finish(), (vec!["bye".to_owned()], 3));
    let mut running = d.berth_spawn(&["run", "--rm", "--name", &d.name("kill"), IMAGE, "sh", "-c", SCRIPT]);
    assert_eq!(running.next_line().as_deref(), Some("up"));
    d.berth_cli(&["kill", &d.name("kill")]).ok();
    assert_eq!(running.finish().1, 137);
}

#[test]
fn system_prune_removes_what_is_stopped() {
    let d = Daemon::berth();
    let stopped = d.create("stopped", &["true"], serde_json::Value::Null);
    let running = d.idle("running");
    let out = d.berth_cli(&["system", "prune", "-f"]).ok();
    assert!(out.contains(&stopped), "{out}");
    assert_eq!(d.status(&running), "running");
    d.client.get(&format!("/containers/{stopped}/json")).expect(404);
}
