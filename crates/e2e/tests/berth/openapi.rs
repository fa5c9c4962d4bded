//! The OpenAPI document against the running daemon.

use berth_testkit::{Daemon, openapi::Document, workspace};

#[test]
fn every_documented_operation_is_served() {
    let d = Daemon::berth();
    let document = Document::load(&workspace().join("api/openapi.json"));
    let operations = document.operations();
    assert!(operations.len() >= 25, "only {} operations are described", operations.len());
    let plain = berth_testkit::Client::new(d.client.socket());
    for (method, template) in operations {
        let streams = template.ends_with("/events");
        let path: String = template
            .split('/')
            .map(|part| if part.starts_with('{') { "nosuchthing" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let path = if streams { format!("{path}?until=1") } else { path };
        // Prune would be harmless here too, but says nothing that the status does not.
        let answer = plain.send(method.parse().unwrap(), &path, &[], bytes::Bytes::new());
        let absent = answer.status == 404 && answer.text().contains("page not found");
        assert!(
            !absent && answer.status != 405,
            "{method} {template} is described but not served: {}",
            answer.status
        );
    }
}

#[test]
fn the_core_operations_are_documented() {
    let document = Document::load(&workspace().join("api/openapi.json"));
    let operations = document.operations();
    for (method, template) in [
        ("GET", "/_ping"),
        ("HEAD", "/_ping"),
        ("GET", "/version"),
        ("GET", "/info"),
        ("GET", "/events"),
        ("GET", "/containers/json"),
        ("POST", "/containers/create"),
        ("POST", "/containers/prune"),
        ("GET", "/images/json"),
        ("POST", "/images/create"),
        ("POST", "/images/load"),
        ("POST", "/berth/v1/images/bootstrap"),
    ] {
        assert!(operations.contains(&(method, template)), "{method} {template}");
    }
    let ending = |method: &str, end: &str| {
        operations.iter().any(|(m, t)| *m == method && t.starts_with("/containers/{") && t.ends_with(end))
    };
    for end in ["/start", "/stop", "/restart", "/kill", "/wait", "/rename", "/attach"] {
        assert!(ending("POST", end), "{end}");
    }
    assert!(ending("GET", "/json") && ending("GET", "/logs") && ending("DELETE", "}"));
}
