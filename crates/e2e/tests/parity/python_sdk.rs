//! The `docker` package from PyPI.

use std::path::Path;

use berth_testkit::{Daemon, IMAGE, cache, process};

#[test]
fn the_python_sdk_works() {
    let d = Daemon::start();
    let python = cache().join("venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make deps`", python.display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/sdk.py");
    let mut command = d.environment_for(&python);
    command.arg(script).arg(IMAGE).arg(d.name("py"));
    let out = process::run(&mut command, b"").ok();
    assert!(out.ends_with("every statement held"), "{out}");
}
