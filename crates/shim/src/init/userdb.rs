//! `/etc/passwd` and `/etc/group` as an image has them: anything may be in there, so lines that make no sense
//! are skipped and sizes are bounded.

use std::io::Read;

use rustix::fs::{FileType, OFlags};

use crate::setup::paths::Root;

/// Largest database that is read; the rest is ignored.
const MAX_BYTES: u64 = 16 << 20;

/// One line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passwd {
    /// Login name.
    pub name: String,
    /// User ID.
    pub uid: u32,
    /// Primary group ID.
    pub gid: u32,
    /// Home directory.
    pub home: String,
}

/// One line of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Group name.
    pub name: String,
    /// Group ID.
    pub gid: u32,
    /// Names of its members.
    pub members: Vec<String>,
}

/// The lines of a passwd file.
pub fn passwd(text: &str) -> Vec<Passwd> {
    lines(text)
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let uid = fields.nth(1)?.trim().parse().ok()?;
            let gid = fields.next()?.trim().parse().ok()?;
            let home = fields.nth(1).unwrap_or_default().to_owned();
            Some(Passwd { name, uid, gid, home })
        })
        .collect()
}

/// The lines of a group file.
pub fn group(text: &str) -> Vec<Group> {
    lines(text)
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let gid = fields.nth(1)?.trim().parse().ok()?;
            let members = fields.next().unwrap_or_default().split(',').map(str::trim);
            Some(Group { name, gid, members: members.filter(|m| !m.is_empty()).map(str::to_owned).collect() })
        })
        .collect()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The text of a regular file inside the root; empty where there is none. Neither a link out of the root nor
/// a FIFO that never answers can get in the way.
pub fn read(root: &Root, path: &str) -> String {
    let Ok(file) = root.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) else {
        return String::new();
    };
    let regular = rustix::fs::fstat(&file)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    let mut bytes = Vec::new();
    if !regular || std::fs::File::from(file).take(MAX_BYTES).read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_make_no_sense_are_skipped() {
        let text = "root:x:0:0:root:/root:/bin/sh\n# no\n\n+::::::\nbad:x:many:0::/:\nshort:x:7\nweb:x:33:33";
        let users = passwd(text);
        assert_eq!(users.len(), 2);
        assert_eq!(users[0].home, "/root");
        assert_eq!((users[1].name.as_str(), users[1].home.as_str()), ("web", ""));
    }

    #[test]
    fn members_of_a_group_are_told_apart() {
        let groups = group("wheel:x:10:root, web ,\nempty:x:11:\nnobody:x:65534");
        assert_eq!(groups[0].members, ["root", "web"]);
        assert!(groups[1].members.is_empty());
        assert_eq!(groups[2].gid, 65_534);
    }

    #[test]
    fn a_pipe_in_place_of_a_database_reads_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o644);
        rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("passwd"), FileType::Fifo, mode, 0).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("group")).unwrap();
        let root = Root::new(std::fs::File::open(dir.path()).unwrap().into());
        assert_eq!(read(&root, "/passwd"), "");
        assert_eq!(read(&root, "/group"), "");
    }
}
