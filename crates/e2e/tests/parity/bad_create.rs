//! Create requests that must be refused: the status, a message that names the cause, and nothing left behind.
//!
//! Where two answers are accepted, the first is what Docker 20.10 says (and what the reference is held to by
//! running this), the later ones are Docker 28's.

use berth_testkit::{Daemon, IMAGE};
use serde_json::{Value, json};

/// An answer to accept: status and a part of the message, compared without regard to case.
type Answer<'a> = (u16, &'a str);

#[track_caller]
fn refused(d: &Daemon, label: &str, body: &str, content_type: Option<&str>, accepted: &[Answer]) {
    let headers: Vec<(&str, &str)> = content_type.map(|value| ("Content-Type", value)).into_iter().collect();
    let path = format!("/containers/create?name={}", d.name("bad"));
    let answer = d.client.send(http::Method::POST, &path, &headers, body.to_owned().into());
    let message = if answer.status >= 400 { answer.message() } else { answer.text() };
    if answer.status == 201 {
        d.remove(&d.name("bad"));
    }
    let fits = accepted.iter().any(|(status, part)| {
        *status == answer.status && message.to_lowercase().contains(&part.to_lowercase())
    });
    assert!(fits, "{label}: {} {message:?} is none of {accepted:?}", answer.status);
    d.client.get(&format!("/containers/{}/json", d.name("bad"))).expect(404);
}

#[track_caller]
fn all(d: &Daemon, table: &[(Value, &[Answer])]) {
    for (more, accepted) in table {
        let mut body = json!({"Image": IMAGE, "Cmd": ["true"]});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        refused(d, &more.to_string(), &body.to_string(), Some("application/json"), accepted);
    }
}

fn host(config: Value) -> Value {
    json!({"HostConfig": config})
}

#[test]
fn bodies_that_are_not_the_right_json() {
    let d = Daemon::start();
    let json = Some("application/json");
    refused(&d, "broken", "{bad", json, &[(500, "invalid character 'b'"), (400, "invalid JSON")]);
    refused(&d, "cut off", "{\"Image\": \"x\"", json, &[(500, "unexpected EOF"), (400, "invalid JSON")]);
    refused(
        &d,
        "empty",
        "",
        json,
        &[
            (500, "EOF"),
            (400, "invalid JSON: got EOF while reading request body"),
            (400, "config cannot be empty in order to create a container"),
        ],
    );
    refused(&d, "a list", "[]", json, &[(500, "cannot unmarshal array"), (400, "invalid JSON")]);
    refused(&d, "a text", "\"x\"", json, &[(500, "cannot unmarshal string"), (400, "invalid JSON")]);
    refused(
        &d,
        "a number for an image",
        "{\"Image\":5}",
        json,
        &[(500, "cannot unmarshal number"), (400, "invalid JSON")],
    );
    refused(
        &d,
        "a number for a command",
        "{\"Image\":\"x\",\"Cmd\":5}",
        json,
        &[(500, "cannot unmarshal number"), (400, "invalid JSON")],
    );
    for empty in ["null", "{}"] {
        refused(&d, empty, empty, json, &[(400, "Config cannot be empty in order to create a container")]);
    }
    let body = json!({"Image": IMAGE}).to_string();
    refused(
        &d,
        "text/plain",
        &body,
        Some("text/plain"),
        &[
            (400, "Content-Type specified (text/plain) must be 'application/json'"),
            (400, "unsupported Content-Type header (text/plain): must be 'application/json'"),
        ],
    );
    refused(
        &d,
        "no content type",
        &body,
        None,
        &[
            (400, "Content-Type specified () must be 'application/json'"),
            (400, "unsupported Content-Type header (): must be 'application/json'"),
            (400, "malformed Content-Type header (): mime: no media type"),
        ],
    );
}

#[test]
fn images_that_are_not_there() {
    let d = Daemon::start();
    let absent = format!("sha256:{}", "1".repeat(64));
    for (image, status, message) in [
        ("nosuch", 404, "No such image: nosuch:latest"),
        ("nosuch:tag", 404, "No such image: nosuch:tag"),
        ("UPPER", 400, "invalid reference format: repository name"),
        ("a@sha256:12", 400, "invalid reference format"),
        (&absent, 404, &format!("No such image: {absent}")),
    ] {
        refused(
            &d,
            image,
            &json!({"Image": image}).to_string(),
            Some("application/json"),
            &[(status, message)],
        );
    }
}

#[test]
fn an_image_without_a_command_needs_one() {
    let d = Daemon::start();
    let image = format!("e2e/{}", d.name("empty"));
    let tar = berth_testkit::image::archive(&[("etc", 0, berth_testkit::image::Entry::Dir(0o755))]);
    d.client
        .post_bytes(&format!("/images/create?fromSrc=-&repo={image}"), "application/x-tar", tar)
        .expect(200);
    refused(
        &d,
        "no command",
        &json!({"Image": image}).to_string(),
        Some("application/json"),
        &[(400, "No command specified")],
    );
    d.client.delete(&format!("/images/{image}")).expect(200);
}

#[test]
fn memory_settings() {
    let d = Daemon::start();
    all(
        &d,
        &[
            (host(json!({"Memory": -1})), &[(400, "Minimum memory limit allowed is 6MB")]),
            (host(json!({"Memory": 1000})), &[(400, "Minimum memory limit allowed is 6MB")]),
            (
                host(json!({"Memory": 64 << 20, "MemorySwap": 32 << 20})),
                &[(400, "Minimum memoryswap limit should be larger than memory limit, see usage")],
            ),
            (
                host(json!({"MemorySwap": 32 << 20})),
                &[(400, "You should always set the Memory limit when using Memoryswap limit, see usage")],
            ),
            (
                host(json!({"MemorySwappiness": 101})),
                &[(400, "Invalid value: 101, valid memory swappiness range is 0-100"), (201, "warnings")],
            ),
            (
                host(json!({"Memory": 32 << 20, "MemoryReservation": 64 << 20})),
                &[(400, "Minimum memory limit can not be less than memory reservation limit, see usage")],
            ),
            (host(json!({"MemoryReservation": 1000})), &[(400, "Minimum memory reservation allowed is 6MB")]),
            (host(json!({"ShmSize": -1})), &[(400, "SHM size can not be less than 0")]),
            (
                host(json!({"OomScoreAdj": 5000})),
                &[(400, "Invalid value 5000, range for oom score adj is [-1000, 1000]")],
            ),
        ],
    );
}

#[test]
fn processor_settings() {
    let d = Daemon::start();
    let n = std::thread::available_parallelism().unwrap();
    let range = format!("Range of CPUs is from 0.01 to {n}.00, as there are only {n} CPUs available");
    all(
        &d,
        &[
            (host(json!({"NanoCpus": -1})), &[(400, &range)]),
            (host(json!({"NanoCpus": 1_000_000_000_000_u64})), &[(400, &range)]),
            (
                host(json!({"NanoCpus": 1_000_000_000, "CpuPeriod": 100_000})),
                &[(400, "Conflicting options: Nano CPUs and CPU Period cannot both be set")],
            ),
            (
                host(json!({"NanoCpus": 1_000_000_000, "CpuQuota": 100_000})),
                &[(400, "Conflicting options: Nano CPUs and CPU Quota cannot both be set")],
            ),
            (
                host(json!({"CpuPeriod": 10})),
                &[(
                    400,
                    "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
                )],
            ),
            (host(json!({"CpuQuota": 10})), &[(400, "CPU cfs quota can not be less than 1ms (i.e. 1000)")]),
            (
                host(json!({"CpusetCpus": "999"})),
                &[(400, "Requested CPUs are not available - requested 999, available: 0")],
            ),
            (host(json!({"CpusetCpus": "x"})), &[(400, "Invalid value x for cpuset cpus")]),
            (
                host(json!({"CpusetMems": "99"})),
                &[(400, "Requested memory nodes are not available - requested 99, available: 0")],
            ),
        ],
    );
}

#[test]
fn restart_policies() {
    let d = Daemon::start();
    all(
        &d,
        &[
            (
                host(json!({"RestartPolicy": {"Name": "bogus"}})),
                &[
                    (400, "invalid restart policy 'bogus'"),
                    (
                        400,
                        "invalid restart policy: unknown policy 'bogus'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
                    ),
                ],
            ),
            (
                host(json!({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}})),
                &[
                    (400, "maximum retry count cannot be used with restart policy 'always'"),
                    (400, "maximum retry count can only be used with 'on-failure'"),
                ],
            ),
            (
                host(json!({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -3}})),
                &[(400, "maximum retry count cannot be negative")],
            ),
            (
                host(json!({"RestartPolicy": {"Name": "always"}, "AutoRemove": true})),
                &[(400, "can't create 'AutoRemove' container with restart policy")],
            ),
        ],
    );
}

#[test]
fn modes_drivers_and_capabilities() {
    let d = Daemon::start();
    all(
        &d,
        &[
            (host(json!({"CgroupnsMode": "bogus"})), &[(400, "invalid cgroup namespace mode: bogus")]),
            (
                host(json!({"Runtime": "bogus"})),
                &[(400, "unknown runtime specified bogus"), (400, "unknown or invalid runtime name: bogus")],
            ),
            (host(json!({"Isolation": "hyperv"})), &[(500, "Invalid isolation"), (400, "Invalid isolation")]),
            (
                host(json!({"LogConfig": {"Type": "bogus"}})),
                &[
                    (400, "error looking up logging plugin bogus: plugin \"bogus\" not found"),
                    (400, "logger: no log driver named 'bogus' is registered"),
                ],
            ),
            (
                host(json!({"LogConfig": {"Type": "json-file", "Config": {"bogus": "1"}}})),
                &[(400, "unknown log opt 'bogus' for json-file log driver")],
            ),
            (
                host(json!({"CapAdd": ["BOGUS"]})),
                &[(400, "invalid CapAdd: unknown capability: \"CAP_BOGUS\"")],
            ),
            (
                host(json!({"CapDrop": ["NOPE"]})),
                &[(400, "invalid CapDrop: unknown capability: \"CAP_NOPE\"")],
            ),
            (
                host(json!({"SecurityOpt": ["bogus"]})),
                &[(500, "invalid --security-opt 1: \"bogus\""), (400, "invalid --security-opt 1: \"bogus\"")],
            ),
            (
                host(json!({"VolumesFrom": ["nosuch"]})),
                // 501: Berth has no volumes yet, and says so.
                &[
                    (400, "No such container: nosuch"),
                    (404, "No such container: nosuch"),
                    (501, "not available yet"),
                ],
            ),
            (
                host(json!({"Links": ["nosuch:x"]})),
                &[
                    (400, "could not get container for nosuch: No such container: nosuch"),
                    (501, "not available yet"),
                ],
            ),
            (host(json!({"ExtraHosts": ["bad"]})), &[(400, "bad format for add-host: \"bad\"")]),
            (
                host(json!({"PortBindings": {"x/tcp": [{}]}})),
                &[
                    (400, "invalid port specification: \"x\""),
                    (400, "invalid port 'x'"),
                    (400, "invalid port"),
                    (501, "not available yet"),
                ],
            ),
        ],
    );
}

#[test]
fn mounts() {
    let d = Daemon::start();
    all(
        &d,
        &[
            (
                host(json!({"Tmpfs": {"rel": ""}})),
                &[(400, "invalid mount path: 'rel' mount path must be absolute")],
            ),
            (
                host(json!({"Binds": ["bad"]})),
                &[(500, "mount path must be absolute"), (400, "mount path must be absolute")],
            ),
            (
                host(json!({"Binds": ["a:b:c:d"]})),
                &[
                    (500, "invalid volume specification: 'a:b:c:d'"),
                    (400, "invalid volume specification: 'a:b:c:d'"),
                ],
            ),
            (
                host(json!({"Mounts": [{"Type": "bogus", "Target": "/x"}]})),
                &[(400, "invalid mount config for type \"bogus\": mount type unknown")],
            ),
            (
                host(json!({"Mounts": [{"Type": "tmpfs", "Target": "x"}]})),
                &[(
                    400,
                    "invalid mount config for type \"tmpfs\": invalid mount path: 'x' mount path must be absolute",
                )],
            ),
        ],
    );
}

#[test]
fn process_settings() {
    let d = Daemon::start();
    all(
        &d,
        &[
            (json!({"StopSignal": "BOGUS"}), &[(400, "Invalid signal: BOGUS")]),
            (
                json!({"WorkingDir": "rel"}),
                &[(400, "the working directory 'rel' is invalid, it needs to be an absolute path")],
            ),
            (json!({"Env": [""]}), &[(400, "invalid environment variable:")]),
            (json!({"Env": ["=x"]}), &[(400, "invalid environment variable: =x")]),
            (
                json!({"Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}}),
                &[(400, "Interval in Healthcheck cannot be less than 1ms")],
            ),
        ],
    );
}

#[test]
fn a_command_may_be_a_plain_text_as_old_clients_send_it() {
    let d = Daemon::start();
    let body = json!({"Image": IMAGE, "Cmd": "hostname", "Hostname": "plain"});
    let id =
        d.client.post_json(&format!("/containers/create?name={}", d.name("text")), &body).expect(201).json();
    let id = id["Id"].as_str().unwrap();
    d.begin(id);
    d.wait(id);
    assert_eq!(d.logs(id), "plain\n");
}

#[test]
fn a_ten_megabyte_body_is_answered_and_the_daemon_stays_up() {
    let d = Daemon::start();
    let big = "y".repeat(10 << 20);
    let path = format!("/containers/create?name={}", d.name("huge"));
    let answer = d.client.post_json(&path, &json!({"Image": IMAGE, "Labels": {"x": big}}));
    assert!([201, 400, 413].contains(&answer.status), "{}", answer.status);
    if answer.status == 201 {
        assert_eq!(d.inspect(&d.name("huge"))["Config"]["Labels"]["x"].as_str().unwrap().len(), 10 << 20);
    } else {
        assert!(!answer.message().is_empty());
    }
    let garbage = d.client.post_bytes("/containers/create", "application/json", "{".repeat(10 << 20));
    assert!([400, 413, 500].contains(&garbage.status), "{}", garbage.status);
    assert!(d.client.answers());
}
