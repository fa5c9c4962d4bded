//! `_ping`, `version`, `info`, version prefixes and what is not there.

use berth_testkit::Daemon;
use serde_json::Value;

#[test]
fn ping_answers_get_and_head() {
    let d = Daemon::start();
    for path in ["/_ping", "/v1.41/_ping"] {
        let pong = d.client.get(path).expect(200);
        assert_eq!(pong.text(), "OK");
        for response in [pong, d.client.head(path).expect(200)] {
            assert!(response.header("api-version").starts_with("1."), "{:?}", response.headers);
            assert_eq!(response.header("ostype"), "linux");
            assert_eq!(response.header("docker-experimental"), "false");
            assert_eq!(response.header("cache-control"), "no-cache, no-store, must-revalidate");
            assert_eq!(response.header("pragma"), "no-cache");
            assert!(response.header("content-type").starts_with("text/plain"));
        }
    }
    assert!(d.client.head("/_ping").body.is_empty());
}

#[test]
fn version_is_told_to_the_api_and_the_command() {
    let d = Daemon::start();
    let version = d.client.get("/version").expect(200).json();
    for field in
        ["Version", "ApiVersion", "MinAPIVersion", "Os", "Arch", "KernelVersion", "GitCommit", "GoVersion"]
    {
        assert!(version[field].is_string(), "no {field} in {version}");
    }
    assert_eq!(version["Components"][0]["Name"], "Engine");
    let told = d.docker(&["version", "--format", "{{.Server.APIVersion}} {{.Server.Os}}"]).ok();
    assert_eq!(told, format!("{} linux", version["ApiVersion"].as_str().unwrap()));
    assert!(!d.client.get("/version").header("server").is_empty());
}

#[test]
fn info_counts_containers_by_state() {
    let d = Daemon::start();
    let count = || {
        let info = d.client.get("/info").expect(200).json();
        (info["Containers"].as_i64().unwrap(), info["ContainersRunning"].as_i64().unwrap())
    };
    d.idle("info");
    let (all, running) = count();
    assert!(all >= running && running >= 1);
    let info = d.client.get("/info").expect(200).json();
    for field in [
        "ID",
        "Driver",
        "DriverStatus",
        "CgroupDriver",
        "CgroupVersion",
        "KernelVersion",
        "OperatingSystem",
        "OSType",
        "Architecture",
        "NCPU",
        "MemTotal",
        "DockerRootDir",
        "Name",
        "ServerVersion",
        "SecurityOptions",
        "Plugins",
        "LoggingDriver",
        "DefaultRuntime",
        "Runtimes",
        "Swarm",
        "SystemTime",
        "Images",
        "MemoryLimit",
        "PidsLimit",
        "RegistryConfig",
        "IndexServerAddress",
    ] {
        assert!(!info[field].is_null(), "no {field}");
    }
    assert_eq!(info["Driver"], "overlay2");
    assert_eq!(info["Swarm"]["LocalNodeState"], "inactive");
    let options: Vec<&str> =
        info["SecurityOptions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(options.iter().any(|option| option.starts_with("name=seccomp,profile=")), "{options:?}");
    let text = d.docker(&["info"]).ok();
    for expected in ["Storage Driver: overlay2", "Cgroup Version: ", "Kernel Version: ", "Security Options:"]
    {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
}

#[test]
fn version_prefixes_are_accepted_in_range_and_refused_beyond() {
    let d = Daemon::start();
    let max = d.client.get("/version").json()["ApiVersion"].as_str().unwrap().to_owned();
    let minor: u32 = max.split_once('.').unwrap().1.parse().unwrap();
    for minor in 24..=minor {
        d.client.get(&format!("/v1.{minor}/containers/json")).expect(200);
    }
    d.client
        .get("/v1.99/version")
        .refused(400, &format!("client version 1.99 is too new. Maximum supported API version is {max}"));
    let old = d.client.get("/v1.11/version").expect(400);
    assert!(
        old.text().contains("client version 1.11 is too old. Minimum supported API version is 1."),
        "{}",
        old.text()
    );
    assert_eq!(d.client.get("/v1.99/version").header("api-version"), max);
}

#[test]
fn what_is_not_there_is_a_page_not_found() {
    let d = Daemon::start();
    for path in ["/nosuch", "/v1.41/nosuch", "/containers", "/"] {
        d.client.get(path).refused(404, "page not found");
    }
    d.client.post("/version").expect(404);
    d.client.send(http::Method::PUT, "/containers/json", &[], bytes::Bytes::new()).expect(404);
}

#[test]
fn swarm_and_plugins_answer_as_an_engine_without_them() {
    let d = Daemon::start();
    assert_eq!(d.client.get("/plugins").expect(200).json(), serde_json::json!([]));
    for path in ["/swarm", "/nodes", "/services", "/tasks"] {
        d.client.get(path).refused_with(503, "This node is not a swarm manager.");
    }
}
