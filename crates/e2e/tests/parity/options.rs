//! What the options of `docker run` do, seen from inside.

use berth_testkit::{Daemon, IMAGE};

fn run(d: &Daemon, options: &[&str], script: &str) -> String {
    let mut arguments = vec!["run", "--rm"];
    arguments.extend(options);
    arguments.extend([IMAGE, "sh", "-c", script]);
    d.docker(&arguments).ok()
}

#[test]
fn the_user_is_given_by_name_or_number_with_its_groups() {
    let d = Daemon::start();
    let id = "echo $(id -u) $(id -g) $(id -G)";
    assert_eq!(run(&d, &["--user", "app"], id), "1000 1000 1000 2000");
    assert_eq!(run(&d, &["--user", "1000"], id), "1000 1000 1000 2000");
    assert_eq!(run(&d, &["--user", "app:nogroup"], id), "1000 65534 65534");
    assert_eq!(run(&d, &["--user", "1234:4321"], id), "1234 4321 4321");
    assert_eq!(run(&d, &["--user", "1234"], id), "1234 0 0");
    assert_eq!(
        run(&d, &["--user", "1234:4321", "--group-add", "extra", "--group-add", "77"], "id -G"),
        "4321 77 2000"
    );
    assert_eq!(run(&d, &["--user", "app"], "echo $HOME"), "/data");
    assert_eq!(run(&d, &[], "echo $(id -u):$(id -g) $HOME"), "0:0 /root");
}

#[test]
fn the_working_directory_is_made_when_missing() {
    let d = Daemon::start();
    assert_eq!(run(&d, &["--workdir", "/tmp"], "pwd"), "/tmp");
    assert_eq!(run(&d, &["--workdir", "/a/new/place"], "pwd; stat -c '%u %a' ."), "/a/new/place\n0 755");
    assert_eq!(run(&d, &[], "pwd"), "/");
}

#[test]
fn the_entrypoint_is_replaced_and_takes_the_command_as_arguments() {
    let d = Daemon::start();
    let out = d.docker(&["run", "--rm", "--entrypoint", "/bin/echo", IMAGE, "a", "b c"]).ok();
    assert_eq!(out, "a b c");
}

#[test]
fn host_and_domain_name_are_set() {
    let d = Daemon::start();
    assert_eq!(run(&d, &["--hostname", "boat"], "hostname; cat /etc/hostname"), "boat\nboat");
    let out = run(
        &d,
        &["--hostname", "boat", "--domainname", "sea.test"],
        "hostname; cat /proc/sys/kernel/domainname",
    );
    assert!(out == "boat\nsea.test" || out == "boat.sea.test\n(none)", "{out}");
}

#[test]
fn the_host_name_is_the_short_id_by_default() {
    let d = Daemon::start();
    let id = d.create("hn", &["hostname"], serde_json::Value::Null);
    d.begin(&id);
    d.wait(&id);
    assert_eq!(d.logs(&id).trim(), &id[..12]);
}

#[test]
fn the_environment_is_the_images_then_the_users() {
    let d = Daemon::start();
    let out = run(&d, &["--env", "A=1", "--env", "B=x y=z", "--env", "PATH=/bin", "-h", "env"], "env | sort");
    let lines: Vec<&str> =
        out.lines().filter(|line| !line.starts_with("SHLVL") && !line.starts_with("PWD")).collect();
    assert_eq!(lines, ["A=1", "B=x y=z", "HOME=/root", "HOSTNAME=env", "PATH=/bin"]);
    assert_eq!(run(&d, &[], "echo $PATH"), "/bin:/usr/bin");
    assert_eq!(d.docker(&["run", "--rm", "-t", IMAGE, "sh", "-c", "echo $TERM"]).ok(), "xterm\r");
}

#[test]
fn the_default_capabilities_are_dockers() {
    let d = Daemon::start();
    let caps = "grep -E '^Cap(Eff|Prm|Bnd|Inh)' /proc/self/status";
    let found = run(&d, &[], caps);
    for line in ["CapPrm:\t00000000a80425fb", "CapEff:\t00000000a80425fb", "CapBnd:\t00000000a80425fb"] {
        assert!(found.contains(line), "no {line:?} in {found}");
    }
    let other = run(&d, &["--user", "app"], caps);
    assert!(
        other.contains("CapEff:\t0000000000000000") && other.contains("CapBnd:\t00000000a80425fb"),
        "{other}"
    );
}

#[test]
fn capabilities_are_dropped_and_added() {
    let d = Daemon::start();
    let effective = "grep CapEff /proc/self/status";
    assert_eq!(run(&d, &["--cap-drop", "ALL"], effective), "CapEff:\t0000000000000000");
    assert_eq!(run(&d, &["--cap-drop", "ALL", "--cap-add", "CHOWN"], effective), "CapEff:\t0000000000000001");
    assert_eq!(run(&d, &["--cap-drop", "chown"], effective), "CapEff:\t00000000a80425fa");
    let chown = "touch /tmp/f && chown 1000 /tmp/f && stat -c %u /tmp/f";
    assert_eq!(run(&d, &[], chown), "1000");
    let refused =
        d.docker(&["run", "--rm", "--cap-drop", "CAP_CHOWN", IMAGE, "sh", "-c", chown]).expect_code(1);
    assert!(refused.stderr.contains("Operation not permitted"), "{refused:?}");
    assert_eq!(run(&d, &["--cap-add", "SYS_ADMIN"], effective), "CapEff:\t00000000a82425fb");
}

#[test]
fn resource_limits_of_processes_are_set() {
    let d = Daemon::start();
    let show = "ulimit -Sn; ulimit -Hn";
    assert_eq!(run(&d, &["--ulimit", "nofile=64:128"], show), "64\n128");
    assert_eq!(run(&d, &["--ulimit", "nofile=100"], show), "100\n100");
    assert_eq!(run(&d, &["--ulimit", "core=0", "--ulimit", "cpu=7"], "ulimit -c; ulimit -t"), "0\n7");
}

#[test]
fn shared_memory_has_the_asked_size() {
    let d = Daemon::start();
    let size = "df -k /dev/shm | awk 'NR==2 {print $2}'";
    assert_eq!(run(&d, &[], size), "65536");
    assert_eq!(run(&d, &["--shm-size", "16m"], size), "16384");
}

#[test]
fn a_read_only_root_still_has_writable_mounts() {
    let d = Daemon::start();
    let refused = d.docker(&["run", "--rm", "--read-only", IMAGE, "touch", "/x"]).expect_code(1);
    assert!(refused.stderr.contains("Read-only file system"), "{refused:?}");
    assert_eq!(run(&d, &["--read-only", "--tmpfs", "/run"], "touch /run/x /dev/shm/y && echo done"), "done");
}

#[test]
fn a_tmpfs_has_dockers_defaults_and_the_asked_options() {
    let d = Daemon::start();
    let options = "grep ' /run ' /proc/mounts | cut -d' ' -f3,4; stat -c %a /run";
    let default = run(&d, &["--tmpfs", "/run"], options);
    for expected in ["tmpfs ", "nosuid", "nodev", "noexec", "1777"] {
        assert!(default.contains(expected), "no {expected} in {default}");
    }
    let own = run(&d, &["--tmpfs", "/run:size=1m,mode=700,exec"], options);
    assert!(own.contains("size=1024k") && own.ends_with("\n700") && !own.contains("noexec"), "{own}");
}

#[test]
fn new_privileges_are_refused_only_when_asked() {
    let d = Daemon::start();
    let show = "grep NoNewPrivs /proc/self/status";
    assert_eq!(run(&d, &[], show), "NoNewPrivs:\t0");
    assert_eq!(run(&d, &["--security-opt", "no-new-privileges"], show), "NoNewPrivs:\t1");
}

#[test]
fn system_calls_are_filtered_unless_asked_otherwise() {
    let d = Daemon::start();
    let show = "grep '^Seccomp:' /proc/self/status";
    assert_eq!(run(&d, &[], show), "Seccomp:\t2");
    assert_eq!(run(&d, &["--security-opt", "seccomp=unconfined"], show), "Seccomp:\t0");
    let refused = d.docker(&["run", "--rm", IMAGE, "unshare", "-U", "true"]).expect_code(1);
    assert!(refused.stderr.contains("Operation not permitted"), "{refused:?}");
}

#[test]
fn without_a_network_there_is_only_a_loopback_and_it_works() {
    let d = Daemon::start();
    assert_eq!(run(&d, &["--network", "none"], "ls /sys/class/net"), "lo");
    let ping = "httpd -p 127.0.0.1:8080 -h /etc && wget -q -O - http://127.0.0.1:8080/notexec";
    assert_eq!(run(&d, &["--network", "none"], ping), "not a program");
}

#[test]
fn the_hosts_network_can_be_used() {
    let d = Daemon::start();
    let host = berth_testkit::process::namespace("self", "net");
    assert_eq!(run(&d, &["--network", "host"], "readlink /proc/self/ns/net"), host);
    assert_ne!(run(&d, &["--network", "none"], "readlink /proc/self/ns/net"), host);
}

#[test]
fn the_containers_own_hosts_file_names_it() {
    let d = Daemon::start();
    let hosts = run(
        &d,
        &["--hostname", "boat", "--add-host", "friend:10.1.2.3", "--network", "none"],
        "cat /etc/hosts",
    );
    assert!(hosts.contains("127.0.0.1\tlocalhost"), "{hosts}");
    assert!(hosts.contains("10.1.2.3\tfriend"), "{hosts}");
}

#[test]
fn a_stopped_containers_label_and_stop_settings_are_kept() {
    let d = Daemon::start();
    let id = d
        .docker(&[
            "create",
            "--name",
            &d.name("kept"),
            "--label",
            "a=b",
            "--label",
            "empty",
            "--stop-signal",
            "SIGQUIT",
            "--stop-timeout",
            "3",
            IMAGE,
        ])
        .ok();
    let config = &d.inspect(&id)["Config"];
    assert_eq!(config["Labels"], serde_json::json!({"a": "b", "empty": ""}));
    assert_eq!((&config["StopSignal"], &config["StopTimeout"]), (&"SIGQUIT".into(), &3.into()));
}
