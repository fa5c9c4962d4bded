//! Host IDs for user namespaces.
//!
//! Every container that runs in a user namespace of its own holds a lease on 65,536 host IDs that nobody
//! else on the host uses. IDs on disk are unshifted, so a lease lasts only while the container runs.
//!
//! Daemons share the host: each claims *blocks* of 64 ranges by a file under one directory, guarded by one
//! lock. A block outlives its daemon (its containers may still run) and is taken over by another only when
//! that daemon is gone and no living process maps an ID of the block.
//!
//! Candidates lie above systemd's container range (524288–1879048191, systemd UIDS-GIDS.md), below its
//! "foreign" range at 0x7FFE0000, and, only when that is full, in the upper half of the 32-bit space.
//! Blocks that meet `/etc/subuid`, `/etc/subgid` or a map in use are skipped.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use berth_linux::lock::LockFile;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Host IDs in one range: what a container sees as 0–65535.
pub const RANGE: u32 = 65_536;
const RANGES_PER_BLOCK: u32 = 64;
const BLOCK: u32 = RANGE * RANGES_PER_BLOCK;
const WINDOWS: [Range<u32>; 2] = [0x7000_0000..0x7FFE_0000, 0x8001_0000..0xFFFE_0000];

/// Host IDs that one container holds: `size` of them from `first` on, a whole number of ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The first host ID.
    pub first: u32,
    /// How many.
    pub size: u32,
}

impl Lease {
    fn ranges(self) -> impl Iterator<Item = u32> {
        (0..self.size / RANGE).map(move |n| self.first + n * RANGE)
    }
}

/// The ID ranges one daemon may hand out.
#[derive(Debug)]
pub struct IdRanges {
    directory: PathBuf,
    owner: Owner,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    blocks: BTreeSet<u32>,
    leased: BTreeSet<u32>,
}

/// Content of a block's claim file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    daemon: String,
    /// Locked by the daemon for as long as it lives.
    lock: PathBuf,
}

impl IdRanges {
    /// The ranges of the daemon with this short ID, whose life is shown by a lock on `lock`. Blocks it
    /// claimed in an earlier life are its own again; `leased` are the ranges its containers still hold.
    pub fn open(
        directory: &Path,
        daemon: &str,
        lock: &Path,
        leased: impl IntoIterator<Item = Lease>,
    ) -> Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory)
            .map_err(Error::file("creating", directory))?;
        let owner = Owner { daemon: daemon.to_owned(), lock: lock.to_owned() };
        let mut state =
            State { leased: leased.into_iter().flat_map(Lease::ranges).collect(), ..State::default() };
        let _guard = lock_directory(directory)?;
        for (block, holder) in claims(directory)? {
            if holder == owner {
                state.blocks.insert(block);
            }
        }
        // A lease whose claim file was lost with /run is claimed anew, unless somebody else has it by now.
        for first in state.leased.clone() {
            let block = block_of(first);
            if !state.blocks.contains(&block) && read_claim(directory, block)?.is_none() {
                write_claim(directory, block, &owner)?;
                state.blocks.insert(block);
            }
        }
        Ok(IdRanges { directory: directory.to_owned(), owner, state: Mutex::new(state) })
    }

    /// Takes so many free ranges in a row from the blocks at hand; `None` if they are used up.
    pub fn lease_at_hand(&self, count: u32) -> Option<Lease> {
        self.state().take(count)
    }

    /// Takes so many free ranges in a row, claiming another block where needed: blocks for file work, and for
    /// other daemons that do the same.
    pub fn lease(&self, count: u32) -> Result<Lease> {
        if count > RANGES_PER_BLOCK {
            return Err(Error::Invalid(format!(
                "the image and user need {count} ranges of user IDs, and a container can have {RANGES_PER_BLOCK}; use --userns=host"
            )));
        }
        loop {
            if let Some(lease) = self.lease_at_hand(count) {
                return Ok(lease);
            }
            // Not under the lock of the state: giving back must never wait for another daemon.
            let own = self.state().blocks.clone();
            let block = self.claim(&own)?;
            self.state().blocks.insert(block);
        }
    }

    /// Gives ranges back.
    pub fn release(&self, lease: Lease) {
        let mut state = self.state();
        for first in lease.ranges() {
            state.leased.remove(&first);
        }
    }

    /// At the end: a daemon that leaves no container running leaves no claim behind either.
    pub fn give_back(&self) {
        let mut state = self.state();
        if !state.leased.is_empty() {
            return;
        }
        let Ok(_guard) = lock_directory(&self.directory) else { return };
        for block in std::mem::take(&mut state.blocks) {
            if let Err(error) = fs::remove_file(self.directory.join(block.to_string())) {
                tracing::warn!(block, %error, "could not give a block of host IDs back");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The sets are changed by single calls, so a panic elsewhere cannot leave them half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, own: &BTreeSet<u32>) -> Result<u32> {
        let _guard = lock_directory(&self.directory)?;
        let reserved = reserved()?;
        for block in candidates() {
            let range = block..block + (BLOCK - 1);
            if own.contains(&block) || reserved.iter().any(|r| overlaps(r, &range)) {
                continue;
            }
            match read_claim(&self.directory, block)? {
                Some(holder) if holder != self.owner && holder.alive() => continue,
                _ => {
                    write_claim(&self.directory, block, &self.owner)?;
                    return Ok(block);
                }
            }
        }
        Err(Error::Conflict(
            "no range of host user IDs is free; stop some containers or use --userns=host".into(),
        ))
    }
}

impl State {
    fn take(&mut self, count: u32) -> Option<Lease> {
        let size = count.checked_mul(RANGE)?;
        let lease = self
            .blocks
            .iter()
            .flat_map(|block| {
                (0..(RANGES_PER_BLOCK + 1).saturating_sub(count)).map(move |n| block + n * RANGE)
            })
            .map(|first| Lease { first, size })
            .find(|lease| lease.ranges().all(|first| !self.leased.contains(&first)))?;
        self.leased.extend(lease.ranges());
        Some(lease)
    }
}

impl Owner {
    fn alive(&self) -> bool {
        // Looking must not make the file of a daemon that never was.
        self.lock.exists() && !matches!(LockFile::try_acquire(&self.lock), Ok(Some(_)))
    }
}

fn candidates() -> impl Iterator<Item = u32> {
    WINDOWS.into_iter().flat_map(|w| (w.start..w.end - (BLOCK - 1)).step_by(BLOCK as usize))
}

fn block_of(first: u32) -> u32 {
    let start = WINDOWS.iter().find(|w| w.contains(&first)).map_or(0, |w| w.start);
    start + (first - start) / BLOCK * BLOCK
}

fn overlaps(a: &Range<u32>, b: &Range<u32>) -> bool {
    a.start < b.end && b.start < a.end
}

fn lock_directory(directory: &Path) -> Result<LockFile> {
    let path = directory.join("lock");
    LockFile::acquire(&path).map_err(|e| Error::file("locking", path)(e.into()))
}

fn claims(directory: &Path) -> Result<Vec<(u32, Owner)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::file("reading", directory))? {
        let entry = entry.map_err(Error::file("reading", directory))?;
        let Some(block) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(owner) = read_claim(directory, block)? {
            found.push((block, owner));
        }
    }
    Ok(found)
}

/// Who claimed a block; a claim that cannot be read as one counts as none.
fn read_claim(directory: &Path, block: u32) -> Result<Option<Owner>> {
    let path = directory.join(block.to_string());
    match fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("reading", path)(error)),
    }
}

fn write_claim(directory: &Path, block: u32, owner: &Owner) -> Result<()> {
    let path = directory.join(block.to_string());
    let bytes = serde_json::to_vec(owner).map_err(|e| Error::file("encoding", &path)(e.into()))?;
    crate::files::replace(&path, &bytes)
}

/// Host IDs that are spoken for: subordinate ID files (subuid(5)) and the maps of living processes.
fn reserved() -> Result<Vec<Range<u32>>> {
    let mut ranges = Vec::new();
    for file in ["/etc/subuid", "/etc/subgid"] {
        match fs::read_to_string(file) {
            Ok(text) => ranges.extend(text.lines().filter_map(subordinate)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file("reading", file)(error)),
        }
    }
    let processes = fs::read_dir("/proc").map_err(Error::file("reading", "/proc"))?;
    for process in processes.flatten() {
        if !process.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        // Processes come and go: one that ended has no map any more.
        let map = fs::read_to_string(process.path().join("uid_map")).unwrap_or_default();
        ranges.extend(map.lines().filter_map(mapped));
    }
    Ok(ranges)
}

/// `name:first:count` of subuid(5).
fn subordinate(line: &str) -> Option<Range<u32>> {
    let mut fields = line.trim().rsplitn(3, ':');
    let count: u32 = fields.next()?.parse().ok()?;
    let first: u32 = fields.next()?.parse().ok()?;
    Some(first..first.saturating_add(count))
}

/// `inside outside count` of user_namespaces(7); the identity map of the host is no reservation.
fn mapped(line: &str) -> Option<Range<u32>> {
    let mut fields = line.split_ascii_whitespace();
    let inside: u32 = fields.next()?.parse().ok()?;
    let outside: u32 = fields.next()?.parse().ok()?;
    let count: u32 = fields.next()?.parse().ok()?;
    (inside != outside).then(|| outside..outside.saturating_add(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path, daemon: &str) -> (IdRanges, LockFile) {
        let path = dir.join(format!("{daemon}.lock"));
        let lock = LockFile::acquire(&path).unwrap();
        (IdRanges::open(&dir.join("ids"), daemon, &path, []).unwrap(), lock)
    }

    #[test]
    fn ranges_of_two_daemons_never_meet() {
        let dir = tempfile::tempdir().unwrap();
        let (a, _la) = open(dir.path(), "a");
        let (b, _lb) = open(dir.path(), "b");
        let mut seen = BTreeSet::new();
        for _ in 0..70 {
            assert!(seen.insert(a.lease(1).unwrap().first));
            assert!(seen.insert(b.lease(1).unwrap().first));
        }
        assert!(seen.iter().all(|first| first % RANGE == 0 && *first >= 0x7000_0000));
    }

    #[test]
    fn a_released_range_is_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let (a, _lock) = open(dir.path(), "a");
        let first = a.lease(1).unwrap();
        a.release(first);
        assert_eq!(a.lease(1).unwrap(), first);
    }

    #[test]
    fn ranges_in_a_row_neither_overlap_nor_cross_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let (a, _lock) = open(dir.path(), "a");
        let leases: Vec<_> = (0..40).map(|n| a.lease(1 + n % 5).unwrap()).collect();
        let all: Vec<_> = leases.iter().flat_map(|lease| lease.ranges()).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for lease in &leases {
            assert_eq!(block_of(lease.first), block_of(lease.first + lease.size - 1));
        }
        assert!(a.lease(65).is_err());
    }

    #[test]
    fn a_daemon_finds_its_blocks_again_after_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let (a, lock) = open(dir.path(), "a");
        let first = a.lease(1).unwrap();
        drop(lock);
        let path = dir.path().join("a.lock");
        let again = IdRanges::open(&dir.path().join("ids"), "a", &path, [first]).unwrap();
        let next = again.lease(1).unwrap();
        assert_ne!(next, first);
        assert_eq!(block_of(next.first), block_of(first.first));
    }

    #[test]
    fn a_daemon_that_ends_clean_leaves_no_claim() {
        let dir = tempfile::tempdir().unwrap();
        let (a, _lock) = open(dir.path(), "a");
        let first = a.lease(1).unwrap();
        a.release(first);
        a.give_back();
        assert!(claims(&dir.path().join("ids")).unwrap().is_empty());
    }

    #[test]
    fn lines_of_subuid_and_uid_map_are_understood() {
        assert_eq!(subordinate("user:100000:65536"), Some(100_000..165_536));
        assert_eq!(subordinate("# a comment"), None);
        assert_eq!(mapped("         0 1879048192      65536"), Some(1_879_048_192..1_879_113_728));
        assert_eq!(mapped("         0          0 4294967295"), None);
    }
}
