//! Malformed or impossible requests beyond create.

use berth_testkit::{Daemon, IMAGE};
use serde_json::{Value, json};

#[test]
fn a_container_that_is_not_there() {
    let d = Daemon::start();
    let none = "No such container: nosuch";
    for path in ["json", "logs?stdout=1"] {
        d.client.get(&format!("/containers/nosuch/{path}")).refused(404, none);
    }
    for path in ["start", "stop", "restart", "wait", "rename?name=abc", "resize?h=1&w=1"] {
        d.client.post(&format!("/containers/nosuch/{path}")).refused(404, none);
    }
    d.client
        .post("/containers/nosuch/kill")
        .refused_either(&[(404, "Cannot kill container: nosuch: No such container: nosuch"), (404, none)]);
    d.client.delete("/containers/nosuch").refused(404, none);
}

#[test]
fn signals() {
    let d = Daemon::start();
    let id = d.idle("signals");
    let kill = |signal: &str| d.client.post(&format!("/containers/{id}/kill?signal={signal}"));
    for bad in ["BOGUS", "SIGNOPE", "0", "1x"] {
        let wording = format!("Invalid signal: {bad}");
        kill(bad)
            .refused_either(&[(400, &wording), (400, &format!("cannot kill container: {id}: {wording}"))]);
    }
    let unsupported = format!("Cannot kill container: {id}: The linux daemon does not support signal 99");
    kill("99").refused_either(&[(500, &unsupported), (400, &unsupported), (400, "Invalid signal: 99")]);
    assert_eq!(d.status(&id), "running");
}

#[test]
fn killing_what_does_not_run_conflicts() {
    let d = Daemon::start();
    let id = d.create("idle", &["true"], Value::Null);
    let wording = format!("Cannot kill container: {id}: Container {id} is not running");
    d.client.post(&format!("/containers/{id}/kill")).refused_either(&[(409, &wording)]);
    let name = d.name("idle");
    let wording = format!("Cannot kill container: {name}: Container {id} is not running");
    d.client.post(&format!("/containers/{name}/kill")).refused_either(&[(409, &wording)]);
    d.client.post(&format!("/containers/{id}/stop")).expect(304);
}

#[test]
fn numbers_that_are_none() {
    let d = Daemon::start();
    let id = d.idle("numbers");
    for path in ["stop?t=x", "restart?t=x", "resize?h=x&w=1"] {
        let answer = d.client.post(&format!("/containers/{id}/{path}"));
        assert!([400, 500].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
        assert!(answer.message().contains('x'), "{path}: {}", answer.message());
    }
    for path in [
        format!("/containers/{id}/logs?stdout=1&since=x"),
        format!("/containers/{id}/logs?stdout=1&until=x"),
        "/containers/json?limit=x".to_owned(),
        "/events?since=x&until=1".to_owned(),
        "/events?until=x".to_owned(),
    ] {
        let answer = d.client.get(&path);
        assert!([400, 500].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
        assert!(!answer.message().is_empty());
    }
    assert_eq!(d.status(&id), "running");
}

#[test]
fn filters() {
    let d = Daemon::start();
    for path in ["/containers/json", "/images/json"] {
        d.client
            .get(&format!("{path}?filters={{%22bogus%22:[%22x%22]}}"))
            .refused_either(&[(400, "Invalid filter 'bogus'")]);
        let broken = d.client.get(&format!("{path}?filters=bogus"));
        assert!(
            [400, 500].contains(&broken.status) && broken.message().contains("invalid"),
            "{}",
            broken.text()
        );
    }
    d.client
        .post("/containers/prune?filters={%22bogus%22:[%22x%22]}")
        .refused_either(&[(400, "Invalid filter 'bogus'")]);
    let bad = |filter: &str| {
        let encoded: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
        d.client.get(&format!("/containers/json?filters={encoded}"))
    };
    bad(r#"{"status":["bogus"]}"#).refused_either(&[(400, "Invalid filter 'status=bogus'"), (400, "invalid filter 'status=[bogus]'"), (400, "invalid filter 'status=bogus': must be one of created, running, paused, restarting, removing, exited, or dead")]);
    bad(r#"{"health":["x"]}"#).refused_either(&[
        (400, "Unrecognised filter value for health: x"),
        (400, "invalid filter 'health=[x]'"),
    ]);
    bad(r#"{"is-task":["x"]}"#).refused_with(400, "nvalid filter 'is-task=");
    let exited = bad(r#"{"exited":["x"]}"#);
    assert!([400, 500].contains(&exited.status), "{}", exited.text());
    let before = bad(r#"{"before":["nosuch"]}"#);
    assert!(
        [404, 500].contains(&before.status) && before.message().contains("o such container"),
        "{}",
        before.text()
    );
}

#[test]
fn events_of_a_time_that_runs_backwards() {
    let d = Daemon::start();
    d.client.get("/events?since=5&until=1").refused(400, "`since` time (5) cannot be after `until` time (1)");
}

#[test]
fn starting_with_a_body_is_refused_since_1_24() {
    let d = Daemon::start();
    let id = d.create("body", &["true"], Value::Null);
    d.client.post_json(&format!("/containers/{id}/start"), &json!({"Binds": []})).refused(
        400,
        "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
    );
    d.client.post_json(&format!("/containers/{id}/start"), &json!({})).expect(204);
}

#[test]
fn images() {
    let d = Daemon::start();
    let none = "No such image: nosuch:latest";
    d.client
        .get("/images/nosuch/json")
        .refused_either(&[(404, &format!("no such image: nosuch: {none}")), (404, none)]);
    d.client.get("/images/nosuch/history").refused_either(&[(404, none)]);
    d.client.delete("/images/nosuch").refused_either(&[(404, none)]);
    d.client.post("/images/nosuch/tag?repo=x").refused_either(&[(404, none)]);
    for (query, part) in [
        ("repo=UP", "invalid reference format"),
        ("", "invalid reference format"),
        ("repo=x&tag=-bad", "invalid"),
    ] {
        let answer = d.client.post(&format!("/images/{IMAGE}/tag?{query}"));
        assert!(
            [400, 500].contains(&answer.status) && answer.message().contains(part),
            "{query}: {}",
            answer.text()
        );
    }
    let import = |query: &str, body: &'static [u8]| {
        d.client.post_bytes(&format!("/images/create?fromSrc=-&{query}"), "application/x-tar", body)
    };
    import("repo=UPPER", b"").refused_with(400, "invalid reference format");
    import("repo=x&changes=BOGUS%20x", b"").refused_with(400, "bogus is not a valid change command");
    import("repo=x&changes=RUN%20x", b"").refused_with(400, "run is not a valid change command");
    import("repo=x&changes=ENV", b"").refused_with(400, "ENV requires at least one argument");
    let not_tar = import("repo=x", &[b'n'; 5000]);
    assert!([400, 500].contains(&not_tar.status) && !not_tar.message().is_empty(), "{}", not_tar.text());
    d.client.get("/images/x/json").expect(404);
}

#[test]
fn an_archive_that_is_none_is_refused_by_load() {
    let d = Daemon::start();
    let out = d.docker_with_input(&["load"], &[b'n'; 4096]);
    assert!(out.code == 1 && !out.stderr.is_empty(), "{out:?}");
}

#[test]
fn an_image_in_use_is_kept() {
    let d = Daemon::start();
    let tag = format!("e2e/{}:1", d.name("used"));
    let archive = berth_testkit::image::docker_archive(
        &[&tag],
        &[berth_testkit::image::busybox()],
        json!({"Cmd": ["sh"], "Labels": {"n": d.name("u")}}),
    );
    d.docker_with_input(&["load"], &archive).ok();
    let body = json!({"Image": tag, "Cmd": ["sleep", "1000"]});
    let id =
        d.client.post_json(&format!("/containers/create?name={}", d.name("user")), &body).expect(201).json();
    let id = id["Id"].as_str().unwrap();
    let image = d.inspect(id)["Image"].as_str().unwrap().to_owned();
    d.client.delete(&format!("/images/{tag}")).refused_either(&[(409, &format!(
        "conflict: unable to remove repository reference \"{tag}\" (must force) - container {} is using its referenced image {}", &id[..12], &image[7..19]))]);
    d.begin(id);
    d.client.delete(&format!("/images/{image}?force=1")).refused_either(&[(
        409,
        &format!(
            "conflict: unable to delete {} (cannot be forced) - image is being used by running container {}",
            &image[7..19],
            &id[..12]
        ),
    )]);
    d.remove(id);
    d.client.delete(&format!("/images/{tag}")).expect(200);
}
