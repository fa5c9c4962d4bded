//! Archives of images, as other programs write them and as nobody should.

use std::fs;
use std::path::Path;
use std::process::Command;

use berth_image::{Digest, Error, ErrorKind, LoadedImage, load};
use serde_json::{Value, json};

use crate::common::*;

/// A layer's tar.
fn layer(name: &str) -> Vec<u8> {
    tar(&[dir("d/"), file(format!("d/{name}"), name)])
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|l| Digest::of(l).to_string()).collect();
    // Odd spacing: the bytes must be kept.
    let json =
        json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    format!("{json:#}\n ").into_bytes()
}

fn names(image: &LoadedImage) -> Vec<String> {
    image.tags.iter().map(berth_image::Reference::familiar).collect()
}

fn manifest(items: Value) -> E {
    file("manifest.json", items.to_string())
}

fn blob(bytes: &[u8]) -> E {
    file(format!("blobs/sha256/{}", Digest::of(bytes).hex()), bytes)
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": Digest::of(bytes).to_string(), "size": bytes.len()})
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[test]
fn a_docker_archive_with_links_shared_layers_and_several_images_loads() {
    let root = root();
    let (a, b) = (layer("a"), layer("b"));
    let (one, two) = (config(&[&a]), config(&[&a, &b]));
    let archive = tar(&[
        // Docker's old layout: a directory per layer, the second image's copy being a link to the first's.
        dir("l1/"),
        file("l1/layer.tar", &a),
        file("l1/VERSION", "1.0"),
        symlink("l2/layer.tar", "../l1/layer.tar"),
        hardlink("l4/layer.tar", "l2/layer.tar"),
        file("l3/layer.tar", gzip(&b)),
        file("one.json", &one),
        file("two.json", &two),
        file("repositories", "{}"),
        manifest(json!([
            {"Config": "one.json", "RepoTags": ["one:1", "one:latest", "one:1"], "Layers": ["l1/layer.tar"]},
            {"Config": "two.json", "RepoTags": null, "Layers": ["l2/layer.tar", "./l3/layer.tar"]},
            {"Config": "one.json", "RepoTags": ["host:5000/again:x"], "Layers": ["l4/layer.tar"]},
        ])),
    ]);
    for outer in [archive.clone(), gzip(&archive), zstd::encode_all(&archive[..], 3).unwrap()] {
        let images = load(&outer[..], &root.store).unwrap();
        root.assert_no_leftovers();
        assert_eq!(images.len(), 2);
        assert_eq!((images[0].id, &images[0].config_bytes), (Digest::of(&one), &one));
        assert_eq!(names(&images[0]), ["one:1", "one:latest", "host:5000/again:x"]);
        assert_eq!((images[1].id, names(&images[1]).len()), (Digest::of(&two), 0));
        assert_eq!(images[1].layers[0].key, images[0].layers[0].key);
        assert_eq!(fs::read(root.tree(&images[1].layers[1]).join("d/b")).unwrap(), b"b");
    }
    assert_eq!(root.store.list().unwrap().layers.len(), 2);
}

#[test]
fn an_oci_layout_with_nested_indexes_finds_this_hosts_image() {
    let root = root();
    let (a, b) = (layer("a"), layer("b"));
    let (a_zip, b_zip) = (gzip(&a), zstd::encode_all(&b[..], 3).unwrap());
    let config = config(&[&a, &b]);
    let image = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, &config),
        "layers": [descriptor(LAYER, &a_zip), descriptor(LAYER, &b_zip)]})
    .to_string();
    let mut fits = descriptor(MANIFEST, image.as_bytes());
    fits["platform"] = json!({"os": "linux", "architecture": berth_image::config::host_architecture().0});
    let mut other = descriptor(MANIFEST, b"not in the archive");
    other["platform"] = json!({"os": "linux", "architecture": "mips"});
    let mut attestation = descriptor(MANIFEST, b"not in the archive either");
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let nested =
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [other, attestation, fits]}).to_string();
    let mut top = descriptor(INDEX, nested.as_bytes());
    top["annotations"] = json!({"io.containerd.image.name": "docker.io/library/app:v1",
        "org.opencontainers.image.ref.name": "v1"});
    let index = json!({"schemaVersion": 2, "manifests": [top]}).to_string();
    let archive = tar(&[
        file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#),
        file("index.json", index),
        dir("blobs/sha256/"),
        blob(nested.as_bytes()),
        blob(image.as_bytes()),
        blob(&config),
        blob(&a_zip),
        blob(&b_zip),
    ]);
    let images = load(&archive[..], &root.store).unwrap();
    root.assert_no_leftovers();
    assert_eq!(images.len(), 1);
    assert_eq!((images[0].id, names(&images[0])), (Digest::of(&config), vec!["app:v1".to_owned()]));
    assert_eq!(images[0].layers.len(), 2);
    root.assert_reproduces(&images[0].layers[1], &b);
}

/// An OCI layout of one image, as parts that tests then damage.
fn oci_parts(annotation: &str) -> Vec<E> {
    let a = layer("a");
    let zipped = gzip(&a);
    let config = config(&[&a]);
    let image =
        json!({"config": descriptor(CONFIG, &config), "layers": [descriptor(LAYER, &zipped)]}).to_string();
    let mut top = descriptor(MANIFEST, image.as_bytes());
    top["annotations"] = json!({"org.opencontainers.image.ref.name": annotation});
    vec![
        file("./index.json", json!({"manifests": [top]}).to_string()),
        blob(image.as_bytes()),
        blob(&config),
        blob(&zipped),
    ]
}

#[test]
fn names_in_annotations_are_used_when_they_are_whole_names() {
    for (annotation, want) in [
        ("app:v1", vec!["app:v1"]),
        ("ghcr.io/o/app", vec!["ghcr.io/o/app:latest"]),
        ("docker.io/library/busybox:latest", vec!["busybox:latest"]),
        ("latest", vec![]),
        ("", vec![]),
        ("What/EVER:x", vec![]),
    ] {
        let images = load(&tar(&oci_parts(annotation))[..], &root().store).unwrap();
        assert_eq!(names(&images[0]), want, "{annotation}");
    }
}

#[test]
fn every_part_of_an_oci_layout_is_checked_against_its_digest() {
    for damaged in 1..4 {
        let root = root();
        let mut parts = oci_parts("x:y");
        // A change that leaves the part readable: JSON takes blanks, gzip a second member.
        let data = &mut parts[damaged].data;
        if damaged == 3 {
            data.extend(gzip(b""));
        } else {
            data.push(b' ');
        }
        let error = load(&tar(&parts)[..], &root.store).unwrap_err();
        assert!(matches!(error, Error::DigestMismatch { .. }), "{damaged}: {error}");
        root.assert_no_leftovers();
        assert!(root.store.list().unwrap().layers.is_empty(), "{damaged}");
    }
}

#[test]
fn bad_archives_are_refused_with_the_reason_and_leave_nothing() {
    let a = layer("a");
    let good = config(&[&a]);
    let windows = good.iter().map(|b| *b as char).collect::<String>().replace("linux", "windows");
    let item = |config: &str, layers: &[&str]| json!([{"Config": config, "RepoTags": [], "Layers": layers}]);
    let with = |m: Value, more: Vec<E>| {
        let mut parts = vec![file("c.json", &good), file("w.json", &windows), file("l.tar", &a), manifest(m)];
        parts.extend(more);
        tar(&parts)
    };
    let mut tagged = item("c.json", &["l.tar"]);
    tagged[0]["RepoTags"] = json!(["Bad:Tag"]);
    let mut name_only = item("c.json", &["l.tar"]);
    name_only[0]["RepoTags"] = json!(["name"]);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (tar(&[file("x", "")]), "it has neither manifest.json nor index.json"),
        (tar(&[]), "it has neither manifest.json nor index.json"),
        (tar(&[file("repositories", "{}")]), "Docker before 1.10"),
        (tar(&[dir("manifest.json")]), "it has neither manifest.json nor index.json"),
        (tar(&[symlink("manifest.json", "manifest.json")]), "it has neither manifest.json nor index.json"),
        (tar(&[symlink("manifest.json", "/etc/passwd")]), "it has neither manifest.json nor index.json"),
        (tar(&[file("manifest.json", "{")]), "manifest.json: "),
        (tar(&[file("manifest.json", "[]")]), "lists no image"),
        (with(item("none.json", &[]), vec![]), "it has no none.json"),
        (with(item("../../../etc/passwd", &[]), vec![]), "it has no ../../../etc/passwd"),
        (with(item("c.json", &["none.tar"]), vec![]), "it has no none.tar"),
        (with(item("c.json", &[]), vec![]), "invalid manifest, layers length mismatch: expected 1, got 0"),
        (with(item("c.json", &["c.json"]), vec![]), "unexpected EOF"),
        (
            with(item("c.json", &["e.tar"]), vec![file("e.tar", tar(&[]))]),
            "invalid diffID for layer 0: expected \"sha256:",
        ),
        (with(item("l.tar", &["l.tar"]), vec![]), "invalid image JSON"),
        (with(item("w.json", &["l.tar"]), vec![]), "cannot load windows image on linux"),
        (with(tagged, vec![]), "invalid tag \"Bad:Tag\": invalid reference format: repository name"),
        (with(name_only, vec![]), "invalid tag \"name\""),
        (tar(&[file("index.json", "{}")]), "it has no image for linux/"),
        (tar(&[file("index.json", r#"{"manifests":[{"digest":"sha256:zz"}]}"#)]), "invalid digest"),
    ];
    for (archive, reason) in cases {
        let root = root();
        let error = load(&archive[..], &root.store).unwrap_err();
        assert!(error.to_string().contains(reason), "{error} (expected: {reason})");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        root.assert_no_leftovers();
        assert!(root.store.list().unwrap().layers.is_empty(), "{error}");
    }
}

#[test]
fn a_failing_image_takes_back_the_layers_of_the_others_but_not_shared_ones() {
    let root = root();
    let (a, b) = (layer("a"), layer("b"));
    let present = root.unpack(&a).unwrap();
    let archive = tar(&[
        file("a.tar", &a),
        file("b.tar", &b),
        file("one.json", config(&[&a, &b])),
        file("two.json", config(&[&layer("c")])),
        manifest(json!([
            {"Config": "one.json", "Layers": ["a.tar", "b.tar"]},
            {"Config": "two.json", "Layers": ["b.tar"]},
        ])),
    ]);
    load(&archive[..], &root.store).unwrap_err();
    root.assert_no_leftovers();
    let keys: Vec<_> = root.store.list().unwrap().layers.into_iter().map(|l| l.key).collect();
    assert_eq!(keys, [present.key]);
}

#[test]
fn indexes_that_contain_themselves_or_each_other_end() {
    // A digest cannot contain itself, so endless nesting is a long chain.
    let mut parts = Vec::new();
    let mut inner = json!({"manifests": []}).to_string();
    for _ in 0..20 {
        parts.push(blob(inner.as_bytes()));
        inner = json!({"manifests": [descriptor(INDEX, inner.as_bytes())]}).to_string();
    }
    parts.push(file("index.json", inner));
    let error = load(&tar(&parts)[..], &root().store).unwrap_err();
    assert!(error.to_string().contains("nested too deeply"), "{error}");
}

fn skopeo(args: &[&str], dir: &Path) {
    let out = Command::new("skopeo")
        .args(["--insecure-policy", "--tmpdir", dir.to_str().unwrap(), "copy", "-q"])
        .args(args)
        .current_dir(dir)
        .output()
        .expect("skopeo must be installed");
    assert!(out.status.success(), "skopeo {args:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// True if any part of the archive contains this text.
fn index_mentions(archive: &Path, text: &str) -> bool {
    let out = Command::new("tar").args(["-xOf"]).arg(archive).output().unwrap();
    String::from_utf8_lossy(&out.stdout).contains(text)
}

#[test]
fn archives_written_by_skopeo_load_in_every_format() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let parts = tar(&oci_parts("start:here"));
    fs::create_dir(dir.join("oci")).unwrap();
    fs::write(dir.join("oci.tar"), &parts).unwrap();
    fs::write(dir.join("oci/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let tar_status =
        Command::new("tar").args(["-C", "oci", "-xf", "oci.tar"]).current_dir(dir).status().unwrap();
    assert!(tar_status.success());
    let from = "oci:oci:start:here";
    skopeo(&[from, "docker-archive:docker.tar:registry.example/team/app:v2"], dir);
    skopeo(&[from, "oci-archive:again.tar:team/app:v3"], dir);
    // From an uncompressed source, so that the compression is skopeo's own.
    skopeo(
        &["--dest-compress-format", "zstd", "docker-archive:docker.tar", "oci-archive:zstd.tar:team/app:v4"],
        dir,
    );
    assert!(index_mentions(&dir.join("zstd.tar"), "tar+zstd"));

    let root = root();
    for (archive, name) in [
        ("oci.tar", "start:here"),
        ("docker.tar", "registry.example/team/app:v2"),
        ("again.tar", "team/app:v3"),
        ("zstd.tar", "team/app:v4"),
    ] {
        let images = load(fs::File::open(dir.join(archive)).unwrap(), &root.store)
            .unwrap_or_else(|e| panic!("{archive}: {e}"));
        root.assert_no_leftovers();
        assert_eq!(names(&images[0]), [name], "{archive}");
        assert_eq!(images[0].config.rootfs.diff_ids, [Digest::of(layer("a"))]);
        assert_eq!(fs::read(root.tree(&images[0].layers[0]).join("d/a")).unwrap(), b"a");
        drop(images);
    }
    assert_eq!(root.store.list().unwrap().layers.len(), 1);
}
