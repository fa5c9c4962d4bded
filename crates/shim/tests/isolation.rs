//! What a container sees and what it must not.

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use berth_shim_proto::{Reply, Request};
use common::{CAPABILITIES, Fixture, HOST_ROOT, owner};
use serde_json::json;

/// Runs a shell script in a container and returns its output.
fn shell(script: &str) -> String {
    Fixture::new(&["sh", "-c", script]).output()
}

#[test]
fn root_inside_is_nobody_special_outside() {
    let fixture = Fixture::new(&["sh", "-c", "id; touch /made; sleep 100"]);
    let (shim, pid) = fixture.start();
    common::eventually("the file is there", || fixture.upper().join("made").exists());
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let ids = |key: &str| status.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert_eq!(ids("Uid:"), format!("Uid:\t{HOST_ROOT}\t{HOST_ROOT}\t{HOST_ROOT}\t{HOST_ROOT}"));
    assert_eq!(ids("Gid:"), format!("Gid:\t{HOST_ROOT}\t{HOST_ROOT}\t{HOST_ROOT}\t{HOST_ROOT}"));
    // On disk it is root's again, so that a commit sees original owners.
    assert_eq!(owner(fixture.upper().join("made")), (0, 0));
    assert_eq!(shim.ask(Request::KillAll), Reply::Done);
    assert_eq!(shim.wait().signal, Some(9));
    assert_eq!(fixture.log()[0].1, "uid=0(root) gid=0(root) groups=0(root)\n");
}

#[test]
fn every_namespace_is_new() {
    let inside = shell("for n in user mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done");
    for (kind, link) in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"].iter().zip(inside.lines()) {
        let host = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert!(link.starts_with(kind), "{link}");
        assert_ne!(host.to_str().unwrap(), link);
    }
}

#[test]
fn the_view_inside_is_the_containers_own() {
    assert_eq!(shell("hostname; echo $$; cat /proc/1/comm; pwd; echo $HOME"), "harbour\n1\nsh\n/\n/root\n");
    assert_eq!(
        shell("ip -o addr show lo | head -1 | grep -c 'inet 127.0.0.1/8'; ls /sys/class/net"),
        "1\nlo\n"
    );
    assert_eq!(
        shell(
            "sed 's/^[0-9]*://' /proc/self/cgroup | sort -u | grep -v '^[a-z_,=]*:/$' | grep -v systemd; :"
        ),
        ""
    );
    let mounts = shell("cat /proc/self/mountinfo");
    assert!(mounts.lines().all(|line| !line.contains("/tmp/.tmp") || line.contains("overlay")), "{mounts}");
    assert_eq!(mounts.lines().filter(|line| line.contains(" / / ")).count(), 1, "{mounts}");
}

#[test]
fn devices_are_there_and_usable() {
    let script = "for d in null zero full random urandom tty; do stat -c '%n %a %u %g %t,%T' /dev/$d; done
        echo x > /dev/null && head -c 2 /dev/zero | wc -c && head -c 2 /dev/urandom | wc -c
        for l in fd stdin stdout stderr ptmx core; do readlink /dev/$l; done
        stat -c '%a %u' /dev /dev/pts /dev/shm /dev/mqueue /dev/pts/ptmx
        echo y > /dev/shm/y && mknod /tmp/n c 1 3 2>/dev/null || echo no mknod
        echo z > /dev/stdout; echo z > /dev/stderr";
    let expected = "\
/dev/null 666 0 0 1,3\n/dev/zero 666 0 0 1,5\n/dev/full 666 0 0 1,7\n/dev/random 666 0 0 1,8
/dev/urandom 666 0 0 1,9\n/dev/tty 666 0 0 5,0\n2\n2
/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n/proc/kcore
755 0\n755 0\n1777 0\n1777 0\n666 0\nno mknod\nz\n";
    assert_eq!(shell(script), expected);
}

#[test]
fn masked_and_read_only_paths_are_covered() {
    assert_eq!(shell("wc -c < /proc/interrupts; ls /sys/firmware | wc -l"), "0\n0\n");
    let script = "for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/sys/net/ipv4/ip_forward /sys/x \
        /sys/fs/cgroup/x; do (echo 1 > $f) 2>&1 | sed 's/.*: //'; done";
    let answers = shell(script);
    assert_eq!(answers.lines().count(), 5, "{answers}");
    let fine = ["Read-only file system", "Permission denied", "nonexistent directory"];
    assert!(answers.lines().all(|line| fine.iter().any(|one| line.contains(one))), "{answers}");
    assert!(answers.starts_with("Read-only file system\n"), "{answers}");
}

#[test]
fn the_cgroup_tree_shows_only_the_container() {
    let mut fixture = Fixture::new(&[
        "sh",
        "-c",
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes; grep -c '^1$' /sys/fs/cgroup/memory/cgroup.procs; \
         grep -c ' / /sys/fs/cgroup/memory ro' /proc/self/mountinfo",
    ]);
    fixture.limit("memory", "memory.limit_in_bytes", "67108864");
    assert_eq!(fixture.output(), "67108864\n1\n1\n");
}

#[test]
fn no_descriptor_leaks_in_and_none_of_the_hosts_is_reachable() {
    // 3 is the directory that ls reads.
    assert_eq!(shell("ls /proc/self/fd"), "0\n1\n2\n3\n");
    assert_eq!(shell("readlink /proc/self/fd/0"), "/dev/null\n");
    let fixture = Fixture::new(&["sleep", "100"]);
    let (shim, pid) = fixture.start();
    let mut open: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
    shim.ask(Request::KillAll);
    shim.wait();
}

#[test]
fn the_host_sees_no_mount_of_a_running_container() {
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let fixture = Fixture::new(&["sleep", "100"]);
    let (shim, _) = fixture.start();
    let during = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!during.contains(fixture.dir.path().to_str().unwrap()), "{during}");
    let shims = fs::read_to_string(format!("/proc/{}/mountinfo", shim.child.id())).unwrap();
    assert!(!shims.contains(fixture.dir.path().to_str().unwrap()), "{shims}");
    drop(before);
    shim.ask(Request::KillAll);
    shim.wait();
    fixture.assert_nothing_left();
}

#[test]
fn links_in_an_image_lead_nowhere_but_into_the_image() {
    for place in ["proc", "sys", "dev"] {
        let fixture = Fixture::new(&["true"]);
        fs::remove_dir(fixture.image().join(place)).unwrap();
        symlink("/etc", fixture.image().join(place)).unwrap();
        let (phase, message, _) = fixture.failure();
        assert_eq!(phase, format!("mount /{place}"));
        assert_eq!(message, format!("/{place} of the image is a symbolic link"));
    }
    // A bind over a link ends at the link's target inside the image, also when it is not there yet.
    let mut fixture = Fixture::new(&["cat", "/etc/hosts", "/run/hosts"]);
    symlink("/../../../../run/hosts", fixture.image().join("etc/hosts")).unwrap();
    let hosts = fixture.path("hosts");
    fs::write(&hosts, "127.0.0.1 harbour\n").unwrap();
    fixture
        .add_mount(json!({ "destination": "/etc/hosts", "source": hosts, "options": ["rbind", "rprivate"] }));
    assert_eq!(fixture.output(), "127.0.0.1 harbour\n127.0.0.1 harbour\n");
    assert!(!std::path::Path::new("/run/hosts").exists());
}

#[test]
fn small_files_of_the_daemon_are_writable_for_the_containers_root() {
    let mut fixture =
        Fixture::new(&["sh", "-c", "stat -c '%u %g' /etc/hosts; echo more >> /etc/hosts; cat /etc/hosts"]);
    let hosts = fixture.path("hosts");
    fs::write(&hosts, "first\n").unwrap();
    fixture
        .add_mount(json!({ "destination": "/etc/hosts", "source": hosts, "options": ["rbind", "rprivate"] }));
    assert_eq!(fixture.output(), "0 0\nfirst\nmore\n");
    assert_eq!(owner(&hosts), (0, 0));
    // The mount point is there for the kernel; nothing of the file itself reaches the layer.
    assert_eq!(fs::metadata(fixture.upper().join("etc/hosts")).unwrap().len(), 0);
}

#[test]
fn binds_shift_owners_and_honour_read_only() {
    let mut fixture = Fixture::new(&[
        "sh",
        "-c",
        "stat -c '%u' /data/mine; touch /data/new; (touch /ro/x) 2>&1 | grep -o 'Read-only.*'; ls /deep/er",
    ]);
    let data = fixture.path("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("mine"), "").unwrap();
    std::os::unix::fs::chown(data.join("mine"), Some(1000), Some(1000)).unwrap();
    for (target, options) in
        [("/data", vec!["rbind"]), ("/ro", vec!["rbind", "ro"]), ("/deep/er", vec!["rbind", "rro"])]
    {
        fixture.add_mount(json!({ "destination": target, "source": data, "options": options }));
    }
    assert_eq!(fixture.output(), "1000\nRead-only file system\nmine\nnew\n");
    assert_eq!(owner(data.join("new")), (0, 0));
}

#[test]
fn a_source_that_cannot_be_shifted_is_mounted_as_it_is_with_a_warning() {
    let mut fixture = Fixture::new(&["cat", "/host/version"]);
    fixture.add_mount(json!({ "destination": "/host", "source": "/proc", "options": ["rbind", "ro"] }));
    let (shim, _, warnings) = fixture.create();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("bind /proc: the owners of it cannot be mapped"), "{warnings:?}");
    shim.call(2, Request::Start);
    let _ = shim.event();
    assert_eq!(shim.wait().code, 0);
    assert!(fixture.log()[0].1.starts_with("Linux version"));
}

#[test]
fn a_read_only_root_refuses_writes_and_volumes_take_them() {
    let mut fixture =
        Fixture::new(&["sh", "-c", "(touch /x) 2>&1 | grep -o 'Read-only.*'; touch /tmp/x && echo ok"]);
    fixture.launch.rootfs.readonly = true;
    fixture.add_mount(json!({ "destination": "/tmp", "type": "tmpfs", "options": ["mode=1777", "uid=5"] }));
    assert_eq!(fixture.output(), "Read-only file system\nok\n");
}

#[test]
fn capabilities_are_dockers_default_and_no_more() {
    let status = shell("grep Cap /proc/self/status");
    let value = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    let (expected, _) = berth_linux::caps::Set::from_names(CAPABILITIES);
    assert_eq!((value("CapBnd"), value("CapEff"), value("CapPrm")), (expected.0, expected.0, expected.0));
    assert_eq!((value("CapInh"), value("CapAmb")), (0, 0));
}

#[test]
fn an_ordinary_user_has_its_groups_and_no_capability() {
    let mut fixture =
        Fixture::new(&["sh", "-c", "id; echo $HOME; grep CapEff /proc/self/status; echo err > /dev/stderr"]);
    fixture.launch.user = "web".to_owned();
    fixture.launch.additional_groups = vec!["77".to_owned()];
    let expected =
        "uid=1000(web) gid=1001(www) groups=50(media),77,1001(www)\n/home/web\nCapEff:\t0000000000000000\n";
    assert_eq!(fixture.output(), expected);

    let mut fixture = Fixture::new(&["sh", "-c", "id -u; id -g; grep CapEff /proc/self/status"]);
    fixture.launch.user = "1234:5678".to_owned();
    let ambient = json!(["CAP_NET_BIND_SERVICE"]);
    for set in ["ambient", "inheritable"] {
        fixture.config["process"]["capabilities"][set] = ambient.clone();
    }
    assert_eq!(fixture.output(), "1234\n5678\nCapEff:\t0000000000000400\n");
}

#[test]
fn an_unknown_user_or_group_fails_in_dockers_words() {
    let mut fixture = Fixture::new(&["true"]);
    fixture.launch.user = "nobody".to_owned();
    let (_, message, _) = fixture.failure();
    assert_eq!(message, "unable to find user nobody: no matching entries in passwd file");
    let mut fixture = Fixture::new(&["true"]);
    fixture.launch.user = "root:crew".to_owned();
    let (_, message, _) = fixture.failure();
    assert_eq!(message, "unable to find group crew: no matching entries in group file");
}

#[test]
fn the_working_directory_is_made_and_a_file_is_refused() {
    let mut fixture = Fixture::new(&["sh", "-c", "pwd; stat -c '%u %a' ."]);
    fixture.config["process"]["cwd"] = json!("/srv/app");
    fixture.launch.user = "web".to_owned();
    assert_eq!(fixture.output(), "/srv/app\n0 755\n");
    assert_eq!(owner(fixture.upper().join("srv/app")), (0, 0));
    let mut fixture = Fixture::new(&["true"]);
    fixture.config["process"]["cwd"] = json!("/etc/passwd");
    let (_, message, _) = fixture.failure();
    assert_eq!(message, "Cannot mkdir: /etc/passwd is not a directory");
}

#[test]
fn limits_are_set_and_those_beyond_the_hosts_degrade_with_a_warning() {
    let mut fixture = Fixture::new(&["sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c"]);
    fixture.config["process"]["rlimits"] = json!([
        { "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 },
        { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
    ]);
    assert_eq!(fixture.output(), "100\n200\n0\n");
    let mut fixture = Fixture::new(&["sh", "-c", "ulimit -n"]);
    let huge = 1u64 << 40;
    fixture.config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": huge, "hard": huge }]);
    let (shim, _, warnings) = fixture.create();
    assert!(warnings.len() == 1 && warnings[0].contains("RLIMIT_NOFILE"), "{warnings:?}");
    shim.call(2, Request::Start);
    let _ = shim.event();
    assert_eq!(shim.wait().code, 0);
}

#[test]
fn kernel_parameters_of_own_namespaces_are_set_and_the_hosts_are_refused() {
    let mut fixture =
        Fixture::new(&["cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/kernel/shmmni"]);
    fixture.config["linux"]["sysctl"] =
        json!({ "net.ipv4.ip_unprivileged_port_start": "0", "kernel.shmmni": "1234" });
    assert_eq!(fixture.output(), "0\n1234\n");
    let mut fixture = Fixture::new(&["true"]);
    fixture.config["linux"]["sysctl"] = json!({ "vm.swappiness": "1" });
    let (_, message, _) = fixture.failure();
    assert_eq!(message, "sysctl \"vm.swappiness\" is not in a separate kernel namespace");
}

#[test]
fn no_new_privs_is_set_only_when_asked_for() {
    let script = ["sh", "-c", "grep NoNewPrivs /proc/self/status"];
    assert_eq!(Fixture::new(&script).output(), "NoNewPrivs:\t0\n");
    let mut fixture = Fixture::new(&script);
    fixture.config["process"]["noNewPrivileges"] = json!(true);
    assert_eq!(fixture.output(), "NoNewPrivs:\t1\n");
}

#[test]
fn a_seccomp_filter_is_in_force_for_the_program() {
    // Loads the system call number; answers mkdir (83) and mkdirat (258) with EPERM, allows the rest.
    let program: [(u16, u8, u8, u32); 6] = [
        (0x20, 0, 0, 0),
        (0x15, 2, 0, 83),
        (0x15, 1, 0, 258),
        (0x06, 0, 0, 0x7fff_0000),
        (0x06, 0, 0, 0x0005_0001),
        (0x06, 0, 0, 0),
    ];
    let bytes: Vec<u8> = program
        .iter()
        .flat_map(|(code, jt, jf, k)| [&code.to_ne_bytes()[..], &[*jt, *jf], &k.to_ne_bytes()].concat())
        .collect();
    for no_new_privs in [false, true] {
        let mut fixture = Fixture::new(&["sh", "-c", "mkdir /x 2>&1; grep Seccomp: /proc/self/status"]);
        fs::write(fixture.path("filter"), &bytes).unwrap();
        fixture.launch.seccomp = Some(fixture.path("filter"));
        fixture.config["process"]["noNewPrivileges"] = json!(no_new_privs);
        let output = fixture.output();
        assert_eq!(output, "mkdir: can't create directory '/x': Operation not permitted\nSeccomp:\t2\n");
    }
}

#[test]
fn a_container_without_user_namespace_runs_as_the_hosts_root() {
    let mut fixture =
        Fixture::new(&["sh", "-c", "id -u; cat /proc/self/uid_map | tr -s ' '; touch /made; ls /dev"]);
    fixture.remove_namespace("user");
    assert!(fixture.output().starts_with("0\n 0 0 4294967295\n"));
    assert_eq!(owner(fixture.upper().join("made")), (0, 0));
    fixture.assert_nothing_left();
}

#[test]
fn namespaces_of_another_container_can_be_joined() {
    let first = Fixture::new(&["sleep", "100"]);
    let (shim, pid) = first.start();
    let mut second =
        Fixture::new(&["sh", "-c", "for n in net user ipc; do readlink /proc/self/ns/$n; done; hostname"]);
    for (kind, name) in [("network", "net"), ("user", "user"), ("ipc", "ipc")] {
        second.join_namespace(kind, &format!("/proc/{pid}/ns/{name}"));
    }
    let link = |name: &str| {
        fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap().into_os_string().into_string().unwrap()
    };
    assert_eq!(second.output(), format!("{}\n{}\n{}\nharbour\n", link("net"), link("user"), link("ipc")));

    let mut third = Fixture::new(&["sh", "-c", "cat /proc/1/comm; id -u"]);
    for (kind, name) in [("pid", "pid"), ("user", "user")] {
        third.join_namespace(kind, &format!("/proc/{pid}/ns/{name}"));
    }
    assert_eq!(third.output(), "sleep\n0\n");
    shim.ask(Request::KillAll);
    shim.wait();
}

#[test]
fn a_stack_of_layers_shows_the_topmost_file_and_honours_whiteouts() {
    let mut fixture = Fixture::new(&["sh", "-c", "cat /a /b; ls /gone 2>&1; mv /dir /moved && ls /moved"]);
    let top = fixture.path("store/layers/top");
    fs::create_dir(&top).unwrap();
    fs::write(fixture.image().join("a"), "lower\n").unwrap();
    fs::write(fixture.image().join("b"), "lower\n").unwrap();
    fs::write(fixture.image().join("gone"), "").unwrap();
    fs::create_dir(fixture.image().join("dir")).unwrap();
    fs::write(fixture.image().join("dir/file"), "").unwrap();
    fs::write(top.join("a"), "top\n").unwrap();
    let (kind, mode) = (rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::empty());
    rustix::fs::mknodat(rustix::fs::CWD, top.join("gone"), kind, mode, 0).unwrap();
    fixture.launch.rootfs.lowers = vec!["top".into(), "base".into()];
    let (exit, log) = fixture.run();
    let text: Vec<&str> = log.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(exit.code, 0, "{text:?}");
    assert_eq!(text[..2], ["top\n", "lower\n"]);
    assert!(text[2].contains("No such file"), "{text:?}");
    assert_eq!(text[3], "file\n");
}

#[test]
fn a_deep_stack_of_layers_works() {
    let mut fixture = Fixture::new(&["cat", "/n"]);
    let mut lowers = Vec::new();
    for number in 0..140 {
        let name = format!("{number:0>26}");
        fs::create_dir(fixture.path("store/layers").join(&name)).unwrap();
        fs::write(fixture.path("store/layers").join(&name).join("n"), format!("{number}\n")).unwrap();
        lowers.insert(0, name.into());
    }
    lowers.push("base".into());
    fixture.launch.rootfs.lowers = lowers;
    assert_eq!(fixture.output(), "139\n");
}
