//! From the entries of a tar stream to a tree on disk, and to the sidecar that remembers the rest.

use std::io::BufRead;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::RootAttributes;
use super::attributes::{apply_to_fd, apply_to_name, times};
use super::names::{self, Meaning, clean, meaning};
use super::raw::RawWriter;
use super::tree::{Buried, Directory, Tree, open_real};
use crate::durable::bytes_to_path;
use crate::error::{Error, Result};
use crate::tarfmt::{Entry, FileData, Kind, TarReader, Time};

/// Most entries of one layer.
const MAX_ENTRIES: u64 = 10_000_000;
/// Most memory for what is remembered about directories and replaced files until the end, in bytes.
const MAX_REMEMBERED: usize = 256 << 20;

/// What an extraction found.
#[derive(Debug, Default)]
pub(super) struct Extracted {
    pub(super) entries: u64,
    /// Sum of the lengths of all regular files.
    pub(super) size: u64,
    pub(super) max_uid: u32,
    pub(super) max_gid: u32,
    pub(super) root: Option<RootAttributes>,
    pub(super) buried: Vec<Buried>,
}

/// Extracts all of `input` into the empty directory `root`. The input is read to its very end.
pub(super) fn extract(
    input: impl BufRead,
    sidecar: RawWriter,
    root: &Path,
    graveyard: &Path,
) -> Result<(Extracted, RawWriter)> {
    let mut extraction = Extraction {
        tar: TarReader::new(input, sidecar),
        tree: Tree::new(root, graveyard)?,
        found: Extracted::default(),
        directories: Vec::new(),
        remembered: 0,
    };
    while let Some((entry, data)) = extraction.tar.next()? {
        extraction.entry(&entry, &data)?;
    }
    extraction.tar.drain()?;
    extraction.set_directory_times()?;
    let Extraction { tar, tree, mut found, .. } = extraction;
    found.buried = tree.into_buried();
    Ok((found, tar.into_sink()))
}

struct Extraction<R> {
    tar: TarReader<R, RawWriter>,
    tree: Tree,
    found: Extracted,
    /// Directories whose times are set at the end.
    directories: Vec<DirectoryTimes>,
    remembered: usize,
}

struct DirectoryTimes {
    real: Vec<u8>,
    /// The path may lead to another directory by the end.
    inode: u64,
    mtime: Time,
    atime: Option<Time>,
}

impl<R: BufRead> Extraction<R> {
    fn entry(&mut self, entry: &Entry, data: &FileData) -> Result<()> {
        self.found.entries += 1;
        if self.found.entries > MAX_ENTRIES {
            return Err(Error::InvalidTar(format!("more than {MAX_ENTRIES} entries")));
        }
        let path = clean(&entry.name)?;
        match meaning(&path)? {
            Meaning::Root => return self.root(entry),
            Meaning::Skip => return Ok(()),
            Meaning::Opaque { parent } => return self.tree.directory(parent)?.set_opaque(),
            Meaning::Whiteout { parent, name } => return self.tree.directory(parent)?.whiteout(name),
            Meaning::Make { parent, name } => {
                let parent = self.tree.directory(parent)?;
                if parent.real.len() + name.len() >= names::MAX_PATH {
                    return Err(Error::entry(&entry.name, "the file name is too long"));
                }
                match entry.kind {
                    Kind::File => self.file(&parent, name, entry, data)?,
                    Kind::Directory => self.directory(&parent, name, &path, entry)?,
                    Kind::HardLink => self.hard_link(&parent, name, entry)?,
                    Kind::Symlink | Kind::Fifo | Kind::CharDevice { .. } | Kind::BlockDevice { .. } => {
                        self.special(&parent, name, entry)?;
                    }
                }
            }
        }
        self.note_owner(entry);
        Ok(())
    }

    fn note_owner(&mut self, entry: &Entry) {
        // A hard link's owner is that of the file it names, which has been counted.
        if entry.kind != Kind::HardLink {
            self.found.max_uid = self.found.max_uid.max(entry.uid);
            self.found.max_gid = self.found.max_gid.max(entry.gid);
        }
    }

    fn root(&mut self, entry: &Entry) -> Result<()> {
        if entry.kind != Kind::Directory {
            return Err(Error::entry(&entry.name, "the layer's root is not a directory"));
        }
        let root = self.tree.root().clone();
        apply_to_fd(&root.fd, b"", entry)?;
        self.found.root = Some(RootAttributes { mode: entry.mode, uid: entry.uid, gid: entry.gid });
        self.note_owner(entry);
        self.remember_times(&root, entry)
    }

    fn file(&mut self, parent: &Directory, name: &[u8], entry: &Entry, data: &FileData) -> Result<()> {
        let real = names::join(&parent.real, name);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = self
            .make(parent, name, |parent| rustix::fs::openat(parent, name, flags, Mode::RUSR | Mode::WUSR))?;
        self.tar.sink().file(&real, &data.extents)?;
        let failed = |op, e: Errno| Error::io(op, bytes_to_path(&real), e);
        let plain = matches!(data.extents.as_slice(), [one] if one.offset == 0 && one.len == entry.size);
        if !plain {
            rustix::fs::ftruncate(&fd, entry.size).map_err(|e| match e {
                Errno::FBIG | Errno::INVAL => Error::entry(&entry.name, "the file is too large"),
                e => failed("extend", e),
            })?;
        }
        for extent in &data.extents {
            let mut at = extent.offset;
            self.tar.read_data(extent.len, |mut piece| {
                while !piece.is_empty() {
                    let n = match rustix::io::pwrite(&fd, piece, at) {
                        Ok(n) => n,
                        Err(Errno::INTR) => continue,
                        Err(error) => return Err(failed("write", error)),
                    };
                    at += n as u64;
                    piece = piece.get(n..).unwrap_or_default();
                }
                Ok(())
            })?;
        }
        self.found.size = self.found.size.saturating_add(entry.size);
        apply_to_fd(&fd, &real, entry)
    }

    fn directory(&mut self, parent: &Directory, name: &[u8], path: &[u8], entry: &Entry) -> Result<()> {
        let real = names::join(&parent.real, name);
        let failed = |op, e: Errno| Error::io(op, bytes_to_path(&real), e);
        let mut opaque = false;
        match rustix::fs::mkdirat(&*parent.fd, name, Mode::RWXU) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let stat = rustix::fs::statat(&*parent.fd, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|e| failed("stat", e))?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                    opaque = self.clear(parent, name)?;
                    rustix::fs::mkdirat(&*parent.fd, name, Mode::RWXU)
                        .map_err(|e| failed("create directory", e))?;
                }
            }
            Err(error) => return Err(failed("create directory", error)),
        }
        let directory = parent.open_child(name).map_err(|e| failed("open", e))?;
        apply_to_fd(&directory.fd, &real, entry)?;
        if opaque {
            directory.set_opaque()?;
        }
        self.tree.remember(path, &directory);
        self.remember_times(&directory, entry)
    }

    fn hard_link(&mut self, parent: &Directory, name: &[u8], entry: &Entry) -> Result<()> {
        let target_name = String::from_utf8_lossy(&entry.link).into_owned();
        let missing =
            || Error::entry(&entry.name, format!("hard link target {target_name:?} does not exist"));
        let target = clean(&entry.link)
            .map_err(|_| Error::entry(&entry.name, format!("hard link target {target_name:?} is invalid")))?;
        let (target_parent, target) = names::split(&target);
        if target.is_empty() {
            return Err(Error::entry(&entry.name, "hard link to a directory"));
        }
        let inode = |parent: &Directory, name: &[u8]| {
            rustix::fs::statat(&*parent.fd, name, AtFlags::SYMLINK_NOFOLLOW)
        };
        let directory = self.tree.existing(target_parent)?.ok_or_else(missing)?;
        let from = match inode(&directory, target) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Err(missing()),
            Err(error) => return Err(Error::io("stat", bytes_to_path(&entry.link), error)),
        };
        if FileType::from_raw_mode(from.st_mode) == FileType::Directory {
            return Err(Error::entry(&entry.name, "hard link to a directory"));
        }
        if let Ok(to) = inode(parent, name) {
            // A link to itself, which tar writes for a file that is named twice, is there already.
            if (to.st_dev, to.st_ino) == (from.st_dev, from.st_ino) {
                return Ok(());
            }
            self.clear(parent, name)?;
        }
        // Once more: what was in the way may have contained the target.
        let directory = self.tree.existing(target_parent)?.ok_or_else(missing)?;
        match rustix::fs::linkat(&*directory.fd, target, &*parent.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(()),
            Err(Errno::NOENT) => Err(missing()),
            Err(error) => Err(Error::io("link", bytes_to_path(&names::join(&parent.real, name)), error)),
        }
    }

    fn special(&mut self, parent: &Directory, name: &[u8], entry: &Entry) -> Result<()> {
        let node = |parent: &OwnedFd, kind, dev| {
            rustix::fs::mknodat(parent, name, kind, Mode::RUSR | Mode::WUSR, dev)
        };
        let dev = rustix::fs::makedev;
        match entry.kind {
            Kind::CharDevice { major, minor } => {
                self.make(parent, name, |p| node(p, FileType::CharacterDevice, dev(major, minor)))?;
            }
            Kind::BlockDevice { major, minor } => {
                self.make(parent, name, |p| node(p, FileType::BlockDevice, dev(major, minor)))?;
            }
            Kind::Fifo => self.make(parent, name, |p| node(p, FileType::Fifo, 0))?,
            _ => {
                if entry.link.is_empty() || entry.link.contains(&0) {
                    return Err(Error::entry(&entry.name, "the symbolic link has no target"));
                }
                if entry.link.len() > names::MAX_PATH {
                    return Err(Error::entry(&entry.name, "the symbolic link's target is too long"));
                }
                self.make(parent, name, |p| rustix::fs::symlinkat(entry.link.as_slice(), p, name))?;
            }
        }
        apply_to_name(parent, name, entry)
    }

    /// Runs `create`; if something is in the way, moves that out of the way and runs it again.
    fn make<T>(
        &mut self,
        parent: &Directory,
        name: &[u8],
        create: impl Fn(&OwnedFd) -> rustix::io::Result<T>,
    ) -> Result<T> {
        let mut made = create(&parent.fd);
        if made.as_ref().err() == Some(&Errno::EXIST) {
            self.clear(parent, name)?;
            made = create(&parent.fd);
        }
        made.map_err(|e| Error::io("create", bytes_to_path(&names::join(&parent.real, name)), e))
    }

    fn clear(&mut self, parent: &Directory, name: &[u8]) -> Result<bool> {
        let files = self.tar.sink().files();
        self.remember(parent.real.len() + name.len())?;
        self.tree.clear(parent, name, files)
    }

    fn remember_times(&mut self, directory: &Directory, entry: &Entry) -> Result<()> {
        self.remember(directory.real.len())?;
        let stat = rustix::fs::fstat(&*directory.fd)
            .map_err(|e| Error::io("stat", bytes_to_path(&directory.real), e))?;
        self.directories.push(DirectoryTimes {
            real: directory.real.clone(),
            inode: stat.st_ino,
            mtime: entry.mtime,
            atime: entry.atime,
        });
        Ok(())
    }

    fn remember(&mut self, bytes: usize) -> Result<()> {
        self.remembered += bytes + size_of::<DirectoryTimes>();
        if self.remembered > MAX_REMEMBERED {
            return Err(Error::InvalidTar("too many directories".into()));
        }
        Ok(())
    }

    fn set_directory_times(&mut self) -> Result<()> {
        for directory in &self.directories {
            let failed = |op, e: Errno| Error::io(op, bytes_to_path(&directory.real), e);
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let fd = match open_real(&*self.tree.root().fd, &directory.real, flags) {
                Ok(fd) => fd,
                // A later entry has replaced it.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                Err(error) => return Err(failed("open", error)),
            };
            let stat = rustix::fs::fstat(&fd).map_err(|e| failed("stat", e))?;
            if stat.st_ino == directory.inode {
                rustix::fs::futimens(&fd, &times(directory.mtime, directory.atime))
                    .map_err(|e| failed("set times of", e))?;
            }
        }
        Ok(())
    }
}
