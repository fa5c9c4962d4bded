//! A container seen from the host and from within.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use berth_testkit::{Daemon, process};
use serde_json::{Value, json};

#[test]
fn nsenter_enters_a_running_container() {
    let d = Daemon::start();
    let id = d.run("enter", &["sleep", "1000"], json!({"Hostname": "inner"}));
    let flags = ["--mount", "--uts", "--ipc", "--net", "--pid"];
    let ps = d.nsenter(&id, &flags, &["/bin/ps"]).ok();
    let first =
        ps.lines().find(|line| line.split_whitespace().next() == Some("1")).unwrap_or_else(|| panic!("{ps}"));
    assert!(first.ends_with("sleep 1000"), "{ps}");
    assert_eq!(ps.lines().count(), 3, "the header, the program and ps itself: {ps}");
    assert_eq!(d.nsenter(&id, &flags, &["/bin/hostname"]).ok(), "inner");
    assert_eq!(d.nsenter(&id, &flags, &["/bin/cat", "/etc/notexec"]).ok(), "not a program");
    let interfaces = d.nsenter(&id, &["--net"], &["ip", "-o", "link"]).ok();
    let names: Vec<&str> = interfaces.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert!(
        names.contains(&"lo") && names.iter().all(|name| *name == "lo" || name.starts_with("eth0")),
        "{interfaces}"
    );
}

#[test]
fn the_program_is_process_one_and_sees_nothing_of_the_host() {
    let d = Daemon::start();
    let processes = d.inside("echo $$; ls /proc | grep -c '^[0-9]'; cat /proc/1/comm; true").ok();
    let lines: Vec<&str> = processes.lines().collect();
    assert_eq!((lines[0], lines[2]), ("1", "sh"));
    assert!(lines[1].parse::<u32>().unwrap() <= 4, "{processes}");
}

#[test]
fn every_isolated_namespace_differs_from_the_hosts() {
    let d = Daemon::start();
    let one = d.init_pid(&d.run("ns1", &["sleep", "1000"], Value::Null)).to_string();
    let two = d.init_pid(&d.run("ns2", &["sleep", "1000"], Value::Null)).to_string();
    for kind in ["mnt", "pid", "uts", "ipc", "net"] {
        let (host, one, two) = (
            process::namespace("self", kind),
            process::namespace(&one, kind),
            process::namespace(&two, kind),
        );
        assert!(host != one && host != two && one != two, "{kind}: {host} {one} {two}");
    }
    let listed = process::lsns(&one);
    for kind in ["mnt", "pid", "uts", "ipc", "net"] {
        assert!(listed.iter().any(|shown| shown == kind), "lsns shows no {kind}: {listed:?}");
    }
}

#[test]
fn mounts_inside_are_only_its_own() {
    let d = Daemon::start();
    let mounts = d.inside("cat /proc/mounts").ok();
    let own = ["/", "/proc", "/dev", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
    for line in mounts.lines() {
        let point = line.split(' ').nth(1).unwrap();
        let known = own.contains(&point)
            || ["/proc/", "/dev/", "/sys/"].iter().any(|parent| point.starts_with(parent));
        assert!(known, "a mount that is not the container's: {line}");
    }
    for (point, kind) in [
        ("/", "overlay"),
        ("/proc", "proc"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/sys", "sysfs"),
        ("/dev/shm", "tmpfs"),
        ("/dev/mqueue", "mqueue"),
    ] {
        let found = mounts.lines().any(|line| {
            let mut fields = line.split(' ').skip(1);
            fields.next() == Some(point) && fields.next() == Some(kind)
        });
        assert!(found, "no {kind} on {point}:\n{mounts}");
    }
    let sys = mounts.lines().find(|line| line.contains(" /sys sysfs ")).unwrap();
    assert!(sys.split(' ').nth(3).unwrap().split(',').any(|option| option == "ro"), "{sys}");
}

#[test]
fn the_standard_devices_work() {
    let d = Daemon::start();
    let script = "for f in null zero full random urandom tty ptmx; do test -c /dev/$f || echo no $f; done; \
        for f in fd stdin stdout stderr; do test -L /dev/$f || echo no $f; done; \
        head -c 4 /dev/zero | wc -c; echo x > /dev/null && head -c 4 /dev/urandom | wc -c; echo shown > /dev/stdout; \
        ls /dev | grep -c -E '^(sd|vd|nvme|mem|kmem|loop)'";
    assert_eq!(d.inside_with(script, Value::Null).output, "4\n4\nshown\n0\n");
    let user = "echo shown > /dev/stdout; echo too > /dev/stderr";
    assert_eq!(d.inside_with(user, json!({"User": "app"})).output.split_whitespace().count(), 2);
}

#[test]
fn dangerous_paths_are_masked_or_read_only() {
    let d = Daemon::start();
    let script = "for f in /proc/kcore /proc/keys /proc/timer_list; do test -e $f && test $(head -c 16 $f | wc -c) != 0 && echo leak $f; done; \
        for d in /proc/acpi /sys/firmware; do test -d $d && ls -A $d | head -1; done; \
        for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/sys/vm/swappiness; do (echo 1 > $f) 2>/dev/null && echo writable $f; done; \
        mkdir /sys/fs/x 2>/dev/null && echo sys; true";
    assert_eq!(d.inside(script).ok(), "");
}

#[test]
fn what_is_written_appears_in_the_upper_directory_and_nowhere_else() {
    let d = Daemon::start();
    let script =
        "echo hello > /made; mkdir /dir; echo up; rm /srv/doomed; echo changed >> /etc/group; sleep 1000";
    let id = d.run("writer", &["sh", "-c", script], Value::Null);
    d.await_log(&id, "up");
    let upper = d.inspect(&id)["GraphDriver"]["Data"]["UpperDir"].as_str().unwrap().to_owned();
    let made = std::path::Path::new(&upper).join("made");
    berth_testkit::eventually("the last change is in the upper directory", || {
        std::fs::read_to_string(format!("{upper}/etc/group"))
            .is_ok_and(|text| text.ends_with("changed\n"))
            .then_some(())
    });
    assert_eq!(std::fs::read_to_string(&made).unwrap(), "hello\n");
    let meta = std::fs::metadata(&made).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (0, 0), "a file made by root inside is root's on disk");
    let whiteout = std::fs::symlink_metadata(format!("{upper}/srv/doomed")).unwrap();
    assert!(
        whiteout.file_type().is_char_device() && whiteout.rdev() == 0,
        "a deleted file leaves a whiteout"
    );
    assert_eq!(d.inside("cat /srv/doomed; test -e /made && echo leaked; true").ok(), "delete me");
    for own in ["etc/hosts", "etc/hostname", "etc/resolv.conf"] {
        let length = std::fs::metadata(format!("{upper}/{own}")).map(|meta| meta.len()).unwrap_or(0);
        assert_eq!(length, 0, "/{own} must not become part of the layer");
    }
}

#[test]
fn the_merged_directory_shows_the_running_root() {
    let d = Daemon::start();
    let id = d.run("merged", &["sh", "-c", "echo hello > /opt1; echo up; sleep 1000"], Value::Null);
    d.await_log(&id, "up");
    let merged = d.inspect(&id)["GraphDriver"]["Data"]["MergedDir"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::read_to_string(format!("{merged}/opt1")).unwrap(), "hello\n");
    assert_eq!(std::fs::read_to_string(format!("{merged}/etc/notexec")).unwrap(), "not a program\n");
}

#[test]
fn the_kernel_is_the_hosts() {
    let d = Daemon::start();
    let host = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(d.inside("uname -r").ok(), host.trim());
}

#[test]
fn files_of_the_image_have_their_owners_and_new_users_files_too() {
    let d = Daemon::start();
    assert_eq!(d.inside("stat -c '%u:%g' /data /etc/passwd /bin/busybox").ok(), "1000:1000\n0:0\n0:0");
    assert_eq!(
        d.inside_with("touch /data/x && stat -c '%u:%g' /data/x", json!({"User": "app"})).ok(),
        "1000:1000"
    );
    let refused = d.inside_with("touch /etc/x", json!({"User": "app"}));
    assert_eq!(refused.code, 1);
}

#[test]
fn containers_do_not_share_message_queues_or_memory() {
    let d = Daemon::start();
    let id =
        d.run("ipc", &["sh", "-c", "touch /dev/shm/seen /dev/mqueue/q; echo up; sleep 1000"], Value::Null);
    d.await_log(&id, "up");
    assert_eq!(d.inside("ls /dev/shm /dev/mqueue | grep -E 'seen|^q$'; true").ok(), "");
}
