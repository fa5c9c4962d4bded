//! The built-in busybox image.

use berth_testkit::Daemon;

#[test]
fn the_default_image_is_made_from_the_hosts_busybox_and_runs() {
    let d = Daemon::builder().without_image().berth();
    d.client.post("/berth/v1/images/bootstrap").expect(200);
    assert_eq!(d.docker(&["run", "--rm", "busybox", "echo", "hi"]).ok(), "hi");
    let ps = d.docker(&["run", "--rm", "busybox", "ps"]).ok();
    assert!(ps.lines().any(|line| line.trim_start().starts_with("1 ")), "{ps}");
    assert_eq!(d.docker(&["run", "--rm", "busybox", "id", "-u"]).ok(), "0");
    let name = d.name("web");
    d.docker(&["run", "-d", "--name", &name, "busybox", "httpd", "-f"]).ok();
    assert_eq!(d.docker(&["inspect", "-f", "{{.State.Status}}", &name]).ok(), "running");
    d.docker(&["run", "-itd", "--name", &d.name("sh"), "busybox"]).ok();
    assert_eq!(d.status(&d.name("sh")), "running");
}

#[test]
fn asking_twice_gives_the_same_image() {
    let d = Daemon::builder().without_image().berth();
    let ids: Vec<_> = (0..2)
        .map(|_| {
            d.client.post("/berth/v1/images/bootstrap").expect(200);
            d.client.get("/images/busybox/json").expect(200).json()["Id"].clone()
        })
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(d.berth_cli(&["image", "bootstrap"]).expect_code(0).code, 0);
    assert_eq!(d.sql("SELECT count(*) FROM images"), "1");
}
