//! What happens to single cgroup directories: make, limit, enter, kill, remove.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::PidFd;
use crate::{Error, Result};

/// How long [`kill_all`] and [`remove`] go on before they give up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the directory; its parent must exist. Making it again is no error.
pub fn create(dir: impl AsRef<Path>) -> Result<()> {
    match fs::create_dir(&dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(Error::path("make cgroup", dir, error)),
        _ => Ok(()),
    }
}

/// Hands every controller a version 2 directory has to the directories below it. A controller that cannot be
/// handed on (a realtime process in the way of `cpu`, say) is left out; the limits it would have set then
/// fail on their own when they are written.
pub fn enable_controllers(dir: impl AsRef<Path>) -> Result<()> {
    let dir = dir.as_ref();
    let read = |name: &str| {
        let file = dir.join(name);
        fs::read_to_string(&file).map_err(|error| Error::path("read", file, error))
    };
    let have = read("cgroup.controllers")?;
    let enabled = read("cgroup.subtree_control")?;
    let missing: Vec<String> = have
        .split_ascii_whitespace()
        .filter(|one| !enabled.split_ascii_whitespace().any(|on| on == *one))
        .map(|one| format!("+{one}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let file = dir.join("cgroup.subtree_control");
    if fs::write(&file, missing.join(" ")).is_ok() {
        return Ok(());
    }
    // All or nothing failed: one by one, so that a single stubborn controller costs only itself.
    let mut refused = None;
    let mut worked = false;
    for one in &missing {
        match fs::write(&file, one) {
            Ok(()) => worked = true,
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if !worked => Err(Error::path("enable controllers in", file, error)),
        _ => Ok(()),
    }
}

/// Gives a version 1 cpuset its CPUs and memory nodes, from its parent, where it has none: no process can
/// enter an empty one.
pub fn populate_cpuset(dir: impl AsRef<Path>) -> Result<()> {
    let dir = dir.as_ref();
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let file = dir.join(name);
        let own = fs::read_to_string(&file).map_err(|error| Error::path("read", &file, error))?;
        if !own.trim().is_empty() {
            continue;
        }
        let Some(parent) = dir.parent().map(|parent| parent.join(name)) else { continue };
        let value = fs::read_to_string(&parent).map_err(|error| Error::path("read", parent, error))?;
        fs::write(&file, value.trim()).map_err(|error| Error::path("write", file, error))?;
    }
    Ok(())
}

/// A file to write in a cgroup directory, and its value.
pub type Settings = [(String, String)];

/// Moves a process into a cgroup. On version 1 kernels this can wait several milliseconds for an RCU grace
/// period; see [`enter_self`] for the way around.
pub fn join(dir: impl AsRef<Path>, pid: i32) -> Result<()> {
    let file = dir.as_ref().join("cgroup.procs");
    fs::write(&file, pid.to_string()).map_err(|error| Error::path("enter cgroup", file, error))
}

/// Moves the calling, single-threaded process into a version 1 cgroup, at once: a thread that moves itself
/// needs none of the locking that makes [`join`] wait. Its children are then born inside.
pub fn enter_self(dir: impl AsRef<Path>) -> Result<()> {
    let file = dir.as_ref().join("tasks");
    fs::write(&file, "0").map_err(|error| Error::path("enter cgroup", file, error))
}

/// Every process in a cgroup and in the ones below it, as the caller's PID namespace names them. Empty where
/// there is no such directory.
pub fn pids(dir: impl AsRef<Path>) -> Result<Vec<i32>> {
    let mut found = HashSet::new();
    collect_pids(dir.as_ref(), &mut found)?;
    Ok(found.into_iter().filter(|pid| *pid > 0).collect())
}

fn collect_pids(dir: &Path, found: &mut HashSet<i32>) -> Result<()> {
    let file = dir.join("cgroup.procs");
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if gone(&error) => return Ok(()),
        // A threaded version 2 cgroup lists its processes in the domain above it.
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => String::new(),
        Err(error) => return Err(Error::path("read", file, error)),
    };
    found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    for child in children(dir)? {
        collect_pids(&child, found)?;
    }
    Ok(())
}

/// Sends SIGKILL to every process in a cgroup and below, once, without waiting for anything; says whether there
/// was any. On version 2 the kernel does it in one step, and catches those that fork meanwhile.
pub fn kill_once(dir: impl AsRef<Path>) -> Result<bool> {
    let dir = dir.as_ref();
    let listed = pids(dir)?;
    if listed.is_empty() {
        return Ok(false);
    }
    let kill = dir.join("cgroup.kill");
    if kill.exists() && fs::write(&kill, "1").is_ok() {
        return Ok(true);
    }
    let handles: Vec<(i32, PidFd)> = listed
        .into_iter()
        .filter_map(|pid| PidFd::open(pid).transpose().map(|handle| handle.map(|h| (pid, h))))
        .collect::<Result<_>>()?;
    // Read again before signalling: a PID that was reused outside the cgroup is no longer listed.
    let still: HashSet<i32> = pids(dir)?.into_iter().collect();
    for (pid, handle) in &handles {
        if still.contains(pid) {
            handle.signal(libc::SIGKILL)?;
        }
    }
    Ok(true)
}

/// Kills every process in a cgroup and below, and returns once none is left. On version 2 the kernel does it in
/// one step (`cgroup.kill`); elsewhere signals are sent until nobody answers, which also catches those that
/// fork meanwhile. A directory that does not exist holds nobody.
///
/// # Errors
/// Processes that cannot be killed within some seconds (stuck in the kernel) are a `TimedOut` error.
pub fn kill_all(dir: impl AsRef<Path>) -> Result<()> {
    let dir = dir.as_ref();
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(200);
    while kill_once(dir)? {
        if Instant::now() > deadline {
            return Err(Error::path("kill processes in cgroup", dir, ErrorKind::TimedOut));
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    Ok(())
}

/// Removes a cgroup and the ones below it. Busy ones are retried for some seconds: a process that was just
/// killed stays in its cgroup until the kernel is done with it. A directory that does not exist is no error.
pub fn remove(dir: impl AsRef<Path>) -> Result<()> {
    let dir = dir.as_ref();
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(200);
    loop {
        match remove_once(dir) {
            Err(error) if error.errno() == libc::EBUSY && Instant::now() < deadline => {
                sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(20));
            }
            other => return other,
        }
    }
}

fn remove_once(dir: &Path) -> Result<()> {
    match fs::remove_dir(dir) {
        Ok(()) => return Ok(()),
        Err(error) if gone(&error) => return Ok(()),
        // Busy: perhaps only because of directories below.
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
        Err(error) => return Err(Error::path("remove cgroup", dir, error)),
    }
    for child in children(dir)? {
        remove_once(&child)?;
    }
    match fs::remove_dir(dir) {
        Err(error) if !gone(&error) => Err(Error::path("remove cgroup", dir, error)),
        _ => Ok(()),
    }
}

/// How many processes of a cgroup the kernel has killed for want of memory within its own limit. 0 where the
/// directory has no memory controller.
pub fn oom_kills(dir: impl AsRef<Path>, v2: bool) -> u64 {
    let file = dir.as_ref().join(if v2 { "memory.events" } else { "memory.oom_control" });
    let Ok(text) = fs::read_to_string(file) else { return 0 };
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(key, _)| *key == "oom_kill")
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

fn children(dir: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(Error::path("list cgroup", dir, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::path("list cgroup", dir, error))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// ENODEV: the directory was removed while one of its files was open.
fn gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Hierarchies;
    use std::process::Command;

    /// A parent directory in every hierarchy, removed whatever happens.
    struct Parent(Hierarchies, String);

    impl Drop for Parent {
        fn drop(&mut self) {
            self.0.remove_parent(&self.1).unwrap();
        }
    }

    fn parent(name: &str) -> Parent {
        let name = format!("berth-test-{}-{name}", std::process::id());
        let hierarchies = Hierarchies::detect().unwrap();
        hierarchies.create_parent(&name).unwrap();
        Parent(hierarchies, name)
    }

    #[test]
    fn a_cgroup_is_made_entered_emptied_and_removed_in_every_hierarchy() {
        let parent = parent("life");
        for hierarchy in parent.0.for_containers() {
            let dir = hierarchy.dir(&parent.1).join("c");
            create(&dir).unwrap();
            let inner = dir.join("inner");
            create(&inner).unwrap();
            if hierarchy.has("cpuset") && !hierarchy.v2 {
                populate_cpuset(&dir).unwrap();
                populate_cpuset(&inner).unwrap();
            }
            let mut child = Command::new("sleep").arg("60").spawn().unwrap();
            let pid = i32::try_from(child.id()).unwrap();
            join(&inner, pid).unwrap();
            assert_eq!(pids(&dir).unwrap(), [pid], "{dir:?}");
            let killer = std::thread::spawn({
                let dir = dir.clone();
                move || kill_all(dir)
            });
            child.wait().unwrap();
            killer.join().unwrap().unwrap();
            assert!(pids(&dir).unwrap().is_empty());
            remove(&dir).unwrap();
            assert!(!dir.exists());
            remove(&dir).unwrap();
        }
    }
}
