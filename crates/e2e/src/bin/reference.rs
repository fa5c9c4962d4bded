//! Runs a command with a private `dockerd` as the reference: `berth-e2e-reference COMMAND…`.
//!
//! The command finds it in `BERTH_E2E_REFERENCE`, with an image called `busybox`; its exit code becomes ours.

use std::process::{Command, ExitCode};

use berth_testkit::{Dockerd, image};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: berth-e2e-reference COMMAND [ARGUMENT…]");
        return ExitCode::from(2);
    };
    let daemon = match Dockerd::start() {
        Ok(daemon) => daemon,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let path =
        "/images/create?fromSrc=-&repo=busybox&changes=ENV%20PATH%3D%2Fbin&changes=CMD%20%5B%22sh%22%5D";
    daemon.client.post_bytes(path, "application/x-tar", image::busybox()).expect(200);
    let url = format!("unix://{}", daemon.client.socket().display());
    match Command::new(&program).args(arguments).env("BERTH_E2E_REFERENCE", url).status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("{}: {error}", program.display());
            ExitCode::from(127)
        }
    }
}
