//! OCI image layouts and zstd, which the reference cannot load.

use berth_testkit::{
    Daemon,
    image::{self, Compression, Entry},
};
use serde_json::json;

#[test]
fn oci_layouts_are_loaded_in_every_compression() {
    let d = Daemon::berth();
    for (name, compression) in
        [("none", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)]
    {
        let tag = format!("e2e/oci:{name}");
        let layers = [image::busybox(), image::archive(&[("which", 0, Entry::File(0o644, name.as_bytes()))])];
        let layout = image::oci_layout(
            &tag,
            &layers,
            json!({"Cmd": ["cat", "/which"], "Env": ["PATH=/bin"]}),
            compression,
        );
        let said = d.docker_with_input(&["load"], &layout).ok();
        assert!(said.contains(&tag), "{said}");
        assert_eq!(d.docker(&["run", "--rm", &tag]).ok(), name);
    }
    let first = |name: &str| {
        d.client.get(&format!("/images/e2e/oci:{name}/json")).json()["RootFS"]["Layers"][0].clone()
    };
    assert_eq!(first("gzip"), first("zstd"), "layers are known by their content, not by how they came");
    assert_eq!(d.sql("SELECT count(*) FROM layers"), "4");
}

#[test]
fn a_zstd_compressed_docker_archive_is_loaded() {
    let d = Daemon::berth();
    let archive = image::docker_archive(
        &["e2e/z:1"],
        &[image::busybox()],
        json!({"Cmd": ["echo", "z"], "Env": ["PATH=/bin"]}),
    );
    d.docker_with_input(&["load"], &image::zstd(&archive)).ok();
    assert_eq!(d.docker(&["run", "--rm", "e2e/z:1"]).ok(), "z");
}

#[test]
fn compressed_root_file_systems_are_imported() {
    let d = Daemon::berth();
    d.import("e2e/gz:1", image::gzip(&image::busybox()));
    d.import("e2e/zst:1", image::zstd(&image::busybox()));
    for tag in ["e2e/gz:1", "e2e/zst:1"] {
        let layers = d.client.get(&format!("/images/{tag}/json")).json()["RootFS"]["Layers"].clone();
        assert_eq!(layers, json!([image::digest(&image::busybox())]));
    }
}

#[test]
fn content_that_is_not_what_its_digest_says_is_refused() {
    let d = Daemon::berth();
    let mut layout = image::oci_layout(
        "e2e/bad:1",
        &[image::archive(&[("f", 0, Entry::File(0o644, b"original words"))])],
        json!({}),
        Compression::None,
    );
    let place = layout.windows(14).position(|window| window == b"original words").unwrap();
    layout[place] = b'X';
    d.docker_with_input(&["load"], &layout).expect_code(1);
    d.client.get("/images/e2e/bad:1/json").expect(404);
}

#[test]
fn archives_that_reach_out_of_their_tree_stay_inside() {
    let d = Daemon::berth();
    let outside = d.home().dir.join("outside");
    let target = outside.to_str().unwrap();
    let layers = [
        image::busybox(),
        image::archive(&[
            ("trap", 0, Entry::Link(d.home().dir.to_str().unwrap())),
            ("abs", 0, Entry::Link(target)),
        ]),
        image::archive(&[
            ("trap/outside", 0, Entry::File(0o644, b"escaped")),
            ("abs", 0, Entry::File(0o644, b"replaced")),
        ]),
    ];
    let archive =
        image::docker_archive(&["e2e/trap:1"], &layers, json!({"Cmd": ["true"], "Env": ["PATH=/bin"]}));
    d.docker_with_input(&["load"], &archive);
    assert!(!outside.exists(), "an archive wrote outside of its layer");
}
