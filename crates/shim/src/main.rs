//! `berth-shim`: the supervisor of one container.
//!
//! It is started by `berthd` with a socket as standard input and outlives it. The process forks before it
//! parses anything: the copy ([`setup`]) reads the request, builds the container and ends; what stays
//! ([`resident`]) has a small memory and one loop.

mod args;
mod clock;
mod init;
mod report;
mod resident;
mod setup;

use std::io::Write;
use std::process::ExitCode;

use berth_linux::clone::{Side, fork};
use berth_linux::{fds, signals};
use rustix::pipe::{PipeFlags, pipe_with};

use args::Args;
use report::{Failure, Phase, Reporter};
use resident::Inheritance;
use setup::Ends;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "berth-shim: {message}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match start(args) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        // Nobody is connected yet: the daemon sees the socket close and finds this in the shim's log.
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "berth-shim: {}: {}", failure.phase, failure.message);
            ExitCode::FAILURE
        }
    }
}

fn start(args: Args) -> Result<i32, Failure> {
    // Executed from memory it would be named after a descriptor.
    rustix::thread::set_name(c"berth-shim").phase("set process name")?;
    fds::close_inherited().phase("close inherited descriptors")?;
    let control = fds::take_stdin().phase("take the control socket")?;
    signals::block_all().phase("block signals")?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).phase("become subreaper")?;
    rustix::process::chdir(&args.run_dir)
        .map_err(|error| Failure::io("enter run directory", args.run_dir.display(), &error.into()))?;
    let children = signals::child_events().phase("watch children")?;

    let pipe = || pipe_with(PipeFlags::CLOEXEC).phase("make pipe");
    let (stdin, stdin_ours) = pipe()?;
    let (stdout_ours, stdout) = pipe()?;
    let (stderr_ours, stderr) = pipe()?;
    let (gate, gate_ours) = pipe()?;
    let (setup_reports, setup) = Reporter::channel().phase("make report channel")?;
    let (init_reports, init) = Reporter::channel().phase("make report channel")?;
    match fork().phase("fork builder")? {
        Side::Child => {
            drop((stdin_ours, stdout_ours, stderr_ours, gate_ours, setup, init, children));
            let ends = Ends { stdin, stdout, stderr, gate, report: init_reports };
            setup::run(&args, control, &setup_reports, ends)
        }
        Side::Parent(builder, _) => {
            drop((stdin, stdout, stderr, gate, setup_reports, init_reports));
            // Survives the daemon's terminal and its session. Not before the fork: the scheduler treats a new
            // session as a newcomer among the busy ones, and the builder should not have to queue.
            match rustix::process::setsid() {
                // Started as the leader of a process group: as detached as it can be.
                Ok(_) | Err(rustix::io::Errno::PERM) => {}
                Err(error) => return Err(error).phase("make session"),
            }
            for channel in [&setup, &init] {
                rustix::fs::fcntl_setfl(channel, rustix::fs::OFlags::NONBLOCK)
                    .phase("prepare report channel")?;
            }
            // Out of memory must not hit the one process that knows how the container ended. Only allowed
            // with CAP_SYS_RESOURCE; without, everybody is equal.
            let _ = std::fs::write("/proc/self/oom_score_adj", "-999");
            Ok(resident::run(Inheritance {
                args,
                control,
                setup,
                init,
                gate: gate_ours,
                children,
                builder,
                stdin: stdin_ours,
                stdout: stdout_ours,
                stderr: stderr_ours,
            }))
        }
    }
}
