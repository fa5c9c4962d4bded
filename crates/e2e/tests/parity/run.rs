//! `docker run` through the real command.

use berth_testkit::{Daemon, IMAGE};
use nix::sys::signal::Signal;

#[test]
fn output_arrives_and_the_container_is_removed() {
    let d = Daemon::start();
    let name = d.name("hi");
    assert_eq!(d.docker(&["run", "--rm", "--name", &name, IMAGE, "echo", "hi"]).ok(), "hi");
    d.client.get(&format!("/containers/{name}/json")).expect(404);
}

#[test]
fn both_streams_arrive_separately() {
    let d = Daemon::start();
    let out = d.docker(&["run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2"]).expect_code(0);
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn the_exit_code_passes_through() {
    let d = Daemon::start();
    d.docker(&["run", "--rm", IMAGE, "sh", "-c", "exit 7"]).expect_code(7);
    d.docker(&["run", "--rm", IMAGE, "true"]).expect_code(0);
}

#[test]
fn a_refused_container_is_code_125() {
    let d = Daemon::start();
    d.docker(&["run", "--rm", "--memory", "1000b", IMAGE, "true"])
        .expect_code(125)
        .stderr_has("inimum memory limit allowed is 6MB");
    d.docker(&["run", "--rm", "--pull", "never", "no/such:image", "true"])
        .expect_code(125)
        .stderr_has("o such image: no/such:image");
}

#[test]
fn a_program_that_cannot_be_executed_is_code_126() {
    let d = Daemon::start();
    d.docker(&["run", "--rm", IMAGE, "/etc/notexec"]).expect_code(126).stderr_has("permission denied");
    d.docker(&["run", "--rm", IMAGE, "/etc"]).expect_code(126);
}

#[test]
fn a_missing_program_is_code_127() {
    let d = Daemon::start();
    d.docker(&["run", "--rm", IMAGE, "no-such-program"])
        .expect_code(127)
        .stderr_has("\"no-such-program\": executable file not found in $PATH");
    d.docker(&["run", "--rm", IMAGE, "/no/such"]).expect_code(127).stderr_has("no such file or directory");
}

#[test]
fn a_killed_program_is_code_137() {
    let d = Daemon::start();
    let name = d.name("killed");
    let running = d.docker_spawn(&["run", "--rm", "--name", &name, IMAGE, "sh", "-c", "echo up; sleep 1000"]);
    let mut running = running;
    assert_eq!(running.next_line().as_deref(), Some("up"));
    d.docker(&["kill", &name]).ok();
    assert_eq!(running.finish().1, 137);
}

#[test]
fn a_signal_to_the_client_reaches_the_program() {
    let d = Daemon::start();
    let script = "trap 'echo caught; exit 5' TERM; echo up; while :; do sleep 1000 & wait; done";
    let mut running = d.docker_spawn(&["run", "--rm", "--name", &d.name("proxy"), IMAGE, "sh", "-c", script]);
    assert_eq!(running.next_line().as_deref(), Some("up"));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.finish(), (vec!["caught".to_owned()], 5));
}

#[test]
fn a_terminal_is_given_when_asked_for() {
    let d = Daemon::start();
    let script = "test -t 1 && echo terminal || echo none";
    assert_eq!(d.docker(&["run", "--rm", "-t", IMAGE, "sh", "-c", script]).ok(), "terminal\r");
    assert_eq!(d.docker(&["run", "--rm", IMAGE, "sh", "-c", script]).ok(), "none");
}

#[test]
fn a_detached_terminal_container_keeps_running_until_removed() {
    let d = Daemon::start();
    let name = d.name("itd");
    let id = d.docker(&["run", "-itd", "--name", &name, IMAGE]).ok();
    assert_eq!(id.len(), 64, "{id}");
    assert_eq!(
        d.docker(&["inspect", "-f", "{{.State.Running}} {{.Config.Tty}} {{.Config.OpenStdin}}", &name]).ok(),
        "true true true"
    );
    assert_eq!(d.docker(&["rm", "-f", &name]).ok(), name);
}

#[test]
fn a_web_server_runs_detached() {
    let d = Daemon::start();
    let name = d.name("web");
    let id = d.docker(&["run", "-d", "--name", &name, IMAGE, "httpd", "-f"]).ok();
    let pid = d.docker(&["inspect", "-f", "{{.State.Pid}}", &id]).ok();
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(String::from_utf8_lossy(&line), "httpd\0-f\0");
    let page = d.nsenter(&id, &["--mount", "--net"], &["/bin/wget", "-q", "-O", "-", "http://127.0.0.1/no"]);
    assert!(page.stderr.contains("404"), "{page:?}");
    assert_eq!(d.docker(&["stop", "-t", "1", &name]).ok(), name);
    assert_eq!(d.docker(&["rm", &name]).ok(), name);
}

#[test]
fn a_lot_of_output_arrives_whole_and_in_order() {
    let d = Daemon::start();
    let output = d.docker(&["run", "--rm", IMAGE, "seq", "1", "100000"]).ok();
    let expected: Vec<String> = (1..=100_000).map(|n| n.to_string()).collect();
    assert!(output.lines().eq(expected.iter().map(String::as_str)), "{} lines", output.lines().count());
}

#[test]
fn output_without_a_newline_arrives() {
    let d = Daemon::start();
    assert_eq!(d.docker(&["run", "--rm", IMAGE, "printf", "abc"]).ok(), "abc");
}

#[test]
fn a_name_in_use_is_refused_with_125() {
    let d = Daemon::start();
    let name = d.name("twice");
    let id = d.docker(&["create", "--name", &name, IMAGE]).ok();
    d.docker(&["run", "--name", &name, IMAGE])
        .expect_code(125)
        .stderr_has(&format!("The container name \"/{name}\" is already in use by container \"{id}\"."));
}

#[test]
fn many_clients_run_containers_at_once() {
    let d = Daemon::start();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|n| {
                let d = &d;
                scope.spawn(move || d.docker(&["run", "--rm", IMAGE, "echo", &format!("client {n}")]).ok())
            })
            .collect();
        for (n, client) in clients.into_iter().enumerate() {
            assert_eq!(client.join().unwrap(), format!("client {n}"));
        }
    });
}
