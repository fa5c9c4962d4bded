//! Instructions and their effect, as users write them.

use super::*;

fn apply(changes: &[&str]) -> Result<ContainerConfig, ChangeError> {
    let mut config = ContainerConfig::default();
    apply_changes(&mut config, changes)?;
    Ok(config)
}

fn strings(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|s| (*s).to_owned()).collect())
}

#[test]
fn commands_have_a_list_and_a_shell_form() {
    assert_eq!(apply(&[r#"CMD ["a", "b c"]"#]).unwrap().cmd, strings(&["a", "b c"]));
    assert_eq!(apply(&["cmd echo $HOME"]).unwrap().cmd, strings(&["/bin/sh", "-c", "echo $HOME"]));
    // A list that is no JSON is text.
    assert_eq!(apply(&["CMD ['a']"]).unwrap().cmd, strings(&["/bin/sh", "-c", "['a']"]));
    assert_eq!(apply(&["CMD []"]).unwrap().cmd, strings(&[]));
}

#[test]
fn an_entrypoint_clears_an_inherited_command_but_not_one_given_beside_it() {
    let mut config = ContainerConfig { cmd: strings(&["old"]), ..Default::default() };
    apply_changes(&mut config, &[r#"ENTRYPOINT ["e"]"#]).unwrap();
    assert_eq!((config.entrypoint, config.cmd), (strings(&["e"]), None));
    let both = apply(&[r#"CMD ["c"]"#, r#"ENTRYPOINT ["e"]"#]).unwrap();
    assert_eq!((both.entrypoint, both.cmd), (strings(&["e"]), strings(&["c"])));
}

#[test]
fn environment_replaces_by_name_and_expands_from_earlier_instructions() {
    let config = apply(&["ENV A=1 B='x y'", "ENV A=2 C=$A", "ENV D the  rest", "ENV P=${A}/bin:$B"]).unwrap();
    assert_eq!(config.env, strings(&["A=2", "B=x y", "C=1", "D=the  rest", "P=2/bin:x y"]));
}

#[test]
fn the_other_instructions_set_their_fields() {
    let config = apply(&[
        "LABEL a=b \"c d\"=\"e f\"",
        "EXPOSE 80 53/udp",
        "VOLUME /a /b",
        "VOLUME [\"/c d\"]",
        "USER app:app",
        "WORKDIR /srv",
        "WORKDIR sub/../x",
        "STOPSIGNAL SIGINT",
        "ONBUILD RUN make",
        "HEALTHCHECK --interval=5s --timeout=1m --retries=3 CMD curl -f http://localhost",
    ])
    .unwrap();
    let labels = config.labels.unwrap();
    assert_eq!(labels.get("c d").map(String::as_str), Some("e f"));
    assert_eq!(config.exposed_ports.unwrap().into_iter().collect::<Vec<_>>(), ["53/udp", "80/tcp"]);
    assert_eq!(config.volumes.unwrap().into_iter().collect::<Vec<_>>(), ["/a", "/b", "/c d"]);
    assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("app:app", "/srv/x"));
    assert_eq!((config.stop_signal.as_str(), config.on_build), ("SIGINT", strings(&["RUN make"])));
    let check = config.healthcheck.unwrap();
    assert_eq!(check.test, strings(&["CMD-SHELL", "curl -f http://localhost"]));
    assert_eq!((check.interval, check.timeout, check.retries), (5_000_000_000, 60_000_000_000, 3));
    let none = apply(&["HEALTHCHECK NONE"]).unwrap().healthcheck.unwrap();
    assert_eq!(none.test, strings(&["NONE"]));
}

#[test]
fn wrong_changes_are_refused_and_change_nothing() {
    let cases = [
        ("RUN make", "run is not a valid change command"),
        ("FOO", "foo is not a valid change command"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", "Syntax error - can't find = in \"B\". Must be of the form: name=value"),
        ("ENV =1", "ENV names can not be blank"),
        ("EXPOSE", "EXPOSE requires at least one argument"),
        ("CMD [\"a\", 1]", "when using JSON array syntax, arrays must be comprised of strings only"),
        ("EXPOSE x", "Invalid containerPort: x"),
        ("EXPOSE 80/x", "Invalid proto: x"),
        ("USER", "USER requires exactly one argument"),
        ("STOPSIGNAL NOPE", "Invalid signal: NOPE"),
        ("VOLUME [\"\"]", "VOLUME specified can not be an empty string"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK FOO", "Unknown type \"FOO\" in HEALTHCHECK (try CMD)"),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK --interval=1us CMD x", "Interval \"interval\" cannot be less than 1ms"),
        ("HEALTHCHECK --interval CMD x", "Missing a value on flag: interval"),
        ("HEALTHCHECK --interval=x CMD x", "time: invalid duration \"x\""),
        ("HEALTHCHECK --retries=-1 CMD x", "--retries must be at least 1 (not -1)"),
        ("HEALTHCHECK --retries=x CMD x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("HEALTHCHECK --foo=x CMD x", "Unknown flag: foo"),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
        (
            "ENV A='x",
            "failed to process \"'x\": unexpected end of statement while looking for matching single-quote",
        ),
        ("ENV A=${A:?gone}", "failed to process \"${A:?gone}\": A: gone"),
        ("# nothing", "file with no instructions"),
    ];
    for (change, message) in cases {
        let mut config = ContainerConfig::default();
        let error = apply_changes(&mut config, &[change]).unwrap_err();
        assert_eq!(error.to_string(), message, "{change}");
        if error != ChangeError::Empty {
            apply_changes(&mut config, &["USER kept-out", change]).unwrap_err();
        }
        assert_eq!(config, ContainerConfig::default(), "{change}");
    }
    assert!(apply(&[]).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(
        name in "(?i)(cmd|env|label|expose|user|volume|workdir|healthcheck|onbuild|stopsignal)",
        rest in "[ -~]{0,40}",
    ) {
        drop(apply(&[&format!("{name} {rest}")]));
    }
}
