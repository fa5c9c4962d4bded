//! Flags, the configuration file, sockets.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::{fs::MetadataExt, net::UnixStream},
};

use berth_testkit::{Daemon, process};
use serde_json::Value;

#[test]
fn it_listens_on_loopback_tcp_as_well() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let d = Daemon::builder().argument("-H").argument(&format!("tcp://127.0.0.1:{port}")).berth();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with("OK"), "{text}");
    let mut command = d.environment_for(std::path::Path::new("docker"));
    command.env("DOCKER_HOST", format!("tcp://127.0.0.1:{port}")).args([
        "run",
        "--rm",
        berth_testkit::IMAGE,
        "echo",
        "tcp",
    ]);
    assert_eq!(process::run(&mut command, b"").ok(), "tcp");
}

#[test]
fn the_socket_is_for_root_and_the_group_only() {
    let d = Daemon::berth();
    let meta = std::fs::metadata(d.home().socket()).unwrap();
    assert_eq!(meta.mode() & 0o777, 0o660);
    let groups = std::fs::read_to_string("/etc/group").unwrap();
    let gid = |name: &str| {
        groups
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}:"))?.split(':').nth(1)?.parse::<u32>().ok())
    };
    assert_eq!(meta.gid(), gid("berth").or(gid("docker")).unwrap_or(0));
}

#[test]
fn a_configuration_file_is_read_and_flags_beat_it() {
    let d = Daemon::berth();
    let dir = d.home().dir.join("file");
    std::fs::create_dir(&dir).unwrap();
    let (config, socket) = (dir.join("berthd.toml"), d.home().run.join("file.sock"));
    let text = format!(
        "data-root = \"{0}/from-file\"\nexec-root = \"{1}/y\"\nhosts = [\"unix://{2}\"]\nlog-level = \"debug\"\n",
        dir.display(),
        d.home().run.display(),
        socket.display(),
    );
    std::fs::write(&config, &text).unwrap();
    let mut command = std::process::Command::new(berth_testkit::binary("berthd"));
    command.arg("--config-file").arg(&config).arg("--data-root").arg(dir.join("from-flag"));
    let mut child =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let client = berth_testkit::Client::new(&socket);
    let up = berth_testkit::until(std::time::Duration::from_secs(10), || client.answers().then_some(()));
    let root = up.map(|()| client.get("/info").json()["DockerRootDir"].clone());
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let code = process::wait_child(&mut child, std::time::Duration::from_secs(10));
    assert_eq!(root, Some(dir.join("from-flag").to_str().unwrap().into()));
    assert!(dir.join("from-flag/berth.db").exists() && !dir.join("from-file").exists());
    assert_eq!(code, Some(0));

    std::fs::write(&config, "no-such-setting = 1\n").unwrap();
    let mut command = std::process::Command::new(berth_testkit::binary("berthd"));
    let refused = process::run(command.arg("--config-file").arg(&config), b"");
    assert!(refused.code != 0 && refused.stderr.contains("no-such-setting"), "{refused:?}");
}

#[test]
fn a_client_may_close_its_writing_side_and_still_gets_the_answer() {
    let d = Daemon::berth();
    let id = d.run("half", &["sh", "-c", "sleep 1; exit 6"], Value::Null);
    for (path, expected) in
        [(format!("/containers/{id}/wait"), "\"StatusCode\":6"), ("/version".to_owned(), "ApiVersion")]
    {
        let mut stream = UnixStream::connect(d.client.socket()).unwrap();
        let method = if path.ends_with("wait") { "POST" } else { "GET" };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains(expected), "{path}: {text}");
    }
}

#[test]
fn run_directories_with_long_paths_work() {
    // A socket's path has 107 bytes at most; a container's alone takes 77.
    let d = Daemon::berth();
    let exec = d.home().run.join("long/".repeat(16));
    let socket = d.home().run.join("long.sock");
    let mut command = std::process::Command::new(berth_testkit::binary("berthd"));
    command
        .arg("--data-root")
        .arg(d.home().dir.join("long"))
        .arg("--exec-root")
        .arg(&exec)
        .arg("-H")
        .arg(format!("unix://{}", socket.display()));
    let mut child =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let client = berth_testkit::Client::new(&socket);
    let result = std::panic::catch_unwind(|| {
        berth_testkit::eventually("the daemon answers", || client.answers().then_some(()));
        client
            .post_bytes(
                "/images/create?fromSrc=-&repo=b",
                "application/x-tar",
                berth_testkit::image::busybox(),
            )
            .expect(200);
        let body = serde_json::json!({"Image": "b", "Cmd": ["/bin/busybox", "true"]});
        let id = client.post_json("/containers/create", &body).expect(201).json()["Id"]
            .as_str()
            .unwrap()
            .to_owned();
        client.post(&format!("/containers/{id}/start")).expect(204);
        client.post(&format!("/containers/{id}/wait")).expect(200);
        client.delete(&format!("/containers/{id}")).expect(204);
    });
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    process::wait_child(&mut child, std::time::Duration::from_secs(10));
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn bad_flags_are_refused_with_a_reason_and_nothing_stays() {
    let d = Daemon::berth();
    for (n, (arguments, part)) in [
        (vec!["--data-root", "relative"], "absolute"),
        (vec!["--nosuch"], "--nosuch"),
        (vec!["-H", "ftp://x"], "ftp"),
        (vec!["-H", "unix:///no/such/place/s"], "/no/such/place/s"),
        (vec!["--config-file", "/no/such.toml"], "/no/such.toml"),
    ]
    .into_iter()
    .enumerate()
    {
        let root = d.home().dir.join(format!("refused{n}"));
        let mut command = std::process::Command::new(berth_testkit::binary("berthd"));
        command.arg("--exec-root").arg(d.home().run.join(format!("refused{n}")));
        if arguments[0] != "--data-root" {
            command.arg("--data-root").arg(&root);
        }
        let out = process::run(command.args(&arguments), b"");
        assert!(out.code != 0 && out.stderr.contains(part), "{arguments:?}: {out:?}");
        let parents = berth_testkit::cgroup_parent(&root).map(|parent| berth_testkit::cgroups(&parent));
        assert!(parents.is_none_or(|left| left.is_empty()), "{arguments:?} left a cgroup");
    }
}
