//! Import, list, inspect, history, tag and remove.

use berth_testkit::{Daemon, IMAGE, image};
use serde_json::{Value, json};

#[test]
fn an_import_takes_changes_and_runs() {
    let d = Daemon::start();
    let tag = format!("e2e/{}:v1", d.name("imp"));
    let out = d
        .docker_with_input(
            &[
                "import",
                "-m",
                "my words",
                "--change",
                "CMD [\"echo\", \"from cmd\"]",
                "--change",
                "ENV PATH=/bin X=1",
                "--change",
                "WORKDIR /tmp",
                "--change",
                "LABEL a=b",
                "--change",
                "USER app",
                "--change",
                "EXPOSE 80",
                "--change",
                "VOLUME /v",
                "--change",
                "ENTRYPOINT [\"/bin/busybox\"]",
                "-",
                &tag,
            ],
            &image::busybox(),
        )
        .ok();
    assert!(out.starts_with("sha256:") && out.len() == 71, "{out}");
    let found = d.client.get(&format!("/images/{tag}/json")).expect(200).json();
    assert_eq!(found["Id"], out.as_str());
    assert_eq!(found["RepoTags"], json!([tag]));
    let config = &found["Config"];
    assert_eq!(config["Cmd"], json!(["echo", "from cmd"]));
    assert_eq!(config["Entrypoint"], json!(["/bin/busybox"]));
    assert_eq!(
        (&config["WorkingDir"], &config["User"], &config["Labels"]),
        (&"/tmp".into(), &"app".into(), &json!({"a": "b"}))
    );
    let env: Vec<&str> = config["Env"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(env.contains(&"PATH=/bin") && env.contains(&"X=1"), "{env:?}");
    assert_eq!(config["ExposedPorts"], json!({"80/tcp": {}}));
    assert_eq!((&found["Os"], &found["RootFS"]["Type"]), (&"linux".into(), &"layers".into()));
    assert_eq!(found["RootFS"]["Layers"], json!([image::digest(&image::busybox())]));
    assert_eq!(found["Comment"], "my words");
    assert_eq!(d.docker(&["run", "--rm", "--network", "none", &tag]).ok(), "from cmd");
    assert_eq!(d.docker(&["rmi", &tag]).ok().lines().next(), Some(format!("Untagged: {tag}").as_str()));
}

#[test]
fn layers_are_shared_between_images() {
    let d = Daemon::start();
    let tags: Vec<String> = ["x", "y"].iter().map(|n| format!("e2e/{}:{n}", d.name("share"))).collect();
    for tag in &tags {
        d.import(tag, image::busybox());
    }
    let layers = |tag: &str| {
        d.client.get(&format!("/images/{tag}/json")).json()["GraphDriver"]["Data"]["UpperDir"].clone()
    };
    assert_eq!(layers(&tags[0]), layers(&tags[1]));
    for tag in &tags {
        d.client.delete(&format!("/images/{tag}")).expect(200);
        d.client.get(&format!("/images/{IMAGE}/json")).expect(200);
    }
    assert_eq!(d.inside("cat /etc/notexec").ok(), "not a program");
}

#[test]
fn the_list_shows_and_filters_images() {
    let d = Daemon::start();
    let repo = format!("e2e/{}", d.name("list"));
    d.import(&format!("{repo}:1"), image::busybox());
    let id = d.client.get(&format!("/images/{repo}:1/json")).json()["Id"].as_str().unwrap().to_owned();
    let by = |filters: Value| {
        let encoded: String = filters.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
        d.client.get(&format!("/images/json?filters={encoded}")).expect(200).json()
    };
    let list = by(json!({"reference": [repo]}));
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!((&list[0]["Id"], &list[0]["RepoTags"]), (&id.as_str().into(), &json!([format!("{repo}:1")])));
    assert!(
        list[0]["Size"].as_i64().unwrap() > 1_000_000 && list[0]["Created"].as_i64().unwrap() > 1_600_000_000
    );
    assert_eq!(by(json!({"reference": [format!("{repo}:2")]})), json!([]));
    let shown =
        d.docker(&["images", "--no-trunc", "--format", "{{.Repository}} {{.Tag}} {{.ID}}", &repo]).ok();
    assert_eq!(shown, format!("{repo} 1 {id}"));
    assert_eq!(d.docker(&["images", "-q", &repo]).ok(), &id[7..19]);
    d.docker(&["rmi", &format!("{repo}:1")]).ok();
}

#[test]
fn history_tells_of_every_layer() {
    let d = Daemon::start();
    let tag = format!("e2e/{}:1", d.name("hist"));
    let layers = [image::busybox(), image::archive(&[("added", 0, image::Entry::File(0o644, b"x"))])];
    d.docker_with_input(&["load"], &image::docker_archive(&[&tag], &layers, json!({"Cmd": ["sh"]}))).ok();
    let history = d.client.get(&format!("/images/{tag}/history")).expect(200).json();
    let history = history.as_array().unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!((&history[0]["CreatedBy"], &history[1]["CreatedBy"]), (&"layer 1".into(), &"layer 0".into()));
    assert_eq!(history[0]["Tags"], json!([tag]));
    assert_eq!(history[1]["Id"], "<missing>");
    assert_eq!(history[0]["Size"], 1);
    assert_eq!(d.docker(&["history", "--format", "{{.CreatedBy}}", &tag]).ok(), "layer 1\nlayer 0");
    d.docker(&["rmi", &tag]).ok();
}

#[test]
fn a_tag_is_another_name_and_the_last_one_takes_the_image_away() {
    let d = Daemon::start();
    let (one, two) = (format!("e2e/{}:1", d.name("tag")), format!("e2e/{}:2", d.name("tag")));
    let layer = image::archive(&[("only", 0, image::Entry::File(0o644, d.name("tag").as_bytes()))]);
    d.docker_with_input(&["load"], &image::docker_archive(&[&one], &[layer], json!({"Cmd": ["x"]}))).ok();
    let id = d.client.get(&format!("/images/{one}/json")).json()["Id"].as_str().unwrap().to_owned();
    let (repo, tag) = two.rsplit_once(':').unwrap();
    d.client.post(&format!("/images/{one}/tag?repo={repo}&tag={tag}")).expect(201);
    assert_eq!(d.client.get(&format!("/images/{two}/json")).json()["Id"], id.as_str());
    let mut tags: Vec<String> = serde_json::from_value(
        d.client.get(&format!("/images/{}/json", &id[7..19])).json()["RepoTags"].clone(),
    )
    .unwrap();
    tags.sort();
    assert_eq!(tags, [one.clone(), two.clone()]);
    assert_eq!(d.client.delete(&format!("/images/{one}")).expect(200).json(), json!([{"Untagged": one}]));
    let last = d.client.delete(&format!("/images/{two}")).expect(200).json();
    assert_eq!((&last[0]["Untagged"], &last[1]["Deleted"]), (&two.as_str().into(), &id.as_str().into()));
    d.client.get(&format!("/images/{id}/json")).expect(404);
}

#[test]
fn a_reused_tag_leaves_a_dangling_image_that_prune_removes() {
    let d = Daemon::start();
    let tag = format!("e2e/{}:1", d.name("dangle"));
    let load = |text: &str| {
        let layer = image::archive(&[("f", 0, image::Entry::File(0o644, text.as_bytes()))]);
        let config = json!({"Cmd": ["x"], "Labels": {"prune": d.name("img")}});
        d.docker_with_input(&["load"], &image::docker_archive(&[&tag], &[layer], config)).ok();
        d.client.get(&format!("/images/{tag}/json")).json()["Id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (load("one"), load("two"));
    assert_ne!(first, second);
    let filters = format!("{{%22label%22:[%22prune={}%22]}}", d.name("img"));
    let dangling = d
        .client
        .get(&format!(
            "/images/json?filters={{%22dangling%22:[%22true%22],%22label%22:[%22prune={}%22]}}",
            d.name("img")
        ))
        .expect(200)
        .json();
    assert_eq!((dangling.as_array().unwrap().len(), &dangling[0]["Id"]), (1, &first.as_str().into()));
    let pruned = d.client.post(&format!("/images/prune?filters={filters}")).expect(200).json();
    assert!(
        pruned["ImagesDeleted"].as_array().unwrap().iter().any(|one| one["Deleted"] == first.as_str()),
        "{pruned}"
    );
    d.client.get(&format!("/images/{second}/json")).expect(200);
    d.client.delete(&format!("/images/{tag}")).expect(200);
}
