//! Berth's own client: looking, images, the daemon.

use berth_testkit::{Daemon, IMAGE, image};

#[test]
fn run_prints_and_passes_the_exit_code() {
    let d = Daemon::berth();
    let out =
        d.berth_cli(&["run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 7"]).expect_code(7);
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("out\n", "err\n"));
    d.berth_cli(&["run", "--rm", "-m", "1000b", IMAGE, "true"]).expect_code(125).stderr_has("6MB");
    d.berth_cli(&["run", "--rm", IMAGE, "/etc/notexec"]).expect_code(126);
    d.berth_cli(&["run", "--rm", IMAGE, "nosuch"])
        .expect_code(127)
        .stderr_has("executable file not found in $PATH");
    d.berth_cli(&["run", "--rm", "no/such:image"]).expect_code(125).stderr_has("no/such:image");
    assert_eq!(d.sql("SELECT count(*) FROM containers"), "0", "--rm removes what could not start, too");
}

#[test]
fn options_reach_the_container() {
    let d = Daemon::berth();
    let run = |options: &[&str], script: &str| {
        let mut arguments = vec!["run", "--rm"];
        arguments.extend(options);
        arguments.extend([IMAGE, "sh", "-c", script]);
        d.berth_cli(&arguments).ok()
    };
    assert_eq!(run(&["-e", "A=b", "-e", "C=d e"], "echo $A $C"), "b d e");
    assert_eq!(run(&["-w", "/tmp", "-u", "app", "-h", "boat"], "pwd; id -u; hostname"), "/tmp\n1000\nboat");
    assert_eq!(
        run(
            &["--ulimit", "nofile=64", "--shm-size", "16m"],
            "ulimit -n; df -k /dev/shm | awk 'NR==2 {print $2}'"
        ),
        "64\n16384"
    );
    assert_eq!(run(&["--cap-drop", "ALL"], "grep CapEff /proc/self/status"), "CapEff:\t0000000000000000");
    assert_eq!(
        run(&["--read-only", "--tmpfs", "/run"], "touch /x 2>/dev/null || touch /run/x && echo ok"),
        "ok"
    );
    assert_eq!(run(&["--network", "none"], "ls /sys/class/net"), "lo");
    assert_eq!(
        run(&["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status"),
        "NoNewPrivs:\t1"
    );
    assert_eq!(run(&["--pids-limit", "50", "--memory", "32m", "--cpus", "0.5"], "echo fine"), "fine");
    assert_eq!(d.berth_cli(&["run", "--rm", "--entrypoint", "/bin/echo", IMAGE, "a", "b"]).ok(), "a b");
    assert_eq!(
        d.berth_cli(&["run", "--rm", "-t", IMAGE, "sh", "-c", "test -t 1 && echo tty"]).ok().trim(),
        "tty"
    );
}

#[test]
fn lists_print_what_docker_prints() {
    let d = Daemon::berth();
    d.idle("a");
    d.create("b", &["true"], serde_json::json!({"Labels": {"x": "y"}}));
    for arguments in [
        vec!["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Image}} {{.State}}"],
        vec!["ps", "-q"],
        vec!["ps", "-aq", "--filter", "label=x=y"],
        vec!["images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"],
        vec!["images", "-q"],
    ] {
        assert_eq!(d.berth_cli(&arguments).ok(), d.docker(&arguments).ok(), "{arguments:?}");
    }
    let head = |text: String| text.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(head(d.berth_cli(&["ps"]).ok()), "CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES");
    assert_eq!(head(d.berth_cli(&["images"]).ok()), "REPOSITORY TAG IMAGE ID CREATED SIZE");
}

#[test]
fn inspect_takes_templates_and_prints_the_document() {
    let d = Daemon::berth();
    let id = d.idle("look");
    let name = d.name("look");
    for format in [
        "{{.State.Pid}}",
        "{{.Name}} {{.State.Status}}",
        "{{json .Config.Cmd}}",
        "{{range .Config.Env}}{{.}};{{end}}",
        "{{if .State.Running}}yes{{else}}no{{end}}",
        "{{index .Config.Cmd 0}}",
        "{{ .State.Pid }}",
        "{{len .Config.Cmd}}",
    ] {
        assert_eq!(
            d.berth_cli(&["inspect", "--format", format, &name]).ok(),
            d.docker(&["inspect", "--format", format, &name]).ok(),
            "{format}"
        );
    }
    let document: serde_json::Value = serde_json::from_str(&d.berth_cli(&["inspect", &name]).ok()).unwrap();
    assert_eq!(document[0]["Id"], id.as_str());
    let missing = d.berth_cli(&["inspect", "nosuch"]);
    assert!(
        missing.code == 1 && missing.stderr.to_lowercase().contains("no such object: nosuch"),
        "{missing:?}"
    );
}

#[test]
fn images_are_imported_loaded_tagged_and_removed() {
    let d = Daemon::berth();
    let (tar, archive) = (d.home().dir.join("root.tar"), d.home().dir.join("image.tar.gz"));
    std::fs::write(&tar, image::busybox()).unwrap();
    let config = serde_json::json!({"Cmd": ["echo", "loaded"], "Env": ["PATH=/bin"]});
    std::fs::write(
        &archive,
        image::gzip(&image::docker_archive(&["own/loaded:1"], &[image::busybox()], config)),
    )
    .unwrap();
    let id = d
        .berth_cli(&[
            "import",
            "--change",
            "CMD [\"/bin/busybox\",\"echo\",\"imported\"]",
            tar.to_str().unwrap(),
            "own/imported:1",
        ])
        .ok();
    assert!(id.starts_with("sha256:"), "{id}");
    assert_eq!(d.berth_cli(&["run", "--rm", "own/imported:1"]).ok(), "imported");
    let said = d.berth_cli(&["load", "-i", archive.to_str().unwrap()]).ok();
    assert!(said.contains("Loaded image: own/loaded:1"), "{said}");
    assert_eq!(d.berth_cli(&["run", "--rm", "own/loaded:1"]).ok(), "loaded");
    d.berth_cli(&["tag", "own/loaded:1", "own/again:2"]).ok();
    assert_eq!(d.berth_cli(&["run", "--rm", "own/again:2"]).ok(), "loaded");
    assert_eq!(d.berth_cli(&["rmi", "own/again:2"]).ok(), "Untagged: own/again:2");
    assert!(d.berth_cli(&["rmi", "own/loaded:1"]).ok().contains("Deleted: sha256:"));
    d.berth_cli(&["rmi", "own/loaded:1"]).expect_code(1).stderr_has("o such image: own/loaded:1");
}

#[test]
fn info_and_version_tell_of_the_daemon() {
    let d = Daemon::berth();
    let info = d.berth_cli(&["info"]).ok();
    for part in ["Storage Driver: overlay2", "Cgroup Version: ", "Kernel Version: ", "userns"] {
        assert!(info.contains(part), "no {part:?} in {info}");
    }
    let version = d.berth_cli(&["version"]).ok();
    assert!(version.contains("1.51"), "{version}");
    let own = d.berth_cli(&["--version"]).ok();
    assert!(own.to_lowercase().contains("berth"), "{own}");
    assert!(d.berth_cli(&["--help"]).ok().contains("run"));
}

#[test]
fn the_host_is_found_in_berths_variable_then_in_dockers() {
    let d = Daemon::berth();
    let url = format!("unix://{}", d.client.socket().display());
    let run = |berth: Option<&str>, docker: Option<&str>, flag: Option<&str>| {
        let mut command = std::process::Command::new(berth_testkit::binary("berth"));
        command.env_remove("BERTH_HOST").env_remove("DOCKER_HOST");
        for (name, value) in [("BERTH_HOST", berth), ("DOCKER_HOST", docker)] {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(flag) = flag {
            command.args(["-H", flag]);
        }
        berth_testkit::process::run(command.args(["ps", "-q"]), b"").code
    };
    let nowhere = "unix:///no/such.sock";
    assert_eq!(run(Some(&url), Some(nowhere), None), 0);
    assert_eq!(run(None, Some(&url), None), 0);
    assert_eq!(run(Some(nowhere), Some(&url), None), 1);
    assert_eq!(run(Some(nowhere), None, Some(&url)), 0);
}

#[test]
fn a_daemon_that_is_not_there_is_said_so() {
    let mut command = std::process::Command::new(berth_testkit::binary("berth"));
    command.env("BERTH_HOST", "unix:///no/such.sock");
    let out = berth_testkit::process::run(command.args(["ps"]), b"").expect_code(1);
    assert!(out.stderr.contains("/no/such.sock"), "{out:?}");
}
