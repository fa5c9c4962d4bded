//! A real Debian root file system.

use berth_testkit::{Daemon, cache};

#[test]
fn debian_runs_bash() {
    let d = Daemon::start();
    let rootfs = cache().join("debian-rootfs.tar");
    assert!(rootfs.exists(), "{} is missing: run `make deps`", rootfs.display());
    let tag = format!("e2e/{}:debian", d.name("deb"));
    d.docker(&["import", rootfs.to_str().unwrap(), &tag]).ok();
    let run =
        |command: &str| d.docker(&["run", "--rm", "--network", "none", &tag, "bash", "-c", command]).ok();
    assert!(run("cat /etc/os-release").contains("Debian GNU/Linux"));
    let passwd = run(
        "useradd -m sailor && su sailor -c 'id -un; touch ~/x; stat -c %U ~/x' && stat -c '%A' /usr/bin/passwd",
    );
    assert_eq!(passwd, "sailor\nsailor\n-rwsr-xr-x");
    assert_eq!(
        run("dpkg --verify bash coreutils && dpkg-query -W -f '${Status}' bash"),
        "install ok installed"
    );
    d.docker(&["rmi", &tag]).ok();
}
