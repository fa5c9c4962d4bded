//! The container document.

use berth_testkit::{Daemon, IMAGE};
use serde_json::{Value, json};

#[test]
fn every_part_of_the_document_is_there() {
    let d = Daemon::start();
    let id =
        d.create("doc", &["sleep", "1000"], json!({"Env": ["A=b"], "WorkingDir": "/tmp", "User": "app"}));
    let doc = d.inspect(&id);
    for field in [
        "Id",
        "Created",
        "Path",
        "Args",
        "State",
        "Image",
        "ResolvConfPath",
        "HostnamePath",
        "HostsPath",
        "LogPath",
        "Name",
        "RestartCount",
        "Driver",
        "Platform",
        "MountLabel",
        "ProcessLabel",
        "AppArmorProfile",
        "ExecIDs",
        "HostConfig",
        "GraphDriver",
        "Mounts",
        "Config",
        "NetworkSettings",
    ] {
        assert!(doc.get(field).is_some(), "no {field}");
    }
    assert_eq!((&doc["Path"], &doc["Args"]), (&"sleep".into(), &json!(["1000"])));
    assert_eq!(doc["Name"], format!("/{}", d.name("doc")));
    assert_eq!(doc["Driver"], "overlay2");
    let config = &doc["Config"];
    assert_eq!(
        (&config["Image"], &config["User"], &config["WorkingDir"]),
        (&IMAGE.into(), &"app".into(), &"/tmp".into())
    );
    assert_eq!((&config["Cmd"], &config["Entrypoint"]), (&json!(["sleep", "1000"]), &Value::Null));
    assert_eq!(config["Hostname"], id[..12]);
    let env: Vec<&str> = config["Env"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(env, ["A=b", "PATH=/bin:/usr/bin"]);
    for field in [
        "CapAdd",
        "CapDrop",
        "Dns",
        "ExtraHosts",
        "Binds",
        "Ulimits",
        "SecurityOpt",
        "Memory",
        "NanoCpus",
        "ShmSize",
        "NetworkMode",
        "RestartPolicy",
        "LogConfig",
        "IpcMode",
        "MaskedPaths",
        "ReadonlyPaths",
        "Privileged",
        "PidsLimit",
    ] {
        assert!(doc["HostConfig"].get(field).is_some(), "no HostConfig.{field}");
    }
    assert_eq!(doc["HostConfig"]["ShmSize"], 67_108_864);
    assert_eq!(doc["HostConfig"]["RestartPolicy"]["MaximumRetryCount"], 0);
    for field in ["IPAddress", "Gateway", "MacAddress", "Networks", "Ports", "SandboxID"] {
        assert!(doc["NetworkSettings"].get(field).is_some(), "no NetworkSettings.{field}");
    }
    for field in ["LowerDir", "UpperDir", "MergedDir", "WorkDir"] {
        assert!(doc["GraphDriver"]["Data"][field].is_string(), "no GraphDriver.Data.{field}");
    }
}

#[test]
fn the_state_follows_the_life() {
    let d = Daemon::start();
    let id = d.create("state", &["sh", "-c", "echo up; sleep 1000"], Value::Null);
    let zero = "0001-01-01T00:00:00Z";
    let created = d.inspect(&id)["State"].clone();
    assert_eq!(created["Status"], "created");
    assert_eq!((&created["StartedAt"], &created["FinishedAt"]), (&zero.into(), &zero.into()));
    for flag in ["Running", "Paused", "Restarting", "OOMKilled", "Dead"] {
        assert_eq!(created[flag], false, "{flag}");
    }
    d.begin(&id);
    let running = d.inspect(&id)["State"].clone();
    assert_eq!(
        (&running["Status"], &running["Running"], &running["FinishedAt"]),
        (&"running".into(), &true.into(), &zero.into())
    );
    assert!(running["Pid"].as_i64().unwrap() > 1 && running["StartedAt"].as_str().unwrap() > "2020");
    d.client.post(&format!("/containers/{id}/kill")).expect(204);
    d.await_status(&id, "exited");
    let exited = d.inspect(&id)["State"].clone();
    assert_eq!(
        (&exited["Running"], &exited["ExitCode"], &exited["Pid"]),
        (&false.into(), &137.into(), &0.into())
    );
    assert!(exited["FinishedAt"].as_str() > exited["StartedAt"].as_str());
}

#[test]
fn formats_work_from_the_command() {
    let d = Daemon::start();
    let id = d.idle("fmt");
    let name = d.name("fmt");
    let pid = d.docker(&["inspect", "-f", "{{.State.Pid}}", &name]).ok();
    assert_eq!(pid, d.init_pid(&id).to_string());
    assert_eq!(
        d.docker(&["inspect", "--format", "{{.Name}} {{.State.Status}}", &id[..12]]).ok(),
        format!("/{name} running")
    );
    assert_eq!(d.docker(&["inspect", "-f", "{{json .Config.Cmd}}", &name]).ok().chars().next(), Some('['));
    assert_eq!(d.docker(&["inspect", "-f", "{{.GraphDriver.Name}}", &name]).ok(), "overlay2");
    let document: Value = serde_json::from_str(&d.docker(&["inspect", &name]).ok()).unwrap();
    assert_eq!(document[0]["Id"], id.as_str());
    d.docker(&["inspect", "nosuchthing"]).expect_code(1).stderr_has("o such object: nosuchthing");
}

#[test]
fn the_paths_it_names_exist_and_hold_the_containers_own_files() {
    let d = Daemon::start();
    let id = d.create("paths", &["sleep", "1000"], json!({"Hostname": "paths"}));
    d.begin(&id);
    let doc = d.inspect(&id);
    let read = |field: &str| std::fs::read_to_string(doc[field].as_str().unwrap()).unwrap();
    assert_eq!(read("HostnamePath").trim(), "paths");
    assert!(read("HostsPath").contains("localhost"));
    read("ResolvConfPath");
    read("LogPath");
}
