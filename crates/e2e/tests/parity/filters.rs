//! Every filter of the container list.

use berth_testkit::{Daemon, IMAGE};
use serde_json::{Value, json};

/// The short names of this test's containers that match the filters.
fn matching(d: &Daemon, filters: Value) -> Vec<String> {
    let encoded: String = filters.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let list = d.client.get(&format!("/containers/json?all=1&filters={encoded}")).expect(200).json();
    let prefix = format!("/{}", d.name(""));
    let names = list
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["Names"][0].as_str()?.strip_prefix(&prefix).map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn id_and_name_match_by_prefix_and_pattern() {
    let d = Daemon::start();
    let id = d.create("apple", &["true"], Value::Null);
    d.create("apricot", &["true"], Value::Null);
    assert_eq!(matching(&d, json!({"id": [id]})), ["apple"]);
    assert_eq!(matching(&d, json!({"id": [&id[..10]]})), ["apple"]);
    assert_eq!(matching(&d, json!({"name": [d.name("ap")]})), ["apple", "apricot"]);
    assert_eq!(matching(&d, json!({"name": [format!("^/?{}$", d.name("apple"))]})), ["apple"]);
    assert_eq!(
        matching(&d, json!({"name": [format!("{}|{}", d.name("apple"), d.name("apricot"))]})),
        ["apple", "apricot"]
    );
    assert_eq!(matching(&d, json!({"name": [d.name("appl"), d.name("apri")]})), ["apple", "apricot"]);
    assert_eq!(matching(&d, json!({"name": [d.name("ppl")]})), Vec::<String>::new());
    assert_eq!(matching(&d, json!({"name": ["cot"]})), ["apricot"]);
}

#[test]
fn label_matches_by_key_and_by_value() {
    let d = Daemon::start();
    d.create("one", &["true"], json!({"Labels": {"color": "red", "size": "big"}}));
    d.create("two", &["true"], json!({"Labels": {"color": "blue"}}));
    d.create("three", &["true"], Value::Null);
    assert_eq!(matching(&d, json!({"label": ["color"]})), ["one", "two"]);
    assert_eq!(matching(&d, json!({"label": ["color=red"]})), ["one"]);
    assert_eq!(matching(&d, json!({"label": ["color", "size=big"]})), ["one"]);
    assert_eq!(matching(&d, json!({"label": ["color=green"]})), Vec::<String>::new());
    // The form older clients send: a map instead of a list.
    assert_eq!(matching(&d, json!({"label": {"color=blue": true}})), ["two"]);
}

#[test]
fn status_and_exited_match_the_state() {
    let d = Daemon::start();
    d.idle("up");
    d.create("new", &["true"], Value::Null);
    for (name, script) in [("zero", "exit 0"), ("four", "exit 4")] {
        let id = d.run(name, &["sh", "-c", script], Value::Null);
        d.wait(&id);
    }
    assert_eq!(matching(&d, json!({"status": ["running"]})), ["up"]);
    assert_eq!(matching(&d, json!({"status": ["created"]})), ["new"]);
    assert_eq!(matching(&d, json!({"status": ["exited"]})), ["four", "zero"]);
    assert_eq!(matching(&d, json!({"status": ["running", "created"]})), ["new", "up"]);
    assert_eq!(matching(&d, json!({"status": ["paused"]})), Vec::<String>::new());
    assert_eq!(matching(&d, json!({"exited": ["4"]})), ["four"]);
    assert_eq!(matching(&d, json!({"exited": ["4", "0"], "status": ["exited"]})), ["four", "zero"]);
}

#[test]
fn ancestor_is_an_image_by_name_or_id() {
    let d = Daemon::start();
    d.create("child", &["true"], Value::Null);
    let image = d.client.get(&format!("/images/{IMAGE}/json")).expect(200).json();
    let id = image["Id"].as_str().unwrap();
    assert_eq!(matching(&d, json!({"ancestor": [IMAGE]})), ["child"]);
    assert_eq!(matching(&d, json!({"ancestor": ["e2e/busybox"]})), ["child"]);
    assert_eq!(matching(&d, json!({"ancestor": [id]})), ["child"]);
    assert_eq!(matching(&d, json!({"ancestor": [&id[7..19]]})), ["child"]);
    assert_eq!(matching(&d, json!({"ancestor": ["nosuch"]})), Vec::<String>::new());
}

#[test]
fn before_and_since_go_by_creation() {
    let d = Daemon::start();
    for name in ["a1", "a2", "a3"] {
        d.create(name, &["true"], Value::Null);
    }
    assert_eq!(matching(&d, json!({"before": [d.name("a2")]})), ["a1"]);
    assert_eq!(matching(&d, json!({"since": [d.name("a2")]})), ["a3"]);
    assert_eq!(matching(&d, json!({"since": [d.name("a1")], "before": [d.name("a3")]})), ["a2"]);
}

#[test]
fn volume_network_health_and_task() {
    let d = Daemon::start();
    d.create("tmp", &["true"], json!({"HostConfig": {"NetworkMode": "none"}}));
    d.create("host", &["true"], json!({"HostConfig": {"NetworkMode": "host"}}));
    d.create(
        "sick",
        &["true"],
        json!({"HostConfig": {"NetworkMode": "none"}, "Healthcheck": {"Test": ["CMD", "true"]}}),
    );
    assert_eq!(matching(&d, json!({"network": ["host"]})), ["host"]);
    assert_eq!(matching(&d, json!({"network": ["none"]})), ["sick", "tmp"]);
    assert_eq!(matching(&d, json!({"network": ["nosuch"]})), Vec::<String>::new());
    assert_eq!(matching(&d, json!({"volume": ["nosuch"]})), Vec::<String>::new());
    assert!(matching(&d, json!({"health": ["none"]})).contains(&"tmp".to_owned()));
    assert_eq!(matching(&d, json!({"health": ["unhealthy"]})), Vec::<String>::new());
    assert_eq!(matching(&d, json!({"is-task": ["false"]})), ["host", "sick", "tmp"]);
    assert_eq!(matching(&d, json!({"is-task": ["true"]})), Vec::<String>::new());
}

#[test]
fn the_command_filters_too() {
    let d = Daemon::start();
    let name = d.name("cli-filter");
    let id = d.create("cli-filter", &["true"], json!({"Labels": {"only": d.name("me")}}));
    for filter in [format!("name={name}"), format!("label=only={}", d.name("me")), format!("id={id}")] {
        assert_eq!(d.docker(&["ps", "-aq", "--no-trunc", "--filter", &filter]).ok(), id, "{filter}");
    }
    d.docker(&["ps", "--filter", "bogus=1"]).expect_code(1).stderr_has("nvalid filter 'bogus'");
}
