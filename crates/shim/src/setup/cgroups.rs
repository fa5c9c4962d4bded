//! The container's own cgroup directories.

use std::fs;
use std::os::fd::OwnedFd;

use berth_linux::cgroup;
use berth_shim_proto::Cgroup;
use rustix::fs::{Mode, OFlags};

use crate::report::{Failure, Phase};

/// Limits on the number of processes come last: the spawner is inside while it makes the init, and must not
/// count against a limit of one.
const LATE: [&str; 1] = ["pids.max"];

/// Makes the directories and writes their settings, but for the late ones.
pub fn create(list: &[Cgroup]) -> Result<(), Failure> {
    for one in list {
        cgroup::create(&one.path).phase("create cgroup")?;
        if !one.v2 && one.path.join("cpuset.cpus").exists() {
            cgroup::populate_cpuset(&one.path).phase("populate cpuset")?;
        }
        for (file, value) in one.settings.iter().filter(|(file, _)| !LATE.contains(&file.as_str())) {
            write(one, file, value)?;
        }
    }
    Ok(())
}

/// Moves the calling process into the version 1 directories. Cheap, because it moves itself.
pub fn enter(list: &[Cgroup]) -> Result<(), Failure> {
    for one in list.iter().filter(|one| !one.v2) {
        cgroup::enter_self(&one.path).phase("enter cgroup")?;
    }
    Ok(())
}

/// The version 2 directory, for the init to be born in.
pub fn unified(list: &[Cgroup]) -> Result<Option<OwnedFd>, Failure> {
    let Some(one) = list.iter().find(|one| one.v2) else { return Ok(None) };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(&one.path, flags, Mode::empty()).phase("open cgroup").map(Some)
}

/// Writes the settings that [`create`] left out.
pub fn write_late(list: &[Cgroup]) -> Result<(), Failure> {
    for one in list {
        for (file, value) in one.settings.iter().filter(|(file, _)| LATE.contains(&file.as_str())) {
            write(one, file, value)?;
        }
    }
    Ok(())
}

fn write(one: &Cgroup, file: &str, value: &str) -> Result<(), Failure> {
    let phase = format!("set cgroup {file}");
    if file.contains('/') {
        return Err(Failure::new(phase, "not a file name"));
    }
    fs::write(one.path.join(file), value)
        .map_err(|error| Failure::io(phase, format!("value {value:?}"), &error))
}
