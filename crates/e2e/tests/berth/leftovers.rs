//! Whatever goes wrong or right, nothing of a removed container stays.

use berth_testkit::{Daemon, IMAGE};
use serde_json::{Value, json};

#[test]
fn a_removed_container_leaves_nothing() {
    let d = Daemon::berth();
    let ids = [
        d.create("created", &["true"], Value::Null),
        d.run("ended", &["true"], Value::Null),
        d.idle("running"),
        d.run(
            "busy",
            &["sh", "-c", "head -c 3000000 /dev/zero > /f; mkdir -p /a/b/c; sleep 1000"],
            Value::Null,
        ),
        d.run(
            "own",
            &["sleep", "1000"],
            json!({"HostConfig": {"Tmpfs": {"/t": ""}, "ReadonlyRootfs": true, "ShmSize": 1 << 20}}),
        ),
        d.run("host", &["sleep", "1000"], json!({"HostConfig": {"Privileged": true, "NetworkMode": "host"}})),
    ];
    for id in &ids {
        d.remove(id);
    }
    d.assert_nothing_left(&ids);
}

#[test]
fn a_refused_create_leaves_nothing() {
    let d = Daemon::berth();
    let files = || walk(&d.home().data());
    let (before, rows) = (files(), d.sql("SELECT count(*) FROM containers"));
    for body in [
        json!({"Image": "nosuch"}),
        json!({"Image": IMAGE, "HostConfig": {"Memory": 1}}),
        json!({"Image": IMAGE, "WorkingDir": "x"}),
        json!({"Image": IMAGE, "StopSignal": "NOPE"}),
        json!({"Image": IMAGE, "HostConfig": {"CapAdd": ["NOPE"]}}),
    ] {
        let answer = d.client.post_json("/containers/create", &body);
        assert!(answer.status >= 400, "{}", answer.text());
    }
    d.client.post_bytes("/containers/create", "application/json", "{bad").expect(400);
    assert_eq!((files(), d.sql("SELECT count(*) FROM containers")), (before, rows));
}

#[test]
fn a_failed_start_leaves_only_the_container() {
    let d = Daemon::berth();
    let mut ids = Vec::new();
    for (name, program, more) in [
        ("missing", "/no/such", Value::Null),
        ("user", "true", json!({"User": "nosuch"})),
        ("workdir", "true", json!({"WorkingDir": "/etc/passwd"})),
        ("net", "true", json!({"HostConfig": {"NetworkMode": "nosuch"}})),
    ] {
        let body = json!({"Image": IMAGE, "Cmd": [program]});
        let mut body = body;
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let created = d.client.post_json(&format!("/containers/create?name={}", d.name(name)), &body);
        if created.status != 201 {
            continue;
        }
        let id = created.json()["Id"].as_str().unwrap().to_owned();
        assert!(d.client.post(&format!("/containers/{id}/start")).status >= 400);
        assert!(berth_testkit::cgroups(&id).is_empty(), "a cgroup of {name} is left");
        assert!(berth_testkit::process::with_argument(&id).is_empty(), "a process of {name} is left");
        assert!(d.home().run_dirs().is_empty(), "a run directory of {name} is left");
        ids.push(id);
    }
    for id in &ids {
        d.remove(id);
    }
    d.assert_nothing_left(&ids);
}

#[test]
fn a_failed_image_leaves_nothing() {
    let d = Daemon::berth();
    let before = walk(&d.home().data());
    d.client
        .post_bytes("/images/create?fromSrc=-&repo=x", "application/x-tar", vec![b'n'; 100_000])
        .expect(400);
    // A good beginning and a bad end.
    let mut cut = berth_testkit::image::busybox();
    cut.truncate(cut.len() / 2);
    let answer = d.client.post_bytes("/images/create?fromSrc=-&repo=x", "application/x-tar", cut);
    assert!(answer.status >= 400, "{}", answer.text());
    let archive = berth_testkit::image::docker_archive(&["x:1"], &[vec![b'n'; 4096]], json!({"Cmd": ["x"]}));
    d.docker_with_input(&["load"], &archive).expect_code(1);
    assert_eq!(walk(&d.home().data()), before);
    assert_eq!(d.sql("SELECT count(*) FROM images"), "1");
}

#[test]
fn a_removed_image_leaves_no_layer() {
    let d = Daemon::builder().without_image().berth();
    let before = walk(&d.home().data());
    d.provide_image();
    d.client.delete(&format!("/images/{IMAGE}")).expect(200);
    assert_eq!(walk(&d.home().data()), before);
    for table in ["images", "layers", "tags", "image_layers"] {
        assert_eq!(d.sql(&format!("SELECT count(*) FROM {table}")), "0", "{table}");
    }
}

#[test]
fn a_stopped_daemon_without_containers_leaves_no_cgroup() {
    let mut d = Daemon::berth();
    let id = d.run("last", &["true"], Value::Null);
    d.wait(&id);
    d.remove(&id);
    let parent = d.home().cgroup_parent().unwrap();
    assert_eq!(d.stop(), 0);
    assert_eq!(berth_testkit::cgroups(&parent), Vec::<std::path::PathBuf>::new());
    assert!(!d.home().socket().exists(), "the socket is left");
}

/// Every path below the data root but the database's own files and what stands inside layers.
fn walk(root: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("berth.db") || dir.ends_with("seccomp") {
                continue;
            }
            if entry.file_type().unwrap().is_dir() && !dir.ends_with("layers") {
                todo.push(path.clone());
            }
            found.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
    found.sort();
    found
}
