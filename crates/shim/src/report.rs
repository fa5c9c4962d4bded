//! What the short-lived processes that build a container tell the resident one.
//!
//! The channel is a seqpacket socket: one message, one report, descriptors travel along.

use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use berth_linux::fdpass;
use berth_shim_proto::{Launch, Stdio};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::WaitStatus;
use serde::{Deserialize, Serialize};

/// One report.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// The launch request was read and understood. First, and before anything was made.
    Plan(Plan),
    /// The container's init exists.
    Born(i32),
    /// A terminal was allocated; its master comes along.
    Terminal,
    /// The root filesystem is complete; a descriptor of it comes along. The last word of those who build.
    Root,
    /// Something could not be done as asked, in words.
    Warning(String),
    /// The container's init waits for the start signal.
    Ready,
    /// The container's init is about to execute its program. If the channel then closes without another word,
    /// it did.
    Executing,
    /// Set-up failed.
    Failed(Failure),
}

/// What the resident process needs of a launch request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Standard streams.
    pub stdio: Stdio,
    /// Log settings.
    pub log: LogPlan,
    /// Directories of the container's cgroups, and whether each is in the version 2 tree.
    pub cgroups: Vec<(PathBuf, bool)>,
    /// The container has a PID namespace of its own, in which everything dies with its init.
    pub own_pids: bool,
}

/// Log settings, with the attributes already as JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogPlan {
    /// Docker's `json-file` format.
    JsonFile {
        /// The current file.
        path: PathBuf,
        /// Rotate beyond this many bytes.
        max_size: Option<u64>,
        /// Files kept in all.
        max_file: u32,
        /// JSON object for the `attrs` member.
        attrs: Option<String>,
    },
    /// Nothing is kept.
    None,
}

impl Plan {
    /// The part of `launch` that outlives set-up.
    pub fn new(launch: &Launch, own_pids: bool) -> Result<Plan, Failure> {
        let log = match &launch.log {
            berth_shim_proto::Log::JsonFile { path, max_size, max_file, attrs } => LogPlan::JsonFile {
                path: path.clone(),
                max_size: *max_size,
                max_file: *max_file,
                attrs: match attrs {
                    Some(attrs) if !attrs.is_empty() => {
                        Some(serde_json::to_string(attrs).phase("read log attributes")?)
                    }
                    _ => None,
                },
            },
            berth_shim_proto::Log::None => LogPlan::None,
            other => return Err(Failure::new("open log", format!("unsupported log driver: {other:?}"))),
        };
        let cgroups = launch.cgroups.iter().map(|cgroup| (cgroup.path.clone(), cgroup.v2)).collect();
        Ok(Plan { stdio: launch.stdio, log, cgroups, own_pids })
    }
}

/// Why a container could not be built, as the daemon will hear it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What was being done.
    pub phase: String,
    /// `errno`, 0 where there is none.
    pub errno: i32,
    /// The cause in words.
    pub message: String,
    /// Docker's exit code for it.
    pub code: i32,
}

/// Exit code of a container that could not be built.
const CODE_FAILED: i32 = 128;
/// Exit code of a program that cannot be executed.
pub const CODE_NOT_EXECUTABLE: i32 = 126;
/// Exit code of a program that does not exist.
pub const CODE_NOT_FOUND: i32 = 127;

impl Failure {
    /// A failure that no system call reported.
    pub fn new(phase: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure { phase: phase.into(), errno: 0, message: message.into(), code: CODE_FAILED }
    }

    /// A failed system call; `what` says on what, and may be empty.
    pub fn io(phase: impl Into<String>, what: impl Display, error: &io::Error) -> Failure {
        let what = what.to_string();
        let cause = words(error);
        let message = if what.is_empty() { cause } else { format!("{what}: {cause}") };
        Failure {
            phase: phase.into(),
            errno: berth_linux::mount::errno_of(error),
            message,
            code: CODE_FAILED,
        }
    }

    /// The same with another exit code.
    #[must_use]
    pub fn code(mut self, code: i32) -> Failure {
        self.code = code;
        self
    }
}

/// An error as C and Go programs print it: lower case, without Rust's mention of the number.
pub fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = match text.split_once(" (os error ") {
        Some((before, rest)) => {
            let after = rest.split_once(')').map_or("", |(_, after)| after);
            format!("{before}{after}")
        }
        None => text,
    };
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => text,
    }
}

/// How a process ended.
pub fn ending(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (_, Some(signal)) => format!("was killed by signal {signal}"),
        (Some(code), _) => format!("ended with code {code}"),
        _ => "ended".to_owned(),
    }
}

/// Turns errors into failures of a phase.
pub trait Phase<T> {
    /// Names what was being done.
    fn phase(self, phase: &str) -> Result<T, Failure>;
}

impl<T, E: Into<Cause>> Phase<T> for Result<T, E> {
    fn phase(self, phase: &str) -> Result<T, Failure> {
        self.map_err(|error| {
            let Cause { errno, message } = error.into();
            Failure { phase: phase.to_owned(), errno, message, code: CODE_FAILED }
        })
    }
}

/// The parts of a failure that an error itself knows.
pub struct Cause {
    errno: i32,
    message: String,
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Cause {
        Cause { errno: berth_linux::mount::errno_of(&error), message: words(&error) }
    }
}

impl From<rustix::io::Errno> for Cause {
    fn from(error: rustix::io::Errno) -> Cause {
        io::Error::from(error).into()
    }
}

impl From<berth_linux::Error> for Cause {
    fn from(error: berth_linux::Error) -> Cause {
        let errno = error.errno();
        let text = error.to_string();
        let message = text.split_once(" (os error ").map_or(text.as_str(), |(before, _)| before).to_owned();
        Cause { errno, message }
    }
}

impl From<serde_json::Error> for Cause {
    fn from(error: serde_json::Error) -> Cause {
        Cause { errno: 0, message: error.to_string() }
    }
}

impl From<berth_shim_proto::frame::FrameError> for Cause {
    fn from(error: berth_shim_proto::frame::FrameError) -> Cause {
        Cause { errno: 0, message: error.to_string() }
    }
}

/// The sending end.
#[derive(Debug)]
pub struct Reporter {
    socket: OwnedFd,
}

impl Reporter {
    /// A new channel: the end that reports, and the end that is read.
    pub fn channel() -> io::Result<(Reporter, OwnedFd)> {
        let (socket, reader) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Reporter { socket }, reader))
    }

    /// Sends a report.
    pub fn send(&self, report: &Report) -> Result<(), Failure> {
        self.send_with(report, &[])
    }

    /// Sends a report with descriptors.
    pub fn send_with(&self, report: &Report, fds: &[BorrowedFd<'_>]) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(report).phase("encode report")?;
        fdpass::send(&self.socket, &bytes, fds).phase("report to supervisor")?;
        Ok(())
    }

    /// Sends a warning.
    pub fn warn(&self, text: impl Into<String>) -> Result<(), Failure> {
        self.send(&Report::Warning(text.into()))
    }

    /// Sends a failure. There is nobody else to tell when that fails too: the resident process notices the
    /// end of this one.
    pub fn fail(&self, failure: Failure) {
        let _ = self.send(&Report::Failed(failure));
    }
}

/// What reading a channel gave.
#[derive(Debug)]
pub enum Read {
    /// A report and the descriptor that came with it.
    Report(Box<Report>, Option<OwnedFd>),
    /// Nothing at the moment.
    Later,
    /// Every sender is gone.
    Closed,
}

/// Reads one report, without waiting if the socket is non-blocking.
pub fn read(channel: impl AsFd) -> io::Result<Read> {
    let received = fdpass::next_len(&channel).and_then(|len| {
        // Exactly as much as is needed: the resident process keeps what its allocator once got.
        let mut buffer = vec![0; len];
        let received = fdpass::receive(&channel, &mut buffer)?;
        Ok((buffer, received.fds))
    });
    match received {
        Ok((buffer, _)) if buffer.is_empty() => Ok(Read::Closed),
        Ok((buffer, fds)) => {
            let report = serde_json::from_slice(&buffer)?;
            Ok(Read::Report(Box::new(report), fds.into_iter().next()))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Later),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_like_those_of_other_programs() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(words(&error), "no such file or directory");
        let failure = Failure::io("mount overlay", "/x", &error);
        assert_eq!((failure.errno, failure.message.as_str()), (2, "/x: no such file or directory"));
    }

    #[test]
    fn a_channel_delivers_reports_in_order_and_then_its_end() {
        let (sender, reader) = Reporter::channel().unwrap();
        sender.warn("first").unwrap();
        sender.send_with(&Report::Terminal, &[reader.as_fd()]).unwrap();
        drop(sender);
        assert!(matches!(read(&reader).unwrap(), Read::Report(r, None) if matches!(&*r, Report::Warning(_))));
        assert!(
            matches!(read(&reader).unwrap(), Read::Report(r, Some(_)) if matches!(&*r, Report::Terminal))
        );
        assert!(matches!(read(&reader).unwrap(), Read::Closed));
    }
}
