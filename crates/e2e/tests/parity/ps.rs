//! The list of containers as `docker ps` and the API show it.

use berth_testkit::{Daemon, IMAGE};
use serde_json::{Value, json};

#[test]
fn the_list_shows_the_running_and_with_all_every_container() {
    let d = Daemon::start();
    let (running, exited, created) = (
        d.idle("ps-run"),
        d.run("ps-exit", &["true"], Value::Null),
        d.create("ps-new", &["true"], Value::Null),
    );
    d.wait(&exited);
    let ids = |path: &str| -> Vec<String> {
        let list = d.client.get(path).expect(200).json();
        list.as_array().unwrap().iter().map(|one| one["Id"].as_str().unwrap().to_owned()).collect()
    };
    let shown = ids("/containers/json");
    assert!(shown.contains(&running) && !shown.contains(&exited) && !shown.contains(&created));
    let all = ids("/containers/json?all=1");
    let place = |id: &String| all.iter().position(|one| one == id).unwrap();
    assert!(place(&created) < place(&exited) && place(&exited) < place(&running), "newest first");
}

#[test]
fn an_entry_has_dockers_fields() {
    let d = Daemon::start();
    let id = d.create("entry", &["sh", "-c", "exit 3"], json!({"Labels": {"k": "v"}}));
    let filter = format!("/containers/json?all=1&filters={{%22id%22:[%22{id}%22]}}");
    let entry = || d.client.get(&filter).expect(200).json()[0].clone();
    let created = entry();
    assert_eq!(created["Names"], json!([format!("/{}", d.name("entry"))]));
    assert_eq!((&created["Image"], &created["Command"]), (&IMAGE.into(), &"sh -c 'exit 3'".into()));
    assert_eq!((&created["State"], &created["Status"]), (&"created".into(), &"Created".into()));
    assert_eq!(created["Labels"], json!({"k": "v"}));
    assert_eq!((&created["Ports"], &created["Mounts"]), (&json!([]), &json!([])));
    assert!(created["ImageID"].as_str().unwrap().starts_with("sha256:"));
    assert!(created["Created"].as_i64().unwrap() > 1_600_000_000);
    assert!(created.get("SizeRw").is_none());
    d.begin(&id);
    d.wait(&id);
    let exited = entry();
    assert_eq!(exited["State"], "exited");
    assert!(exited["Status"].as_str().unwrap().starts_with("Exited (3) "), "{}", exited["Status"]);
}

#[test]
fn sizes_are_told_on_request() {
    let d = Daemon::start();
    let id = d.run("size", &["sh", "-c", "head -c 30000 /dev/zero > /f"], Value::Null);
    d.wait(&id);
    let filter = format!("/containers/json?all=1&size=1&filters={{%22id%22:[%22{id}%22]}}");
    let entry = d.client.get(&filter).expect(200).json()[0].clone();
    assert_eq!(entry["SizeRw"], 30_000);
    assert!(entry["SizeRootFs"].as_i64().unwrap() > 1_000_000, "{entry}");
    let inspect = d.client.get(&format!("/containers/{id}/json?size=1")).expect(200).json();
    assert_eq!(inspect["SizeRw"], 30_000);
    assert!(d.inspect(&id).get("SizeRw").is_none());
}

#[test]
fn the_command_prints_dockers_columns() {
    let d = Daemon::start();
    let name = d.name("cols");
    let id = d.idle("cols");
    let table = d.docker(&["ps", "--filter", &format!("name={name}")]).ok();
    let mut lines = table.lines();
    let head: Vec<&str> =
        lines.next().unwrap().split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
    assert_eq!(head, ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]);
    let row = lines.next().unwrap();
    assert!(row.starts_with(&id[..12]) && row.contains(IMAGE) && row.ends_with(&name), "{row}");
    let format = "{{.ID}}|{{.Names}}|{{.State}}|{{.Image}}|{{.Label \"x\"}}";
    let line = d.docker(&["ps", "--no-trunc", "--filter", &format!("id={id}"), "--format", format]).ok();
    assert_eq!(line, format!("{id}|{name}|running|{IMAGE}|"));
    let status = d.docker(&["ps", "--filter", &format!("id={id}"), "--format", "{{.Status}}"]).ok();
    assert!(status.starts_with("Up "), "{status}");
    assert_eq!(d.docker(&["ps", "-q", "--filter", &format!("id={id}")]).ok(), &id[..12]);
}

#[test]
fn limit_shows_the_newest_of_all_containers() {
    let d = Daemon::start();
    let ids: Vec<String> = (0..3).map(|n| d.create(&format!("limit{n}"), &["true"], Value::Null)).collect();
    // Other tests may use the same reference: their containers can only come first.
    let list = d.client.get("/containers/json?limit=2").expect(200).json();
    assert_eq!(list.as_array().unwrap().len(), 2);
    if !d.is_reference() {
        assert_eq!((&list[0]["Id"], &list[1]["Id"]), (&ids[2].as_str().into(), &ids[1].as_str().into()));
    }
}
