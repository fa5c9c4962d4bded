//! PAX extended headers: `length key=value\n` records (POSIX.1-2001, `pax`, "pax Extended Header").
//!
//! Values may hold any byte, newlines included (file capabilities do), so records are cut by their length.

use super::numbers::decimal;
use super::sparse::SparseKeys;
use super::{Time, header::Xattr};
use crate::error::{Error, Result};

/// What a PAX header overrides in the entry that follows it.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Time>,
    pub(super) atime: Option<Time>,
    pub(super) xattrs: Vec<Xattr>,
    pub(super) sparse: SparseKeys,
}

impl Pax {
    /// Reads all records. An empty value takes an earlier one back.
    pub(super) fn parse(mut data: &[u8]) -> Result<Self> {
        let mut pax = Self::default();
        while !data.is_empty() {
            let (key, value, rest) = record(data)?;
            pax.apply(key, value)?;
            data = rest;
        }
        Ok(pax)
    }

    fn apply(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let given = !value.is_empty();
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            self.xattrs.retain(|x| x.name != name);
            // An attribute may have an empty value, so nothing is taken back here.
            if name.is_empty() || name.contains(&0) {
                return Err(malformed("extended attribute name"));
            }
            self.xattrs.push(Xattr { name: name.to_vec(), value: value.to_vec() });
            return Ok(());
        }
        match key {
            b"path" => self.path = text(value, given, "path")?,
            b"linkpath" => self.link = text(value, given, "linkpath")?,
            b"size" => self.size = given.then(|| decimal(value, "size")).transpose()?,
            b"uid" => self.uid = given.then(|| decimal(value, "uid")).transpose()?,
            b"gid" => self.gid = given.then(|| decimal(value, "gid")).transpose()?,
            b"mtime" => self.mtime = given.then(|| time(value)).transpose()?,
            b"atime" => self.atime = given.then(|| time(value)).transpose()?,
            _ => {
                if let Some(name) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.apply(name, value)?;
                }
            }
        }
        Ok(())
    }
}

fn malformed(what: &str) -> Error {
    Error::InvalidTar(format!("invalid tar header: malformed PAX {what}"))
}

fn text(value: &[u8], given: bool, what: &str) -> Result<Option<Vec<u8>>> {
    if value.contains(&0) {
        return Err(malformed(what));
    }
    Ok(given.then(|| value.to_vec()))
}

/// Splits the first record off: key, value, rest.
fn record(data: &[u8]) -> Result<(&[u8], &[u8], &[u8])> {
    let bad = || malformed("record");
    let space = data.iter().take(20).position(|b| *b == b' ').ok_or_else(bad)?;
    let length = decimal(data.get(..space).ok_or_else(bad)?, "PAX record length")?;
    let length = usize::try_from(length).map_err(|_| bad())?;
    let body = data.get(space + 1..length).ok_or_else(bad)?;
    let (end, body) = body.split_last().ok_or_else(bad)?;
    let equals = body.iter().position(|b| *b == b'=').ok_or_else(bad)?;
    let key = body.get(..equals).unwrap_or_default();
    if *end != b'\n' || key.is_empty() {
        return Err(bad());
    }
    Ok((key, body.get(equals + 1..).unwrap_or_default(), data.get(length..).unwrap_or_default()))
}

/// `[-]seconds[.fraction]`, rounded down to nanoseconds.
fn time(value: &[u8]) -> Result<Time> {
    let bad = || malformed("time");
    let (negative, digits) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let mut parts = digits.splitn(2, |b| *b == b'.');
    let whole = parts.next().unwrap_or_default();
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    let seconds = i64::try_from(decimal(whole, "time")?).map_err(|_| bad())?;
    let mut nanos: u32 = 0;
    for i in 0..9 {
        nanos = nanos * 10 + u32::from(fraction.get(i).map_or(0, |b| b - b'0'));
    }
    Ok(match (negative, nanos) {
        (false, _) => Time { seconds, nanos },
        (true, 0) => Time { seconds: -seconds, nanos: 0 },
        (true, _) => Time { seconds: -seconds - 1, nanos: 1_000_000_000 - nanos },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rec(key: &str, value: &[u8]) -> Vec<u8> {
        let body = key.len() + value.len() + 3;
        let mut len = body + 1;
        while len != body + len.to_string().len() {
            len += 1;
        }
        let mut out = format!("{len} {key}=").into_bytes();
        out.extend_from_slice(value);
        out.push(b'\n');
        out
    }

    #[test]
    fn values_may_hold_newlines_and_binary() {
        let value = b"\x01\x00\n12 x=y\n\xff";
        let data = [rec("SCHILY.xattr.security.capability", value), rec("path", b"a\nb")].concat();
        let pax = Pax::parse(&data).unwrap();
        assert_eq!(pax.xattrs[0].name, b"security.capability");
        assert_eq!(pax.xattrs[0].value, value);
        assert_eq!(pax.path.as_deref(), Some(&b"a\nb"[..]));
    }

    #[test]
    fn the_last_record_wins_and_an_empty_one_takes_back() {
        let data = [rec("path", b"a"), rec("path", b"b"), rec("uid", b"7"), rec("uid", b"")].concat();
        let pax = Pax::parse(&data).unwrap();
        assert_eq!((pax.path.as_deref(), pax.uid), (Some(&b"b"[..]), None));
    }

    #[test]
    fn times_round_down_to_nanoseconds() {
        let t = |s: &str| time(s.as_bytes()).unwrap();
        assert_eq!(t("1.5"), Time { seconds: 1, nanos: 500_000_000 });
        assert_eq!(t("1.0000000019"), Time { seconds: 1, nanos: 1 });
        assert_eq!(t("-1.25"), Time { seconds: -2, nanos: 750_000_000 });
        assert_eq!(t("-3"), Time { seconds: -3, nanos: 0 });
        for bad in ["", "x", "1.x", "--1", "1e5", "."] {
            assert!(time(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in [
            "x",
            "5 a=b",
            "6 a=b\n\n9",
            "0 a=b\n",
            "99 a=b\n",
            "4 =\n",
            "5 ab\n",
            "99999999999999999999 a=b\n",
        ] {
            assert!(Pax::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Pax::parse(&rec("path", b"a\0b")).is_err());
        assert!(Pax::parse(&rec("size", b"-1")).is_err());
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(data: Vec<u8>) {
            drop(Pax::parse(&data));
        }

        #[test]
        fn written_records_are_read_back(key in "[a-z.]{1,20}", value: Vec<u8>) {
            let data = rec(&format!("SCHILY.xattr.user.{key}"), &value);
            let pax = Pax::parse(&data).unwrap();
            proptest::prop_assert_eq!(&pax.xattrs[0].value, &value);
        }
    }
}
