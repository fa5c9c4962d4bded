//! Daemons side by side, and two that want the same root.

use std::process::Stdio;

use berth_testkit::{Daemon, process};
use serde_json::Value;

#[test]
fn a_second_daemon_on_the_same_root_is_refused_with_a_clear_message() {
    let d = Daemon::berth();
    let id = d.idle("undisturbed");
    let mut command = d.command();
    command.stdin(Stdio::null());
    let second = process::run(&mut command, b"");
    assert_ne!(second.code, 0);
    let said = format!("{}{}", second.stdout, second.stderr);
    assert!(said.contains("lock") || said.contains("in use") || said.contains("another"), "{said}");
    assert!(said.contains(&d.home().data().display().to_string()), "the message names the root: {said}");
    assert!(d.client.answers(), "the first daemon lost its socket");
    assert_eq!(d.status(&id), "running");
}

#[test]
fn daemons_with_their_own_roots_do_not_see_each_other() {
    let (one, two) = (Daemon::berth(), Daemon::berth());
    let (first, second) = (one.idle("same"), two.idle("same"));
    let base = |d: &Daemon, id: &str| {
        let map = std::fs::read_to_string(format!("/proc/{}/uid_map", d.init_pid(id))).unwrap();
        map.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_ne!(base(&one, &first), base(&two, &second), "both use the same host users");
    assert_ne!(one.home().cgroup_parent(), two.home().cgroup_parent());
    one.client.get(&format!("/containers/{second}/json")).expect(404);
    drop(one);
    assert_eq!(two.status(&second), "running");
    assert_eq!(two.inside("echo fine").ok(), "fine");
}

#[test]
fn the_lock_of_a_killed_daemon_does_not_keep_the_next_one_out() {
    let mut d = Daemon::berth();
    d.kill9();
    d.launch();
    let id = d.run("after", &["true"], Value::Null);
    assert_eq!(d.wait(&id), 0);
}
