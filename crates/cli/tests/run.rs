//! `run`, `start -a` and friends against a scripted daemon: the order of requests, streams, and exit codes.

// A test's panic is its verdict.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use support::{BERTH, FakeDaemon, Finished, ID, Request, client, finish, respond};

/// One frame of a multiplexed stream.
fn frame(stream: u8, text: &str) -> Vec<u8> {
    [&[stream, 0, 0, 0][..], &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}

/// Tells connections apart in time: attach and wait answer only after the start.
#[derive(Default)]
struct Started(Mutex<bool>, Condvar);

impl Started {
    fn set(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }

    fn wait(&self) {
        let started =
            self.1.wait_timeout_while(self.0.lock().unwrap(), Duration::from_secs(20), |s| !*s).unwrap();
        assert!(*started.0, "the container was never started");
    }
}

/// A daemon whose container writes `output` after it was started and ends with `status`; `echo` sends its input
/// back. `upgrade` is the status line that answers attach.
struct Script {
    upgrade: &'static str,
    output: Vec<u8>,
    echo: bool,
    status: i64,
    start: (&'static str, &'static str),
}

impl Default for Script {
    fn default() -> Self {
        let started = ("204 No Content", "");
        Self { upgrade: "101 UPGRADED", output: Vec::new(), echo: false, status: 0, start: started }
    }
}

fn daemon(script: Script) -> FakeDaemon {
    let started = Arc::new(Started::default());
    FakeDaemon::start(move |request: &Request, to: &mut UnixStream| {
        let path = request.path().to_owned();
        match path.rsplit('/').next().unwrap() {
            "create" => {
                respond(to, "201 Created", &format!("{{\"Id\":\"{ID}\",\"Warnings\":[\"mind the gap\"]}}"))
            }
            "attach" => {
                let head = format!(
                    "HTTP/1.1 {}\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
                    script.upgrade
                );
                // Head and first output in one piece: the client must not lose what follows the head.
                to.write_all(&[head.as_bytes(), &script.output].concat()).unwrap();
                if script.echo {
                    let mut input = String::new();
                    to.read_to_string(&mut input).unwrap();
                    to.write_all(&frame(1, &input)).unwrap();
                }
                to.shutdown(std::net::Shutdown::Both).unwrap();
            }
            "wait" => {
                let body = format!("{{\"StatusCode\":{}}}", script.status);
                to.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
                started.wait();
                let _ = to.write_all(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes());
            }
            "start" => {
                respond(to, script.start.0, script.start.1);
                started.set();
            }
            _ => respond(to, "404 Not Found", "{\"message\":\"page not found\"}"),
        }
    })
}

fn names(daemon: &FakeDaemon) -> Vec<String> {
    daemon.requests().iter().map(|r| r.target.replace(ID, "ID")).collect()
}

#[test]
fn run_attaches_and_waits_before_it_starts() {
    let daemon = daemon(Script {
        output: [frame(1, "out\n"), frame(2, "err\n"), frame(1, "more\n")].concat(),
        status: 7,
        ..Default::default()
    });
    let done = finish(client(BERTH, &daemon.host()).args(["run", "busybox", "true"]));
    assert_eq!(
        done,
        Finished {
            stdout: "out\nmore\n".into(),
            stderr: "WARNING: mind the gap\nerr\n".into(),
            code: Some(7)
        }
    );
    assert_eq!(
        names(&daemon),
        [
            "/containers/create",
            "/containers/ID/attach?stderr=1&stdout=1&stream=1",
            "/containers/ID/wait?condition=next-exit",
            "/containers/ID/start"
        ]
    );
}

#[test]
fn run_rm_waits_for_the_removal() {
    let daemon = daemon(Script { status: 137, ..Default::default() });
    let done = finish(client(BERTH, &daemon.host()).args(["run", "--rm", "busybox"]));
    assert_eq!(done.code, Some(137));
    assert!(names(&daemon).contains(&"/containers/ID/wait?condition=removed".to_owned()));
}

#[test]
fn a_plain_200_is_hijacked_too() {
    let daemon = daemon(Script { upgrade: "200 OK", output: frame(1, "old\n"), ..Default::default() });
    let done = finish(client(BERTH, &daemon.host()).args(["run", "busybox"]));
    assert_eq!((done.stdout.as_str(), done.code), ("old\n", Some(0)));
}

#[test]
fn the_end_of_input_reaches_the_container_and_its_answer_comes_back() {
    let daemon = daemon(Script { echo: true, ..Default::default() });
    let mut command = client(BERTH, &daemon.host());
    let mut child = command
        .args(["run", "-i", "busybox", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"hello").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn detached_run_prints_the_id() {
    let daemon = daemon(Script::default());
    let done = finish(client(BERTH, &daemon.host()).args(["run", "-d", "busybox"]));
    assert_eq!((done.stdout.trim_end(), done.code), (ID, Some(0)));
    assert_eq!(names(&daemon), ["/containers/create", "/containers/ID/start"]);
}

#[test]
fn a_program_that_cannot_start_gives_the_shells_exit_code() {
    for (message, code) in [
        ("exec: \\\"nope\\\": executable file not found in $PATH: unknown", 127),
        ("exec: \\\"/etc\\\": permission denied: unknown", 126),
        ("driver failed", 125),
    ] {
        let body: &'static str = format!("{{\"message\":\"{message}\"}}").leak();
        let daemon = daemon(Script { start: ("400 Bad Request", body), ..Default::default() });
        let done = finish(client(BERTH, &daemon.host()).args(["run", "busybox"]));
        assert_eq!(done.code, Some(code), "{done:?}");
        assert!(done.stderr.contains("berth: Error response from daemon: "), "{done:?}");
        assert!(done.stderr.ends_with("Run 'berth run --help' for more information\n"), "{done:?}");
    }
}

#[test]
fn signals_are_passed_on() {
    let killed = Arc::new(Started::default());
    let (ended, started) = (killed.clone(), Arc::new(Started::default()));
    let running = started.clone();
    let daemon = FakeDaemon::start(move |request: &Request, to: &mut UnixStream| {
        match request.path().rsplit('/').next().unwrap() {
            "create" => respond(to, "201 Created", &format!("{{\"Id\":\"{ID}\",\"Warnings\":[]}}")),
            "attach" => {
                to.write_all(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
                    .unwrap();
                ended.wait();
                to.shutdown(std::net::Shutdown::Both).unwrap();
            }
            "wait" => {
                to.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
                ended.wait();
                let _ = to.write_all(b"12\r\n{\"StatusCode\":143}\r\n0\r\n\r\n");
            }
            "start" => {
                respond(to, "204 No Content", "");
                running.set();
            }
            "kill" => {
                respond(to, "204 No Content", "");
                ended.set();
            }
            other => panic!("unexpected request for {other}"),
        }
    });
    let child = client(BERTH, &daemon.host()).args(["run", "busybox"]).spawn().unwrap();
    started.wait();
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    assert!(names(&daemon).contains(&"/containers/ID/kill?signal=TERM".to_owned()), "{:?}", names(&daemon));
}

#[test]
fn nobody_listening_is_said_plainly() {
    let host = "unix:///nonexistent/berth.sock";
    let done = finish(client(BERTH, host).arg("ps"));
    assert_eq!(done.stderr, format!("Cannot connect to the Berth daemon at {host}. Is berthd running?\n"));
    assert_eq!(done.code, Some(1));
    let done = finish(client(BERTH, host).args(["run", "busybox"]));
    assert_eq!(done.code, Some(125));
}

#[test]
fn a_closed_pipe_ends_the_client_quietly() {
    let daemon = FakeDaemon::start(support::documents);
    let mut command = client(BERTH, &daemon.host());
    let mut child =
        command.args(["inspect", "web"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(141));
}

#[test]
fn management_commands_without_a_verb_print_their_help() {
    let done = finish(client(BERTH, "unix:///nonexistent").arg("container"));
    assert_eq!(done.code, Some(0));
    assert!(done.stdout.contains("Manage containers") && done.stdout.contains("prune"), "{done:?}");
}
