//! What newer API versions than the reference's say.

use berth_testkit::{Daemon, IMAGE};
use serde_json::{Value, json};

#[test]
fn versions_1_24_to_1_51_are_spoken() {
    let d = Daemon::berth();
    let version = d.client.get("/version").expect(200).json();
    assert_eq!((&version["ApiVersion"], &version["MinAPIVersion"]), (&"1.51".into(), &"1.24".into()));
    for minor in 24..=51 {
        for path in ["_ping", "version", "info", "containers/json?all=1", "images/json", "events?until=1"] {
            d.client.get(&format!("/v1.{minor}/{path}")).expect(200);
        }
    }
    d.client
        .get("/v1.52/version")
        .refused(400, "client version 1.52 is too new. Maximum supported API version is 1.51");
    d.client
        .get("/v1.23/version")
        .refused_with(400, "client version 1.23 is too old. Minimum supported API version is 1.24");
}

#[test]
fn log_and_attach_streams_say_what_they_are_since_1_42() {
    let d = Daemon::berth();
    let id = d.run("plain", &["echo", "x"], Value::Null);
    let tty = d.run("tty", &["echo", "x"], json!({"Tty": true}));
    d.wait(&id);
    d.wait(&tty);
    let kind = |version: &str, id: &str| {
        d.client
            .get(&format!("/{version}/containers/{id}/logs?stdout=1"))
            .expect(200)
            .header("content-type")
            .to_owned()
    };
    assert_eq!(kind("v1.42", &id), "application/vnd.docker.multiplexed-stream");
    assert_eq!(kind("v1.42", &tty), "application/vnd.docker.raw-stream");
}

#[test]
fn malformed_json_is_a_400_that_says_where() {
    let d = Daemon::berth();
    for body in [
        "{bad",
        "[]",
        "{\"Image\":5}",
        "{\"Image\":\"x\",\"Cmd\":5}",
        "{\"Image\":\"x\",\"HostConfig\":[]}",
        "\u{0}",
    ] {
        let answer =
            d.client.post_bytes("/containers/create", "application/json", body.to_owned()).expect(400);
        assert!(answer.message().starts_with("invalid JSON"), "{body}: {}", answer.message());
    }
}

#[test]
fn every_error_of_the_api_is_a_message_in_json() {
    let d = Daemon::berth();
    for path in [
        "/nosuch",
        "/v1.99/version",
        "/containers/x/json",
        "/v1.24/containers/x/json",
        "/images/x/json",
        "/containers/json?filters=x",
    ] {
        let answer = d.client.get(path);
        assert!(
            answer.status >= 400 && answer.header("content-type").starts_with("application/json"),
            "{path}: {:?}",
            answer.headers
        );
        assert!(!answer.message().is_empty());
    }
}

#[test]
fn a_broken_http_request_does_not_harm_the_daemon() {
    use std::io::{Read, Write};
    let d = Daemon::berth();
    for garbage in [
        &b"\x16\x03\x01\x02\x00garbage"[..],
        b"GET\r\n\r\n",
        b"POST /containers/create HTTP/1.1\r\nContent-Length: 99999\r\n\r\nshort",
        &[0; 4096],
    ] {
        let mut stream = std::os::unix::net::UnixStream::connect(d.client.socket()).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
        stream.write_all(garbage).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        stream.read_to_end(&mut Vec::new()).ok();
    }
    assert_eq!(d.inside("echo fine").ok(), "fine");
}

#[test]
fn defaults_are_shown_in_inspect() {
    let d = Daemon::berth();
    let id = d.create("defaults", &["true"], Value::Null);
    let host = d.inspect(&id)["HostConfig"].clone();
    assert_eq!(host["CgroupnsMode"], "private");
    assert_eq!(host["IpcMode"], "private");
    let log = &host["LogConfig"]["Config"];
    assert_eq!(*log, serde_json::json!({}), "clients compare this with what they sent");
    assert_eq!(d.client.get(&format!("/images/{IMAGE}/json")).expect(200).json()["Os"], "linux");
}
