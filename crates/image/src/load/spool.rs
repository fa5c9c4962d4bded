//! An archive's parts on disk, for reading them in any order.
//!
//! Parts are stored under numbers; the archive's own names are only looked up in a map, and its links are resolved in
//! that map by the letter. So no name in an archive ever reaches the file system.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::durable::TempDir;
use crate::error::{Error, Result};
use crate::pipeline;
use crate::tarfmt::{Kind, TarReader};

/// Most parts of an archive.
const MAX_PARTS: usize = 100_000;
/// Most links that are followed to a part.
const MAX_LINKS: usize = 16;

/// The parts of an archive. Everything is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Spool {
    dir: TempDir,
    parts: HashMap<String, Part>,
}

#[derive(Debug)]
enum Part {
    File { number: usize, size: u64 },
    Link { target: String },
}

impl Spool {
    /// Reads the archive to its end.
    pub(super) fn fill(reader: impl Read + Send, tmp: &Path) -> Result<Self> {
        let dir = TempDir::new(tmp, "load")?;
        let outcome = pipeline::run(reader, |pieces| {
            let mut parts = HashMap::new();
            let mut number = 0;
            let mut tar = TarReader::new(pieces, ());
            while let Some((entry, data)) = tar.next()? {
                number += 1;
                if number > MAX_PARTS {
                    return Err(Error::InvalidArchive(format!("it has more than {MAX_PARTS} parts")));
                }
                // A name that is no text cannot be referred to from a manifest.
                let Ok(name) = String::from_utf8(entry.name.clone()) else { continue };
                let link = String::from_utf8(entry.link.clone()).unwrap_or_default();
                let part = match entry.kind {
                    Kind::File => {
                        if data.extents.len() > 1 || data.extents.iter().any(|e| e.len != entry.size) {
                            return Err(Error::entry(&entry.name, "it is a sparse file"));
                        }
                        let path = dir.path().join(number.to_string());
                        let mut file = File::options()
                            .write(true)
                            .create_new(true)
                            .open(&path)
                            .map_err(|e| Error::io("create", &path, e))?;
                        let size = tar.copy_data(&mut file, |e| Error::io("write", &path, e))?;
                        file.flush().map_err(|e| Error::io("write", &path, e))?;
                        Part::File { number, size }
                    }
                    Kind::HardLink => Part::Link { target: clean(&link) },
                    Kind::Symlink if link.starts_with('/') => Part::Link { target: clean(&link) },
                    Kind::Symlink => {
                        let parent =
                            name.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
                        Part::Link { target: clean(&format!("{parent}/{link}")) }
                    }
                    _ => continue,
                };
                // Of several parts with one name the last counts, as if they had been extracted.
                parts.insert(clean(&name), part);
            }
            tar.drain()?;
            Ok(parts)
        })?;
        Ok(Self { dir, parts: outcome.value })
    }

    /// True if there is a file of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A file for reading.
    pub(super) fn open(&self, name: &str) -> Result<File> {
        let (path, _) = self.find(name).ok_or_else(|| missing(name))?;
        File::open(&path).map_err(|e| Error::io("open", &path, e))
    }

    /// A file's content, if it is not larger than `limit` bytes.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let (path, size) = self.find(name).ok_or_else(|| missing(name))?;
        if size > limit {
            return Err(Error::InvalidArchive(format!("{name} is too large ({size} bytes)")));
        }
        std::fs::read(&path).map_err(|e| Error::io("read", &path, e))
    }

    fn find(&self, name: &str) -> Option<(PathBuf, u64)> {
        let mut name = clean(name);
        for _ in 0..MAX_LINKS {
            match self.parts.get(&name)? {
                Part::File { number, size } => {
                    return Some((self.dir.path().join(number.to_string()), *size));
                }
                Part::Link { target } => name.clone_from(target),
            }
        }
        None
    }
}

fn missing(name: &str) -> Error {
    Error::InvalidArchive(format!("it has no {name}"))
}

/// Resolves `.`, `..` and slashes; nothing is above the archive's root.
fn clean(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
