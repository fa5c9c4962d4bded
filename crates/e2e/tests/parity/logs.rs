//! Logs: streams, tail, since and until, timestamps, follow, framing.

use std::time::Duration;

use berth_testkit::{Daemon, IMAGE};
use http::Method;
use serde_json::{Value, json};

fn lines(d: &Daemon, name: &str) -> String {
    let id =
        d.run(name, &["sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2"], Value::Null);
    d.wait(&id);
    id
}

#[test]
fn streams_are_framed_and_chosen() {
    let d = Daemon::start();
    let id = lines(&d, "framed");
    let get = |query: &str| d.client.get(&format!("/containers/{id}/logs?{query}")).expect(200).frames();
    let out: Vec<u8> = get("stdout=1").into_iter().flat_map(|(_, text)| text).collect();
    assert_eq!(out, b"line 1\nline 2\nline 3\nline 4\nline 5\n");
    assert_eq!(get("stderr=true"), [(2, b"oops\n".to_vec())]);
    let both = get("stdout=1&stderr=1");
    assert_eq!(both.len(), 6);
    assert!(both.iter().filter(|(stream, _)| *stream == 1).count() == 5);
    d.client
        .get(&format!("/containers/{id}/logs"))
        .refused_either(&[(400, "Bad parameters: you must choose at least one stream")]);
}

#[test]
fn tail_takes_the_last_lines() {
    let d = Daemon::start();
    let id = lines(&d, "tail");
    let tail = |n: &str| {
        let frames = d.client.get(&format!("/containers/{id}/logs?stdout=1&tail={n}")).expect(200).frames();
        String::from_utf8(frames.into_iter().flat_map(|(_, text)| text).collect()).unwrap()
    };
    assert_eq!(tail("0"), "");
    assert_eq!(tail("all").lines().count(), 5);
    assert_eq!(tail("100").lines().count(), 5);
    assert_eq!(tail("nonsense").lines().count(), 5);
    // Which stream comes last is not determined; that three lines come in all is.
    let last = d.docker(&["logs", "--tail", "3", &id]).expect_code(0);
    assert_eq!(last.stdout.lines().count() + last.stderr.lines().count(), 3, "{last:?}");
}

#[test]
fn timestamps_are_rfc3339_and_since_and_until_cut_by_them() {
    let d = Daemon::start();
    let script = "echo first; sleep 1.2; echo second; sleep 1.2; echo third";
    let id = d.run("times", &["sh", "-c", script], Value::Null);
    d.wait(&id);
    let stamped = d.docker(&["logs", "-t", &id]).ok();
    let times: Vec<&str> = stamped.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(times.len(), 3, "{stamped}");
    for time in &times {
        assert!(time.len() >= 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{time}");
    }
    assert!(stamped.lines().next().unwrap().ends_with(" first"));
    assert_eq!(d.docker(&["logs", "--since", times[1], &id]).ok(), "second\nthird");
    assert_eq!(d.docker(&["logs", "--until", times[1], &id]).ok(), "first\nsecond");
    assert_eq!(d.docker(&["logs", "--since", times[1], "--until", times[1], &id]).ok(), "second");
    assert_eq!(d.docker(&["logs", "--since", "1h", &id]).ok().lines().count(), 3);
}

#[test]
fn following_shows_lines_as_they_come_and_ends_with_the_container() {
    let d = Daemon::start();
    let script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 1000 & wait; done";
    let id = d.run("follow", &["sh", "-c", script], Value::Null);
    let mut following = d.docker_spawn(&["logs", "-f", &id]);
    assert_eq!(following.next_line().as_deref(), Some("up"));
    following.stays_silent(Duration::from_millis(300));
    d.client.post(&format!("/containers/{id}/stop")).expect(204);
    assert_eq!(following.finish(), (vec!["bye".to_owned()], 0));
    assert_eq!(d.docker(&["logs", "-f", &id]).ok(), "up\nbye");
}

#[test]
fn following_from_the_end_shows_only_what_is_new() {
    let d = Daemon::start();
    let id = d.run("new", &["sh", "-c", "echo old; sleep 2; echo new"], Value::Null);
    d.await_log(&id, "old");
    let path = format!("/containers/{id}/logs?stdout=1&follow=1&tail=0");
    let text = d.client.stream(Method::GET, &path).rest();
    assert_eq!(text[8..], *b"new\n");
}

#[test]
fn a_created_container_has_an_empty_log() {
    let d = Daemon::start();
    let id = d.create("empty", &["true"], Value::Null);
    assert_eq!(d.logs(&id), "");
}

#[test]
fn long_lines_and_lines_without_an_end_are_kept_whole() {
    let d = Daemon::start();
    let id = d.run(
        "long",
        &["sh", "-c", "head -c 50000 /dev/zero | tr '\\0' a; echo; printf unfinished"],
        Value::Null,
    );
    d.wait(&id);
    assert_eq!(d.logs(&id), format!("{}\nunfinished", "a".repeat(50_000)));
    assert_eq!(d.docker(&["logs", &id]).ok(), format!("{}\nunfinished", "a".repeat(50_000)));
}

#[test]
fn a_terminals_log_is_not_framed() {
    let d = Daemon::start();
    let id = d.run("tty", &["sh", "-c", "echo out; echo err >&2"], json!({"Tty": true}));
    d.wait(&id);
    assert_eq!(
        d.client.get(&format!("/containers/{id}/logs?stdout=1&stderr=1")).expect(200).text(),
        "out\r\nerr\r\n"
    );
}

#[test]
fn text_beyond_ascii_and_quotes_survive() {
    let d = Daemon::start();
    let text = "naïve “quotes” \"plain\" \\ back\ttab ✓";
    let id = d.run("text", &["printf", "%s\n", text], Value::Null);
    d.wait(&id);
    assert_eq!(d.logs(&id), format!("{text}\n"));
}

#[test]
fn the_log_file_is_dockers_json() {
    let d = Daemon::start();
    let id = lines(&d, "file");
    let inspect = d.inspect(&id);
    assert_eq!(inspect["HostConfig"]["LogConfig"]["Type"], "json-file");
    let content = std::fs::read_to_string(inspect["LogPath"].as_str().unwrap()).unwrap();
    let lines: Vec<Value> = content.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    let first = lines.iter().find(|line| line["stream"] == "stdout").unwrap();
    assert_eq!(first["log"], "line 1\n");
    assert!(first["time"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_log_is_rotated_at_its_bound_and_reads_on() {
    let d = Daemon::start();
    let name = d.name("rotate");
    d.docker(&[
        "run",
        "--name",
        &name,
        "-d",
        "--log-opt",
        "max-size=20k",
        "--log-opt",
        "max-file=2",
        IMAGE,
        "seq",
        "1",
        "3000",
    ])
    .ok();
    d.docker(&["wait", &name]).ok();
    let text = d.docker(&["logs", &name]).ok();
    let found: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(found.last(), Some(&3000));
    assert!(found.len() < 3000 && found.len() > 100, "{} lines are kept", found.len());
    assert!(found.windows(2).all(|pair| pair[0] + 1 == pair[1]), "a line is missing");
}
