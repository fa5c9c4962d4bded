//! Which user the program runs as: `User` of the container's configuration, looked up in the container's own
//! databases the way Docker does.

use berth_shim_proto::Launch;
use rustix::fs::{Mode, OFlags};

use super::userdb::{self, Group, Passwd};
use crate::report::{CODE_NOT_EXECUTABLE, Failure, Phase};
use crate::setup::paths::Root;

/// Who the program runs as, IDs inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User ID.
    pub uid: u32,
    /// Primary group ID.
    pub gid: u32,
    /// All groups, the primary one first.
    pub groups: Vec<u32>,
    /// Home directory, `/` where nothing says.
    pub home: String,
}

/// Largest ID that Docker takes.
const MAX_ID: i64 = 2_147_483_647;

/// Looks the user up. The calling process's root must be the container's.
pub fn resolve(launch: &Launch) -> Result<User, Failure> {
    let phase = "look up user";
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let root = Root::new(root.phase(phase)?);
    let users = userdb::passwd(&userdb::read(&root, "/etc/passwd"));
    let groups = userdb::group(&userdb::read(&root, "/etc/group"));
    find(&launch.user, &launch.additional_groups, &users, &groups)
        .map_err(|message| Failure::new(phase, message).code(CODE_NOT_EXECUTABLE))
}

/// `spec` is `user[:group]`, each by name or number; a number needs no entry. Groups that list the user are
/// added only where no group is given.
fn find(spec: &str, additional: &[String], users: &[Passwd], groups: &[Group]) -> Result<User, String> {
    let (user_part, group_part) = spec.split_once(':').unwrap_or((spec, ""));
    let number = user_part.parse::<i64>().ok();
    let entry = users.iter().find(|entry| match (user_part, number) {
        ("", _) => entry.uid == 0,
        (_, Some(number)) => i64::from(entry.uid) == number,
        (name, None) => entry.name == name,
    });
    let mut user = match (entry, number) {
        (Some(entry), _) => {
            User { uid: entry.uid, gid: entry.gid, groups: Vec::new(), home: entry.home.clone() }
        }
        (None, Some(number)) => {
            User { uid: in_range(number)?, gid: 0, groups: Vec::new(), home: String::new() }
        }
        (None, None) if user_part.is_empty() => {
            User { uid: 0, gid: 0, groups: Vec::new(), home: String::new() }
        }
        (None, None) => {
            return Err(format!("unable to find user {user_part}: no matching entries in passwd file"));
        }
    };
    if user.home.is_empty() {
        "/".clone_into(&mut user.home);
    }
    let mut member_of = Vec::new();
    if !group_part.is_empty() {
        user.gid = group_id(group_part, groups)?;
    } else if let Some(entry) = entry {
        member_of
            .extend(groups.iter().filter(|group| group.members.contains(&entry.name)).map(|group| group.gid));
    }
    user.groups.push(user.gid);
    for gid in member_of {
        if !user.groups.contains(&gid) {
            user.groups.push(gid);
        }
    }
    for name in additional {
        let gid = group_id(name, groups)?;
        if !user.groups.contains(&gid) {
            user.groups.push(gid);
        }
    }
    Ok(user)
}

fn group_id(text: &str, groups: &[Group]) -> Result<u32, String> {
    let number = text.parse::<i64>().ok();
    let entry = groups.iter().find(|group| match number {
        Some(number) => i64::from(group.gid) == number,
        None => group.name == text,
    });
    match (entry, number) {
        (Some(entry), _) => Ok(entry.gid),
        (None, Some(number)) => in_range(number),
        (None, None) => Err(format!("unable to find group {text}: no matching entries in group file")),
    }
}

fn in_range(number: i64) -> Result<u32, String> {
    u32::try_from(number)
        .ok()
        .filter(|id| i64::from(*id) <= MAX_ID)
        .ok_or_else(|| "uids and gids must be in range 0-2147483647".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/var/www:\n7:x:900:900::/seven:";
    const GROUP: &str = "root:x:0:\nwheel:x:10:root,web\nwww:x:34:\nmedia:x:50:web";

    fn look(spec: &str, additional: &[&str]) -> Result<User, String> {
        let additional: Vec<String> = additional.iter().map(|one| (*one).to_owned()).collect();
        find(spec, &additional, &userdb::passwd(PASSWD), &userdb::group(GROUP))
    }

    #[test]
    fn no_user_is_root_with_its_groups_and_home() {
        let user = look("", &[]).unwrap();
        assert_eq!(user, User { uid: 0, gid: 0, groups: vec![0, 10], home: "/root".into() });
    }

    #[test]
    fn a_name_brings_its_groups_and_a_given_group_replaces_them() {
        assert_eq!(look("web", &[]).unwrap().groups, [34, 10, 50]);
        let user = look("web:wheel", &[]).unwrap();
        assert_eq!((user.uid, user.gid, user.groups), (33, 10, vec![10]));
        assert_eq!(look("33", &[]).unwrap().home, "/var/www");
    }

    #[test]
    fn numbers_need_no_entry_and_are_never_names() {
        let user = look("1234:5678", &["media", "99"]).unwrap();
        assert_eq!((user.uid, user.gid, user.groups), (1234, 5678, vec![5678, 50, 99]));
        assert_eq!(look("1234", &[]).unwrap().gid, 0);
        assert_eq!(look("7", &[]).unwrap().home, "/");
        assert_eq!(look(":wheel", &[]).unwrap().gid, 10);
    }

    #[test]
    fn unknown_names_and_wild_numbers_are_refused_in_dockers_words() {
        let error = look("nobody", &[]).unwrap_err();
        assert_eq!(error, "unable to find user nobody: no matching entries in passwd file");
        let error = look("root:none", &[]).unwrap_err();
        assert_eq!(error, "unable to find group none: no matching entries in group file");
        assert!(look("root", &["none"]).unwrap_err().starts_with("unable to find group none"));
        for wild in ["-1", "2147483648", "0:4294967296"] {
            assert!(look(wild, &[]).unwrap_err().contains("in range"), "{wild}");
        }
    }
}
