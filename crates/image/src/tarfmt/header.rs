//! One entry of a tar stream: what its header block and the extensions before it say together.

use tar::{EntryType, Header};

use super::BLOCK;
use super::numbers::{numeric, unsigned};
use super::pax::Pax;
use super::sparse::Layout;
use crate::error::{Error, Result};

/// A point in time; `nanos` counts forward, so times before 1970 have negative seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Time {
    /// Seconds since 1970.
    pub(crate) seconds: i64,
    /// 0 to 999,999,999.
    pub(crate) nanos: u32,
}

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Xattr {
    /// Full name, e.g. `security.capability`.
    pub(crate) name: Vec<u8>,
    /// Value, any bytes.
    pub(crate) value: Vec<u8>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
    HardLink,
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
    Fifo,
}

/// An entry: everything but its data.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// Name as it stands in the archive; any bytes but NUL.
    pub(crate) name: Vec<u8>,
    /// Target of a symbolic or hard link.
    pub(crate) link: Vec<u8>,
    /// Permission bits with setuid, setgid and sticky.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Time,
    pub(crate) atime: Option<Time>,
    /// Length of the file, holes included. 0 for everything but files.
    pub(crate) size: u64,
    pub(crate) xattrs: Vec<Xattr>,
}

/// A checked header block.
pub(super) struct Block<'a> {
    bytes: &'a [u8; BLOCK],
    header: &'a Header,
}

impl<'a> Block<'a> {
    /// Checks the block's sum, as unsigned or (old tars) signed bytes.
    pub(super) fn new(bytes: &'a [u8; BLOCK]) -> Result<Self> {
        let invalid = || Error::InvalidTar("invalid tar header".into());
        let stored = numeric(bytes.get(148..156).unwrap_or_default(), "checksum").map_err(|_| invalid())?;
        let (mut unsigned_sum, mut signed_sum) = (0i64, 0i64);
        for (i, byte) in bytes.iter().enumerate() {
            let byte = if (148..156).contains(&i) { b' ' } else { *byte };
            unsigned_sum += i64::from(byte);
            signed_sum += i64::from(byte.cast_signed());
        }
        if stored != unsigned_sum && stored != signed_sum {
            return Err(invalid());
        }
        Ok(Self { bytes, header: Header::from_byte_slice(bytes) })
    }

    fn field(&self, from: usize, to: usize) -> &'a [u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// The block itself.
    pub(super) fn bytes(&self) -> &'a [u8; BLOCK] {
        self.bytes
    }

    pub(super) fn type_flag(&self) -> u8 {
        self.bytes.get(156).copied().unwrap_or_default()
    }

    pub(super) fn entry_type(&self) -> EntryType {
        self.header.entry_type()
    }

    pub(super) fn size(&self) -> Result<u64> {
        unsigned(self.field(124, 136), "size")
    }

    /// Bytes of data after this header: none for types that are a header only, whatever their size field says.
    pub(super) fn stored_size(&self, pax: &Pax) -> Result<u64> {
        match self.type_flag() {
            b'1'..=b'6' => Ok(0),
            _ => match pax.size {
                Some(size) => Ok(size),
                None => self.size(),
            },
        }
    }

    /// Puts header and extensions together. `long_name` and `long_link` are GNU's `L` and `K` entries. The size is
    /// the stored one unless a sparse layout says otherwise.
    pub(super) fn entry(
        &self,
        pax: Pax,
        long_name: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
        stored: u64,
        layout: &Layout,
    ) -> Result<Entry> {
        let name = long_name
            .or(pax.sparse.name)
            .or(pax.path)
            .unwrap_or_else(|| self.header.path_bytes().into_owned());
        let link = long_link
            .or(pax.link)
            .or_else(|| self.header.link_name_bytes().map(|l| l.into_owned()))
            .unwrap_or_default();
        let major = || unsigned(self.field(329, 337), "device number").and_then(device);
        let minor = || unsigned(self.field(337, 345), "device number").and_then(device);
        let kind = match self.type_flag() {
            // Archives from before POSIX mark a directory by its name alone.
            0 if name.ends_with(b"/") => Kind::Directory,
            0 | b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharDevice { major: major()?, minor: minor()? },
            b'4' => Kind::BlockDevice { major: major()?, minor: minor()? },
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => return Err(Error::entry(&name, format!("unhandled tar header type {other}"))),
        };
        let size = match (kind, layout) {
            (Kind::File, Layout::Extents { real_size, .. } | Layout::MapInData { real_size }) => *real_size,
            (Kind::File, Layout::Plain) => stored,
            _ => 0,
        };
        let mtime = match pax.mtime {
            Some(time) => time,
            None => Time { seconds: numeric(self.field(136, 148), "mtime")?, nanos: 0 },
        };
        let uid = self.owner(pax.uid, 108, "uid", &name)?;
        let gid = self.owner(pax.gid, 116, "gid", &name)?;
        let mode = (numeric(self.field(100, 108), "mode")? & 0o7777) as u32;
        Ok(Entry { kind, name, link, mode, uid, gid, mtime, atime: pax.atime, size, xattrs: pax.xattrs })
    }

    fn owner(&self, pax: Option<u64>, at: usize, what: &str, name: &[u8]) -> Result<u32> {
        let id = match pax {
            Some(id) => id,
            None => unsigned(self.field(at, at + 8), what)?,
        };
        // The largest value means "leave as it is" to chown.
        u32::try_from(id)
            .ok()
            .filter(|id| *id != u32::MAX)
            .ok_or_else(|| Error::entry(name, format!("{what} {id} is out of range")))
    }
}

fn device(number: u64) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::InvalidTar("invalid tar header: device number".into()))
}
