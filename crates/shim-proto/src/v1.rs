//! Version 1 of the messages. Frozen once released: it only grows by optional fields and new variants.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the daemon asks of a shim. `seq` comes back in the [`Reply`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Chosen by the daemon, unique on its connection.
    pub seq: u64,
    /// The request itself.
    pub request: Request,
}

/// The requests of version 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Request {
    /// Build the container: namespaces, cgroup, root filesystem. Answered by [`Event::Created`] or
    /// [`Event::Failed`] instead of a [`Reply`]. Only on the first connection.
    Launch(Box<Launch>),
    /// Let the built container execute its program. Answered by [`Event::Started`] or [`Event::Failed`].
    Start,
    /// Send a signal to the container's init (through its pidfd).
    Kill {
        /// Signal number, 1–64.
        signal: i32,
    },
    /// SIGKILL every process of the container.
    KillAll,
    /// Set the terminal's size.
    Resize {
        /// Rows.
        height: u16,
        /// Columns.
        width: u16,
    },
    /// Turn this connection into an attach stream (see the crate's documentation).
    Attach(Attach),
    /// Close the container's standard input.
    CloseStdin,
    /// Where things stand; answered [`Reply::State`].
    State,
    /// A request from a later version.
    #[serde(other)]
    Unknown,
}

/// What an attach connection carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// Bytes from the daemon go to the container's standard input.
    #[serde(default)]
    pub stdin: bool,
    /// Standard output is sent.
    #[serde(default)]
    pub stdout: bool,
    /// Standard error is sent.
    #[serde(default)]
    pub stderr: bool,
    /// When the daemon shuts down its sending side, the container's standard input is closed.
    #[serde(default)]
    pub close_stdin_on_eof: bool,
}

/// Everything a shim needs beyond the OCI `config.json` in its bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// Full container ID.
    pub id: String,
    /// How the root filesystem is put together.
    pub rootfs: Rootfs,
    /// `User` of the container configuration as written (`name`, `uid`, `name:group`, `uid:gid`, empty for
    /// root); resolved against the container's own `/etc/passwd` and `/etc/group`. It wins over `process.user`.
    pub user: String,
    /// Groups by name or number beyond those of the user database.
    #[serde(default)]
    pub additional_groups: Vec<String>,
    /// Compiled seccomp filter (`struct sock_filter` array, native endian) to install just before exec.
    #[serde(default)]
    pub seccomp: Option<PathBuf>,
    /// Standard streams.
    pub stdio: Stdio,
    /// Where and how output is logged.
    pub log: Log,
    /// cgroup placement, one entry per hierarchy (one in all on pure v2), directories relative to nothing:
    /// absolute paths on the host. The daemon made their parents; the shim makes and removes these.
    #[serde(default)]
    pub cgroups: Vec<Cgroup>,
}

/// An overlay over unpacked layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rootfs {
    /// The layer store: one idmapped clone of this directory serves `lowers`, `upper` and `work`.
    pub store: PathBuf,
    /// Directory, relative to `store`, that lower directories are named from.
    pub layers: PathBuf,
    /// Lower directories, topmost first, relative to `layers`.
    pub lowers: Vec<PathBuf>,
    /// Upper directory, relative to `layers`.
    pub upper: PathBuf,
    /// Work directory, relative to `layers`.
    pub work: PathBuf,
    /// Mount the root read-only once it is set up.
    #[serde(default)]
    pub readonly: bool,
}

/// The container's standard streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stdio {
    /// Allocate a pseudo-terminal; standard error is then part of standard output.
    pub tty: bool,
    /// Keep standard input open (else it is `/dev/null`, or the terminal).
    pub open_stdin: bool,
    /// Initial terminal size, rows and columns.
    #[serde(default)]
    pub size: Option<(u16, u16)>,
}

/// Log settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "driver", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Log {
    /// Docker's `json-file` format; rotated files get `.1`, `.2`, … with the newest first.
    JsonFile {
        /// The current file.
        path: PathBuf,
        /// Rotate beyond this many bytes; `None`: never.
        max_size: Option<u64>,
        /// Files kept in all, at least 1.
        max_file: u32,
        /// JSON object for the `attrs` member of each line (labels, env, tag), if any.
        #[serde(default)]
        attrs: Option<serde_json::Map<String, serde_json::Value>>,
    },
    /// Nothing is kept.
    None,
}

/// One cgroup directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// Absolute path of the container's directory in this hierarchy.
    pub path: PathBuf,
    /// True on the unified (v2) hierarchy.
    pub v2: bool,
    /// Files to write before the first process enters, in order: (file name, value).
    #[serde(default)]
    pub settings: Vec<(String, String)>,
}

/// What a shim says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    /// The answer to a [`Call`].
    Reply {
        /// The call's `seq`.
        seq: u64,
        /// The answer.
        reply: Reply,
    },
    /// Something happened.
    Event {
        /// What.
        event: Event,
    },
}

/// Answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// Done.
    Done,
    /// Refused or failed.
    Error {
        /// What was being done.
        phase: String,
        /// `errno`, 0 where there is none.
        errno: i32,
        /// The cause in words.
        message: String,
    },
    /// The shim is older than the request.
    Unsupported,
    /// Answer to [`Request::State`].
    State(State),
    /// An answer from a later version.
    #[serde(other)]
    Unknown,
}

/// What the shim knows of its container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Host PID of the container's init, once created.
    pub pid: Option<i32>,
    /// True once the program was executed.
    pub started: bool,
    /// Set once it ended.
    #[serde(default)]
    pub exit: Option<Exit>,
}

/// Happenings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The container is built and waits for [`Request::Start`].
    Created {
        /// Host PID of its init.
        pid: i32,
        /// Start time of that process in clock ticks since boot (`/proc/PID/stat`, field 22): with the boot
        /// ID it names the process for good.
        start_time: u64,
        /// Set-up that could not be done as asked, in words (an rlimit beyond the hard limit, say).
        #[serde(default)]
        warnings: Vec<String>,
    },
    /// The program was executed.
    Started {
        /// Wall-clock time, nanoseconds since the epoch.
        at_ns: i64,
    },
    /// Set-up failed; everything was undone and the shim ends.
    Failed {
        /// What was being done, for example `mount overlay`.
        phase: String,
        /// `errno`, 0 where there is none.
        errno: i32,
        /// The cause in words.
        message: String,
        /// Which of Docker's exit codes this is: 126 cannot be executed, 127 not found, 128 anything else.
        code: i32,
    },
    /// The container ended; its record is on disk and its output in the log.
    Exited(Exit),
    /// News from a later version.
    #[serde(other)]
    Unknown,
}

/// How a container ended. Also the content of `exit.json` in the run directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code; 128 + signal for a death by signal.
    pub code: i32,
    /// The signal it died of, if any.
    #[serde(default)]
    pub signal: Option<i32>,
    /// Wall-clock time, nanoseconds since the epoch.
    pub at_ns: i64,
    /// The kernel's out-of-memory killer took a process of this container because of its own limit.
    #[serde(default)]
    pub oom_killed: bool,
}

/// File names in a shim's run directory (`--run-dir`).
pub mod files {
    /// Listening socket for reconnecting daemons and attach connections.
    pub const SOCKET: &str = "shim.sock";
    /// The [`Exit`](super::Exit) record, renamed into place before the exit is announced.
    pub const EXIT: &str = "exit.json";
    /// What the daemon needs to find the shim again: JSON [`Identity`](super::Identity).
    pub const IDENTITY: &str = "shim.json";
    /// Symbolic link to the container's root, `/proc/PID/root`.
    pub const ROOT: &str = "root";
}

/// Who a shim and its container's init are; written by the shim once the container is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Full container ID.
    pub id: String,
    /// The shim's PID.
    pub shim_pid: i32,
    /// The shim's start time (`/proc/PID/stat`, field 22).
    pub shim_start_time: u64,
    /// Host PID of the container's init.
    pub pid: i32,
    /// Its start time.
    pub start_time: u64,
    /// `/proc/sys/kernel/random/boot_id` without the newline.
    pub boot_id: String,
}
