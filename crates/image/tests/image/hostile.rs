//! Archives made to do harm: nothing leaves the layer, nothing is left behind, and the error says what was wrong.

use std::fs;
use std::io::{self, Read};

use crate::common::*;
use berth_image::{Error, ErrorKind, ImportOptions, import, load};

/// Unpacks, expecting a refusal; nothing may be visible afterwards.
fn refused(root: &Root, tar: &[u8]) -> String {
    let error = root.store.unpack(tar, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    root.assert_no_leftovers();
    assert!(root.store.list().unwrap().layers.is_empty());
    assert_eq!(fs::read_dir(root.dir.path().join("store/layers.meta")).unwrap().count(), 0);
    error.to_string()
}

#[test]
fn names_that_climb_are_refused_and_absolute_ones_stay_inside() {
    let root = root();
    for name in ["../evil", "a/../../evil", "..", "./../evil"] {
        let message = refused(&root, &tar(&[file(name, "x")]));
        assert!(message.contains("outside of the layer"), "{message}");
    }
    let layer = root.unpack_exact(&tar(&[file("/etc/evil", "x"), file("/../../evil2", "x"), dir("/")]));
    assert!(root.tree(&layer).join("etc/evil").exists() && root.tree(&layer).join("evil2").exists());
    assert!(!std::path::Path::new("/etc/evil").exists() && !std::path::Path::new("/evil2").exists());
}

#[test]
fn symbolic_links_lead_nobody_out() {
    let root = root();
    let outside = root.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    let out = outside.to_str().unwrap();
    // Absolute, relative, through a second link, and as a hard link's way.
    for entries in [
        vec![symlink("l", out), file("l/evil", "x")],
        vec![symlink("l", "../../../../outside"), file("l/evil", "x")],
        vec![symlink("a", "/"), symlink("b", format!("a/{out}")), file("b/evil", "x")],
        vec![symlink("l", out), hardlink("h", "l/secret")],
        vec![symlink("l", format!("{out}/secret")), file("l", "overwritten")],
        vec![symlink("l", format!("{out}/secret")), hardlink("h", "l"), file("h", "overwritten")],
        vec![symlink("l", out), dir("l"), file("l/evil", "x")],
        vec![symlink("l", "/proc/self/root"), file("l/evil", "x")],
        vec![symlink("l", "/proc/self/cwd"), file("l/evil", "x")],
        vec![symlink("l", out), file("l/.wh.secret", "")],
        vec![symlink("l", out), file("l/.wh..wh..opq", "")],
        vec![symlink("l", "."), symlink("l/l", "l"), file("l/l/l/f", "x")],
        vec![symlink("loop", "loop"), file("loop/f", "x")],
    ] {
        let _refused_or_inside = root.store.unpack(&tar(&entries)[..], None);
        root.assert_no_leftovers();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
        assert_eq!(stat(outside.join("secret")).st_nlink, 1);
        assert_eq!(xattr(&outside, "trusted.overlay.opaque"), None);
    }
}

#[test]
fn attributes_of_a_link_never_reach_its_target() {
    let root = root();
    let victim = root.dir.path().join("victim");
    fs::write(&victim, "").unwrap();
    let before = stat(&victim);
    root.unpack_exact(&tar(&[symlink("l", victim.to_str().unwrap())
        .mode(0o4777)
        .owner(1234, 1234)
        .mtime(42)
        .pax("SCHILY.xattr.user.evil", "x")
        .pax("SCHILY.xattr.trusted.evil", "x")]));
    let after = stat(&victim);
    assert_eq!(
        (before.st_mode, before.st_uid, before.st_mtime, before.st_ctime),
        (after.st_mode, after.st_uid, after.st_mtime, after.st_ctime)
    );
    assert_eq!(xattr(&victim, "trusted.evil"), None);
}

#[test]
fn hard_links_are_to_files_of_the_layer_only() {
    let root = root();
    for (link, reason) in [
        ("/etc/passwd", "does not exist"),
        ("../../../../../etc/passwd", "is invalid"),
        ("missing", "does not exist"),
        ("missing/deeper", "does not exist"),
        ("d", "directory"),
        ("", "is invalid"),
        (".", "directory"),
        ("h/inside", "does not exist"),
    ] {
        let message = refused(&root, &tar(&[dir("d/"), dir("h/"), hardlink("h", link)]));
        assert!(message.contains(reason), "{link}: {message}");
    }
    let message = refused(&root, &tar(&[dir("h"), file("h/f", "x"), hardlink("h", "h/f")]));
    assert!(message.contains("does not exist"), "{message}");
    root.unpack_exact(&tar(&[file("f", "x"), hardlink("f", "f"), hardlink("g", "./f"), hardlink("f", "g")]));
}

#[test]
fn things_that_cannot_be_are_refused_by_name() {
    let root = root();
    let cases: Vec<(Vec<E>, &str)> = vec![
        (vec![file("", "x")], "the name is empty"),
        (vec![file("./", "x")], "root is not a directory"),
        (vec![symlink("/", "x")], "root is not a directory"),
        (vec![symlink("l", "")], "no target"),
        (vec![file("f", "x"), file("f/g", "x")], "f is not a directory"),
        (vec![file(".wh.", "")], "names nothing"),
        (vec![file("d/.wh...", "")], "names nothing"),
        (vec![file("x".repeat(256), "")], "too long"),
        (vec![file(format!(".wh.{}", "x".repeat(252)), "")], "too long"),
        (vec![file("a/".repeat(2100), "")], "too long"),
        (vec![symlink("l", "x".repeat(5000))], "too long"),
        (vec![file("f", "").pax("path", "a\0b")], "malformed PAX"),
        (vec![file("f", "").pax("uid", "4294967295")], "uid 4294967295 is out of range"),
        (vec![file("f", "").pax("gid", "99999999999")], "out of range"),
        (vec![file("f", "").pax("uid", "-1")], "not a number"),
        (vec![file("f", "").pax("size", "99999999999999999999")], "not a number"),
        (vec![file("f", "").pax("SCHILY.xattr.security.capability", "short")], "not acceptable"),
        (vec![file("f", "").pax("SCHILY.xattr.user.big", vec![1; 200_000])], "not acceptable"),
        (vec![file("f", "").pax("SCHILY.xattr.user.n\0l", "x")], "malformed PAX"),
        (vec![entry(b'Z', "f")], "unhandled tar header type 90"),
        (vec![entry(b'V', "f")], "unhandled tar header type 86"),
    ];
    for (entries, reason) in cases {
        let message = refused(&root, &tar(&entries));
        assert!(message.contains(reason), "{message} (expected: {reason})");
    }
}

#[test]
fn paths_cannot_grow_beyond_the_limit_through_links() {
    let root = root();
    // Each name is short, but each link leads a level deeper.
    let deep = "d/".repeat(1000);
    let mut entries =
        vec![dir(&deep), symlink("l", &deep), dir(format!("l/{deep}")), symlink("m", format!("l/{deep}"))];
    entries.push(file(format!("m/{}", "d/".repeat(500)), "x"));
    let message = refused(&root, &tar(&entries));
    assert!(message.contains("too long"), "{message}");
}

#[test]
fn damaged_streams_leave_nothing() {
    let root = root();
    let good = tar(&[dir("d"), file("d/a", vec![b'a'; 5000]), file("b", vec![b'b'; 700])]);
    // Cut at any point but between entries, a tar is incomplete.
    for cut in [1, 511, 513, 1024 + 100, 1024 + 5000, 1024 + 5119, good.len() - 1024 - 1] {
        let message = refused(&root, &good[..cut]);
        assert!(message.contains("unexpected EOF"), "{cut}: {message}");
    }
    let zipped = gzip(&good);
    for cut in [11, zipped.len() / 2, zipped.len() - 1] {
        refused(&root, &zipped[..cut]);
    }
    let mut flipped = good.clone();
    flipped[3] ^= 1;
    assert!(refused(&root, &flipped).contains("invalid tar header"));
    assert!(refused(&root, &[b'x'; 2000]).contains("invalid tar header"));
    let one_zero_block = [&[0u8; 512][..], &good].concat();
    assert!(refused(&root, &one_zero_block).contains("invalid tar header"));
    let mut negative = file("f", "").header(0);
    negative[124..136].fill(0xff);
    fix_sum(&mut negative);
    assert!(refused(&root, &negative).contains("negative"));
}

fn fix_sum(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn a_source_that_breaks_off_is_not_the_archives_fault() {
    struct Reset;
    impl Read for Reset {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let root = root();
    let good = tar(&[file("a", vec![1; 10_000])]);
    let error = root.store.unpack((&good[..3000]).chain(Reset), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Read, "{error:?}");
    root.assert_no_leftovers();
}

#[test]
fn the_wrong_digest_is_named_and_nothing_is_stored() {
    let root = root();
    let expected = berth_image::Digest::of("other");
    let error = root.store.unpack(&tar(&[file("a", "")])[..], Some(&expected)).unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { expected: e, .. } if e == expected), "{error}");
    root.assert_no_leftovers();
    assert!(root.store.list().unwrap().layers.is_empty());
}

#[test]
fn bombs_in_the_metadata_are_refused_early() {
    let root = root();
    // A header that announces a gigabyte of extension.
    for kind in [b'x', b'g', b'L', b'K'] {
        let header = entry(kind, "x").header(1 << 30);
        assert!(refused(&root, &header).contains("too large"));
    }
    // A sparse file with more extents than anybody has.
    let map: String = (0..300_000).map(|i| format!("{},1,", i * 2)).collect();
    let sparse =
        file("s", "").pax("GNU.sparse.numblocks", "1").pax("GNU.sparse.size", "9").pax("GNU.sparse.map", map);
    let message = refused(&root, &tar(&[sparse]));
    assert!(message.contains("too large") || message.contains("too many extents"), "{message}");
    // A sparse file larger than any file can be.
    let huge = file("s", "")
        .pax("GNU.sparse.numblocks", "0")
        .pax("GNU.sparse.size", i64::MAX.to_string())
        .pax("GNU.sparse.map", "");
    let message = refused(&root, &tar(&[huge]));
    assert!(message.contains("too large"), "{message}");
}

#[test]
fn deep_and_wide_rubbish_is_cleaned_up_after_a_refusal() {
    let root = root();
    let mut entries = vec![dir("d/".repeat(1500))];
    for i in 0..3000 {
        entries.push(file(format!("wide/{i}"), ""));
    }
    entries.push(file("../evil", ""));
    refused(&root, &tar(&entries));
}

#[test]
fn loading_and_importing_rubbish_fails_clearly() {
    let root = root();
    let error = load(&b"not an archive at all, but longer than one block? no"[..], &root.store).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = load(&tar(&[file("x", "y")])[..], &root.store).unwrap_err();
    assert_eq!(error.to_string(), "invalid archive: it has neither manifest.json nor index.json");
    let options = ImportOptions { changes: vec!["RUN rm -rf /".into()], ..Default::default() };
    let error = import(&b""[..], &root.store, &options).unwrap_err();
    assert_eq!(error.to_string(), "run is not a valid change command");
    root.assert_no_leftovers();
}

mod random {
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        "(/|\\./|\\.\\./)?([abl]|\\.wh\\.a|\\.wh\\.\\.wh\\.\\.opq)(/([abl]|\\.\\.|\\.wh\\.b)){0,3}"
    }

    fn any_entry() -> impl Strategy<Value = E> {
        (name(), name(), 0..6u8, "[xy]{0,600}").prop_map(|(name, link, kind, data)| match kind {
            0 => dir(name),
            1 => symlink(name, link),
            2 => hardlink(name, link),
            3 => device(b'3', &name, 0, 0),
            4 => entry(b'6', name),
            _ => file(name, data),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Whatever the entries do to one another: the archive is refused cleanly, or stored and reproduced exactly,
        /// and what lies beside the layer is untouched.
        #[test]
        fn any_sequence_of_entries_is_contained_and_reproducible(
            entries in proptest::collection::vec(any_entry(), 1..14)
        ) {
            let root = root();
            let before = root.store.list().unwrap().layers.len();
            let bytes = tar(&entries);
            match root.store.unpack(&bytes[..], None) {
                Ok(layer) => root.assert_reproduces(&layer, &bytes),
                Err(error) => {
                    prop_assert_eq!(error.kind(), ErrorKind::InvalidInput, "{:?}", error);
                    prop_assert_eq!(root.store.list().unwrap().layers.len(), before);
                }
            }
            root.assert_no_leftovers();
            let names: Vec<_> = fs::read_dir(root.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
            prop_assert_eq!(names, vec!["store"]);
        }

        /// Bytes changed at random never do more than fail.
        #[test]
        fn damaged_bytes_never_panic(
            at in proptest::collection::vec((0usize..4096, any::<u8>()), 1..6)
        ) {
            let root = root();
            let mut bytes = tar(&[
                dir("d").pax("SCHILY.xattr.user.x", "y"),
                file("d/f", "content").pax("mtime", "1.5"),
                symlink("l", "d"),
                hardlink("h", "d/f"),
            ]);
            for (at, value) in at {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            if let Ok(layer) = root.store.unpack(&bytes[..], None) {
                root.assert_reproduces(&layer, &bytes);
            }
            root.assert_no_leftovers();
        }
    }
}
