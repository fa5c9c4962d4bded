//! Every container has its own user namespace; what is on disk is not shifted.

use std::os::unix::fs::MetadataExt;

use berth_testkit::{Daemon, IMAGE, process};
use serde_json::{Value, json};

/// First host ID and size of each extent of a process's UID map, read from the host.
fn uid_map(pid: i32) -> Vec<(u64, u64, u64)> {
    let map = std::fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
    let numbers = |line: &str| line.split_whitespace().map(|n| n.parse().unwrap()).collect::<Vec<u64>>();
    map.lines().map(numbers).map(|n| (n[0], n[1], n[2])).collect()
}

fn host_uid(pid: i32) -> u64 {
    process::status_field(pid, "Uid").split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn root_inside_is_an_unprivileged_host_user() {
    let d = Daemon::berth();
    let id = d.run("root", &["sleep", "1000"], Value::Null);
    let pid = d.init_pid(&id);
    assert!(host_uid(pid) >= 65_536, "host UID {}", host_uid(pid));
    let map = uid_map(pid);
    assert_eq!((map[0].0, map[0].1), (0, host_uid(pid)));
    assert!(map[0].2 >= 65_536, "{map:?}");
    assert_eq!(d.inside("id -u").ok(), "0");
}

#[test]
fn the_same_user_in_two_containers_is_two_users_on_the_host() {
    let d = Daemon::berth();
    let pids: Vec<i32> = ["a", "b", "c"]
        .iter()
        .map(|name| d.init_pid(&d.run(name, &["sleep", "1000"], json!({"User": "app"}))))
        .collect();
    let mut uids: Vec<u64> = pids.iter().map(|pid| host_uid(*pid)).collect();
    for (pid, uid) in pids.iter().zip(&uids) {
        assert_eq!(*uid, uid_map(*pid)[0].1 + 1000);
    }
    uids.sort_unstable();
    assert!(uids.windows(2).all(|pair| pair[1] - pair[0] >= 65_536), "{uids:?}");
}

#[test]
fn every_kind_of_namespace_is_the_containers_own() {
    let d = Daemon::berth();
    let pid = d.init_pid(&d.run("ns", &["sleep", "1000"], Value::Null)).to_string();
    for kind in ["mnt", "pid", "uts", "ipc", "net", "cgroup", "user"] {
        assert_ne!(process::namespace("self", kind), process::namespace(&pid, kind), "{kind}");
    }
    let listed = process::lsns(&pid);
    for kind in ["mnt", "pid", "uts", "ipc", "net", "cgroup", "user"] {
        assert!(listed.iter().any(|shown| shown == kind), "lsns shows no {kind}: {listed:?}");
    }
    assert_eq!(
        d.inside("grep -v ':/$' /proc/self/cgroup; true").ok(),
        "",
        "the host's cgroup path shows inside"
    );
}

#[test]
fn files_have_their_inside_owners_on_disk() {
    let d = Daemon::berth();
    let script = "echo x > /made; chown 1000:1000 /made; touch /data/other; mkdir /d; chown 65534:7 /d; echo up; sleep 1000";
    let id = d.run("disk", &["sh", "-c", script], Value::Null);
    d.await_log(&id, "up");
    let upper = d.inspect(&id)["GraphDriver"]["Data"]["UpperDir"].as_str().unwrap().to_owned();
    let owner = |path: &str| {
        let meta = std::fs::symlink_metadata(format!("{upper}/{path}")).unwrap();
        (meta.uid(), meta.gid())
    };
    assert_eq!([owner("made"), owner("data/other"), owner("d")], [(1000, 1000), (0, 0), (65534, 7)]);
}

#[test]
fn nsenter_with_the_user_namespace_also_writes() {
    let d = Daemon::berth();
    let id = d.run("write", &["sleep", "1000"], Value::Null);
    d.nsenter(&id, &["--all"], &["/bin/sh", "-c", "echo in > /written; hostname changed; id -u > /uid"]).ok();
    assert_eq!(d.nsenter(&id, &["--all"], &["/bin/cat", "/written", "/uid"]).ok(), "in\n0");
    assert_eq!(d.nsenter(&id, &["--uts"], &["hostname"]).ok(), "changed");
}

#[test]
fn the_data_root_is_closed_to_other_users() {
    let d = Daemon::berth();
    let meta = std::fs::metadata(d.home().data()).unwrap();
    assert_eq!((meta.mode() & 0o777, meta.uid()), (0o700, 0));
}

#[test]
fn the_hosts_user_namespace_is_used_on_request_and_shown() {
    let d = Daemon::berth();
    for (name, config) in [
        ("host", json!({"UsernsMode": "host"})),
        ("priv", json!({"Privileged": true})),
        ("net", json!({"NetworkMode": "host"})),
    ] {
        let id = d.run(name, &["sleep", "1000"], json!({"HostConfig": config}));
        let pid = d.init_pid(&id);
        assert_eq!(host_uid(pid), 0, "{name}");
        assert_eq!(
            process::namespace("self", "user"),
            process::namespace(&pid.to_string(), "user"),
            "{name}"
        );
        assert_eq!(d.inspect(&id)["HostConfig"]["UsernsMode"], "host", "{name}");
    }
    let id = d.run("own", &["sleep", "1000"], Value::Null);
    assert_eq!(d.inspect(&id)["HostConfig"]["UsernsMode"], "");
    let body = json!({"Image": IMAGE, "HostConfig": {"Privileged": true}});
    let created = d.client.post_json("/containers/create", &body).expect(201).json();
    let warnings = created["Warnings"].to_string();
    assert!(warnings.contains("--userns=host"), "{created}");
}

#[test]
fn info_lists_user_namespaces_among_the_security_options() {
    let d = Daemon::berth();
    let info = d.client.get("/info").expect(200).json();
    assert!(
        info["SecurityOptions"].as_array().unwrap().contains(&"name=userns".into()),
        "{}",
        info["SecurityOptions"]
    );
}

#[test]
fn capabilities_inside_do_not_reach_the_host() {
    let d = Daemon::berth();
    let before = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    // Even with every capability asked for, they count only in the container's own namespaces.
    let script = "mount -t tmpfs none /tmp && echo mounted; hostname owned; hostname; \
        mknod /tmp/sda b 8 0 2>/dev/null && head -c 1 /tmp/sda >/dev/null 2>&1 && echo disk; \
        (echo 1 > /proc/sys/vm/drop_caches) 2>/dev/null && echo caches; chroot / true && echo chroot";
    let out = d
        .inside_with(
            script,
            json!({"HostConfig": {"CapAdd": ["ALL"], "SecurityOpt": ["seccomp=unconfined"]}}),
        )
        .output;
    assert!(out.contains("mounted") && out.contains("owned"), "{out}");
    assert!(!out.contains("disk") && !out.contains("caches"), "{out}");
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), before);
}

#[test]
fn a_used_up_range_is_given_back() {
    let d = Daemon::berth();
    let rows = || d.sql("SELECT count(*) FROM id_ranges");
    assert_eq!(rows(), "0");
    let id = d.run("lease", &["sleep", "1000"], Value::Null);
    assert_eq!(rows(), "1");
    d.remove(&id);
    assert_eq!(rows(), "0");
}

#[test]
fn a_user_beyond_the_first_65536_works() {
    let d = Daemon::berth();
    let out = d.inside_with("id -u; touch /tmp/f && stat -c %u /tmp/f", json!({"User": "70000"})).ok();
    assert_eq!(out, "70000\n70000");
}

#[test]
fn set_user_id_programs_work_inside() {
    use berth_testkit::image::{self, Entry};
    let d = Daemon::berth();
    let busybox = std::fs::read("/usr/bin/busybox").or_else(|_| std::fs::read("/bin/busybox")).unwrap();
    // Named as an applet that busybox keeps its privileges for.
    let extra =
        image::archive(&[("suid", 0, Entry::Dir(0o755)), ("suid/passwd", 0, Entry::File(0o4755, &busybox))]);
    let tag = format!("e2e/{}:1", d.name("suid"));
    let archive = image::docker_archive(
        &[&tag],
        &[image::busybox(), extra],
        json!({"Cmd": ["sh"], "Env": ["PATH=/bin"]}),
    );
    d.docker_with_input(&["load"], &archive).ok();
    let id = d.docker(&["run", "-d", "-i", "--user", "app", &tag, "/suid/passwd"]).ok();
    let pid = d.init_pid(&id);
    let uids = process::status_field(pid, "Uid");
    let uids: Vec<u64> = uids.split(' ').map(|uid| uid.parse().unwrap()).collect();
    assert_eq!(uids[0] - uids[1], 1000, "real and effective user: {uids:?}");
}
