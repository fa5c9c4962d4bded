//! The directories of one private daemon, and getting rid of everything in them.
//!
//! A test that is killed cannot clean up after itself, so every home notes its owner (PID and start time), and
//! whoever makes the next home first sweeps those whose owner is gone. Nothing is ever found by a process
//! name: only by what stands in files below these two parents.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Command,
};

use nix::mount::{MntFlags, umount2};
use serde_json::Value;

use crate::{leftovers, process};

/// Data roots live here: a real file system, because `/tmp` may be a small tmpfs.
const HOMES: &str = "/var/tmp/berth-e2e";
/// Sockets and run directories live here: short, because a socket's path has 107 bytes at most.
const RUNS: &str = "/run/berth-e2e";

/// The directories of one daemon.
#[derive(Debug)]
pub struct Home {
    /// Parent of everything on disk.
    pub dir: PathBuf,
    /// Parent of everything that does not survive a reboot.
    pub run: PathBuf,
}

impl Home {
    /// Makes a fresh one, after sweeping what dead tests left.
    pub fn create() -> Home {
        crate::require_root();
        sweep();
        let name = random_name();
        let home = Home { dir: Path::new(HOMES).join(&name), run: Path::new(RUNS).join(&name) };
        // The owner stands in the file before the directory appears where sweepers look.
        let staging = Path::new(HOMES).join(format!(".{name}"));
        make_dir(&staging);
        let pid = i32::try_from(std::process::id()).expect("PIDs fit");
        let started = process::start_time(pid).expect("our own start time");
        fs::write(staging.join("owner"), format!("{pid} {started}")).expect("write the owner file");
        fs::rename(&staging, &home.dir).expect("move the home into place");
        make_dir(&home.run);
        make_dir(&home.docker_config());
        home
    }

    /// `--data-root`.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// `--exec-root`.
    pub fn exec(&self) -> PathBuf {
        self.run.join("x")
    }

    /// The API socket.
    pub fn socket(&self) -> PathBuf {
        self.run.join("api.sock")
    }

    /// What the daemon printed.
    pub fn log(&self) -> PathBuf {
        self.dir.join("berthd.log")
    }

    /// `DOCKER_CONFIG`: empty, so that nobody's settings colour a test.
    pub fn docker_config(&self) -> PathBuf {
        self.dir.join("docker-config")
    }

    /// `PID START` of the daemon that was started last.
    pub fn daemon_note(&self) -> PathBuf {
        self.dir.join("daemon")
    }

    /// The run directories of all shims.
    pub fn run_dirs(&self) -> Vec<PathBuf> {
        entries(&self.exec().join("c"))
    }

    /// IDs of containers that have a directory anywhere below this home.
    pub fn container_ids(&self) -> Vec<String> {
        let parents = [
            self.exec().join("c"),
            self.data().join("containers"),
            self.data().join("store").join("containers"),
        ];
        let mut ids: Vec<String> = parents
            .iter()
            .flat_map(|parent| entries(parent))
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .filter(|name| name.len() == 64)
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// (PID, start time) of every container's init and shim, as noted by the shims; inits first.
    pub fn noted_processes(&self) -> Vec<(i32, u64)> {
        let mut inits = Vec::new();
        let mut shims = Vec::new();
        for dir in self.run_dirs() {
            let Ok(text) = fs::read(dir.join("shim.json")) else { continue };
            let Ok(note) = serde_json::from_slice::<Value>(&text) else { continue };
            let number = |name: &str| note[name].as_u64().unwrap_or(0);
            let pid = |name: &str| i32::try_from(number(name)).unwrap_or(0);
            inits.push((pid("pid"), number("start_time")));
            shims.push((pid("shim_pid"), number("shim_start_time")));
        }
        inits.extend(shims);
        inits
    }

    /// Name of the cgroup above those of the daemon's containers, once the daemon has a database.
    pub fn cgroup_parent(&self) -> Option<String> {
        cgroup_parent(&self.data())
    }

    /// Ends every process, removes every cgroup, mount and file of this home. Goes on past errors and
    /// returns what could not be done.
    pub fn destroy(&self) -> Vec<String> {
        let ids = self.container_ids();
        // Tests may have started further daemons, with data roots beside the first one.
        let roots = entries(&self.dir);
        let parents: Vec<String> = roots.iter().filter_map(|root| cgroup_parent(root)).collect();
        if let Some((pid, started)) = fs::read_to_string(self.daemon_note()).ok().as_deref().and_then(pair) {
            process::kill_exactly(pid, started);
        }
        for (pid, started) in self.noted_processes() {
            process::kill_exactly(pid, started);
        }
        // A shim that died before it wrote its note is still known by the container ID in its arguments.
        for id in &ids {
            for pid in process::with_argument(id) {
                if let Some(started) = process::start_time(pid) {
                    process::kill_exactly(pid, started);
                }
            }
        }
        let mut problems = Vec::new();
        for path in ids.iter().chain(&parents).flat_map(|name| leftovers::cgroups(name)) {
            leftovers::remove_cgroup(&path);
        }
        for mount in leftovers::mounts_below(&[&self.dir, &self.run]).iter().rev() {
            if let Err(error) = umount2(mount, MntFlags::MNT_DETACH) {
                problems.push(format!("unmounting {}: {error}", mount.display()));
            }
        }
        for dir in [&self.run, &self.dir] {
            match fs::remove_dir_all(dir) {
                Err(error) if dir.exists() => problems.push(format!("removing {}: {error}", dir.display())),
                _ => {}
            }
        }
        problems
    }
}

/// Destroys the homes of tests that no longer run.
pub fn sweep() {
    for dir in entries(Path::new(HOMES)) {
        let name = dir.file_name().unwrap_or_default().to_owned();
        let Some((pid, started)) = fs::read_to_string(dir.join("owner")).ok().as_deref().and_then(pair)
        else {
            continue;
        };
        if process::start_time(pid) != Some(started) {
            let problems = Home { run: Path::new(RUNS).join(&name), dir }.destroy();
            for problem in problems {
                eprintln!("sweeping an abandoned test directory: {problem}");
            }
        }
    }
}

/// Name of the cgroup above those of the containers of the daemon with this data root, if it has a database.
pub fn cgroup_parent(data_root: &Path) -> Option<String> {
    let database = data_root.join("berth.db");
    let query = "SELECT value FROM meta WHERE key = 'short-id'";
    let mut command = Command::new("sqlite3");
    command.arg("-readonly").arg(&database).arg(query);
    let short = database.exists().then(|| process::run(&mut command, b""))?;
    (short.code == 0 && !short.stdout.trim().is_empty()).then(|| format!("berth-{}", short.stdout.trim()))
}

fn pair(text: &str) -> Option<(i32, u64)> {
    let (pid, started) = text.trim().split_once(' ')?;
    Some((pid.parse().ok()?, started.parse().ok()?))
}

fn make_dir(path: &Path) {
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.unwrap_or_else(|error| panic!("making {}: {error}", path.display()));
}

pub(crate) fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Eight random hex digits.
pub(crate) fn random_name() -> String {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("the kernel's random UUID");
    uuid.chars().take(8).collect()
}
