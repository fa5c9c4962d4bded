//! Images made here: imported ones and the built-in one.

use std::path::Path;

use berth_image::{Digest, ImageConfig, ImageStore, ImportOptions, bootstrap, chain_id, import};

use crate::common::*;

#[test]
fn an_import_makes_an_image_of_one_layer_with_its_changes() {
    let root = root();
    let bytes = tar(&[dir("bin/"), file("bin/app", "x").mode(0o755)]);
    let options = ImportOptions {
        changes: vec![r#"CMD ["/bin/app"]"#.into(), "ENV A=1".into(), "EXPOSE 80".into()],
        ..Default::default()
    };
    let imported = import(&gzip(&bytes)[..], &root.store, &options).unwrap();
    root.assert_no_leftovers();
    assert_eq!(imported.layer.diff_id, Digest::of(&bytes));
    assert_eq!(imported.config.rootfs.diff_ids, [imported.layer.diff_id]);
    assert_eq!(imported.config.config.cmd.as_deref(), Some(&["/bin/app".to_owned()][..]));
    assert_eq!(imported.config.comment, "Imported from -");
    assert_eq!(imported.config.history[0].comment, "Imported from -");
    assert_eq!((imported.config.os.as_str(), imported.config.history.len()), ("linux", 1));
    assert!(imported.config.created_at().is_some());
    let images = ImageStore::open(root.dir.path()).unwrap();
    assert_eq!(images.put(&imported.config_bytes).unwrap(), imported.id);
    assert_eq!(images.get(&imported.id).unwrap(), imported.config);
    assert_eq!(chain_id(&imported.config.rootfs.diff_ids), Some(imported.layer.diff_id));
}

#[test]
fn an_imports_message_platform_and_source_are_recorded() {
    let root = root();
    let options = ImportOptions {
        message: "hello".into(),
        source: "http://x/y.tar".into(),
        architecture: "arm64".into(),
        variant: "v8".into(),
        created: Some(time::OffsetDateTime::UNIX_EPOCH),
        ..Default::default()
    };
    let imported = import(&tar(&[])[..], &root.store, &options).unwrap();
    assert_eq!(imported.config.comment, "hello");
    assert_eq!((imported.config.architecture.as_str(), imported.config.variant.as_str()), ("arm64", "v8"));
    assert_eq!(imported.config.created.as_deref(), Some("1970-01-01T00:00:00Z"));
    // Everything given: the same bytes each time.
    let again = import(&tar(&[])[..], &root.store, &options).unwrap();
    assert_eq!(again.id, imported.id);
    let options = ImportOptions { source: "http://x/y.tar".into(), ..Default::default() };
    let imported = import(&tar(&[])[..], &root.store, &options).unwrap();
    assert_eq!(imported.config.comment, "Imported from http://x/y.tar");
}

#[test]
fn a_wrong_change_or_archive_makes_no_image_and_no_layer() {
    let root = root();
    let wrong = ImportOptions { changes: vec!["ENV A".into()], ..Default::default() };
    assert!(import(&tar(&[file("a", "")])[..], &root.store, &wrong).is_err());
    assert!(import(&b"garbage that is no tar"[..], &root.store, &ImportOptions::default()).is_err());
    root.assert_no_leftovers();
    assert!(root.store.list().unwrap().layers.is_empty());
}

#[test]
fn the_built_in_image_is_busybox_with_its_applets_and_the_same_every_time() {
    let root = root();
    let built = bootstrap(None, &root.store).unwrap();
    root.assert_no_leftovers();
    let tree = root.tree(&built.layer);
    assert_eq!(built.tag.familiar(), "busybox:latest");
    assert_eq!(built.config.config.cmd.as_deref(), Some(&["sh".to_owned()][..]));
    assert_eq!(ImageConfig::parse(&built.config_bytes).unwrap(), built.config);
    let inode = stat(tree.join("bin/busybox")).st_ino;
    for applet in ["sh", "ls", "httpd", "[", "env"] {
        assert_eq!(stat(tree.join("bin").join(applet)).st_ino, inode, "{applet}");
    }
    assert_eq!(stat(tree.join("tmp")).st_mode, 0o41777);
    assert_eq!(stat(tree.join("root")).st_mode, 0o40700);
    let passwd = std::fs::read_to_string(tree.join("etc/passwd")).unwrap();
    let users: Vec<_> = passwd.lines().map(|l| l.split(':').next().unwrap()).collect();
    let want = ["root", "daemon", "bin", "sys", "sync", "mail", "www-data", "operator", "nobody"];
    assert_eq!(users, want);
    // It runs, alone in its tree.
    let out = std::process::Command::new("chroot")
        .arg(&tree)
        .args(["/bin/sh", "-c", "id && ls / && env true && busybox | head -1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && text.contains("uid=0(root)") && text.contains("BusyBox"), "{text}");
    let again = bootstrap(Some(Path::new(&built.source)), &root.store).unwrap();
    assert_eq!((again.id, again.layer.fresh), (built.id, false));
}
