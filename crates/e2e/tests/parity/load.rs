//! Archives made by others: plain and compressed, several layers with deletions, by skopeo.

use berth_testkit::{Daemon, image, process};
use serde_json::{Value, json};

fn load(d: &Daemon, archive: &[u8]) -> String {
    d.docker_with_input(&["load"], archive).ok()
}

#[test]
fn an_archive_keeps_the_images_identity() {
    let d = Daemon::start();
    let tag = format!("e2e/{}:1", d.name("id"));
    let layers = [image::busybox()];
    let container = json!({"Cmd": ["echo", "loaded"], "Env": ["PATH=/bin"], "Labels": {"l": d.name("id")}});
    let said = load(&d, &image::docker_archive(&[&tag], &layers, container.clone()));
    assert!(said.contains(&format!("Loaded image: {tag}")), "{said}");
    let expected = image::digest(image::config(&layers, container).to_string().as_bytes());
    assert_eq!(d.client.get(&format!("/images/{tag}/json")).json()["Id"], expected.as_str());
    assert_eq!(d.docker(&["run", "--rm", &tag]).ok(), "loaded");
    d.docker(&["rmi", &tag]).ok();
}

#[test]
fn a_gzip_compressed_archive_is_loaded() {
    let d = Daemon::start();
    let tag = format!("e2e/{}:1", d.name("gz"));
    let archive = image::docker_archive(
        &[&tag],
        &[image::busybox()],
        json!({"Cmd": ["echo", "gz"], "Env": ["PATH=/bin"]}),
    );
    load(&d, &image::gzip(&archive));
    assert_eq!(d.docker(&["run", "--rm", &tag]).ok(), "gz");
    d.docker(&["rmi", &tag]).ok();
}

#[test]
fn upper_layers_replace_delete_and_hide() {
    use image::Entry::{Dir, File, Link};
    let d = Daemon::start();
    let tag = format!("e2e/{}:1", d.name("layers"));
    let layers = [
        image::busybox(),
        image::archive(&[
            ("opt", 0, Dir(0o755)),
            ("opt/a", 0, File(0o644, b"old a")),
            ("opt/b", 0, File(0o644, b"b")),
            ("hidden", 0, Dir(0o755)),
            ("hidden/x", 0, File(0o644, b"x")),
            ("dir", 0, Dir(0o750)),
            ("dir/f", 7, File(0o600, b"f")),
        ]),
        image::archive(&[
            ("opt/a", 0, File(0o644, b"new a")),
            ("opt/.wh.b", 0, File(0o644, b"")),
            ("hidden/.wh..wh..opq", 0, File(0o644, b"")),
            ("hidden/y", 0, File(0o644, b"y")),
            (".wh.dir", 0, File(0o644, b"")),
            ("link", 0, Link("/opt/a")),
        ]),
    ];
    load(&d, &image::docker_archive(&[&tag], &layers, json!({"Cmd": ["sh"], "Env": ["PATH=/bin"]})));
    let script = "cat /link; echo; ls /opt; ls /hidden; test -e /dir || echo gone; ls -A / | grep -c wh";
    let out = d.docker(&["run", "--rm", &tag, "sh", "-c", script]).expect_code(1).stdout;
    assert_eq!(out, "new a\na\ny\ngone\n0\n");
    d.docker(&["rmi", &tag]).ok();
}

#[test]
fn several_tags_and_several_images_in_one_archive() {
    let d = Daemon::start();
    let tags = [format!("e2e/{}:1", d.name("multi")), format!("e2e/{}:2", d.name("multi"))];
    let layer = image::archive(&[("f", 0, image::Entry::File(0o644, d.name("m").as_bytes()))]);
    load(&d, &image::docker_archive(&[&tags[0], &tags[1]], &[layer], json!({"Cmd": ["x"]})));
    let id = |tag: &str| d.client.get(&format!("/images/{tag}/json")).expect(200).json()["Id"].clone();
    assert_eq!(id(&tags[0]), id(&tags[1]));
    d.docker(&["rmi", &tags[0], &tags[1]]).ok();
}

#[test]
fn an_archive_written_by_skopeo_is_loaded() {
    let d = Daemon::start();
    let dir = d.home().dir.clone();
    let layout = image::oci_layout(
        "e2e/skopeo:1",
        &[image::busybox()],
        json!({"Cmd": ["echo", "skopeo"], "Env": ["PATH=/bin"]}),
        image::Compression::Gzip,
    );
    let (oci, docker) = (dir.join("oci.tar"), dir.join("docker.tar"));
    std::fs::write(&oci, layout).unwrap();
    let tag = format!("e2e/{}:1", d.name("skopeo"));
    process::sh(
        "skopeo",
        &[
            "--insecure-policy",
            "copy",
            "--quiet",
            &format!("oci-archive:{}", oci.display()),
            &format!("docker-archive:{}:{tag}", docker.display()),
        ],
    )
    .ok();
    process::sh("gzip", &[docker.to_str().unwrap()]).ok();
    let said = d.docker(&["load", "-i", &format!("{}.gz", docker.display())]).ok();
    assert!(said.contains(&tag), "{said}");
    assert_eq!(d.docker(&["run", "--rm", &tag]).ok(), "skopeo");
    d.docker(&["rmi", &tag]).ok();
}

#[test]
fn special_files_owners_modes_and_links_survive() {
    let d = Daemon::start();
    // Made by the machine's tar, as a second opinion on the format.
    let dir = d.home().dir.join("tree");
    let script = "mkdir -p tree/d && cd tree && mkfifo -m 640 d/fifo && echo x > d/file && chown 12:34 d/file && chmod 4751 d/file \
        && ln d/file d/hard && ln -s file d/soft && touch -d @1000000000 d/old && mkdir -m 1777 d/sticky \
        && n=$(printf 'n%.0s' $(seq 150)); echo long > d/$n; cp /usr/bin/busybox d/busybox";
    process::run(
        std::process::Command::new("sh").current_dir(dir.parent().unwrap()).args(["-c", script]),
        b"",
    )
    .ok();
    let tar = dir.with_extension("tar");
    process::sh("tar", &["-C", dir.to_str().unwrap(), "--numeric-owner", "-cf", tar.to_str().unwrap(), "."])
        .ok();
    let tag = format!("e2e/{}:1", d.name("special"));
    d.import(&tag, std::fs::read(&tar).unwrap());
    let look = "/d/busybox stat -c '%n %a %u:%g %h %F' /d/fifo /d/file /d/soft /d/sticky; /d/busybox stat -c %Y /d/old; /d/busybox cat /d/nnn*";
    let out = d.docker(&["run", "--rm", &tag, "/d/busybox", "sh", "-c", look]).ok();
    assert_eq!(
        out,
        "/d/fifo 640 0:0 1 fifo\n/d/file 4751 12:34 2 regular file\n/d/soft 777 0:0 1 symbolic link\n/d/sticky 1777 0:0 2 directory\n1000000000\nlong"
    );
    d.docker(&["rmi", &tag]).ok();
}

#[test]
fn loading_reports_progress_as_json_lines() {
    let d = Daemon::start();
    let tag = format!("e2e/{}:1", d.name("json"));
    let archive = image::docker_archive(&[&tag], &[image::busybox()], json!({"Cmd": ["x"]}));
    let response = d.client.post_bytes("/images/load?quiet=1", "application/x-tar", archive).expect(200);
    let lines: Vec<Value> = response.json_lines();
    assert!(
        lines.iter().any(|line| line["stream"]
            .as_str()
            .is_some_and(|text| text.contains(&format!("Loaded image: {tag}")))),
        "{lines:?}"
    );
    d.client.delete(&format!("/images/{tag}")).expect(200);
}
