//! Events: order, attributes, filters, replay and follow.

use berth_testkit::{Daemon, IMAGE};
use serde_json::{Value, json};

fn replay(d: &Daemon, filters: Value) -> Vec<Value> {
    let encoded: String = filters.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    d.client.get(&format!("/events?since=1&until={}&filters={encoded}", now())).expect(200).json_lines()
}

/// Seconds and nanoseconds, as `since` and `until` take them.
fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

fn actions(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["Action"].as_str().unwrap()).collect()
}

#[test]
fn a_containers_life_is_told_in_order() {
    let d = Daemon::start();
    let id = d.create("life", &["sh", "-c", "exit 3"], json!({"Labels": {"k": "v"}}));
    d.begin(&id);
    d.wait(&id);
    d.client.delete(&format!("/containers/{id}")).expect(204);
    let events = replay(&d, json!({"container": [id]}));
    assert_eq!(actions(&events), ["create", "start", "die", "destroy"]);
    for event in &events {
        assert_eq!((&event["Type"], &event["Actor"]["ID"]), (&"container".into(), &id.as_str().into()));
        assert_eq!(
            (&event["id"], &event["from"], &event["status"]),
            (&event["Actor"]["ID"], &IMAGE.into(), &event["Action"])
        );
        assert_eq!(event["scope"], "local");
        let attributes = &event["Actor"]["Attributes"];
        assert_eq!(
            (&attributes["image"], &attributes["name"], &attributes["k"]),
            (&IMAGE.into(), &d.name("life").into(), &"v".into())
        );
        assert_eq!(event["timeNano"].as_i64().unwrap() / 1_000_000_000, event["time"].as_i64().unwrap());
    }
    assert_eq!(events[2]["Actor"]["Attributes"]["exitCode"], "3");
    assert!(events.windows(2).all(|pair| pair[0]["timeNano"].as_i64() <= pair[1]["timeNano"].as_i64()));
}

#[test]
fn kill_stop_restart_and_rename_are_told() {
    let d = Daemon::start();
    let id = d.idle("verbs");
    d.client.post(&format!("/containers/{id}/rename?name={}", d.name("verbs2"))).expect(204);
    d.client.post(&format!("/containers/{id}/kill?signal=SIGKILL")).expect(204);
    d.client.post(&format!("/containers/{id}/wait?condition=not-running")).expect(200);
    let killed = replay(&d, json!({"container": [id], "event": ["kill"]}));
    assert_eq!(killed[0]["Actor"]["Attributes"]["signal"], "9");
    d.begin(&id);
    d.client.post(&format!("/containers/{id}/restart?t=5")).expect(204);
    d.client.post(&format!("/containers/{id}/stop?t=5")).expect(204);
    let events = replay(&d, json!({"container": [id]}));
    let all = actions(&events);
    assert_eq!(all.iter().filter(|action| **action == "die").count(), 3, "{all:?}");
    for action in ["restart", "rename", "stop", "kill"] {
        assert!(all.contains(&action), "no {action} in {all:?}");
    }
    let renamed = events.iter().find(|event| event["Action"] == "rename").unwrap();
    let attributes = &renamed["Actor"]["Attributes"];
    assert_eq!(
        (&attributes["oldName"], &attributes["name"]),
        (&format!("/{}", d.name("verbs")).into(), &d.name("verbs2").into())
    );
}

#[test]
fn filters_choose() {
    let d = Daemon::start();
    let id = d.create("chosen", &["true"], json!({"Labels": {"pick": d.name("x")}}));
    d.create("other", &["true"], Value::Null);
    d.begin(&id);
    d.wait(&id);
    let label = format!("pick={}", d.name("x"));
    assert_eq!(actions(&replay(&d, json!({"label": [label], "event": ["start", "die"]}))), ["start", "die"]);
    assert_eq!(
        actions(&replay(
            &d,
            json!({"container": [d.name("chosen")], "type": ["container"], "event": ["create"]})
        )),
        ["create"]
    );
    assert!(replay(&d, json!({"container": [id], "type": ["image"]})).is_empty());
    assert_eq!(
        actions(&replay(&d, json!({"container": [&id[..12]], "image": ["e2e/busybox"]}))),
        ["create", "start", "die"]
    );
}

#[test]
fn following_shows_what_happens_next() {
    let d = Daemon::start();
    let name = d.name("live");
    let mut following =
        d.docker_spawn(&["events", "--filter", &format!("container={name}"), "--format", "{{.Action}}"]);
    following.stays_silent(std::time::Duration::from_millis(700));
    let id = d.run("live", &["true"], Value::Null);
    d.wait(&id);
    d.client.delete(&format!("/containers/{id}")).expect(204);
    let seen: Vec<String> = (0..4).filter_map(|_| following.next_line()).collect();
    assert_eq!(seen, ["create", "start", "die", "destroy"]);
}

#[test]
fn the_command_replays_a_span_of_time() {
    let d = Daemon::start();
    let name = d.name("span");
    let id = d.run("span", &["true"], Value::Null);
    d.wait(&id);
    let now = now();
    let filter = format!("container={name}");
    let told = |format: &str| {
        d.docker(&["events", "--since", "5m", "--until", &now, "--filter", &filter, "--format", format]).ok()
    };
    let text = told("{{.Status}} {{.ID}}");
    assert_eq!(text, ["create", "start", "die"].map(|action| format!("{action} {id}")).join("\n"));
    assert_eq!(told("{{json .}}").lines().count(), 3);
}

#[test]
fn nothing_is_told_of_a_refused_create() {
    let d = Daemon::start();
    let name = d.name("refused");
    d.client
        .post_json(
            &format!("/containers/create?name={name}"),
            &json!({"Image": IMAGE, "HostConfig": {"Memory": 1}}),
        )
        .expect(400);
    assert!(replay(&d, json!({"container": [name]})).is_empty());
}

#[test]
fn image_events_are_told() {
    let d = Daemon::start();
    let tag = format!("e2e/{}:1", d.name("tagged"));
    d.docker(&["tag", IMAGE, &tag]).ok();
    d.docker(&["rmi", &tag]).ok();
    let events = replay(&d, json!({"type": ["image"], "event": ["tag", "untag"]}));
    let ours: Vec<&Value> =
        events.iter().filter(|event| event["Actor"]["Attributes"]["name"] == tag.as_str()).collect();
    assert!(ours.iter().any(|event| event["Action"] == "tag"), "{events:?}");
}
