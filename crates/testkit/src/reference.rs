//! Docker's own daemon, private: the reference and the benchmark's opponent.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    mount::{MntFlags, umount2},
    sys::signal::Signal,
    unistd::Pid,
};

use crate::{Client, home::random_name, leftovers, process, until};

/// A running private `dockerd`, without networks. Dropping it stops it and removes what it made.
#[derive(Debug)]
pub struct Dockerd {
    /// Talks to it.
    pub client: Client,
    child: Child,
    dirs: [PathBuf; 2],
    cgroup: String,
}

impl Dockerd {
    /// Starts it and waits until it answers; an error in words where there is no `dockerd` or it does not start.
    pub fn start() -> Result<Dockerd, String> {
        crate::require_root();
        let name = random_name();
        let data = PathBuf::from(format!("/var/tmp/berth-reference-{name}"));
        let run = PathBuf::from(format!("/run/berth-reference-{name}"));
        for dir in [&data, &run] {
            fs::create_dir_all(dir).map_err(|error| format!("making {}: {error}", dir.display()))?;
        }
        let log = fs::File::create(data.join("log")).map_err(|error| format!("making the log: {error}"))?;
        let errors = log.try_clone().map_err(|error| format!("making the log: {error}"))?;
        let socket = run.join("docker.sock");
        let cgroup = format!("berth-reference-{name}");
        let spawned = Command::new("dockerd")
            .arg("--data-root")
            .arg(data.join("data"))
            .arg("--exec-root")
            .arg(run.join("x"))
            .arg("--pidfile")
            .arg(run.join("pid"))
            .arg("-H")
            .arg(format!("unix://{}", socket.display()))
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=overlay2"])
            .arg(format!("--cgroup-parent=/{cgroup}"))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) => {
                let cause = format!("dockerd could not be run: {error}; `make deps` installs it");
                remove(&[data, run], &cgroup);
                return Err(cause);
            }
        };
        let mut started = Dockerd { client: Client::new(&socket), child, dirs: [data, run], cgroup };
        let ready = until(Duration::from_secs(60), || {
            let ended = started.child.try_wait().ok().flatten().is_some();
            (ended || started.client.answers()).then_some(!ended)
        });
        match ready {
            Some(true) => Ok(started),
            _ => {
                let log = fs::read_to_string(started.dirs[0].join("log")).unwrap_or_default();
                Err(format!("dockerd did not start:\n{log}"))
            }
        }
    }

    /// PIDs of the daemon and of its containerd.
    pub fn pids(&self) -> Vec<i32> {
        let own = i32::try_from(self.child.id()).expect("PIDs fit");
        let mut pids = vec![own];
        let config = self.dirs[1].join("x/containerd").display().to_string();
        let others = process::with_argument(&config).into_iter();
        pids.extend(others.filter(|pid| *pid != own && process::parent(*pid) == own));
        pids
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap_or(i32::MAX));
        nix::sys::signal::kill(pid, Signal::SIGTERM).ok();
        if process::wait_child(&mut self.child, Duration::from_secs(30)).is_none() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        remove(&self.dirs, &self.cgroup);
    }
}

fn remove(dirs: &[PathBuf; 2], cgroup: &str) {
    for mount in leftovers::mounts_below(&[&dirs[0], &dirs[1]]).iter().rev() {
        umount2(mount, MntFlags::MNT_DETACH).ok();
    }
    for path in leftovers::cgroups(cgroup) {
        leftovers::remove_cgroup(&path);
    }
    for dir in dirs {
        if let Err(error) = fs::remove_dir_all(dir)
            && dir.exists()
        {
            eprintln!("removing {}: {error}", dir.display());
        }
    }
}
