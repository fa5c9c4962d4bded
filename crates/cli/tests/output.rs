//! What the client prints, against recordings of the docker command for the same documents.
//!
//! `fixtures/output.json` holds command lines with the output, error output and exit status of docker 28.2.2.

// A test's panic is its verdict.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use serde_json::Value;
use support::{BERTH, FakeDaemon, Finished, client, documents, finish, fixture, ours, strings};

/// Ages grow with the calendar; the recordings do not.
fn ageless(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(" years ago") {
        let (before, after) = rest.split_at(at);
        out.push_str(before.trim_end_matches(|c: char| c.is_ascii_digit()));
        out.push_str("NN");
        rest = after;
        out.push_str(" years ago");
        rest = &rest[" years ago".len()..];
    }
    out + rest
}

fn compare(program: &str, adapt: fn(&str) -> String) {
    let daemon = FakeDaemon::start(documents);
    let cases: Vec<Value> = serde_json::from_str(&fixture("output.json")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let args = strings(&case["args"]);
        let got = finish(client(program, &daemon.host()).args(&args));
        let text = |key: &str| ageless(&adapt(case[key].as_str().unwrap()));
        let want = Finished {
            stdout: text("stdout"),
            stderr: text("stderr").trim_end().into(),
            code: case["code"].as_i64().map(|c| c as i32),
        };
        let got = Finished {
            stdout: ageless(&got.stdout),
            stderr: ageless(&got.stderr).trim_end().into(),
            code: got.code,
        };
        if got != want {
            wrong.push(format!("{args:?}\n  want {want:?}\n  got  {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn the_client_prints_what_docker_printed() {
    compare(BERTH, ours);
}

#[test]
#[ignore = "needs the docker command 28.x; run it when the recordings change"]
fn the_recordings_are_still_what_docker_prints() {
    compare("docker", str::to_owned);
}
