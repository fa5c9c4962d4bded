//! From the first report to the executed program, or to everything undone.

use std::io;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use berth_linux::process::{self, PidFd};
use berth_shim_proto::{Event, Identity, files};
use rustix::process::{Pid, Signal, WaitOptions};

use super::log::Log;
use super::{Init, Phase, Resident};
use crate::clock;
use crate::report::{self, Failure, Phase as _, Read, Report};

/// How long undoing waits for killed processes.
const PATIENCE: Duration = Duration::from_secs(10);

impl Resident {
    /// Reads whatever was reported. Those who build report before they let the init go on, so their channel is
    /// read to its end before a report of the init is acted upon.
    pub(super) fn read_reports(&mut self) {
        self.read_setup();
        while let Some(channel) = &self.init_reports {
            match report::read(channel) {
                Ok(Read::Report(report, _)) => {
                    self.read_setup();
                    self.take_report(*report, None);
                }
                Ok(Read::Later) => break,
                Ok(Read::Closed) => {
                    self.init_reports = None;
                    self.init_went_on();
                }
                Err(error) => {
                    self.init_reports = None;
                    self.fail(Failure::io("read report", "", &error));
                }
            }
        }
    }

    fn read_setup(&mut self) {
        while let Some(channel) = &self.setup {
            match report::read(channel) {
                // The builders' work was done: a program that ends at once takes the mounter, which is in its
                // PID namespace, down before it gets to its own end.
                Ok(Read::Report(report, _))
                    if self.root.is_some() && matches!(*report, Report::Failed(_)) => {}
                Ok(Read::Report(report, fd)) => self.take_report(*report, fd),
                Ok(Read::Later) => break,
                Ok(Read::Closed) => {
                    self.setup = None;
                    self.check_building();
                }
                Err(error) => {
                    self.setup = None;
                    self.fail(Failure::io("read report", "", &error));
                }
            }
        }
    }

    fn take_report(&mut self, report: Report, fd: Option<std::os::fd::OwnedFd>) {
        match report {
            Report::Plan(plan) => {
                match Log::open(plan.log.clone()) {
                    Ok(log) => self.log = Some(log),
                    Err(error) => self.fail(Failure::io("open log", "", &error)),
                }
                self.plan = Some(plan);
            }
            Report::Born(pid) => self.born(pid),
            Report::Terminal => {
                if let Some(master) = fd {
                    self.streams.use_terminal(master);
                }
            }
            Report::Root => self.root = fd,
            Report::Warning(text) => self.warnings.push(text),
            Report::Failed(failure) => self.fail(failure),
            Report::Executing => self.executing = true,
            Report::Ready => {
                if let Err(failure) = self.created() {
                    self.fail(failure);
                }
            }
        }
    }

    /// The first failure is the cause, the others are its consequences.
    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// The init is our child and not reaped yet, or its end is on record: the PID is its.
    fn born(&mut self, pid: i32) {
        let early = self.ended_early.iter().find(|(ended, _)| *ended == pid).map(|(_, status)| *status);
        if early.is_some() {
            self.ended = early;
            self.check_building();
            return;
        }
        match (PidFd::open(pid), process::start_time(pid)) {
            (Ok(Some(handle)), Ok(Some(start_time))) => {
                self.init = Some(Init { pid, start_time, handle });
                if let Err(failure) = self.publish(pid, start_time) {
                    self.fail(failure);
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                if let Err(failure) = Err::<(), _>(error).phase("open container's init") {
                    self.fail(failure);
                }
            }
            _ => self.fail(Failure::new("open container's init", "it is gone")),
        }
    }

    /// Leaves in the run directory what other daemons need to find the container. Done as soon as the init
    /// exists, while others mount its root filesystem.
    fn publish(&mut self, pid: i32, start_time: u64) -> Result<(), Failure> {
        let phase = "publish container";
        let shim_pid = rustix::process::getpid().as_raw_nonzero().get();
        let identity = Identity {
            id: self.args.id.clone(),
            shim_pid,
            shim_start_time: process::start_time(shim_pid).phase(phase)?.unwrap_or_default(),
            pid,
            start_time,
            boot_id: process::boot_id().phase(phase)?,
        };
        // The current directory is the run directory: its full path may be too long for a socket's name.
        let text = serde_json::to_vec(&identity).phase(phase)?;
        write_whole(files::IDENTITY, &text).phase(phase)?;
        let _ = std::fs::remove_file(files::ROOT);
        symlink(format!("/proc/{pid}/root"), files::ROOT).phase(phase)?;
        let _ = std::fs::remove_file(files::SOCKET);
        let listener = std::os::unix::net::UnixListener::bind(files::SOCKET).phase(phase)?;
        listener.set_nonblocking(true).phase(phase)?;
        self.listener = Some(listener);
        Ok(())
    }

    /// Says that the init waits for the start signal.
    fn created(&mut self) -> Result<(), Failure> {
        let Some(init) = &self.init else {
            return Err(Failure::new("set up container", "its init is not known"));
        };
        self.phase = Phase::Created;
        let warnings = std::mem::take(&mut self.warnings);
        let event = Event::Created { pid: init.pid, start_time: init.start_time, warnings };
        self.announce(&event);
        Ok(())
    }

    /// The init's channel has closed: it executed its program, or it is dying.
    fn init_went_on(&mut self) {
        if self.phase == Phase::Starting && self.executing && self.failure.is_none() {
            self.phase = Phase::Running;
            let at_ns = clock::now();
            self.announce(&Event::Started { at_ns });
        }
    }

    /// Notices ends that nobody reported, while the container is not running.
    pub(super) fn check_building(&mut self) {
        if self.failure.is_some() || self.phase == Phase::Running {
            return;
        }
        if let Some(status) = self.ended {
            // What it had to say is in the channel already.
            self.read_reports();
            if self.phase != Phase::Running {
                self.fail(Failure::new("set up container", format!("its init {}", report::ending(status))));
            }
        } else if self.phase == Phase::Building
            && self.builder.is_none()
            && self.setup.is_none()
            && self.init.is_none()
        {
            self.fail(Failure::new("set up container", "the process doing it ended unexpectedly"));
        }
    }

    /// Undoes everything and says why. The shim's last act.
    pub(super) fn give_up(mut self, failure: Failure) -> i32 {
        if let Some(init) = &self.init {
            let _ = init.handle.signal(Signal::KILL.as_raw());
        }
        if let Some(builder) = self.builder.and_then(Pid::from_raw) {
            // Our child and not reaped, so the PID is its.
            let _ = rustix::process::kill_process(builder, Signal::KILL);
        }
        // Whatever they made meanwhile waits for a word from one of these, and ends with them.
        (self.gate, self.setup, self.init_reports) = (None, None, None);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => std::thread::sleep(Duration::from_micros(200)),
                Err(_) => break,
            }
        }
        self.root = None;
        self.remove_cgroups();
        for name in [files::SOCKET, files::IDENTITY, files::ROOT] {
            let _ = std::fs::remove_file(name);
        }
        let Failure { phase, errno, message, code } = failure;
        self.announce(&Event::Failed { phase, errno, message, code });
        self.say_goodbye();
        1
    }
}

/// Writes a file so that a reader sees all of it or none.
pub(super) fn write_whole(name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = format!("{name}.new");
    std::fs::write(&temporary, content)?;
    std::fs::rename(temporary, name)
}
