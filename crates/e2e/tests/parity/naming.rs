//! Names, IDs and their prefixes; rename.

use berth_testkit::Daemon;
use serde_json::{Value, json};

#[test]
fn ids_are_64_hex_digits_and_unique_prefixes_resolve() {
    let d = Daemon::start();
    let id = d.create("id", &["true"], Value::Null);
    assert!(id.len() == 64 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{id}");
    for reference in [&id[..12], &id[..20], &d.name("id")] {
        assert_eq!(d.inspect(reference)["Id"], id.as_str(), "{reference}");
    }
}

#[test]
fn an_ambiguous_prefix_is_refused() {
    let d = Daemon::start();
    // Of seventeen IDs two begin with the same digit.
    let ids: Vec<String> = (0..17).map(|n| d.create(&format!("pigeon{n}"), &["true"], Value::Null)).collect();
    let twice = ids.iter().find(|id| ids.iter().filter(|other| other[..1] == id[..1]).count() > 1).unwrap();
    let answer = d.client.get(&format!("/containers/{}/json", &twice[..1]));
    assert!([400, 404, 500].contains(&answer.status), "{}: {}", answer.status, answer.text());
    assert!(
        answer.message().to_lowercase().contains("multiple ids found with provided prefix"),
        "{}",
        answer.message()
    );
}

#[test]
fn a_name_wins_over_an_id_prefix() {
    let d = Daemon::start();
    let first = d.create("first", &["true"], Value::Null);
    let name = &first[..9];
    let path = format!("/containers/create?name={name}");
    let second = d.client.post_json(&path, &json!({"Image": berth_testkit::IMAGE})).expect(201).json();
    assert_eq!(d.inspect(name)["Id"], second["Id"]);
    d.remove(second["Id"].as_str().unwrap());
    assert_eq!(d.inspect(name)["Id"], first.as_str());
}

#[test]
fn a_container_without_a_name_gets_two_words() {
    let d = Daemon::start();
    let body = json!({"Image": berth_testkit::IMAGE});
    let id =
        d.client.post_json("/containers/create", &body).expect(201).json()["Id"].as_str().unwrap().to_owned();
    let inspect = d.inspect(&id);
    let name = inspect["Name"].as_str().unwrap().trim_start_matches('/').to_owned();
    d.remove(&id);
    let words: Vec<&str> = name.split('_').collect();
    assert!(words.len() == 2 && words.iter().all(|word| word.len() > 2), "{name}");
}

#[test]
fn names_follow_dockers_rule() {
    let d = Daemon::start();
    let create = |name: &str| {
        d.client
            .post_json(&format!("/containers/create?name={name}"), &json!({"Image": berth_testkit::IMAGE}))
    };
    for (sent, shown) in
        [("a", "a"), ("-bad", "-bad"), ("a%20b", "a b"), ("%C3%A4b", "äb"), ("a%2Fb", "a/b"), ("_x", "_x")]
    {
        create(sent).refused(
            400,
            &format!("Invalid container name ({shown}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        );
    }
    for good in [d.name("A.b_c-9"), format!("%2F{}", d.name("slash")), d.name(&"x".repeat(200))] {
        create(&good).expect(201);
    }
}

#[test]
fn a_name_in_use_conflicts() {
    let d = Daemon::start();
    let id = d.create("taken", &["true"], Value::Null);
    let name = d.name("taken");
    let wording = format!(
        "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or rename) that container to be able to reuse that name."
    );
    let path = format!("/containers/create?name={name}");
    d.client.post_json(&path, &json!({"Image": berth_testkit::IMAGE})).refused(409, &wording);
    let other = d.create("other", &["true"], Value::Null);
    let wording = format!("Error when allocating new name: {wording}");
    d.client.post(&format!("/containers/{other}/rename?name={name}")).refused_either(&[(409, &wording)]);
    d.remove(&id);
    d.client.post(&format!("/containers/{other}/rename?name={name}")).expect(204);
}

#[test]
fn rename_frees_the_old_name_and_works_on_running_containers() {
    let d = Daemon::start();
    let id = d.idle("old");
    assert_eq!(d.docker(&["rename", &d.name("old"), &d.name("new")]).ok(), "");
    assert_eq!(d.inspect(&d.name("new"))["Id"], id.as_str());
    d.client.get(&format!("/containers/{}/json", d.name("old"))).expect(404);
    d.create("old", &["true"], Value::Null);
    assert_eq!(d.status(&id), "running");
}

#[test]
fn bad_new_names_are_refused() {
    let d = Daemon::start();
    let id = d.create("bad", &["true"], Value::Null);
    let rename = |query: &str| d.client.post(&format!("/containers/{id}/rename{query}"));
    for empty in ["", "?name="] {
        rename(empty).refused_either(&[(400, "Neither old nor new names may be empty")]);
    }
    rename("?name=-x").refused_either(&[
        (400, "Error when allocating new name: Invalid container name (/-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        (400, "Error when allocating new name: Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
    ]);
    rename(&format!("?name={}", d.name("bad")))
        .refused_either(&[(400, "Renaming a container with the same name as its current name")]);
    d.client.post("/containers/nosuch/rename?name=abc").refused(404, "No such container: nosuch");
}
