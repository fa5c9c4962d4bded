//! The shape of a container's row.

/// Where a container is in its life, as the API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub enum Status {
    /// Made and never started.
    Created,
    /// Its process runs.
    Running,
    /// Its process exists and is frozen.
    Paused,
    /// It has exited and its restart policy will start it again.
    Restarting,
    /// Its parts are being taken away.
    Removing,
    /// Its process has ended.
    Exited,
    /// Its removal failed half-way.
    Dead,
}

impl Status {
    /// The API's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Restarting => "restarting",
            Status::Removing => "removing",
            Status::Exited => "exited",
            Status::Dead => "dead",
        }
    }
}

/// What the user wants of a container; restart policies act on the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub enum Desired {
    /// It was started and not stopped.
    Running,
    /// It was never started, or was stopped on request.
    Stopped,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerRow {
    /// 64 hex digits.
    pub id: String,
    /// Without a leading slash; unique.
    pub name: String,
    /// `sha256:…` of the image it was made from, which may be gone.
    pub image_id: String,
    /// The image as the client named it.
    pub image_ref: String,
    /// When it was made.
    pub created_ns: i64,
    /// The engine's document, JSON.
    pub spec: String,
    /// Where it is in its life.
    pub status: Status,
    /// Where the user wants it to be.
    pub desired: Desired,
    /// Host PID of its main process. This, `start_time` and `boot_id` are set together and identify the process.
    pub pid: Option<i32>,
    /// When the process started, in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_time: Option<i64>,
    /// `/proc/sys/kernel/random/boot_id` at that time.
    pub boot_id: Option<String>,
    /// Host PID of its shim.
    pub shim_pid: Option<i32>,
    /// When the shim started, in clock ticks since boot.
    pub shim_start_time: Option<i64>,
    /// When it last started, 0 = never.
    pub started_ns: i64,
    /// When it last ended, 0 = never.
    pub finished_ns: i64,
    /// How it last ended (128 + signal for a signal), 0 before.
    pub exit_code: i32,
    /// Why the last start or run failed, empty if it did not.
    pub error: String,
    /// Whether the kernel killed it for want of memory.
    pub oom_killed: bool,
    /// Starts by the restart policy.
    pub restart_count: u32,
    /// Whether it was stopped on request.
    pub manually_stopped: bool,
    /// Whether it is removed when it ends.
    pub auto_remove: bool,
}

impl ContainerRow {
    /// A container that was just made and never started.
    pub fn new(
        id: String,
        name: String,
        image_id: String,
        image_ref: String,
        created_ns: i64,
        spec: String,
    ) -> Self {
        ContainerRow {
            id,
            name,
            image_id,
            image_ref,
            created_ns,
            spec,
            status: Status::Created,
            desired: Desired::Stopped,
            pid: None,
            start_time: None,
            boot_id: None,
            shim_pid: None,
            shim_start_time: None,
            started_ns: 0,
            finished_ns: 0,
            exit_code: 0,
            error: String::new(),
            oom_killed: false,
            restart_count: 0,
            manually_stopped: false,
            auto_remove: false,
        }
    }
}

/// A process that has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Host PID of the container's main process.
    pub pid: i32,
    /// Its start time, in clock ticks since boot.
    pub start_time: i64,
    /// The boot in which it started.
    pub boot_id: String,
    /// Host PID of its shim.
    pub shim_pid: i32,
    /// The shim's start time, in clock ticks since boot.
    pub shim_start_time: i64,
    /// When it started.
    pub started_ns: i64,
}

/// A process that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// What the container is now: `exited`, `restarting`, `removing` or `dead`.
    pub status: Status,
    /// When it ended.
    pub finished_ns: i64,
    /// Exit code, 128 + signal for a signal.
    pub exit_code: i32,
    /// What went wrong around it (its shim died), empty if nothing.
    pub error: String,
    /// Whether the kernel killed it for want of memory.
    pub oom_killed: bool,
}
