//! What a layer's tar says is what is on disk afterwards.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use crate::common::*;
use berth_image::{Digest, Error, ErrorKind, LayerStore};

#[test]
fn every_kind_of_entry_keeps_mode_owner_and_time() {
    let root = root();
    let layer = root.unpack_exact(&tar(&[
        dir("./").mode(0o711).owner(3, 4).mtime(77),
        dir("d/").mode(0o1770).owner(1000, 1001).mtime(55),
        file("d/setuid", "x").mode(0o6755).owner(1, 2).mtime(66),
        symlink("d/link", "../anywhere").owner(5, 6).mtime(88),
        hardlink("hard", "d/setuid"),
        hardlink("hardlink-to-link", "d/link"),
        device(b'3', "null", 1, 3).mode(0o666),
        device(b'4', "loop", 7, 300).mode(0o660).owner(0, 6),
        entry(b'6', "fifo").mode(0o600),
        file("big-owner", "").owner(4_000_000_000, 0).pax("gid", "3999999999"),
    ]));
    let tree = root.tree(&layer);
    let check = |name: &str, mode: u32, uid: u32, gid: u32, mtime: i64| {
        let stat = stat(tree.join(name));
        assert_eq!(
            (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_mtime),
            (mode, uid, gid, mtime),
            "{name}"
        );
    };
    check("", 0o40711, 3, 4, 77);
    check("d", 0o41770, 1000, 1001, 55);
    check("d/setuid", 0o106755, 1, 2, 66);
    check("hard", 0o106755, 1, 2, 66);
    check("d/link", 0o120777, 5, 6, 88);
    check("null", 0o020666, 0, 0, 1_000_000);
    check("loop", 0o060660, 0, 6, 1_000_000);
    check("fifo", 0o010600, 0, 0, 1_000_000);
    check("big-owner", 0o100644, 4_000_000_000, 3_999_999_999, 1_000_000);
    assert_eq!(stat(tree.join("null")).st_rdev, rustix::fs::makedev(1, 3));
    assert_eq!(stat(tree.join("loop")).st_rdev, rustix::fs::makedev(7, 300));
    assert_eq!(stat(tree.join("hard")).st_ino, stat(tree.join("d/setuid")).st_ino);
    assert_eq!(stat(tree.join("hardlink-to-link")).st_ino, stat(tree.join("d/link")).st_ino);
    assert_eq!(fs::read_link(tree.join("d/link")).unwrap().as_os_str(), "../anywhere");
    assert_eq!((layer.max_uid, layer.max_gid), (4_000_000_000, 3_999_999_999));
    assert_eq!((layer.entries, layer.size), (10, 1));
    let attributes = layer.root.unwrap();
    assert_eq!((attributes.mode, attributes.uid, attributes.gid), (0o711, 3, 4));
}

#[test]
fn times_have_nanoseconds_and_may_be_before_1970() {
    let root = root();
    let layer = root.unpack_exact(&tar(&[
        file("a", "").pax("mtime", "12.345678901").pax("atime", "99"),
        file("b", "").pax("mtime", "-1.5"),
        dir("d/").pax("mtime", "5.5"),
        file("d/late", "moves the directory's time"),
    ]));
    let tree = root.tree(&layer);
    let times = |name: &str| {
        let s = stat(tree.join(name));
        (s.st_mtime, s.st_mtime_nsec, s.st_atime)
    };
    assert_eq!(times("a"), (12, 345_678_901, 99));
    assert_eq!(times("b"), (-2, 500_000_000, -2));
    assert_eq!(times("d"), (5, 500_000_000, 5));
}

#[test]
fn extended_attributes_and_file_capabilities_are_kept_but_not_overlays_own() {
    let root = root();
    // cap_net_raw=ep, version 2.
    let caps: &[u8] = &[1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let layer = root.unpack_exact(&tar(&[
        file("ping", "x")
            .owner(7, 7)
            .pax("SCHILY.xattr.security.capability", caps)
            .pax("SCHILY.xattr.user.note", b"a\nb=c\0\xff")
            .pax("SCHILY.xattr.trusted.overlay.redirect", "/etc")
            .pax("SCHILY.xattr.trusted.overlay.metacopy", "")
            .pax("SCHILY.xattr.security.selinux", "x"),
        dir("d").pax("SCHILY.xattr.user.note", "dir").pax("SCHILY.xattr.trusted.overlay.opaque", "y"),
        symlink("l", "x").pax("SCHILY.xattr.trusted.note", "link"),
    ]));
    let tree = root.tree(&layer);
    let ping = tree.join("ping");
    assert_eq!(xattr(&ping, "security.capability").unwrap(), caps);
    assert_eq!(xattr(&ping, "user.note").unwrap(), b"a\nb=c\0\xff");
    assert_eq!(xattr(&tree.join("d"), "user.note").unwrap(), b"dir");
    assert_eq!(xattr(&tree.join("l"), "trusted.note").unwrap(), b"link");
    for name in ["trusted.overlay.redirect", "trusted.overlay.metacopy", "security.selinux"] {
        assert_eq!(xattr(&ping, name), None, "{name}");
    }
    assert_eq!(xattr(&tree.join("d"), "trusted.overlay.opaque"), None);
}

#[test]
fn whiteouts_become_overlays_marks_whatever_their_order() {
    let root = root();
    let layer = root.unpack_exact(&tar(&[
        file(".wh.gone", ""),
        file("dir/.wh.inner", "whiteouts may have content"),
        file("opaque/.wh..wh..opq", ""),
        file("opaque/new", "x"),
        // Deleted below and made again here: the new directory must start empty.
        file(".wh.again", ""),
        dir("again/"),
        file(".wh.implied", ""),
        file("implied/f", ""),
        dir("before/"),
        file(".wh.before", ""),
        file("kept", "content"),
        file(".wh.kept", ""),
        file(".wh..wh.plnk/7.8", "bookkeeping"),
        file(".wh..wh.aufs", ""),
    ]));
    let tree = root.tree(&layer);
    assert!(is_whiteout(tree.join("gone")) && is_whiteout(tree.join("dir/inner")));
    for name in ["opaque", "again", "implied", "before"] {
        assert_eq!(xattr(&tree.join(name), "trusted.overlay.opaque").as_deref(), Some(&b"y"[..]), "{name}");
    }
    assert_eq!(xattr(&tree.join("dir"), "trusted.overlay.opaque"), None);
    assert_eq!(fs::read(tree.join("kept")).unwrap(), b"content");
    let mut names: Vec<_> =
        fs::read_dir(&tree).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["again", "before", "dir", "gone", "implied", "kept", "opaque"]);
}

#[test]
fn overlayfs_agrees_with_the_whiteouts() {
    let root = root();
    let lower = root.unpack(&tar(&[
        file("gone", ""),
        file("kept", ""),
        file("opaque/old", ""),
        file("again/old", ""),
        file("merged/old", ""),
    ]));
    let upper = root.unpack(&tar(&[
        file(".wh.gone", ""),
        file("opaque/.wh..wh..opq", ""),
        file(".wh.again", ""),
        file("again/new", ""),
        file("merged/new", ""),
    ]));
    let (lower, upper) = (root.tree(&lower.unwrap()), root.tree(&upper.unwrap()));
    let merged = root.dir.path().join("merged");
    fs::create_dir(&merged).unwrap();
    let options = format!("lowerdir={}:{}", upper.display(), lower.display());
    let status = std::process::Command::new("unshare")
        .args([
            "-m",
            "sh",
            "-ec",
            "mount -t overlay overlay -o \"$1\" \"$2\"; cd \"$2\"; find . | sort",
            "sh",
        ])
        .arg(&options)
        .arg(&merged)
        .output()
        .unwrap();
    let out = String::from_utf8(status.stdout).unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let want =
        [".", "./again", "./again/new", "./kept", "./merged", "./merged/new", "./merged/old", "./opaque"];
    assert_eq!(out.lines().collect::<Vec<_>>(), want);
}

#[test]
fn missing_parents_are_made_and_later_entries_replace_earlier_ones() {
    let root = root();
    let layer = root.unpack_exact(&tar(&[
        file("a/b/c", "1"),
        dir("setgid/").mode(0o2755).owner(0, 50),
        file("setgid/implied/f", ""),
        file("twice", "first"),
        file("twice", "second!"),
        file("was-file", "f"),
        dir("was-file/"),
        file("was-file/in", "i"),
        file("was-dir/x", "x"),
        file("was-dir/y/z", "z"),
        file("was-dir", "now a file"),
        symlink("was-link", "/etc"),
        dir("was-link/"),
        file("thrice", "1"),
        file("thrice", "22"),
        file("thrice", "333"),
        dir("a/").mode(0o700),
    ]));
    let tree = root.tree(&layer);
    assert_eq!(stat(tree.join("a/b")).st_mode, 0o40755);
    assert_eq!(stat(tree.join("a")).st_mode, 0o40700);
    assert_eq!(
        (stat(tree.join("setgid/implied")).st_mode, stat(tree.join("setgid/implied")).st_gid),
        (0o40755, 0)
    );
    assert_eq!(fs::read(tree.join("twice")).unwrap(), b"second!");
    assert_eq!(fs::read(tree.join("thrice")).unwrap(), b"333");
    assert_eq!(fs::read(tree.join("was-file/in")).unwrap(), b"i");
    assert_eq!(fs::read(tree.join("was-dir")).unwrap(), b"now a file");
    assert!(stat(tree.join("was-link")).st_mode == 0o40755);
}

#[test]
fn names_may_be_long_or_no_text() {
    let root = root();
    let long = ["d".repeat(200), "e".repeat(200), "f".repeat(255)].join("/");
    let pax_name = format!("{}/\u{e9}", "p".repeat(150));
    let layer = root.unpack_exact(&tar(&[
        file(&long, "long"),
        symlink("long-link", "t".repeat(3000)),
        file(b"caf\xe9\xff", "latin-1"),
        file("short", "pax").pax("path", &pax_name),
        file(b"new\nline \\ \"q\"", ""),
    ]));
    let tree = root.tree(&layer);
    assert_eq!(fs::read(tree.join(&long)).unwrap(), b"long");
    assert_eq!(fs::read(tree.join(&pax_name)).unwrap(), b"pax");
    assert_eq!(fs::read_link(tree.join("long-link")).unwrap().as_os_str().len(), 3000);
    let latin = std::ffi::OsStr::from_bytes(b"caf\xe9\xff");
    assert_eq!(fs::read(tree.join(latin)).unwrap(), b"latin-1");
}

#[test]
fn links_in_the_middle_of_names_stay_in_the_layer_as_in_a_running_container() {
    let root = root();
    let layer = root.unpack_exact(&tar(&[
        dir("usr/"),
        dir("usr/lib/"),
        symlink("lib", "usr/lib"),
        file("lib/relative", "r"),
        symlink("abs", "/usr/lib"),
        file("abs/absolute", "a"),
        symlink("climb", "../../../usr"),
        file("climb/climbed", "c"),
        hardlink("hard", "lib/relative"),
        dir("lib/sub/").mtime(123),
        file("lib/sub/f", "s"),
        file("lib/relative", "replaced"),
    ]));
    let tree = root.tree(&layer);
    assert_eq!(fs::read(tree.join("usr/lib/relative")).unwrap(), b"replaced");
    assert_eq!(fs::read(tree.join("hard")).unwrap(), b"r");
    assert_eq!(fs::read(tree.join("usr/lib/absolute")).unwrap(), b"a");
    assert_eq!(fs::read(tree.join("usr/climbed")).unwrap(), b"c");
    assert_eq!(stat(tree.join("usr/lib/sub")).st_mtime, 123);
    assert!(stat(tree.join("lib")).st_mode & 0o170000 == 0o120000);
}

#[test]
fn compressed_layers_have_the_digest_of_the_tar_and_are_stored_once() {
    let root = root();
    let plain = tar(&[file("a", vec![b'x'; 100_000])]);
    let first = root.unpack(&gzip(&plain)).unwrap();
    assert!(first.fresh);
    assert_eq!(first.diff_id, Digest::of(&plain));
    let second = root.unpack(&zstd::encode_all(&plain[..], 3).unwrap()).unwrap();
    let third = root.store.unpack(&plain[..], Some(&first.diff_id)).unwrap();
    assert!(!second.fresh && !third.fresh && second.key == first.key);
    assert_eq!(root.store.list().unwrap().layers.len(), 1);
    root.assert_reproduces(&third, &plain);
}

#[test]
fn a_layer_that_is_used_is_not_removed() {
    let root = root();
    let layer = root.unpack(&tar(&[file("a", "x")])).unwrap();
    let key = layer.key.clone();
    let leased = root.store.lease(&key).unwrap().unwrap();
    drop(layer);
    assert!(matches!(root.store.remove(&key), Err(Error::LayerInUse(_))));
    drop(leased);
    root.store.remove(&key).unwrap();
    assert!(matches!(root.store.remove(&key), Err(Error::LayerNotFound(_))));
    assert!(matches!(root.store.get(&key), Err(Error::LayerNotFound(_))));
    assert!(matches!(root.store.remove("../../etc"), Err(Error::LayerNotFound(_))));
    root.assert_no_leftovers();
    assert_eq!(fs::read_dir(root.dir.path().join("store/layers.meta")).unwrap().count(), 0);
}

#[test]
fn what_is_known_about_a_layer_survives_opening_the_store_again() {
    let root = root();
    let layer = root.unpack(&tar(&[file("a", "xyz").owner(70_000, 80_000)])).unwrap();
    let again = LayerStore::open(root.dir.path()).unwrap();
    let found = again.get(&layer.key).unwrap();
    assert_eq!((found.diff_id, found.size, found.entries), (layer.diff_id, 3, 1));
    assert_eq!((found.max_uid, found.max_gid, found.tar_size), (70_000, 80_000, layer.tar_size));
    assert_eq!(again.tree_size(&layer.key).unwrap().bytes, 3);
}

#[test]
fn the_sweep_removes_what_a_killed_run_left() {
    let root = root();
    let layer = root.unpack(&tar(&[file("a", "x")])).unwrap();
    let store = root.dir.path().join("store");
    fs::create_dir_all(store.join("tmp/unpack-1/tree/deep/er")).unwrap();
    fs::write(store.join("tmp/loose"), "").unwrap();
    fs::write(store.join("layers.meta/aaaaaaaaaaaaaaaaaaaaaaaaaa.json"), "{}").unwrap();
    assert_eq!(root.store.sweep_tmp().unwrap(), 3);
    root.assert_no_leftovers();
    assert_eq!(root.store.list().unwrap().layers.len(), 1);
    root.store.get(&layer.key).unwrap();
}

#[test]
fn a_damaged_description_is_reported_and_repaired_by_unpacking_again() {
    let root = root();
    let bytes = tar(&[file("a", "x")]);
    let layer = root.unpack(&bytes).unwrap();
    let json = root.dir.path().join(format!("store/layers.meta/{}.json", layer.key));
    fs::write(&json, "{").unwrap();
    assert_eq!(root.store.get(&layer.key).unwrap_err().kind(), ErrorKind::Corrupt);
    let listing = root.store.list().unwrap();
    assert_eq!((listing.layers.len(), listing.broken.len()), (0, 1));
    assert!(root.store.lease(&layer.key).unwrap().is_none());
    let again = root.unpack(&bytes).unwrap();
    assert!(!again.fresh);
    root.assert_reproduces(&root.store.get(&layer.key).unwrap(), &bytes);
}

#[test]
fn a_changed_tree_is_noticed_when_the_tar_is_made_again() {
    let root = root();
    let layer = root.unpack(&tar(&[file("a", "xyz")])).unwrap();
    fs::write(root.tree(&layer).join("a"), "xyZ").unwrap();
    let error = root.store.write_tar(&layer.key, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    fs::write(root.tree(&layer).join("a"), "x").unwrap();
    let mut tar = root.store.tar(&layer.key).unwrap();
    assert!(tar.read_to_end(&mut Vec::new()).is_err());
}

#[test]
fn many_threads_may_unpack_the_same_and_other_layers() {
    let root = root();
    let shared = tar(&[file("shared", vec![7; 500_000])]);
    std::thread::scope(|scope| {
        for i in 0..6u8 {
            let (root, shared) = (&root, &shared);
            scope.spawn(move || {
                root.store.unpack(&shared[..], None).unwrap();
                let own = tar(&[symlink("l", "d"), dir("d"), file("l/../l/own", [i; 1000])]);
                root.store.unpack(&own[..], None).unwrap();
            });
        }
    });
    root.assert_no_leftovers();
    assert_eq!(root.store.list().unwrap().layers.len(), 7);
}
