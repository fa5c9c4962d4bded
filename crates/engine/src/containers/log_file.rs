//! Reading `json-file` logs: all files of one container as one sequence of records.
//!
//! The shim writes `NAME` and renames it to `NAME.1`, `NAME.2`, … when it is full. A reader holds its files open, so
//! rotation takes nothing from it that it has not read.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;

use crate::{LogRecord, StdStream};

const CHUNK: usize = 128 << 10;
/// No more rotated files than this are looked for.
const MAX_FILES: u32 = 1000;

/// A position in a container's log.
#[derive(Debug, Default)]
pub struct LogFile {
    path: PathBuf,
    /// Files still to be read, oldest first; the last one is the one being written.
    files: VecDeque<Open>,
    /// The beginning of a line whose end has not been read.
    partial: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    inode: u64,
    offset: u64,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    log: std::borrow::Cow<'a, str>,
    stream: &'a str,
    time: &'a str,
}

impl LogFile {
    /// Opens the log at `path`, at its beginning or so that the last `tail` records are read. A log that was
    /// never written is empty.
    pub fn open(path: &Path, tail: Option<u64>) -> io::Result<Self> {
        let mut files = VecDeque::new();
        // Newest first: a file that is renamed meanwhile is met again under its new name and skipped.
        for n in 0..MAX_FILES {
            match open(&numbered(path, n))? {
                Some(open) if files.iter().any(|known: &Open| known.inode == open.inode) => {}
                Some(open) => files.push_front(open),
                None if n == 0 => {}
                None => break,
            }
        }
        if let Some(tail) = tail {
            seek_tail(&mut files, tail)?;
        }
        Ok(LogFile { path: path.to_owned(), files, partial: Vec::new() })
    }

    /// Reads the next records into `out`. False if there is nothing more for now.
    pub fn read(&mut self, out: &mut Vec<LogRecord>) -> io::Result<bool> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let Some(current) = self.files.front_mut() else {
                match open(&self.path)? {
                    Some(open) => self.files.push_back(open),
                    None => return Ok(false),
                }
                continue;
            };
            let n = current.file.read_at(&mut buffer, current.offset)?;
            if n == 0 {
                if !self.next_file()? {
                    return Ok(false);
                }
                continue;
            }
            current.offset += n as u64;
            self.take_lines(buffer.get(..n).unwrap_or_default(), out);
            return Ok(true);
        }
    }

    /// At the end of a file: goes on to the next one if there is one.
    fn next_file(&mut self) -> io::Result<bool> {
        if self.files.len() == 1 {
            // Rotated since? Files between the one at hand and the newest are found by their inodes.
            let known = self.files.front().map_or(0, |open| open.inode);
            let mut newer = VecDeque::new();
            for n in 0..MAX_FILES {
                match open(&numbered(&self.path, n))? {
                    Some(open) if open.inode == known => break,
                    Some(open) => newer.push_front(open),
                    None if n == 0 => return Ok(false),
                    None => break,
                }
            }
            if newer.is_empty() {
                return Ok(false);
            }
            // What was appended between our last read and the rotation comes first.
            let grown = self.files.front().map(|open| open.file.metadata().map(|m| m.len() > open.offset));
            self.files.extend(newer);
            if grown.transpose()? == Some(true) {
                return Ok(true);
            }
        }
        self.files.pop_front();
        self.partial.clear();
        Ok(true)
    }

    fn take_lines(&mut self, mut bytes: &[u8], out: &mut Vec<LogRecord>) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.partial.is_empty() {
                out.extend(parse(line));
            } else {
                self.partial.extend_from_slice(line);
                out.extend(parse(&std::mem::take(&mut self.partial)));
            }
        }
        self.partial.extend_from_slice(bytes);
    }
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    if n == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

fn open(path: &Path) -> io::Result<Option<Open>> {
    match File::open(path) {
        Ok(file) => {
            let inode = file.metadata()?.ino();
            Ok(Some(Open { file, inode, offset: 0 }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Moves the start so that `tail` lines remain, counting newlines backwards from the newest file's end.
fn seek_tail(files: &mut VecDeque<Open>, tail: u64) -> io::Result<()> {
    let mut missing = tail;
    let mut keep = files.len();
    while keep > 0 {
        keep -= 1;
        let Some(open) = files.get_mut(keep) else { break };
        match offset_of_last(&open.file, missing)? {
            (offset, 0) => {
                open.offset = offset;
                files.drain(..keep);
                return Ok(());
            }
            (_, still) => missing = still,
        }
    }
    Ok(())
}

/// The offset behind which `lines` whole lines lie, or 0 and how many lines the file lacks.
fn offset_of_last(file: &File, lines: u64) -> io::Result<(u64, u64)> {
    let mut end = file.metadata()?.len();
    // Each line ends in a newline, so the line before the last `lines` does too.
    let mut seen = 0;
    let mut buffer = vec![0; CHUNK];
    while end > 0 {
        let start = end.saturating_sub(CHUNK as u64);
        let chunk = buffer.get_mut(..(end - start) as usize).unwrap_or_default();
        file.read_exact_at(chunk, start)?;
        for (at, _) in chunk.iter().enumerate().rev().filter(|(_, b)| **b == b'\n') {
            if seen == lines {
                return Ok((start + at as u64 + 1, 0));
            }
            seen += 1;
        }
        end = start;
    }
    Ok((0, lines - seen.min(lines)))
}

/// A line that is no record (a torn write after a power cut) is passed over.
fn parse(line: &[u8]) -> Option<LogRecord> {
    let line: Line = serde_json::from_slice(line)
        .inspect_err(|error| tracing::debug!(%error, "a log line is not a record"))
        .ok()?;
    let time = time::OffsetDateTime::parse(line.time, &time::format_description::well_known::Rfc3339).ok()?;
    Some(LogRecord {
        stream: if line.stream == "stderr" { StdStream::Stderr } else { StdStream::Stdout },
        time_ns: i64::try_from(time.unix_timestamp_nanos()).ok()?,
        line: Bytes::from(line.log.into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn line(n: u32) -> String {
        format!(
            "{{\"log\":\"line {n}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.{n:09}Z\"}}\n"
        )
    }

    fn append(path: &Path, numbers: impl IntoIterator<Item = u32>) {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        for n in numbers {
            file.write_all(line(n).as_bytes()).unwrap();
        }
    }

    fn rotate(path: &Path) {
        for n in (0..5).rev() {
            let _ = std::fs::rename(numbered(path, n), numbered(path, n + 1));
        }
    }

    fn rest(log: &mut LogFile) -> Vec<u32> {
        let mut out = Vec::new();
        while log.read(&mut out).unwrap() {}
        out.iter()
            .map(|r| {
                std::str::from_utf8(&r.line).unwrap().trim_start_matches("line ").trim_end().parse().unwrap()
            })
            .collect()
    }

    #[test]
    fn rotated_files_are_read_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        for n in 0..3 {
            append(&path, n * 10..n * 10 + 10);
            rotate(&path);
        }
        append(&path, 30..35);
        assert_eq!(rest(&mut LogFile::open(&path, None).unwrap()), (0..35).collect::<Vec<_>>());
    }

    #[test]
    fn the_tail_may_span_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        append(&path, 0..10);
        rotate(&path);
        append(&path, 10..13);
        let tail = |n| rest(&mut LogFile::open(&path, Some(n)).unwrap());
        assert!(tail(0).is_empty());
        assert_eq!(tail(1), [12]);
        assert_eq!(tail(3), [10, 11, 12]);
        assert_eq!(tail(5), [8, 9, 10, 11, 12]);
        assert_eq!(tail(100), (0..13).collect::<Vec<_>>());
    }

    #[test]
    fn a_follower_loses_nothing_when_files_rotate_under_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        append(&path, 0..3);
        let mut log = LogFile::open(&path, None).unwrap();
        assert_eq!(rest(&mut log), [0, 1, 2]);
        append(&path, 3..5);
        rotate(&path);
        append(&path, 5..7);
        rotate(&path);
        append(&path, 7..8);
        assert_eq!(rest(&mut log), [3, 4, 5, 6, 7]);
    }

    #[test]
    fn half_a_line_waits_for_its_other_half() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let text = line(1);
        let mut file = File::create(&path).unwrap();
        file.write_all(&text.as_bytes()[..20]).unwrap();
        let mut log = LogFile::open(&path, None).unwrap();
        assert!(rest(&mut log).is_empty());
        file.write_all(&text.as_bytes()[20..]).unwrap();
        assert_eq!(rest(&mut log), [1]);
    }

    #[test]
    fn a_log_never_written_is_empty_and_a_torn_line_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = LogFile::open(&path, Some(5)).unwrap();
        assert!(rest(&mut log).is_empty());
        std::fs::write(&path, format!("{{\"log\":\"torn\n{}", line(7))).unwrap();
        assert_eq!(rest(&mut log), [7]);
    }
}
