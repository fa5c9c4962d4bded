//! Giving up privileges: capabilities and the user.

use berth_linux::caps::{self, Set, Sets};
use rustix::thread::{Gid, Uid};

use super::user::User;
use crate::report::{Failure, Phase, Reporter};
use crate::setup::spec::Capabilities;

/// The sets the program starts with; none: as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges {
    wanted: Option<Wanted>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    bounding: Set,
    sets: Sets,
    ambient: Set,
}

impl Privileges {
    /// Reads the sets of a specification and cuts them down to what this process has. A name no kernel has is
    /// reported; what this kernel or the daemon lacks is left out in silence, as a full set is always asked
    /// for in full.
    pub fn plan(asked: Option<&Capabilities>, report: &Reporter) -> Result<Privileges, Failure> {
        let Some(asked) = asked else { return Ok(Privileges { wanted: None }) };
        let have = caps::get().phase("read capabilities")?.permitted;
        let read = |names: &[String]| -> Result<Set, Failure> {
            let (set, unknown) = Set::from_names(names.iter().map(String::as_str));
            for name in unknown {
                report.warn(format!("unknown capability {name}"))?;
            }
            Ok(set)
        };
        let bounding = read(&asked.bounding)?.and(caps::known());
        let permitted = read(&asked.permitted)?.and(have);
        let effective = read(&asked.effective)?.and(permitted);
        let inheritable = read(&asked.inheritable)?.and(have).and(bounding);
        let ambient = read(&asked.ambient)?.and(permitted).and(inheritable);
        let sets = Sets { effective, permitted, inheritable };
        Ok(Privileges { wanted: Some(Wanted { bounding, sets, ambient }) })
    }

    /// Drops what is not in the bounding set: no program can ever get it back.
    pub fn limit_bounding(&self) -> Result<(), Failure> {
        match self.wanted {
            Some(wanted) => caps::limit_bounding(wanted.bounding).phase("limit capabilities"),
            None => Ok(()),
        }
    }

    /// Becomes the user, and keeps every capability for the last steps of set-up.
    pub fn change_user(&self, user: &User) -> Result<(), Failure> {
        let phase = "change user";
        let failed = |error: rustix::io::Errno| {
            Failure::io(phase, format!("user {}:{}", user.uid, user.gid), &error.into())
        };
        rustix::thread::set_keep_capabilities(true).map_err(failed)?;
        let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        rustix::thread::set_thread_groups(&groups).map_err(failed)?;
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(failed)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(failed)?;
        rustix::thread::set_keep_capabilities(false).map_err(failed)?;
        let sets = caps::get().phase(phase)?;
        caps::set(Sets { effective: sets.permitted, ..sets }).phase(phase)
    }

    /// Leaves the sets as the specification has them; `execve` then does the rest, by the user ID.
    pub fn settle(&self) -> Result<(), Failure> {
        let phase = "set capabilities";
        match self.wanted {
            Some(wanted) => {
                caps::set(wanted.sets).phase(phase)?;
                caps::set_ambient(wanted.ambient).phase(phase)
            }
            None => Ok(()),
        }
    }
}
