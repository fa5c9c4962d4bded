//! The container's init until it executes the container's program.
//!
//! It waits until its root filesystem is complete, becomes the container's root, prepares everything that can
//! be prepared, reports ready, waits for the start signal, gives up what it must not keep, and executes.

mod exec;
mod privileges;
mod stdio;
mod user;
mod userdb;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use berth_linux::clone::exit_now;
use berth_linux::{fdpass, fds, seccomp, signals, sys};
use rustix::fs::Mode;
use rustix::process::Signal;
use rustix::thread::{Gid, Uid};

use crate::report::{Failure, Phase, Report, Reporter};
use crate::setup::{Blueprint, Ends, apply_limits};

/// Runs to the end of the process: as the container's program, or with a failure reported.
pub fn run(blueprint: &Blueprint, ends: Ends, wait: OwnedFd) -> ! {
    let Ends { stdin, stdout, stderr, gate, report } = ends;
    let streams = stdio::Streams { stdin, stdout, stderr };
    if let Err(failure) = execute(blueprint, streams, gate, &report, wait) {
        report.fail(failure);
    }
    exit_now(1)
}

/// Returns only failures; success is the end of this code.
fn execute(
    blueprint: &Blueprint,
    streams: stdio::Streams,
    gate: OwnedFd,
    report: &Reporter,
    wait: OwnedFd,
) -> Result<(), Failure> {
    die_with_parent()?;
    let Some(terminal) = wait_for_root(&wait)? else { return Ok(()) };
    drop(wait);
    rustix::process::chdir("/").phase("enter root filesystem")?;
    if blueprint.new_cgroup_namespace() {
        sys::unshare_cgroup_namespace().phase("make cgroup namespace")?;
    }
    become_root()?;
    // The change of user has cleared it.
    die_with_parent()?;
    rustix::process::setsid().phase("make session")?;
    // Kernels without keyrings have nothing to separate.
    if let Err(error) = sys::new_session_keyring()
        && error.errno() != rustix::io::Errno::NOSYS.raw_os_error()
    {
        report.warn(format!("the container shares its starter's keyring: {error}"))?;
    }

    let user = user::resolve(&blueprint.launch)?;
    stdio::connect(streams, terminal.terminal, blueprint.launch.stdio, user.uid)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let entered = enter_directory(&blueprint.cwd);
    let environment = exec::environment(&blueprint.spec.process.env, &user.home);
    let mut program = exec::find(&blueprint.spec.process.args, &environment);
    let privileges = privileges::Privileges::plan(blueprint.spec.process.capabilities.as_ref(), report)?;

    privileges.limit_bounding()?;
    apply_limits(blueprint)?;
    privileges.change_user(&user)?;
    // A directory only its owner may enter, with a root that was denied CAP_DAC_OVERRIDE by the filesystem.
    if entered.is_err() {
        enter_directory(&blueprint.cwd)?;
        program = exec::find(&blueprint.spec.process.args, &environment);
    }
    let program = program?;
    if blueprint.spec.process.no_new_privileges {
        rustix::thread::set_no_new_privs(true).phase("set no_new_privs")?;
    }
    die_with_parent()?;
    signals::reset().phase("reset signals")?;
    fds::close_on_exec_above_stdio().phase("close descriptors")?;

    report.send(&Report::Ready)?;
    if !wait_for_start(&gate)? {
        return Ok(());
    }
    report.send(&Report::Executing)?;
    // Last, so that it hinders nothing of ours but the three calls it has to let through anyway; and while
    // CAP_SYS_ADMIN is still effective, which it takes without no_new_privs.
    if let Some(filter) = &blueprint.seccomp {
        seccomp::install(filter).phase("install seccomp filter")?;
    }
    privileges.settle()?;
    Err(program.execute(&blueprint.spec.process.args, &environment))
}

/// What came with the message that the root filesystem is complete.
struct Go {
    terminal: Option<OwnedFd>,
}

/// `None`: those who were to complete it have failed, and have said why.
fn wait_for_root(wait: &OwnedFd) -> Result<Option<Go>, Failure> {
    let received = fdpass::receive(wait, &mut [0; 1]).phase("wait for root filesystem")?;
    Ok((received.len > 0).then(|| Go { terminal: received.fds.into_iter().next() }))
}

/// `false`: the container is not to be started after all.
fn wait_for_start(gate: &OwnedFd) -> Result<bool, Failure> {
    loop {
        match rustix::io::read(gate, &mut [0; 1]) {
            Ok(len) => return Ok(len > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).phase("wait for the start signal"),
        }
    }
}

/// Takes the root user of the container's user namespace; in the host's, changes nothing but the groups.
fn become_root() -> Result<(), Failure> {
    let phase = "become the container's root";
    rustix::thread::set_thread_groups(&[]).phase(phase)?;
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).phase(phase)?;
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).phase(phase)
}

fn enter_directory(path: &Path) -> Result<(), Failure> {
    rustix::process::chdir(path).map_err(|error| {
        let cause = crate::report::words(&io::Error::from(error));
        let message = format!("chdir to cwd (\"{}\") set in config.json failed: {cause}", path.display());
        let failure =
            Failure { errno: error.raw_os_error(), ..Failure::new("enter working directory", message) };
        failure.code(crate::report::CODE_NOT_EXECUTABLE)
    })
}

/// A hint only: changing users or executing a set-user-ID program clears it.
fn die_with_parent() -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).phase("set parent death signal")
}
