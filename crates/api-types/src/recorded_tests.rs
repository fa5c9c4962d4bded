//! Documents recorded from Docker 20.10 survive a round trip: what it sends as `null`, empty or absent stays so.

use std::collections::BTreeSet;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    container::{ContainerInspect, ContainerSummary, CreateRequest, HostConfig, NetworkingConfig},
    event::EventMessage,
    image::{HistoryItem, ImageInspect, ImageSummary, ProgressMessage},
    system::{Info, Version},
};

/// Paths present in one document only, and paths whose values differ, as `-path`, `+path` and `~path`.
fn differences(path: &str, old: &Value, new: &Value, out: &mut BTreeSet<String>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                match b.get(key) {
                    Some(other) => differences(&format!("{path}.{key}"), value, other, out),
                    None => _ = out.insert(format!("-{path}.{key}")),
                }
            }
            out.extend(b.keys().filter(|key| !a.contains_key(*key)).map(|key| format!("+{path}.{key}")));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).for_each(|(a, b)| differences(path, a, b, out));
        }
        (a, b) if a == b => {}
        _ => _ = out.insert(format!("~{path}")),
    }
}

/// Reads and writes a recorded document and compares.
fn round_trip<T: Serialize + DeserializeOwned>(recorded: &str) -> Vec<String> {
    let old: Value = serde_json::from_str(recorded).unwrap();
    let new = serde_json::to_value(serde_json::from_str::<T>(recorded).unwrap()).unwrap();
    let mut out = BTreeSet::new();
    differences("", &old, &new, &mut out);
    out.into_iter().collect()
}

/// What newer daemons add to and drop from the 20.10 inspect document, for this one's network.
fn newer_inspect(network: &str) -> Vec<String> {
    ["DNSNames", "GwPriority"]
        .iter()
        .map(|key| format!("+.NetworkSettings.Networks.{network}.{key}"))
        .chain(["KernelMemory", "KernelMemoryTCP"].iter().map(|key| format!("-.HostConfig.{key}")))
        .collect()
}

#[test]
fn container_documents_keep_their_shape() {
    for (recorded, network) in [
        (include_str!("../testdata/container-created.json"), "bridge"),
        (include_str!("../testdata/container-sized.json"), "bridge"),
        (include_str!("../testdata/container-running.json"), "none"),
    ] {
        assert_eq!(round_trip::<ContainerInspect>(recorded), newer_inspect(network));
    }
}

#[test]
fn container_lists_keep_their_shape() {
    let only: Vec<_> = newer_inspect("bridge").into_iter().filter(|path| path.starts_with('+')).collect();
    assert_eq!(round_trip::<Vec<ContainerSummary>>(include_str!("../testdata/containers.json")), only);
}

#[test]
fn image_documents_keep_their_shape() {
    assert!(round_trip::<Vec<ImageSummary>>(include_str!("../testdata/images.json")).is_empty());
    assert!(round_trip::<ImageInspect>(include_str!("../testdata/image.json")).is_empty());
    assert!(round_trip::<Vec<HistoryItem>>(include_str!("../testdata/history.json")).is_empty());
}

#[test]
fn system_documents_keep_their_shape() {
    assert!(round_trip::<Version>(include_str!("../testdata/version.json")).is_empty());
    assert_eq!(round_trip::<Info>(include_str!("../testdata/info.json")), ["+.CDISpecDirs"]);
}

#[test]
fn unset_lists_are_null_and_empty_ones_stay_empty() {
    let request: CreateRequest =
        serde_json::from_str(r#"{"Cmd":[],"Env":null,"HostConfig":{"Binds":[]},"Extra":{"x":1}}"#).unwrap();
    let config = serde_json::to_value(&request.config).unwrap();
    assert_eq!(config["Cmd"], serde_json::json!([]));
    for key in ["Env", "Entrypoint", "Volumes", "Labels", "OnBuild"] {
        assert_eq!(config[key], Value::Null, "{key}");
    }
    for key in ["Healthcheck", "StopSignal", "StopTimeout", "ExposedPorts", "Shell"] {
        assert!(config.get(key).is_none(), "{key}");
    }
    let host = serde_json::to_value(request.host_config.unwrap()).unwrap();
    assert_eq!(host["Binds"], serde_json::json!([]));
    assert_eq!(host["CapAdd"], Value::Null);
    assert_eq!(host["ConsoleSize"], serde_json::json!([0, 0]));
    for key in ["Mounts", "Init", "Runtime", "Sysctls", "Tmpfs", "StorageOpt", "Annotations"] {
        assert!(host.get(key).is_none(), "{key}");
    }
}

#[test]
fn null_means_the_zero_value_everywhere() {
    let keys: serde_json::Map<String, Value> = serde_json::to_value(HostConfig::default())
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
        .map(|key| (key.clone(), Value::Null))
        .collect();
    assert_eq!(serde_json::from_value::<HostConfig>(Value::Object(keys)).unwrap(), HostConfig::default());
    let request: CreateRequest = serde_json::from_str(
        r#"{"Hostname":null,"Tty":null,"Image":"a","StopTimeout":null,"Labels":null,"HostConfig":null,
            "NetworkingConfig":{"EndpointsConfig":{"none":null}}}"#,
    )
    .unwrap();
    assert_eq!((request.config.image.as_str(), request.config.tty), ("a", false));
    let NetworkingConfig { endpoints_config } = request.networking_config.unwrap();
    assert_eq!(endpoints_config.unwrap().get("none"), Some(&None));
}

#[test]
fn a_command_may_be_a_single_string() {
    let request: CreateRequest =
        serde_json::from_str(r#"{"Cmd":"sh","Entrypoint":["a",null],"HostConfig":{"CapAdd":"ALL"}}"#)
            .unwrap();
    assert_eq!(request.config.cmd, Some(vec!["sh".to_owned()]));
    assert_eq!(request.config.entrypoint, Some(vec!["a".to_owned(), String::new()]));
    assert_eq!(request.host_config.unwrap().cap_add, Some(vec!["ALL".to_owned()]));
    assert!(serde_json::from_str::<CreateRequest>(r#"{"Cmd":5}"#).is_err());
}

#[test]
fn create_requests_round_trip_on_one_level() {
    let request: CreateRequest = serde_json::from_str(
        r#"{"Image":"a","ExposedPorts":{"80/tcp":{}},"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"8080"}],"81/tcp":null}}}"#,
    )
    .unwrap();
    let text = serde_json::to_string(&request).unwrap();
    assert!(text.contains(r#""Image":"a""#) && text.contains(r#""ExposedPorts":{"80/tcp":{}}"#), "{text}");
    assert_eq!(serde_json::from_str::<CreateRequest>(&text).unwrap(), request);
}

#[test]
fn streams_carry_only_what_is_set() {
    let failure = serde_json::to_string(&ProgressMessage::failure("no")).unwrap();
    assert_eq!(failure, r#"{"errorDetail":{"message":"no"},"error":"no"}"#);
    assert_eq!(serde_json::to_string(&ProgressMessage::status("ok")).unwrap(), r#"{"status":"ok"}"#);
    let event: EventMessage = serde_json::from_str(
        r#"{"Type":"network","Action":"create","Actor":{"ID":"n","Attributes":{"name":"n"}},"scope":"local","time":1,"timeNano":2}"#,
    )
    .unwrap();
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        r#"{"Type":"network","Action":"create","Actor":{"ID":"n","Attributes":{"name":"n"}},"scope":"local","time":1,"timeNano":2}"#
    );
}
