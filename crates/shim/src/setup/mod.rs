//! Building a container, in processes that end when it is built.
//!
//! ```text
//! resident ─┬─ builder (this module): reads the request, maps IDs, waits for the mounter
//!           │     └─ mounter (`mounter`): host credentials, the container's namespaces; makes the root
//!           ├─ spawner (`spawn`): enters the cgroups, clones the init, ends
//!           └─ init (`crate::init`): becomes the container's program
//! ```
//! The resident process is the parent of spawner and init (`CLONE_PARENT`), so it alone reaps the init. All
//! of them report over the channel of [`crate::report`]; whatever fails, the resident process undoes it.

mod cgroups;
mod devices;
mod limits;
mod masks;
mod mounter;
mod mounts;
mod namespaces;
mod options;
pub mod paths;
mod rootfs;
mod spawn;
pub mod spec;
mod sysctl;

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use berth_linux::clone::{Side, exit_now, flags, fork};
use berth_linux::idmap::{self, Extent};
use berth_shim_proto::{Call, Hello, Launch, Request, frame};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions};

use crate::args::Args;
use crate::report::{Failure, Phase, Plan, Report, Reporter};
pub use limits::apply as apply_limits;
use namespaces::Namespaces;
use spawn::Init;
use spec::Spec;

/// The container's ends of what the resident process holds.
#[derive(Debug)]
pub struct Ends {
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
    /// A byte arrives when the program may be executed.
    pub gate: OwnedFd,
    /// The channel that only the init keeps: its end means that the program was executed.
    pub report: Reporter,
}

/// Everything known about the container to build; each process of the set-up has its own copy.
#[derive(Debug)]
pub struct Blueprint {
    /// The daemon's request.
    pub launch: Launch,
    /// The bundle's specification.
    pub spec: Spec,
    /// Namespaces to make and to join.
    namespaces: Namespaces,
    /// User map; empty without a user namespace.
    uids: Vec<Extent>,
    /// Group map; empty without a user namespace.
    gids: Vec<Extent>,
    /// Compiled seccomp filter.
    pub seccomp: Option<Vec<u8>>,
    /// Directory the program starts in.
    pub cwd: PathBuf,
}

impl Blueprint {
    /// Whether the init has to make its cgroup namespace itself, once it is in its cgroups.
    pub fn new_cgroup_namespace(&self) -> bool {
        self.namespaces.is_new(flags::NEWCGROUP)
    }

    fn read(launch: Launch, args: &Args) -> Result<Blueprint, Failure> {
        if launch.id != args.id {
            return Err(Failure::new("read launch request", format!("it is for container {}", launch.id)));
        }
        let spec = Spec::read(&args.bundle)?;
        let namespaces = Namespaces::new(&spec.linux.namespaces)?;
        let (uids, gids) = spec.maps();
        let seccomp = match &launch.seccomp {
            Some(path) => Some(
                std::fs::read(path)
                    .map_err(|error| Failure::io("read seccomp filter", path.display(), &error))?,
            ),
            None => None,
        };
        let cwd = if spec.process.cwd.as_os_str().is_empty() { "/".into() } else { spec.process.cwd.clone() };
        Ok(Blueprint { launch, spec, namespaces, uids, gids, seccomp, cwd })
    }

    /// Host user and group of the container's root.
    fn mapped_root(&self) -> Result<(u32, u32), Failure> {
        if self.uids.is_empty() && self.gids.is_empty() {
            return Ok((0, 0));
        }
        match (idmap::to_host(&self.uids, 0), idmap::to_host(&self.gids, 0)) {
            (Some(uid), Some(gid)) => Ok((uid, gid)),
            _ => Err(Failure::new("read ID maps", "user 0 or group 0 of the container is not mapped")),
        }
    }
}

/// The builder: never returns into the resident process's code.
pub fn run(args: &Args, control: OwnedFd, report: &Reporter, ends: Ends) -> ! {
    let code = match build(args, control, report, ends) {
        Ok(()) => 0,
        Err(failure) => {
            report.fail(failure);
            1
        }
    };
    exit_now(code)
}

fn build(args: &Args, control: OwnedFd, report: &Reporter, ends: Ends) -> Result<(), Failure> {
    die_with_parent()?;
    // Also for everything copied from here: another container whose namespaces are shared must not trace it.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).phase("protect process memory")?;
    let launch = receive(control)?;
    let blueprint = Blueprint::read(launch, args)?;
    let own_pids = blueprint.namespaces.is_new(flags::NEWPID);
    report.send(&Report::Plan(Plan::new(&blueprint.launch, own_pids)?))?;

    let streams = [&ends.stdin, &ends.stdout, &ends.stderr].map(|fd| fd.try_clone());
    let init = spawn::spawn(&blueprint, report, ends)?;
    report.send(&Report::Born(init.pid))?;
    let completed = complete(&blueprint, &init, streams, report);
    if let Err(failure) = &completed {
        // Said before the init is let go of: its end must not look like the cause.
        report.fail(failure.clone());
    }
    completed
}

/// Everything that takes the host's privileges, for an init that exists and waits.
fn complete(
    blueprint: &Blueprint,
    init: &Init,
    streams: [std::io::Result<OwnedFd>; 3],
    report: &Reporter,
) -> Result<(), Failure> {
    let new_user = blueprint.namespaces.is_new(flags::NEWUSER);
    if new_user {
        idmap::write(init.pid, &blueprint.uids, &blueprint.gids).phase("map user namespace")?;
    }
    let (uid, gid) = blueprint.mapped_root()?;
    for stream in streams {
        // Else only the host's root could open /dev/stdout again, and the container's root not even pass it on.
        let stream = stream.phase("duplicate stream")?;
        rustix::fs::fchown(
            stream,
            Some(rustix::fs::Uid::from_raw(uid)),
            Some(rustix::fs::Gid::from_raw(gid)),
        )
        .phase("give streams to the container's user")?;
    }
    cgroups::write_late(&blueprint.launch.cgroups)?;
    limits::raise(blueprint, init.pid, report)?;
    if blueprint.namespaces.own_or_joined(flags::NEWPID) {
        // Takes effect for children: the mounter has to be in the container's PID namespace to mount its proc.
        let kind = rustix::thread::ThreadNameSpaceType::PROCESS_ID;
        rustix::thread::move_into_thread_name_spaces(init.pidfd.as_fd(), kind)
            .phase("enter PID namespace")?;
    }
    match fork().phase("fork mounter")? {
        Side::Child => mounter::run(blueprint, init, report),
        Side::Parent(pid, _) => wait_for(pid),
    }
}

/// Reads the first two frames and not a byte more: the rest is for the resident process.
fn receive(control: OwnedFd) -> Result<Launch, Failure> {
    let phase = "read launch request";
    let mut control = std::os::unix::net::UnixStream::from(control);
    let hello: Hello = frame::read(&control).phase(phase)?;
    frame::write(&mut control, &Hello::OURS).phase("greet the daemon")?;
    if Hello::OURS.agree(hello).is_none() {
        let message =
            format!("daemon speaks versions {} to {}, this shim {:?}", hello.min, hello.max, Hello::OURS);
        return Err(Failure::new(phase, message));
    }
    let call: Call = frame::read(&control).phase(phase)?;
    match call.request {
        Request::Launch(launch) => Ok(*launch),
        other => Err(Failure::new(phase, format!("the first request is not Launch but {other:?}"))),
    }
}

fn wait_for(pid: i32) -> Result<(), Failure> {
    loop {
        match rustix::process::waitpid(Pid::from_raw(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) if status.exit_status() == Some(0) => return Ok(()),
            // Where it has reported why, this comes second and is not heard.
            Ok(Some((_, status))) => {
                let message = format!("the process doing it {}", crate::report::ending(status));
                return Err(Failure::new("set up root filesystem", message));
            }
            Ok(None) => {}
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).phase("wait for mounter"),
        }
    }
}

/// Asks for SIGKILL when the parent ends; the parent is the resident process or one that has it as parent.
fn die_with_parent() -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).phase("set parent death signal")
}
