//! Attach to output: the hijacked connection, raw and framed.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use berth_testkit::Daemon;
use serde_json::{Value, json};

/// Sends an attach request and reads up to the end of the headers.
fn attach(d: &Daemon, id: &str, query: &str, upgrade: bool) -> (String, UnixStream) {
    let mut stream = UnixStream::connect(d.client.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let upgrade = if upgrade { "Connection: Upgrade\r\nUpgrade: tcp\r\n" } else { "" };
    write!(
        stream,
        "POST /containers/{id}/attach?{query} HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n{upgrade}\r\n"
    )
    .unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (String::from_utf8(head).unwrap(), stream)
}

#[test]
fn a_connection_opened_before_the_start_sees_everything() {
    let d = Daemon::start();
    let id = d.create("early", &["sh", "-c", "echo out; echo err >&2"], Value::Null);
    let (head, mut stream) = attach(&d, &id, "stream=1&stdout=1&stderr=1", true);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("Upgrade: tcp") || head.contains("upgrade: tcp"), "{head}");
    d.begin(&id);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all.sort_unstable();
    let mut expected = b"\x01\0\0\0\0\0\0\x04out\n\x02\0\0\0\0\0\0\x04err\n".to_vec();
    expected.sort_unstable();
    assert_eq!(all, expected);
}

#[test]
fn without_an_upgrade_the_answer_is_a_plain_200() {
    let d = Daemon::start();
    let id = d.create("plain", &["echo", "hello"], Value::Null);
    let (head, mut stream) = attach(&d, &id, "stream=1&stdout=1", false);
    // 1.0 or 1.1: what matters is that the bytes follow as they are, up to the end of the connection.
    assert!(head.starts_with("HTTP/1.") && head[8..].starts_with(" 200 "), "{head}");
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
    d.begin(&id);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"\x01\0\0\0\0\0\0\x06hello\n");
}

#[test]
fn a_terminal_is_attached_raw() {
    let d = Daemon::start();
    let id = d.create("tty", &["echo", "hello"], json!({"Tty": true}));
    let (_, mut stream) = attach(&d, &id, "stream=1&stdout=1", true);
    d.begin(&id);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"hello\r\n");
}

#[test]
fn the_log_can_be_replayed_before_the_stream() {
    let d = Daemon::start();
    let script = "echo before; trap 'echo after; exit 0' TERM; echo up; while :; do sleep 1000 & wait; done";
    let id = d.run("replay", &["sh", "-c", script], Value::Null);
    d.await_log(&id, "up");
    let (_, mut stream) = attach(&d, &id, "logs=1&stream=1&stdout=1", true);
    let mut piece = [0; 14 + 1];
    stream.read_exact(&mut piece).unwrap();
    assert_eq!(&piece[8..], b"before\n");
    d.client.post(&format!("/containers/{id}/stop")).expect(204);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert!(all.ends_with(b"after\n"), "{}", String::from_utf8_lossy(&all));
}

#[test]
fn attaching_to_nothing_is_refused() {
    let d = Daemon::start();
    let response = d.client.post("/containers/nosuchthing/attach?stream=1&stdout=1").expect(404);
    assert!(response.text().contains("No such container: nosuchthing"), "{}", response.text());
}

#[test]
fn a_client_that_goes_away_does_not_stop_the_container() {
    let d = Daemon::start();
    let id =
        d.run("leave", &["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"], Value::Null);
    let (_, mut stream) = attach(&d, &id, "stream=1&stdout=1", true);
    stream.read_exact(&mut [0; 8]).unwrap();
    drop(stream);
    let seen = d.logs(&id).lines().count();
    d.await_log(&id, &format!("\n{}\n", seen + 10));
    assert_eq!(d.status(&id), "running");
}
