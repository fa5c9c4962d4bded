//! Looking for anything of a removed container that is still there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{Daemon, home::entries, process, until};

impl Daemon {
    /// Panics if anything of the containers is left: a mount, a process, a cgroup, a directory or a database
    /// row. What is cleaned up in the background gets five seconds.
    #[track_caller]
    pub fn assert_nothing_left<S: AsRef<str>>(&self, ids: &[S]) {
        let left = until(Duration::from_secs(5), || self.leftovers(ids).is_empty().then_some(()));
        if left.is_none() {
            let found = self.leftovers(ids);
            if !found.is_empty() {
                panic!("{} things are left over:\n{}", found.len(), found.join("\n"));
            }
        }
    }

    /// Everything of the given containers that still exists, one line each.
    pub fn leftovers<S: AsRef<str>>(&self, ids: &[S]) -> Vec<String> {
        let home = self.home();
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("read mountinfo");
        let dump = self.dump();
        let mut found = Vec::new();
        let cgroups = all_cgroups();
        let commands = command_lines();
        let directories = directories_below(&[&home.data(), &home.exec()]);
        for id in ids.iter().map(AsRef::as_ref) {
            found
                .extend(mounts.lines().filter(|line| line.contains(id)).map(|line| format!("mount: {line}")));
            let of = commands.iter().filter(|(_, line)| line.contains(id));
            found.extend(of.map(|(pid, line)| format!("process {pid}: {line}")));
            let named =
                |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(id));
            found.extend(cgroups.iter().filter(named).map(|path| format!("cgroup: {}", path.display())));
            found.extend(directories.iter().filter(named).map(|path| format!("file: {}", path.display())));
            found.extend(rows_with(&dump, id).into_iter().map(|row| format!("row: {row}")));
        }
        found
    }

    /// The database as SQL statements. The daemon may be running: readers do not disturb it.
    pub fn dump(&self) -> String {
        let database = self.home().data().join("berth.db");
        process::run(Command::new("sqlite3").arg("-readonly").arg(&database).arg(".dump"), b"").ok()
    }

    /// The answer of the database to a query, columns separated by `|`.
    #[track_caller]
    pub fn sql(&self, query: &str) -> String {
        let database = self.home().data().join("berth.db");
        process::run(Command::new("sqlite3").arg("-readonly").arg(&database).arg(query), b"").ok()
    }
}

/// Rows of any table but the event history, which is kept on purpose, that name the container.
fn rows_with(dump: &str, id: &str) -> Vec<String> {
    let statements = dump.lines().filter(|line| line.contains(id) && line.starts_with("INSERT INTO"));
    let ours = statements.filter(|line| !table(line).starts_with("event"));
    ours.map(|line| line.chars().take(200).collect()).collect()
}

fn table(insert: &str) -> &str {
    let name = insert.trim_start_matches("INSERT INTO ").split([' ', '(']).next().unwrap_or("");
    name.trim_matches(['"', '\''])
}

/// cgroup directories with exactly this name, in every hierarchy.
pub fn cgroups(name: &str) -> Vec<PathBuf> {
    all_cgroups().into_iter().filter(|path| path.file_name().is_some_and(|own| own == name)).collect()
}

/// Every cgroup directory up to three levels below the mount points of all hierarchies.
pub fn all_cgroups() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("read mountinfo");
    let mut found = Vec::new();
    for line in mounts.lines() {
        let Some((place, what)) = line.split_once(" - ") else { continue };
        if what.starts_with("cgroup") {
            let mount = place.split(' ').nth(4).expect("mountinfo has a mount point");
            collect_dirs(Path::new(mount), 3, &mut found);
        }
    }
    found
}

fn collect_dirs(dir: &Path, depth: u32, into: &mut Vec<PathBuf>) {
    for path in entries(dir).into_iter().filter(|path| path.is_dir()) {
        if depth > 1 {
            collect_dirs(&path, depth - 1, into);
        }
        into.push(path);
    }
}

/// Kills what is in a cgroup and removes it with its children.
pub fn remove_cgroup(path: &Path) {
    for child in entries(path).into_iter().filter(|path| path.is_dir()) {
        remove_cgroup(&child);
    }
    let inside = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    for pid in inside.lines().filter_map(|line| line.parse().ok()) {
        if let Some(started) = process::start_time(pid) {
            process::kill_exactly(pid, started);
        }
    }
    until(Duration::from_secs(2), || (fs::remove_dir(path).is_ok() || !path.exists()).then_some(()));
}

/// Mount points at or below any of the directories, in mount order.
pub fn mounts_below(parents: &[&Path]) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("read mountinfo");
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    points.filter(|point| parents.iter().any(|parent| point.starts_with(parent))).collect()
}

/// Directories and files of interest below the roots: layer contents are not descended into.
fn directories_below(roots: &[&Path]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo: Vec<(PathBuf, u32)> = roots.iter().map(|root| (root.to_path_buf(), 3)).collect();
    while let Some((dir, depth)) = todo.pop() {
        for path in entries(&dir) {
            let real_dir = path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
            if depth > 1 && real_dir && !dir.ends_with("layers") {
                todo.push((path.clone(), depth - 1));
            }
            found.push(path);
        }
    }
    found
}

fn command_lines() -> Vec<(String, String)> {
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for path in entries(Path::new("/proc")) {
        let pid = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if pid.bytes().all(|byte| byte.is_ascii_digit())
            && pid != own
            && let Ok(line) = fs::read(path.join("cmdline"))
        {
            found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_in_every_table_but_the_event_history() {
        let dump = "INSERT INTO containers VALUES('abc',1);\nINSERT INTO \"events\" VALUES(1,'abc');\nCREATE TABLE abc;";
        assert_eq!(rows_with(dump, "abc"), ["INSERT INTO containers VALUES('abc',1);"]);
        assert!(rows_with(dump, "abd").is_empty());
    }
}
