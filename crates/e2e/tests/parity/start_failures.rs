//! Containers that cannot start: the message names the cause, the state says so, and nothing runs.

use berth_testkit::{Daemon, process};
use serde_json::{Value, json};

fn check(d: &Daemon, id: &str, statuses: &[u16], part: &str, code: Option<i64>) {
    let answer = d.client.post(&format!("/containers/{id}/start"));
    assert!(statuses.contains(&answer.status), "{part}: {} {}", answer.status, answer.text());
    let message = answer.message();
    assert!(message.to_lowercase().contains(&part.to_lowercase()), "no {part:?} in {message:?}");
    let state = d.inspect(id)["State"].clone();
    assert_eq!(state["Status"], "created", "{part}");
    assert_eq!((&state["Running"], &state["Pid"]), (&false.into(), &0.into()));
    assert!(state["Error"].as_str().unwrap().to_lowercase().contains(&part.to_lowercase()), "{state}");
    if let Some(code) = code {
        assert_eq!(state["ExitCode"], code, "{part}");
    }
    assert!(process::with_argument(id).is_empty(), "a process of {id} is left");
    d.remove(id);
}

#[test]
fn a_missing_program_is_127_and_one_that_cannot_be_run_126() {
    let d = Daemon::start();
    for (program, part, code) in [
        ("/no/such", "\"/no/such\": stat /no/such: no such file or directory", 127),
        ("nosuch", "\"nosuch\": executable file not found in $PATH", 127),
        ("./rel", "\"./rel\": stat ./rel: no such file or directory", 127),
        ("/etc/notexec", "\"/etc/notexec\": permission denied", 126),
    ] {
        let id = d.create("missing", &[program], Value::Null);
        check(&d, &id, &[400], part, Some(code));
    }
    let id = d.create("dir", &["/etc"], Value::Null);
    let answer = d.client.post(&format!("/containers/{id}/start")).expect(400).message();
    assert!(
        answer.contains("\"/etc\": permission denied") || answer.contains("\"/etc\": is a directory"),
        "{answer}"
    );
    assert_eq!(d.inspect(&id)["State"]["ExitCode"], 126);
}

#[test]
fn unknown_users_and_groups() {
    let d = Daemon::start();
    for (user, part) in [
        ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
        ("root:nosuch", "unable to find group nosuch: no matching entries in group file"),
        ("99999999999", "uids and gids must be in range 0-2147483647"),
    ] {
        let id = d.create("user", &["true"], json!({"User": user}));
        check(&d, &id, &[400, 500], part, None);
    }
    let id = d.create("group", &["true"], json!({"HostConfig": {"GroupAdd": ["nosuchg"]}}));
    check(&d, &id, &[400, 500], "unable to find group nosuchg: no matching entries in group file", None);
}

#[test]
fn networks_and_containers_that_are_not_there() {
    let d = Daemon::start();
    let id = d.create("net", &["true"], json!({"HostConfig": {"NetworkMode": "nosuch"}}));
    check(&d, &id, &[404], "network nosuch not found", None);
}

#[test]
fn a_host_name_that_is_too_long_and_a_variable_with_nul() {
    let d = Daemon::start();
    for more in [
        json!({"Hostname": "x".repeat(65)}),
        json!({"Env": ["A=b\0c"]}),
        json!({"HostConfig": {"SecurityOpt": ["seccomp=nosuch"]}}),
        json!({"HostConfig": {"Ulimits": [{"Name": "bogus", "Soft": 1, "Hard": 1}]}}),
        json!({"HostConfig": {"IpcMode": "bogus"}}),
        json!({"HostConfig": {"Sysctls": {"net.foo": "1"}}}),
        json!({"HostConfig": {"NetworkMode": "container:nosuch"}}),
        json!({"HostConfig": {"Devices": [{"PathOnHost": "/nosuch", "PathInContainer": "/dev/x", "CgroupPermissions": "rwm"}]}}),
        json!({"WorkingDir": "/etc/passwd"}),
    ] {
        refused_at_create_or_start(&d, more);
    }
}

/// Docker finds some mistakes when a container is created and others when it starts, and releases differ in
/// which: either is accepted, as long as it is refused with a cause and nothing runs.
#[track_caller]
fn refused_at_create_or_start(d: &Daemon, more: Value) {
    let mut body = json!({"Image": berth_testkit::IMAGE, "Cmd": ["true"]});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let created = d.client.post_json(&format!("/containers/create?name={}", d.name("late")), &body);
    if created.status != 201 {
        assert!(
            (400..=501).contains(&created.status) && !created.message().is_empty(),
            "{more}: {}",
            created.text()
        );
        d.client.get(&format!("/containers/{}/json", d.name("late"))).expect(404);
        return;
    }
    let id = created.json()["Id"].as_str().unwrap().to_owned();
    let started = d.client.post(&format!("/containers/{id}/start"));
    assert!(
        (400..=500).contains(&started.status) && started.message().len() > 8,
        "{more}: {} {}",
        started.status,
        started.text()
    );
    let state = d.inspect(&id)["State"].clone();
    assert_eq!((&state["Status"], &state["Running"]), (&"created".into(), &false.into()), "{more}");
    assert!(!state["Error"].as_str().unwrap().is_empty(), "{more}");
    d.remove(&id);
}

#[test]
fn a_working_directory_that_is_a_file_says_so() {
    let d = Daemon::start();
    let body = json!({"Image": berth_testkit::IMAGE, "Cmd": ["true"], "WorkingDir": "/etc/passwd"});
    let created = d.client.post_json(&format!("/containers/create?name={}", d.name("wd")), &body);
    let message = if created.status == 201 {
        d.client.post(&format!("/containers/{}/start", d.name("wd"))).message()
    } else {
        created.message()
    };
    assert!(message.to_lowercase().contains("not a directory"), "{message}");
}

#[test]
fn a_container_that_failed_can_be_started_once_the_cause_is_gone() {
    let d = Daemon::start();
    let id = d.create("again", &["/no/such"], Value::Null);
    for _ in 0..3 {
        d.client.post(&format!("/containers/{id}/start")).expect(400);
    }
    d.remove(&id);
}
