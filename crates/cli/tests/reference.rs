//! The client against a real Docker daemon: what a fake one cannot prove.
//!
//! Run with `BERTH_E2E_REFERENCE=unix:///path/to/docker.sock cargo nextest run -p berth-cli --test reference
//! --run-ignored only`; the daemon needs an image called `busybox`.

// A test's panic is its verdict.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use support::{BERTH, Finished, client, finish};

fn host() -> String {
    std::env::var("BERTH_E2E_REFERENCE").expect("BERTH_E2E_REFERENCE names the reference daemon's socket")
}

fn berth(args: &[&str]) -> Finished {
    finish(client(BERTH, &host()).args(args))
}

/// A container name of this process's own, removed when dropped.
struct Name(String);

impl Name {
    fn new(what: &str) -> Self {
        Self(format!("berth-cli-{what}-{}", std::process::id()))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        berth(&["rm", "-f", &self.0]);
    }
}

/// Both clients, the same command line, the same answer.
fn same(args: &[&str]) -> Finished {
    let docker = finish(client("docker", &host()).args(args));
    let ours = berth(args);
    let adapted = Finished { stderr: support::ours(&docker.stderr), ..docker };
    assert_eq!(ours, adapted, "{args:?}");
    ours
}

#[test]
#[ignore = "needs a Docker daemon in BERTH_E2E_REFERENCE"]
fn output_error_output_and_exit_code_come_through() {
    let done =
        same(&["run", "--rm", "--network", "none", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!(done, Finished { stdout: "out\n".into(), stderr: "err\n".into(), code: Some(7) });
}

#[test]
#[ignore = "needs a Docker daemon in BERTH_E2E_REFERENCE"]
fn programs_that_cannot_start_give_126_and_127() {
    assert_eq!(same(&["run", "--rm", "--network", "none", "busybox", "nosuchprogram"]).code, Some(127));
    assert_eq!(same(&["run", "--rm", "--network", "none", "busybox", "/etc"]).code, Some(126));
    assert_eq!(same(&["run", "--pull", "never", "nosuchimage"]).code, Some(125));
}

#[test]
#[ignore = "needs a Docker daemon in BERTH_E2E_REFERENCE"]
fn megabytes_pass_through_standard_input() {
    let data = "0123456789abcdef".repeat(200_000);
    let mut command: Command = client(BERTH, &host());
    command.args(["run", "-i", "--rm", "--network", "none", "busybox", "cat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = data.clone();
    let writer = std::thread::spawn(move || stdin.write_all(sent.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(output.stdout.len(), data.len());
    assert!(output.stdout == data.as_bytes());
}

#[test]
#[ignore = "needs a Docker daemon in BERTH_E2E_REFERENCE"]
fn a_container_is_created_started_inspected_and_removed() {
    let name = Name::new("life");
    let created = berth(&[
        "create",
        "--name",
        &name.0,
        "--network",
        "none",
        "-l",
        "a=b",
        "busybox",
        "sh",
        "-c",
        "echo hi; exit 3",
    ]);
    assert_eq!(created.code, Some(0), "{created:?}");
    let attached = berth(&["start", "-a", &name.0]);
    assert_eq!((attached.stdout.as_str(), attached.code), ("hi\n", Some(3)));
    assert_eq!(same(&["wait", &name.0]).stdout, "3\n");
    assert_eq!(same(&["logs", &name.0]).stdout, "hi\n");
    let format = "{{.State.ExitCode}} {{.Config.Labels.a}} {{json .Config.Cmd}} {{len .Mounts}}";
    assert_eq!(
        same(&["inspect", "-f", format, &name.0]).stdout,
        "3 b [\"sh\",\"-c\",\"echo hi; exit 3\"] 0\n"
    );
    same(&["inspect", &name.0]);
    same(&["ps", "-a", "--no-trunc", "--filter", &format!("name={}", name.0)]);
    assert_eq!(berth(&["rm", &name.0]).stdout.trim(), name.0);
    same(&["rm", &name.0]);
}

#[test]
#[ignore = "needs a Docker daemon in BERTH_E2E_REFERENCE"]
fn what_the_engine_says_about_itself_is_printed_alike() {
    same(&["version", "--format", "{{json .Server.Version}}"]);
    same(&["info", "--format", "{{.Driver}} {{.CgroupVersion}} {{range .SecurityOptions}}{{.}} {{end}}"]);
    same(&["images", "--digests", "--no-trunc"]);
    same(&["history", "busybox"]);
}
