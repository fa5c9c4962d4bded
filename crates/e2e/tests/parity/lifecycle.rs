//! stop, kill, restart, remove, prune and auto-remove.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, eventually, process};
use serde_json::{Value, json};

#[test]
fn stop_sends_term_and_keeps_the_exit_code() {
    let d = Daemon::start();
    let script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 1000 & wait; done";
    let id = d.run("stop", &["sh", "-c", script], Value::Null);
    d.await_log(&id, "up");
    let begun = Instant::now();
    d.client.post(&format!("/containers/{id}/stop")).expect(204);
    assert!(begun.elapsed() < Duration::from_secs(5), "stop waited although the program ended");
    let state = &d.inspect(&id)["State"];
    assert_eq!(
        (&state["Status"], &state["ExitCode"], &state["Pid"]),
        (&"exited".into(), &3.into(), &0.into())
    );
    assert_eq!(d.logs(&id), "up\nbye\n");
    d.client.post(&format!("/containers/{id}/stop")).expect(304);
}

#[test]
fn stop_kills_what_ignores_the_signal_after_the_timeout() {
    let d = Daemon::start();
    let id = d.run("deaf", &["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], Value::Null);
    d.await_log(&id, "up");
    let begun = Instant::now();
    d.client.post(&format!("/containers/{id}/stop?t=1")).expect(204);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(6), "took {took:?}");
    assert_eq!(d.inspect(&id)["State"]["ExitCode"], 137);
}

#[test]
fn the_containers_own_stop_signal_and_timeout_are_used() {
    let d = Daemon::start();
    let script = "trap 'exit 9' QUIT; trap '' TERM; echo up; while :; do sleep 1000 & wait; done";
    let id = d.run("quit", &["sh", "-c", script], json!({"StopSignal": "SIGQUIT"}));
    d.await_log(&id, "up");
    d.client.post(&format!("/containers/{id}/stop?t=20")).expect(204);
    assert_eq!(d.inspect(&id)["State"]["ExitCode"], 9);
    let id = d.run(
        "short",
        &["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"],
        json!({"StopTimeout": 1}),
    );
    d.await_log(&id, "up");
    let begun = Instant::now();
    d.client.post(&format!("/containers/{id}/stop")).expect(204);
    assert!(begun.elapsed() < Duration::from_secs(6));
}

#[test]
fn kill_sends_the_named_signal_and_the_container_may_live_on() {
    let d = Daemon::start();
    let script = "trap 'echo one' USR1; trap 'echo hup' HUP; echo up; while :; do sleep 1000 & wait; done";
    let id = d.run("sig", &["sh", "-c", script], Value::Null);
    d.await_log(&id, "up");
    for (signal, text) in [("SIGUSR1", "one"), ("HUP", "hup"), ("10", "one\nhup\none")] {
        d.client.post(&format!("/containers/{id}/kill?signal={signal}")).expect(204);
        d.await_log(&id, text);
    }
    assert_eq!(d.status(&id), "running");
    d.client.post(&format!("/containers/{id}/kill")).expect(204);
    d.await_status(&id, "exited");
    assert_eq!(d.inspect(&id)["State"]["ExitCode"], 137);
}

#[test]
fn starting_twice_changes_nothing() {
    let d = Daemon::start();
    let id = d.idle("twice");
    let pid = d.init_pid(&id);
    d.client.post(&format!("/containers/{id}/start")).expect(304);
    assert_eq!(d.init_pid(&id), pid);
}

#[test]
fn an_exited_container_starts_again_with_its_files_and_a_longer_log() {
    let d = Daemon::start();
    let id = d.run("again", &["sh", "-c", "echo x >> /count; wc -l < /count"], Value::Null);
    assert_eq!(d.wait(&id), 0);
    d.begin(&id);
    assert_eq!(d.wait(&id), 0);
    assert_eq!(d.logs(&id).split_whitespace().collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn restart_gives_a_new_process_and_the_same_container() {
    let d = Daemon::start();
    let id = d.idle("restart");
    let before = d.inspect(&id);
    d.client.post(&format!("/containers/{id}/restart?t=2")).expect(204);
    let after = d.inspect(&id);
    assert_eq!(after["State"]["Running"], true);
    assert_ne!(before["State"]["Pid"], after["State"]["Pid"]);
    assert!(after["State"]["StartedAt"].as_str() > before["State"]["StartedAt"].as_str());
    let stopped = d.create("restart-created", &["sleep", "1000"], Value::Null);
    d.client.post(&format!("/containers/{stopped}/restart")).expect(204);
    assert_eq!(d.status(&stopped), "running");
}

#[test]
fn a_running_container_is_removed_only_by_force() {
    let d = Daemon::start();
    let id = d.idle("busy");
    let pid = d.init_pid(&id);
    let name = d.name("busy");
    d.client.delete(&format!("/containers/{id}")).refused_either(&[
        (409, &format!("You cannot remove a running container {id}. Stop the container before attempting removal or force remove")),
        (409, &format!("cannot remove container \"/{name}\": container is running: stop the container before removing or force remove")),
        (409, &format!("cannot remove container \"{id}\": container is running: stop the container before removing or force remove")),
    ]);
    d.client.delete(&format!("/containers/{id}?force=1")).expect(204);
    assert!(!process::alive(pid));
    d.client.delete(&format!("/containers/{id}?force=1")).refused(404, &format!("No such container: {id}"));
}

#[test]
fn auto_remove_takes_the_container_away_when_it_ends() {
    let d = Daemon::start();
    let id = d.run("auto", &["true"], json!({"HostConfig": {"AutoRemove": true}}));
    eventually("the container is gone", || {
        (d.client.get(&format!("/containers/{id}/json")).status == 404).then_some(())
    });
}

#[test]
fn a_restart_does_not_take_an_auto_removed_container_away_but_its_next_end_does() {
    let d = Daemon::start();
    let script = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";
    let id = d.run("auto-restart", &["sh", "-c", script], json!({"HostConfig": {"AutoRemove": true}}));
    d.client.post(&format!("/containers/{id}/restart?t=2")).expect(204);
    assert_eq!(d.inspect(&id)["State"]["Running"], true);
    d.client.post(&format!("/containers/{id}/stop?t=2")).expect(204);
    eventually("the container is gone", || {
        (d.client.get(&format!("/containers/{id}/json")).status == 404).then_some(())
    });
}

#[test]
fn prune_removes_what_is_stopped_and_says_so() {
    let d = Daemon::start();
    let label = json!({"Labels": {"prune": d.name("p")}});
    let exited = d.run("p1", &["sh", "-c", "head -c 100000 /dev/zero > /big"], label.clone());
    d.wait(&exited);
    let created = d.create("p2", &["true"], label.clone());
    let running = d.run("p3", &["sleep", "1000"], label);
    let filters = format!("{{%22label%22:[%22prune={}%22]}}", d.name("p"));
    let pruned = d.client.post(&format!("/containers/prune?filters={filters}")).expect(200).json();
    let mut removed: Vec<&str> =
        pruned["ContainersDeleted"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    removed.sort_unstable();
    let mut expected = [exited.as_str(), created.as_str()];
    expected.sort_unstable();
    assert_eq!(removed, expected);
    assert!(pruned["SpaceReclaimed"].as_u64().unwrap() >= 100_000, "{pruned}");
    assert_eq!(d.status(&running), "running");
    let again = d.client.post(&format!("/containers/prune?filters={filters}")).expect(200).json();
    assert_eq!(again, json!({"ContainersDeleted": null, "SpaceReclaimed": 0}));
}

#[test]
fn the_command_line_stops_kills_restarts_waits_and_removes() {
    let d = Daemon::start();
    let name = d.name("cli");
    d.idle("cli");
    assert_eq!(d.docker(&["restart", "-t", "2", &name]).ok(), name);
    assert_eq!(d.docker(&["stop", "-t", "2", &name]).ok(), name);
    assert_eq!(d.docker(&["wait", &name]).ok(), "0");
    assert_eq!(d.docker(&["start", &name]).ok(), name);
    assert_eq!(d.docker(&["kill", "-s", "KILL", &name]).ok(), name);
    assert_eq!(d.docker(&["wait", &name]).ok(), "137");
    assert_eq!(d.docker(&["rm", &name]).ok(), name);
    d.docker(&["rm", &name]).expect_code(1).stderr_has(&format!("o such container: {name}"));
}

#[test]
fn all_processes_of_a_container_end_with_it() {
    let d = Daemon::start();
    let id = d.run(
        "family",
        &["sh", "-c", "(sleep 4321 &) ; (setsid sleep 4322 &) ; echo up; sleep 1000"],
        Value::Null,
    );
    d.await_log(&id, "up");
    let namespace = process::namespace(&d.init_pid(&id).to_string(), "pid");
    let inside = || {
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| {
                std::fs::read_link(entry.path().join("ns/pid"))
                    .is_ok_and(|link| link.to_string_lossy() == namespace)
            })
            .count()
    };
    assert!(inside() >= 3, "{} processes", inside());
    d.client.post(&format!("/containers/{id}/kill")).expect(204);
    d.await_status(&id, "exited");
    eventually("every process is gone", || (inside() == 0).then_some(()));
}
