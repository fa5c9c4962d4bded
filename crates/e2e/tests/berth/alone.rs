//! Tests that count or measure things of the whole host: nothing else runs beside them.

use std::time::{Duration, Instant};

use berth_testkit::{Daemon, cgroups};
use serde_json::{Value, json};

#[test]
fn two_hundred_containers_leave_nothing_over() {
    let d = Daemon::berth();
    // The first container fills caches that are meant to stay.
    let first = d.run("warm", &["true"], Value::Null);
    d.wait(&first);
    d.remove(&first);
    let parent = d.home().cgroup_parent().unwrap();
    let count = |dir: &str| std::fs::read_dir(dir).map(|entries| entries.count()).unwrap_or(0);
    let fds = || count(&format!("/proc/{}/fd", d.pid()));
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    let tables: Vec<String> =
        ["containers", "operations", "id_ranges", "container_layers", "images", "layers"]
            .map(str::to_owned)
            .into();
    let rows =
        || tables.iter().map(|table| d.sql(&format!("SELECT count(*) FROM {table}"))).collect::<Vec<_>>();
    let children: usize = cgroups(&parent)
        .iter()
        .map(|dir| std::fs::read_dir(dir).unwrap().flatten().filter(|e| e.path().is_dir()).count())
        .sum();
    assert_eq!(children, 0);
    let before = (mounts(), rows(), fds());

    let ids: Vec<String> = (0..200)
        .map(|n| {
            let id = d.run(&format!("n{n}"), &["sh", "-c", "echo $$ > /f; exit 3"], Value::Null);
            assert_eq!(d.wait(&id), 3);
            d.client.delete(&format!("/containers/{id}")).expect(204);
            id
        })
        .collect();

    d.assert_nothing_left(&ids);
    assert_eq!(mounts(), before.0, "mounts");
    assert_eq!(rows(), before.1, "rows of {tables:?}");
    assert_eq!(d.home().container_ids(), Vec::<String>::new(), "directories");
    let children: usize = cgroups(&parent)
        .iter()
        .map(|dir| std::fs::read_dir(dir).unwrap().flatten().filter(|e| e.path().is_dir()).count())
        .sum();
    assert_eq!(children, 0, "cgroups");
    assert!(fds() <= before.2 + 8, "open files of the daemon: {} before, {} after", before.2, fds());
    for id in &ids {
        assert!(berth_testkit::process::with_argument(id).is_empty(), "a process of {id}");
    }
}

#[test]
fn two_hundred_containers_by_eight_clients_leave_nothing_over() {
    let d = Daemon::berth();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let d = &d;
                scope.spawn(move || {
                    let one = |n: u32| {
                        let id = d.create(
                            &format!("p{client}-{n}"),
                            &["true"],
                            json!({"HostConfig": {"AutoRemove": n.is_multiple_of(2)}}),
                        );
                        let mut waiting = d.client.stream(
                            http::Method::POST,
                            &format!("/containers/{id}/wait?condition=next-exit"),
                        );
                        d.begin(&id);
                        assert_eq!(
                            serde_json::from_slice::<Value>(&waiting.rest()).unwrap()["StatusCode"],
                            0
                        );
                        if n % 2 == 1 {
                            d.remove(&id);
                        }
                        id
                    };
                    (0..25).map(one).collect::<Vec<_>>()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(ids.len(), 200);
    d.assert_nothing_left(&ids);
}

#[test]
fn the_daemon_is_small_and_lists_quickly_with_fifty_containers() {
    let d = Daemon::berth();
    for n in 0..50 {
        d.run(&format!("m{n}"), &["sleep", "1000"], Value::Null);
    }
    let mut connection = d.client.connect();
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            let begun = Instant::now();
            connection.send(http::Method::GET, "/containers/json", &[], bytes::Bytes::new()).expect(200);
            begun.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[25] < Duration::from_millis(10), "the list takes {:?}", times[25]);
    let rss: u64 =
        berth_testkit::process::status_field(d.pid(), "VmRSS").split(' ').next().unwrap().parse().unwrap();
    assert!(rss < 60 * 1024, "the daemon uses {rss} KiB");
}
