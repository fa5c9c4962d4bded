//! `POST /containers/{id}/wait` and its three conditions.

use std::time::Duration;

use berth_testkit::Daemon;
use http::Method;
use serde_json::{Value, json};

fn code(body: &[u8]) -> Value {
    serde_json::from_slice::<Value>(body).unwrap()["StatusCode"].clone()
}

#[test]
fn a_container_that_does_not_run_is_answered_at_once() {
    let d = Daemon::start();
    let id = d.create("never", &["true"], Value::Null);
    assert_eq!(d.wait(&id), 0);
    d.begin(&id);
    assert_eq!(d.wait(&id), 0);
    let id = d.run("seven", &["sh", "-c", "exit 7"], Value::Null);
    assert_eq!(d.wait(&id), 7);
    assert_eq!(d.wait(&id), 7);
}

#[test]
fn headers_come_at_once_and_the_body_at_the_end() {
    let d = Daemon::start();
    let id = d.create("next", &["sh", "-c", "sleep 1; exit 4"], Value::Null);
    let mut waiting = d.client.stream(Method::POST, &format!("/containers/{id}/wait?condition=next-exit"));
    assert_eq!(waiting.status, 200);
    assert!(waiting.piece_within(Duration::from_millis(200)).is_none(), "the container has not run yet");
    d.begin(&id);
    assert_eq!(code(&waiting.rest()), 4);
}

#[test]
fn next_exit_ignores_the_exits_before() {
    let d = Daemon::start();
    let id = d.run("second", &["sh", "-c", "test -e /been && exit 2; touch /been; exit 1"], Value::Null);
    assert_eq!(d.wait(&id), 1);
    let mut waiting = d.client.stream(Method::POST, &format!("/containers/{id}/wait?condition=next-exit"));
    assert!(waiting.piece_within(Duration::from_millis(200)).is_none());
    d.begin(&id);
    assert_eq!(code(&waiting.rest()), 2);
}

#[test]
fn removed_waits_for_the_removal_and_reports_the_exit_code() {
    let d = Daemon::start();
    let id = d.create("gone", &["sh", "-c", "exit 6"], json!({"HostConfig": {"AutoRemove": true}}));
    let mut waiting = d.client.stream(Method::POST, &format!("/containers/{id}/wait?condition=removed"));
    d.begin(&id);
    assert_eq!(code(&waiting.rest()), 6);
    d.client.get(&format!("/containers/{id}/json")).expect(404);

    let id = d.run("gone-later", &["sh", "-c", "exit 5"], Value::Null);
    d.wait(&id);
    let mut waiting = d.client.stream(Method::POST, &format!("/containers/{id}/wait?condition=removed"));
    assert!(waiting.piece_within(Duration::from_millis(200)).is_none());
    d.client.delete(&format!("/containers/{id}")).expect(204);
    assert_eq!(code(&waiting.rest()), 5);
}

#[test]
fn many_waiters_all_hear_of_it() {
    let d = Daemon::start();
    let id = d.run("crowd", &["sh", "-c", "sleep 1; exit 8"], Value::Null);
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..5).map(|_| scope.spawn(|| d.wait(&id))).collect();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), 8);
        }
    });
}
