//! The daemon is killed; its containers do not notice, and it finds them again.

use std::time::Duration;

use berth_testkit::{Daemon, eventually, process};
use serde_json::{Value, json};

/// Prints a rising number ten times a second.
const COUNTER: &str = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done";

#[track_caller]
fn counts_without_a_gap(log: &str) -> usize {
    for (n, line) in log.lines().enumerate() {
        assert_eq!(line, (n + 1).to_string(), "the log has a gap or a repetition");
    }
    log.lines().count()
}

#[test]
fn ten_running_containers_survive_a_killed_daemon() {
    let mut d = Daemon::berth();
    let ids: Vec<String> =
        (0..10).map(|n| d.run(&format!("c{n}"), &["sh", "-c", COUNTER], Value::Null)).collect();
    let ending = d.run("ending", &["sh", "-c", "echo begun; sleep 1; echo done; exit 5"], Value::Null);
    let pids: Vec<i32> = ids.iter().map(|id| d.init_pid(id)).collect();
    for id in &ids {
        d.await_log(id, "3");
    }
    let before: Vec<usize> = ids.iter().map(|id| d.logs(id).lines().count()).collect();
    d.kill9();
    std::thread::sleep(Duration::from_secs(2));
    for pid in &pids {
        assert!(process::alive(*pid), "a container died with its daemon");
    }
    d.launch();
    for (n, id) in ids.iter().enumerate() {
        let state = d.inspect(id)["State"].clone();
        assert_eq!((&state["Status"], &state["Pid"]), (&"running".into(), &pids[n].into()));
        let lines = counts_without_a_gap(&d.logs(id));
        assert!(lines > before[n] + 10, "nothing was logged during the outage: {lines} after {}", before[n]);
    }
    let ended = d.inspect(&ending)["State"].clone();
    assert_eq!(
        (&ended["Status"], &ended["ExitCode"], &ended["Error"]),
        (&"exited".into(), &5.into(), &"".into())
    );
    assert!(ended["FinishedAt"].as_str() > ended["StartedAt"].as_str());
    assert_eq!(d.logs(&ending), "begun\ndone\n");
    assert_eq!(d.wait(&ending), 5);
    let listed = d.docker(&["ps", "-q"]).ok();
    assert_eq!(listed.lines().count(), 10);
    // They are as manageable as before.
    let mut following = d.docker_spawn(&["logs", "-f", "--tail", "0", &ids[0]]);
    assert!(following.next_line().is_some());
    d.client.post(&format!("/containers/{}/kill", ids[0])).expect(204);
    assert_eq!(d.wait(&ids[0]), 137);
    d.client.post(&format!("/containers/{}/stop?t=0", ids[1])).expect(204);
    d.client.post(&format!("/containers/{}/restart?t=0", ids[2])).expect(204);
    for id in ids.iter().chain([&ending]) {
        d.remove(id);
    }
    let all: Vec<&String> = ids.iter().chain([&ending]).collect();
    d.assert_nothing_left(&all);
}

#[test]
fn an_exit_during_the_outage_is_told_once() {
    let mut d = Daemon::berth();
    let id = d.run("once", &["sh", "-c", "sleep 1; exit 3"], Value::Null);
    d.kill9();
    std::thread::sleep(Duration::from_secs(2));
    d.launch();
    d.await_status(&id, "exited");
    d.restart();
    assert_eq!(
        d.sql(&format!("SELECT count(*) FROM events WHERE actor_id = '{id}' AND action = 'die'")),
        "1"
    );
    assert_eq!(d.inspect(&id)["State"]["ExitCode"], 3);
}

#[test]
fn a_container_to_be_removed_that_ended_during_the_outage_is_removed() {
    let mut d = Daemon::berth();
    let id = d.run("auto", &["sh", "-c", "sleep 1"], json!({"HostConfig": {"AutoRemove": true}}));
    d.kill9();
    std::thread::sleep(Duration::from_secs(2));
    d.launch();
    eventually("it is removed", || {
        (d.client.get(&format!("/containers/{id}/json")).status == 404).then_some(())
    });
    d.assert_nothing_left(&[&id]);
}

#[test]
fn a_graceful_stop_leaves_containers_running() {
    let mut d = Daemon::berth();
    let id = d.run("stay", &["sh", "-c", COUNTER], Value::Null);
    let pid = d.init_pid(&id);
    assert_eq!(d.stop(), 0);
    assert!(process::alive(pid));
    d.launch();
    assert_eq!(d.init_pid(&id), pid);
    d.await_log(&id, "\n15\n");
    counts_without_a_gap(&d.logs(&id));
}

#[test]
fn an_attached_terminal_container_survives_too() {
    let mut d = Daemon::berth();
    let id = d.run(
        "tty",
        &["sh", "-c", "while :; do echo tick; sleep 0.1; done"],
        json!({"Tty": true, "OpenStdin": true}),
    );
    let pid = d.init_pid(&id);
    d.kill9();
    std::thread::sleep(Duration::from_millis(500));
    d.launch();
    assert_eq!(d.init_pid(&id), pid);
    assert_eq!(d.status(&id), "running");
}

#[test]
fn a_daemon_killed_while_it_starts_containers_leaves_nothing_behind() {
    let mut d = Daemon::berth();
    for round in 0..6u64 {
        let client = d.client.clone();
        let prefix = d.name(&format!("r{round}"));
        let starter = std::thread::spawn(move || start_until_it_dies(&client, &prefix));
        std::thread::sleep(Duration::from_millis(40 + round * 37));
        d.kill9();
        starter.join().ok();
        d.launch();
        let list = d.client.get("/containers/json?all=1").expect(200).json();
        let ids: Vec<String> =
            list.as_array().unwrap().iter().map(|one| one["Id"].as_str().unwrap().to_owned()).collect();
        for id in &ids {
            let state = d.inspect(id)["State"].clone();
            let pid = state["Pid"].as_i64().unwrap();
            match state["Status"].as_str().unwrap() {
                "running" => assert!(process::alive(pid.try_into().unwrap()), "{id} is said to run"),
                "created" | "exited" => assert_eq!(pid, 0),
                other => panic!("{id} is {other} after the crash"),
            }
            d.remove(id);
        }
        let mut seen = ids;
        seen.extend(d.home().container_ids());
        d.assert_nothing_left(&seen);
        assert_eq!(d.home().container_ids(), Vec::<String>::new(), "round {round}");
        assert!(d.home().run_dirs().is_empty());
        assert_eq!(d.sql("SELECT count(*) FROM operations"), "0");
        assert_eq!(d.sql("SELECT count(*) FROM containers"), "0");
    }
}

fn start_until_it_dies(client: &berth_testkit::Client, prefix: &str) {
    let body = json!({"Image": berth_testkit::IMAGE, "Cmd": ["sleep", "1000"]});
    for n in 0.. {
        // The connection breaks at some point: that is what is being tested, and it ends this thread.
        let created =
            client.post_json(&format!("/containers/create?name={prefix}-{n}"), &body).expect(201).json();
        client.post(&format!("/containers/{}/start", created["Id"].as_str().unwrap())).expect(204);
    }
}
