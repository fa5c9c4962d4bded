//! The file behind a log, and its rotated predecessors.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Lines are collected up to this many bytes before they are written.
const BATCH: usize = 32 << 10;

/// A file that is replaced by a new one when it has grown to its limit; the old ones are `.1` (newest), `.2`
/// and so on.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: Option<File>,
    /// Bytes on disk.
    size: u64,
    max_size: Option<u64>,
    max_file: u32,
    batch: Vec<u8>,
}

impl RotatingFile {
    /// Opens the file, going on at its end where it exists.
    pub fn open(path: PathBuf, max_size: Option<u64>, max_file: u32) -> io::Result<RotatingFile> {
        let file = append_to(&path)?;
        let size = file.metadata()?.len();
        let max_file = max_file.max(1);
        Ok(RotatingFile { path, file: Some(file), size, max_size, max_file, batch: Vec::new() })
    }

    /// Adds a whole line. Like Docker, rotates before a line when the limit is already reached, so a file
    /// may be longer than the limit by one line.
    pub fn append(&mut self, line: &[u8]) {
        let size = self.size + self.batch.len() as u64;
        if self.max_size.is_some_and(|max| size >= max) {
            self.flush();
            self.rotate();
        }
        self.batch.extend_from_slice(line);
        if self.batch.len() >= BATCH {
            self.flush();
        }
    }

    /// Writes what was collected. What cannot be written is dropped, whole lines of it: a half line would
    /// spoil the next one.
    pub fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        if self.file.is_none() {
            // The last rotation found no room or no permission; perhaps there is now.
            self.file = append_to(&self.path).ok();
        }
        if let Some(file) = &mut self.file {
            match file.write_all(&self.batch) {
                Ok(()) => self.size += self.batch.len() as u64,
                Err(_) => {
                    // Best effort as well: there is nothing left to try when even this fails.
                    let _ = file.set_len(self.size);
                }
            }
        }
        self.batch.clear();
        self.batch.shrink_to(4096);
    }

    fn rotate(&mut self) {
        let numbered = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        if self.max_file == 1 {
            // A new file rather than an emptied one: who follows the log knows files by their inodes.
            if fs::remove_file(&self.path).is_ok() {
                self.file = append_to(&self.path).ok();
                self.size = 0;
            }
            return;
        }
        // Missing ones are normal; any other trouble shows when the new file is opened.
        for number in (1..self.max_file - 1).rev() {
            let _ = fs::rename(numbered(number), numbered(number + 1));
        }
        if fs::rename(&self.path, numbered(1)).is_err() {
            return;
        }
        self.file = append_to(&self.path).ok();
        self.size = 0;
    }
}

fn append_to(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &std::path::Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_rotated_file_is_number_one_and_the_oldest_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = RotatingFile::open(dir.path().join("log"), Some(10), 3).unwrap();
        for number in 0..8 {
            file.append(format!("line {number} ...\n").as_bytes());
        }
        file.flush();
        assert_eq!(names(dir.path()), ["log", "log.1", "log.2"]);
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("log"), "line 7 ...\n");
        assert_eq!(read("log.1"), "line 6 ...\n");
        assert_eq!(read("log.2"), "line 5 ...\n");
    }

    #[test]
    fn a_single_file_starts_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = RotatingFile::open(dir.path().join("log"), Some(4), 1).unwrap();
        for line in ["first\n", "second\n", "third\n"] {
            file.append(line.as_bytes());
        }
        file.flush();
        assert_eq!(names(dir.path()), ["log"]);
        assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), "third\n");
    }

    #[test]
    fn an_existing_file_is_continued_and_counts() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("log"), "0123456789\n").unwrap();
        let mut file = RotatingFile::open(dir.path().join("log"), Some(5), 2).unwrap();
        file.append(b"new\n");
        file.flush();
        assert_eq!(fs::read_to_string(dir.path().join("log.1")).unwrap(), "0123456789\n");
        assert_eq!(fs::read_to_string(dir.path().join("log")).unwrap(), "new\n");
    }

    #[test]
    fn a_full_disk_loses_lines_and_nothing_else() {
        let mut file = RotatingFile::open("/dev/full".into(), None, 1).unwrap();
        for _ in 0..100_000 {
            file.append(b"a line of a container that writes without end\n");
        }
        file.flush();
        assert_eq!(file.size, 0);
        assert!(file.batch.capacity() <= 2 * BATCH);
    }
}
