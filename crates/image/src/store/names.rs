//! Names in archives: from arbitrary bytes to a path that stays below the layer's root, and what special names mean.

use crate::error::{Error, Result};

/// Longest path within a layer, in bytes; the kernel takes no longer one in a single call.
pub(super) const MAX_PATH: usize = 4095;
/// Longest single name, in bytes.
const MAX_NAME: usize = 255;

const WHITEOUT: &[u8] = b".wh.";
const WHITEOUT_META: &[u8] = b".wh..wh.";
const WHITEOUT_OPAQUE: &[u8] = b".wh..wh..opq";

/// What an entry's name asks for (OCI image specification, "Whiteouts").
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// The layer's root directory itself.
    Root,
    /// Something is to be made: parent directory and name.
    Make { parent: &'a [u8], name: &'a [u8] },
    /// Something of the layers below is hidden: parent directory and its name.
    Whiteout { parent: &'a [u8], name: &'a [u8] },
    /// Everything of the layers below in this directory is hidden.
    Opaque { parent: &'a [u8] },
    /// Bookkeeping of a union file system; nothing to make.
    Skip,
}

/// Resolves `.`, `..` and repeated slashes by the letter. The result has no leading slash and is empty for the root.
/// A relative name that climbs above the root is refused; an absolute one cannot climb.
pub(super) fn clean(name: &[u8]) -> Result<Vec<u8>> {
    if name.is_empty() {
        return Err(Error::entry(name, "the name is empty"));
    }
    if name.contains(&0) {
        return Err(Error::entry(name, "the name contains a zero byte"));
    }
    let absolute = name.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                if parts.pop().is_none() && !absolute {
                    return Err(Error::entry(name, "the name is outside of the layer"));
                }
            }
            part if part.len() > MAX_NAME => return Err(Error::entry(name, "the file name is too long")),
            part => parts.push(part),
        }
    }
    let path = parts.join(&b'/');
    if path.len() > MAX_PATH {
        return Err(Error::entry(name, "the file name is too long"));
    }
    Ok(path)
}

/// Splits a cleaned path into parent and last name.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => (b"", path),
    }
}

/// Appends a name to a relative path.
pub(super) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() {
        return name.to_vec();
    }
    [parent, name].join(&b'/')
}

/// Says what a cleaned path means.
pub(super) fn meaning(path: &[u8]) -> Result<Meaning<'_>> {
    if path.is_empty() {
        return Ok(Meaning::Root);
    }
    let (parent, name) = split(path);
    if name == WHITEOUT_OPAQUE {
        return Ok(Meaning::Opaque { parent });
    }
    if path.split(|b| *b == b'/').any(|part| part.starts_with(WHITEOUT_META)) {
        return Ok(Meaning::Skip);
    }
    match name.strip_prefix(WHITEOUT) {
        Some(b"" | b"." | b"..") => Err(Error::entry(path, "the whiteout names nothing")),
        Some(name) => Ok(Meaning::Whiteout { parent, name }),
        None => Ok(Meaning::Make { parent, name }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_by_the_letter() {
        let cases = [
            ("a/b", "a/b"),
            ("./a//b/", "a/b"),
            ("/etc/passwd", "etc/passwd"),
            ("a/../b", "b"),
            ("a/./b/..", "a"),
            ("/../../etc", "etc"),
            ("./", ""),
            ("/", ""),
            ("...", "..."),
        ];
        for (input, want) in cases {
            assert_eq!(clean(input.as_bytes()).unwrap(), want.as_bytes(), "{input}");
        }
        for bad in ["", "..", "../a", "a/../../b", "a\0b"] {
            assert!(clean(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(clean(&[b'a'; 256]).is_err());
        assert!(clean(&b"a/".repeat(3000)).is_err());
    }

    #[test]
    fn whiteouts_are_recognised_and_checked() {
        assert_eq!(meaning(b"a/.wh.b").unwrap(), Meaning::Whiteout { parent: b"a", name: b"b" });
        assert_eq!(meaning(b".wh..wh..opq").unwrap(), Meaning::Opaque { parent: b"" });
        assert_eq!(meaning(b"a/.wh..wh.aufs").unwrap(), Meaning::Skip);
        assert_eq!(meaning(b".wh..wh.plnk/1.2").unwrap(), Meaning::Skip);
        assert_eq!(meaning(b"a/.whb").unwrap(), Meaning::Make { parent: b"a", name: b".whb" });
        assert_eq!(meaning(b"").unwrap(), Meaning::Root);
        for bad in [&b"a/.wh."[..], b".wh..", b".wh..."] {
            assert!(meaning(bad).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn a_cleaned_name_never_climbs_and_is_stable(name in "[a./\\x00]{0,30}|.{0,60}") {
            if let Ok(path) = clean(name.as_bytes()) {
                proptest::prop_assert!(!path.starts_with(b"/"));
                proptest::prop_assert!(path.split(|b| *b == b'/').all(|p| p != b".." && p != b"."));
                if !path.is_empty() {
                    proptest::prop_assert_eq!(clean(&path).unwrap(), path);
                }
            }
        }
    }
}
