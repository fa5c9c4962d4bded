//! cgroup limits: in the files on the host, from inside, and in their effect.

use berth_testkit::{Daemon, IMAGE};
use serde_json::{Value, json};

/// The container's value in a v1 or a v2 file.
fn limit(d: &Daemon, id: &str, v1: &str, v2: &str) -> String {
    d.cgroup_file(id, v1).or_else(|| d.cgroup_file(id, v2)).unwrap_or_else(|| panic!("neither {v1} nor {v2}"))
}

#[test]
fn memory_is_limited() {
    let d = Daemon::start();
    let id =
        d.docker(&["run", "-d", "--name", &d.name("mem"), "--memory", "32m", IMAGE, "sleep", "1000"]).ok();
    assert_eq!(limit(&d, &id, "memory.limit_in_bytes", "memory.max"), "33554432");
    let inspect = d.inspect(&id);
    assert_eq!(
        (&inspect["HostConfig"]["Memory"], &inspect["HostConfig"]["MemorySwap"]),
        (&33_554_432.into(), &67_108_864.into())
    );
    let inside = d.inside_with(
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max",
        json!({"HostConfig": {"Memory": 32 << 20}}),
    );
    assert_eq!(inside.ok(), "33554432");
}

#[test]
fn a_container_beyond_its_memory_is_killed_and_says_so() {
    let d = Daemon::start();
    let script = "x=$(head -c 80000000 /dev/zero | tr '\\0' a); echo ${#x}";
    let id = d.run(
        "oom",
        &["sh", "-c", script],
        json!({"HostConfig": {"Memory": 16 << 20, "MemorySwap": 16 << 20}}),
    );
    assert_eq!(d.wait(&id), 137);
    assert_eq!(d.inspect(&id)["State"]["OOMKilled"], true);
}

#[test]
fn processes_are_limited() {
    let d = Daemon::start();
    let id = d
        .docker(&["run", "-d", "--name", &d.name("pids"), "--pids-limit", "20", IMAGE, "sleep", "1000"])
        .ok();
    assert_eq!(limit(&d, &id, "pids.max", "pids.max"), "20");
    let bomb = "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done; echo all";
    let inside = d.inside_with(bomb, json!({"HostConfig": {"PidsLimit": 20}}));
    assert!(inside.output.contains("can't fork") && !inside.output.contains("all"), "{inside:?}");
}

#[test]
fn processor_time_is_limited() {
    let d = Daemon::start();
    let id = d
        .docker(&[
            "run",
            "-d",
            "--name",
            &d.name("cpu"),
            "--cpus",
            "0.5",
            "--cpu-shares",
            "512",
            IMAGE,
            "sleep",
            "1000",
        ])
        .ok();
    match d.cgroup_file(&id, "cpu.cfs_quota_us") {
        Some(quota) => {
            assert_eq!(
                (quota.as_str(), d.cgroup_file(&id, "cpu.cfs_period_us").as_deref()),
                ("50000", Some("100000"))
            );
            assert_eq!(d.cgroup_file(&id, "cpu.shares").as_deref(), Some("512"));
        }
        None => {
            assert_eq!(d.cgroup_file(&id, "cpu.max").as_deref(), Some("50000 100000"));
            assert_eq!(d.cgroup_file(&id, "cpu.weight").as_deref(), Some("20"));
        }
    }
    assert_eq!(d.inspect(&id)["HostConfig"]["NanoCpus"], 500_000_000);
    let pinned = d.docker(&["run", "--rm", "--cpuset-cpus", "0", IMAGE, "nproc"]).ok();
    assert_eq!(pinned, "1");
}

#[test]
fn every_container_has_a_cgroup_that_is_gone_afterwards() {
    let d = Daemon::start();
    let id = d.run("cg", &["sleep", "1000"], Value::Null);
    let pid = d.init_pid(&id);
    let listed = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(listed.lines().filter(|line| line.ends_with(&format!("/{id}"))).count() >= 1, "{listed}");
    d.remove(&id);
    berth_testkit::eventually("the cgroups are gone", || {
        berth_testkit::cgroups(&id).is_empty().then_some(())
    });
}
