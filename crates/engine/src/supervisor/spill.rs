//! A queue of output for a client that reads more slowly than its container writes.
//!
//! A slow client must neither block the container nor fill the daemon's memory, and yet miss nothing:
//! beyond a few megabytes in memory the queue goes on in an unlinked file.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use rustix::fs::FallocateFlags;

use crate::{Output, StdStream};

/// Bytes kept in memory before the file is used.
const IN_MEMORY: usize = 4 << 20;
/// Bytes on disk beyond which the client counts as gone.
const ON_DISK: u64 = 1 << 30;

/// Bytes read after which their blocks are given back.
const FREE: u64 = 16 << 20;

/// What a piece of output costs in memory: many small ones must count as well.
fn cost(output: &Output) -> usize {
    output.bytes.len() + 64
}

/// First in, first out.
#[derive(Debug)]
pub struct Spill {
    directory: PathBuf,
    memory: VecDeque<Output>,
    in_memory: usize,
    file: Option<File>,
    /// Where the next record is read from and written to.
    read_at: u64,
    write_at: u64,
    /// Up to here the file's blocks were given back.
    freed: u64,
}

impl Spill {
    /// An empty queue that may put a file into `directory`.
    pub fn new(directory: PathBuf) -> Self {
        Spill {
            directory,
            memory: VecDeque::new(),
            in_memory: 0,
            file: None,
            read_at: 0,
            write_at: 0,
            freed: 0,
        }
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.read_at == self.write_at
    }

    /// Adds output. Fails if the disk fails or the client is too far behind.
    pub fn push(&mut self, output: Output) -> io::Result<()> {
        // Once records are on disk, later ones must queue behind them.
        if self.read_at == self.write_at && self.in_memory + cost(&output) <= IN_MEMORY {
            self.in_memory += cost(&output);
            self.memory.push_back(output);
            return Ok(());
        }
        if self.write_at - self.read_at > ON_DISK {
            return Err(io::Error::other("the client is more than a gibibyte behind"));
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile_in(&self.directory)?),
        };
        let mut record = Vec::with_capacity(5 + output.bytes.len());
        record.push(match output.stream {
            StdStream::Stdout => 1,
            StdStream::Stderr => 2,
        });
        record.extend_from_slice(&u32::try_from(output.bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        record.extend_from_slice(&output.bytes);
        file.write_all_at(&record, self.write_at)?;
        self.write_at += record.len() as u64;
        Ok(())
    }

    /// Takes the oldest output.
    pub fn pop(&mut self) -> io::Result<Option<Output>> {
        if let Some(output) = self.memory.pop_front() {
            self.in_memory -= cost(&output);
            return Ok(Some(output));
        }
        let Some(file) = self.file.as_ref().filter(|_| self.read_at < self.write_at) else { return Ok(None) };
        let mut head = [0; 5];
        file.read_exact_at(&mut head, self.read_at)?;
        let [stream, length @ ..] = head;
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        file.read_exact_at(&mut bytes, self.read_at + 5)?;
        self.read_at += 5 + bytes.len() as u64;
        if self.read_at == self.write_at {
            file.set_len(0)?;
            (self.read_at, self.write_at, self.freed) = (0, 0, 0);
        } else if self.read_at - self.freed >= FREE {
            // A client that never quite catches up must not make the file grow for ever.
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(file, flags, self.freed, self.read_at - self.freed)?;
            self.freed = self.read_at;
        }
        let stream = if stream == 1 { StdStream::Stdout } else { StdStream::Stderr };
        Ok(Some(Output { stream, bytes: Bytes::from(bytes) }))
    }
}

/// An unlinked file on the filesystem of `directory`.
fn tempfile_in(directory: &std::path::Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(fill: u8, len: usize) -> Output {
        let stream = if fill.is_multiple_of(2) { StdStream::Stdout } else { StdStream::Stderr };
        Output { stream, bytes: Bytes::from(vec![fill; len]) }
    }

    #[test]
    fn order_is_kept_across_memory_and_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut spill = Spill::new(dir.path().to_owned());
        for fill in 0..20 {
            spill.push(output(fill, 1 << 20)).unwrap();
        }
        assert!(spill.in_memory <= IN_MEMORY);
        assert_eq!(spill.pop().unwrap().unwrap(), output(0, 1 << 20));
        spill.push(output(20, 10)).unwrap();
        for fill in 1..20 {
            assert_eq!(spill.pop().unwrap().unwrap(), output(fill, 1 << 20), "{fill}");
        }
        assert_eq!(spill.pop().unwrap().unwrap(), output(20, 10));
        assert!(spill.pop().unwrap().is_none() && spill.is_empty());
    }

    #[test]
    fn nothing_is_left_in_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let mut spill = Spill::new(dir.path().to_owned());
        for fill in 0..8 {
            spill.push(output(fill, 1 << 20)).unwrap();
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_client_that_never_catches_up_does_not_fill_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut spill = Spill::new(dir.path().to_owned());
        for fill in 0..8 {
            spill.push(output(fill, 1 << 20)).unwrap();
        }
        for fill in 8..=255 {
            spill.push(output(fill, 1 << 20)).unwrap();
            assert_eq!(spill.pop().unwrap().unwrap(), output(fill - 8, 1 << 20));
        }
        let blocks =
            std::os::unix::fs::MetadataExt::blocks(&spill.file.as_ref().unwrap().metadata().unwrap());
        assert!(blocks * 512 < 64 << 20, "{blocks} blocks");
    }
}
