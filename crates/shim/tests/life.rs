//! The life of a container: start, output, exit, failure.

mod common;

use std::fs;
use std::time::{Duration, Instant};

use berth_linux::process::PidFd;
use berth_shim_proto::{Event, Identity, Message, Reply, Request, State, frame};
use common::{Fixture, eventually};
use serde_json::json;

#[test]
fn a_program_runs_and_its_output_and_exit_code_come_back() {
    let fixture = Fixture::new(&["sh", "-c", "echo hi; echo oops >&2; exit 7"]);
    let (exit, log) = fixture.run();
    assert_eq!((exit.code, exit.signal, exit.oom_killed), (7, None, false));
    assert!(log.contains(&("stdout".to_owned(), "hi\n".to_owned())), "{log:?}");
    assert!(log.contains(&("stderr".to_owned(), "oops\n".to_owned())), "{log:?}");
    fixture.assert_nothing_left();
}

#[test]
fn a_start_is_fast() {
    let mut times = Vec::new();
    let mut whole = Vec::new();
    for _ in 0..20 {
        let fixture = Fixture::new(&["true"]);
        let begin = Instant::now();
        let (shim, _) = fixture.start();
        times.push(begin.elapsed());
        shim.wait();
        whole.push(begin.elapsed());
        fixture.assert_nothing_left();
    }
    times.sort();
    whole.sort();
    println!("spawn to started: median {:?}, best {:?}", times[10], times[0]);
    println!("spawn to shim gone: median {:?}, best {:?}", whole[10], whole[0]);
}

#[test]
fn a_missing_program_fails_the_start_with_dockers_words_and_code() {
    let (phase, message, code) = Fixture::new(&["nope"]).failure();
    assert_eq!((phase.as_str(), code), ("execute", 127));
    assert_eq!(message, "exec: \"nope\": executable file not found in $PATH");
    let (_, message, code) = Fixture::new(&["/no/such"]).failure();
    assert_eq!(
        (message.as_str(), code),
        ("exec: \"/no/such\": stat /no/such: no such file or directory", 127)
    );
}

#[test]
fn what_cannot_be_executed_fails_the_start_with_126() {
    let (_, message, code) = Fixture::new(&["/etc"]).failure();
    assert_eq!((message.as_str(), code), ("exec: \"/etc\": permission denied", 126));
    let (_, message, code) = Fixture::new(&["/etc/passwd"]).failure();
    assert_eq!((message.as_str(), code), ("exec: \"/etc/passwd\": permission denied", 126));
    let fixture = Fixture::new(&["/script"]);
    std::fs::write(fixture.image().join("script"), "no interpreter line\n").unwrap();
    common::make_executable(&fixture.image().join("script"));
    let (_, message, code) = fixture.failure();
    assert_eq!((message.as_str(), code), ("exec /script: exec format error", 126));
}

#[test]
fn death_by_signal_is_told_apart_from_exit() {
    let fixture = Fixture::new(&["sleep", "100"]);
    let (shim, _) = fixture.start();
    assert_eq!(shim.ask(Request::Kill { signal: 9 }), Reply::Done);
    let exit = shim.wait();
    assert_eq!((exit.code, exit.signal), (137, Some(9)));

    let fixture =
        Fixture::new(&["sh", "-c", "trap 'echo got it; exit 5' TERM; echo up; while :; do sleep 0.01; done"]);
    let (shim, _) = fixture.start();
    eventually("the trap is set", || fixture.log().len() == 1);
    assert_eq!(shim.ask(Request::Kill { signal: 15 }), Reply::Done);
    assert_eq!(shim.wait().code, 5);
    assert_eq!(fixture.log()[1].1, "got it\n");
}

#[test]
fn nothing_survives_the_init_even_if_it_holds_the_pipes() {
    let fixture = Fixture::new(&["sh", "-c", "sleep 1000 & (setsid sleep 1000 &) ; echo done"]);
    let begin = Instant::now();
    let (exit, log) = fixture.run();
    assert_eq!((exit.code, log.len()), (0, 1));
    assert!(begin.elapsed() < Duration::from_secs(5));
    fixture.assert_nothing_left();
}

#[test]
fn without_a_pid_namespace_what_outlives_the_init_is_killed() {
    let mut fixture = Fixture::new(&["sh", "-c", "sleep 1000 & (setsid sleep 1000 &) ; echo done"]);
    fixture.remove_namespace("pid");
    let (exit, log) = fixture.run();
    assert_eq!((exit.code, log), (0, vec![("stdout".to_owned(), "done\n".to_owned())]));
    fixture.assert_nothing_left();
}

#[test]
fn a_created_container_waits_and_is_undone_when_the_daemon_goes_away() {
    let fixture = Fixture::new(&["sh", "-c", "echo ran"]);
    let (mut shim, pid, warnings) = fixture.create();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(shim.ask(Request::State), Reply::State(State { pid: Some(pid), started: false, exit: None }));
    std::thread::sleep(Duration::from_millis(50));
    assert!(fixture.log().is_empty());
    shim.control.shutdown(std::net::Shutdown::Both).unwrap();
    drop(shim.control);
    assert!(!shim.child.wait().unwrap().success());
    assert!(!fixture.path("run/shim.sock").exists() && !fixture.path("run/exit.json").exists());
    fixture.assert_nothing_left();
}

#[test]
fn the_container_outlives_the_daemon_and_another_one_takes_over() {
    let fixture = Fixture::new(&["sh", "-c", "sleep 0.5; echo went; exit 3"]);
    let (mut shim, pid) = fixture.start();
    let second = shim.connect();
    shim.control.shutdown(std::net::Shutdown::Both).unwrap();
    let identity: Identity =
        serde_json::from_slice(&fs::read(fixture.path("run/shim.json")).unwrap()).unwrap();
    assert_eq!((identity.pid, identity.shim_pid), (pid, shim.child.id() as i32));
    let root = fs::read_link(fixture.path("run/root")).unwrap();
    assert_eq!(root.to_str().unwrap(), format!("/proc/{pid}/root"));
    let message: Message = frame::read(&second).unwrap();
    let Message::Event { event: Event::Exited(exit) } = message else { panic!("{message:?}") };
    assert_eq!(exit.code, 3);
    assert!(shim.child.wait().unwrap().success());
    assert_eq!(fixture.log(), [("stdout".to_owned(), "went\n".to_owned())]);
}

#[test]
fn killing_the_shim_takes_the_container_down() {
    let fixture = Fixture::new(&["sleep", "1000"]);
    let (mut shim, pid) = fixture.start();
    let handle = PidFd::open(pid).unwrap().unwrap();
    shim.child.kill().unwrap();
    shim.child.wait().unwrap();
    assert!(handle.wait_exit(Some(Duration::from_secs(5))).unwrap());
}

#[test]
fn a_shim_runs_from_sealed_memory_under_its_own_name() {
    let mut fixture = Fixture::new(&["sh", "-c", "sleep 0.2; echo ok"]);
    fixture.remove_namespace("user");
    let (shim, _) = fixture.start_sealed();
    let proc = format!("/proc/{}", shim.child.id());
    assert!(berth_linux::sealed::is_sealed(fs::File::open(format!("{proc}/exe")).unwrap()));
    assert_eq!(fs::read_to_string(format!("{proc}/comm")).unwrap(), "berth-shim\n");
    assert_eq!(shim.wait().code, 0);
    assert_eq!(fixture.log()[0].1, "ok\n");
}

#[test]
fn a_shim_ignores_the_signals_that_end_other_daemons() {
    let fixture = Fixture::new(&["sleep", "0.3"]);
    let (shim, _) = fixture.start();
    let handle = PidFd::open(shim.child.id() as i32).unwrap().unwrap();
    for signal in [1, 2, 3, 13, 15, 10, 12] {
        assert!(handle.signal(signal).unwrap());
    }
    assert_eq!(shim.wait().code, 0);
}

#[test]
fn a_specification_that_cannot_be_built_is_undone_and_explained() {
    let mut fixture = Fixture::new(&["true"]);
    fixture.launch.rootfs.lowers = vec!["missing".into()];
    let (phase, message, code) = fixture.failure();
    assert_eq!((phase.as_str(), code), ("mount overlay", 128));
    assert_eq!(message, "no such file or directory");

    let mut fixture = Fixture::new(&["true"]);
    fixture.add_mount(json!({ "destination": "/x", "source": "/no/such/source", "options": ["rbind"] }));
    let (phase, message, _) = fixture.failure();
    assert_eq!(
        (phase.as_str(), message.as_str()),
        ("mount /x", "bind /no/such/source: no such file or directory")
    );

    let mut fixture = Fixture::new(&["true"]);
    fixture.limit("memory", "memory.limit_in_bytes", "plenty");
    let (phase, _, _) = fixture.failure();
    assert_eq!(phase, "set cgroup memory.limit_in_bytes");

    let mut fixture = Fixture::new(&["true"]);
    fixture.config["linux"]["uidMappings"] = json!([{ "containerID": 1, "hostID": 5, "size": 1 }]);
    assert_eq!(fixture.failure().0, "read ID maps");
}

#[test]
fn the_out_of_memory_killer_is_reported() {
    let mut fixture = Fixture::new(&["sh", "-c", "x=a; while :; do x=$x$x; done"]);
    fixture.limit("memory", "memory.limit_in_bytes", "16777216");
    let (exit, _) = fixture.run();
    assert_eq!((exit.code, exit.oom_killed), (137, true));
}

#[test]
fn a_process_limit_of_one_lets_the_init_run_alone() {
    let mut fixture = Fixture::new(&["sh", "-c", "echo one; (echo two); echo three"]);
    fixture.limit("pids", "pids.max", "1");
    let (exit, log) = fixture.run();
    assert_ne!(exit.code, 0);
    assert_eq!(log[0].1, "one\n");
    assert!(log[1].1.contains("fork"), "{log:?}");
}

#[test]
fn on_version_2_alone_the_init_is_born_in_its_cgroup() {
    let mut fixture =
        Fixture::new(&["sh", "-c", "cat /sys/fs/cgroup/cgroup.procs | head -1; grep ^0: /proc/self/cgroup"]);
    fixture.launch.cgroups.retain(|one| one.v2);
    assert_eq!(fixture.launch.cgroups.len(), 1, "a version 2 tree is mounted");
    assert_eq!(fixture.output(), "1\n0::/\n");
    fixture.assert_nothing_left();
}

#[test]
fn without_any_cgroup_a_container_runs_with_a_warning() {
    let mut fixture = Fixture::new(&["echo", "ok"]);
    fixture.launch.cgroups.clear();
    let (shim, _, warnings) = fixture.create();
    assert_eq!(warnings, ["no control groups are mounted on this host"]);
    shim.call(2, Request::Start);
    assert!(matches!(shim.event(), Event::Started { .. }));
    assert_eq!(shim.wait().code, 0);
}

#[test]
fn many_containers_start_side_by_side() {
    const CLIENTS: usize = 16;
    const EACH: usize = 4;
    let fixtures: Vec<Fixture> = (0..CLIENTS * EACH).map(|_| Fixture::new(&["echo", "ok"])).collect();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for part in fixtures.chunks(EACH) {
            scope.spawn(move || part.iter().for_each(|fixture| assert_eq!(fixture.start().0.wait().code, 0)));
        }
    });
    let rate = fixtures.len() as f64 / begin.elapsed().as_secs_f64();
    println!("{rate:.0} containers a second, start to shim gone");
    for fixture in &fixtures {
        assert_eq!(fixture.log(), [("stdout".to_owned(), "ok\n".to_owned())]);
        fixture.assert_nothing_left();
    }
}
