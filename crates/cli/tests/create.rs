//! The create request, against recordings of what the docker command sent for the same flags.
//!
//! `fixtures/create.json` holds one whole body and, per command line, the members that differ from it, or the error
//! that docker 28.2.2 printed instead of sending anything.

// A test's panic is its verdict.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use serde_json::Value;
use support::{BERTH, FakeDaemon, ID, Request, client, finish, fixture, ours, respond, strings};

/// Answers creation and refuses the rest.
fn recorder(request: &Request, to: &mut std::os::unix::net::UnixStream) {
    if request.path() == "/containers/create" {
        respond(to, "201 Created", &format!("{{\"Id\":\"{ID}\",\"Warnings\":[]}}"));
    } else {
        respond(to, "500 Internal Server Error", "{\"message\":\"recorded\"}");
    }
}

/// Leaves by JSON pointer; empty objects are leaves.
fn flatten(value: &Value, path: String, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                flatten(value, format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), into);
            }
        }
        // docker walks its variables and binds in random order.
        Value::Array(items) if matches!(path.as_str(), "/Env" | "/HostConfig/Binds") => {
            let mut items = items.clone();
            items.sort_by_key(Value::to_string);
            into.insert(path, items.into());
        }
        leaf => {
            into.insert(path, leaf.clone());
        }
    }
}

fn flat(value: &Value) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    flatten(value, String::new(), &mut leaves);
    leaves
}

fn compare(program: &str, adapt: fn(&str) -> String) {
    let recording: Value = serde_json::from_str(&fixture("create.json")).unwrap();
    let base = flat(&recording["base"]);
    let daemon = FakeDaemon::start(recorder);
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("env.list", "# comment\n\nA=1\n  B=two words\nFROM_ENV\nNOT_SET_ANYWHERE\nC=\n");
    write("bad.list", "ok=1\nbad name=1\n");
    write("label.list", "x=y\n# c\nz\n");
    write("prof.json", "{\n  \"defaultAction\": \"SCMP_ACT_ALLOW\",\n \"syscalls\": []\n}\n");
    let here = directory.path().canonicalize().unwrap();
    let cases = recording["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let args = strings(&case["args"]);
        let _ = std::fs::remove_file(directory.path().join("CIDF"));
        let mut command = client(program, &daemon.host());
        let done = finish(command.args(&args).env("FROM_ENV", "from env").current_dir(&here));
        let request = daemon.take_requests().into_iter().find(|r| r.path() == "/containers/create");
        match (case["target"].as_str(), request) {
            (None, None) => {
                let (want, code) = (adapt(case["stderr"].as_str().unwrap()), case["code"].as_i64().unwrap());
                if done.stderr.trim_end() != want.trim_end() || done.code != Some(code as i32) {
                    wrong.push(format!(
                        "{args:?}\n  want {code} {want:?}\n  got  {:?} {:?}",
                        done.code, done.stderr
                    ));
                }
            }
            (Some(target), Some(request)) => {
                let mut want = base.clone();
                case["unset"].as_array().unwrap().iter().for_each(|path| {
                    want.remove(path.as_str().unwrap());
                });
                for (path, value) in case["set"].as_object().unwrap() {
                    flatten(value, path.clone(), &mut want);
                }
                let text = String::from_utf8(request.body).unwrap().replace(here.to_str().unwrap(), "$PWD");
                let got = flat(&serde_json::from_str(&text).unwrap());
                let differs: Vec<String> = want
                    .keys()
                    .chain(got.keys())
                    .filter(|path| want.get(*path) != got.get(*path))
                    .map(|path| format!("{path}: want {:?} got {:?}", want.get(path), got.get(path)))
                    .collect();
                if !differs.is_empty() || request.target != target {
                    wrong.push(format!(
                        "{args:?}\n  target {target} {}\n  {}",
                        request.target,
                        differs.join("\n  ")
                    ));
                }
            }
            (want, got) => {
                wrong.push(format!("{args:?}\n  want {want:?} {}\n  got {got:?} {done:?}", case["stderr"]))
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn the_client_sends_what_docker_sent() {
    compare(BERTH, ours);
}

/// Whether a member may be left out without changing the request's meaning.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(says_nothing),
        Value::Object(map) => map.is_empty(),
    }
}

#[test]
fn the_daemons_types_keep_every_member_the_client_sends() {
    let recording: Value = serde_json::from_str(&fixture("create.json")).unwrap();
    let base = flat(&recording["base"]);
    let mut lost = Vec::new();
    for case in recording["cases"].as_array().unwrap().iter().filter(|case| case["target"].is_string()) {
        let mut body = recording["base"].clone();
        for path in case["unset"].as_array().unwrap() {
            let (parent, key) = path.as_str().unwrap().rsplit_once('/').unwrap();
            if let Some(Value::Object(map)) = body.pointer_mut(parent) {
                map.remove(key);
            }
        }
        for (path, value) in case["set"].as_object().unwrap() {
            set(&mut body, path, value.clone());
        }
        let parsed: berth_api_types::container::CreateRequest = match serde_json::from_value(body) {
            Ok(parsed) => parsed,
            Err(e) => {
                lost.push(format!("{}: refused: {e}", case["args"]));
                continue;
            }
        };
        let kept = serde_json::to_value(&parsed).unwrap();
        for (path, value) in case["set"].as_object().unwrap() {
            let same = kept.pointer(path).map_or(says_nothing(value), |kept| kept == value);
            if !same && base.get(path) != Some(value) {
                lost.push(format!("{}: {path} {value} became {:?}", case["args"], kept.pointer(path)));
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

/// Sets a leaf by JSON pointer, making the objects on the way.
fn set(body: &mut Value, path: &str, value: Value) {
    let mut at = body;
    for key in path.split('/').skip(1) {
        let key = key.replace("~1", "/").replace("~0", "~");
        if !at.is_object() {
            *at = Value::Object(Default::default());
        }
        at = at.as_object_mut().unwrap().entry(key).or_insert(Value::Null);
    }
    *at = value;
}

#[test]
#[ignore = "needs the docker command 28.x; run it when the recordings change"]
fn the_recordings_are_still_what_docker_sends() {
    compare("docker", str::to_owned);
}
