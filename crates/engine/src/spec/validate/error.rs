//! Why a configuration is refused. Texts are Docker's where Docker refuses the same thing: clients show them, and
//! some match on them.

use super::super::caps::CapError;
use super::super::seccomp::SeccompError;
use super::super::signal::SignalError;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum ValidateError {
    #[error(transparent)]
    Capability(#[from] CapError),
    #[error(transparent)]
    Signal(#[from] SignalError),
    #[error(transparent)]
    Seccomp(#[from] SeccompError),

    #[error("No command specified")]
    NoCommand,
    #[error("{0} contains a NUL byte")]
    Nul(&'static str),
    #[error("invalid environment variable: {0}")]
    Environment(String),
    #[error("invalid hostname format: {0}")]
    Hostname(String),
    #[error("invalid domainname format: {0}")]
    Domainname(String),
    #[error("the working directory '{0}' is invalid, it needs to be an absolute path")]
    WorkingDir(String),
    #[error("{field} in Healthcheck cannot be less than 1ms")]
    HealthDuration { field: &'static str },
    #[error("Retries in Healthcheck cannot be negative")]
    HealthRetries,
    #[error("invalid ulimit type: {0}")]
    UlimitName(String),
    #[error("ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}")]
    UlimitOrder { soft: i64, hard: i64 },
    #[error("invalid ulimit value for {name}: {value}")]
    UlimitValue { name: String, value: i64 },

    #[error("Minimum memory limit allowed is 6MB")]
    MemoryTooSmall,
    #[error("Minimum memoryswap limit should be larger than memory limit, see usage")]
    SwapBelowMemory,
    #[error("You should always set the Memory limit when using Memoryswap limit, see usage")]
    SwapWithoutMemory,
    #[error("Invalid value: {0}, valid memory swappiness range is 0-100")]
    Swappiness(i64),
    #[error("Minimum memory reservation allowed is 6MB")]
    ReservationTooSmall,
    #[error("Minimum memory limit can not be less than memory reservation limit, see usage")]
    MemoryBelowReservation,
    #[error("Conflicting options: Nano CPUs and CPU Period cannot both be set")]
    NanoCpusAndPeriod,
    #[error("Conflicting options: Nano CPUs and CPU Quota cannot both be set")]
    NanoCpusAndQuota,
    #[error("range of CPUs is from 0.01 to {0}.00, as there are only {0} CPUs available")]
    NanoCpus(usize),
    #[error("invalid CPU shares ({0}): value must be a positive integer")]
    CpuShares(i64),
    #[error("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")]
    CpuPeriod,
    #[error("CPU cfs quota can not be less than 1ms (i.e. 1000)")]
    CpuQuota,
    #[error("Invalid value {value} for cpuset {kind}: invalid format: {value}")]
    CpusetFormat { kind: &'static str, value: String },
    #[error("Requested {kind} are not available - requested {value}, available: {available}")]
    CpusetRange { kind: &'static str, value: String, available: String },
    #[error("Range of blkio weight is from 10 to 1000")]
    BlkioWeight,
    #[error("SHM size can not be less than 0")]
    ShmSize,
    #[error("Invalid value {0}, range for oom score adj is [-1000, 1000]")]
    OomScoreAdj(i64),

    #[error("invalid IPC mode: {0}")]
    IpcMode(String),
    #[error("invalid PID mode: {0}")]
    PidMode(String),
    #[error("invalid UTS mode: {0}")]
    UtsMode(String),
    #[error("invalid USER mode: {0}")]
    UserMode(String),
    #[error("invalid cgroup namespace mode: {0}")]
    CgroupMode(String),
    #[error("invalid isolation '{0}' on linux")]
    Isolation(String),
    #[error("conflicting options: hostname and the UTS mode")]
    HostnameAndUts,
    #[error("sharing the {kind} namespace of another container ({mode}) is not available yet")]
    Sharing { kind: &'static str, mode: String },

    #[error("invalid --security-opt 1: {0:?}")]
    SecurityOpt1(String),
    #[error("invalid --security-opt 2: {0:?}")]
    SecurityOpt2(String),
    #[error("unknown or invalid runtime name: {0}")]
    Runtime(String),
    #[error("invalid Annotations: the empty string is not permitted as an annotation key")]
    Annotation,
    #[error("sysctl {0:?} is not in a separate kernel namespace")]
    Sysctl(String),
    #[error("sysctl {key:?} is not allowed in the host's {namespace} namespace")]
    SysctlHost { key: String, namespace: &'static str },
    #[error("bad mode specified: {0}")]
    DeviceMode(String),
    #[error("{0:?} is not an absolute path")]
    DevicePath(String),
    #[error("invalid device cgroup rule format: '{0}'")]
    DeviceRule(String),
    #[error("could not select device driver {driver:?} with capabilities: [{capabilities}]")]
    DeviceDriver { driver: String, capabilities: String },
    #[error("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")]
    StorageOpt,

    #[error("can't create 'AutoRemove' container with restart policy")]
    AutoRemove,
    #[error(
        "invalid restart policy: unknown policy '{0}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
    )]
    RestartPolicy(String),
    #[error("invalid restart policy: maximum retry count can only be used with 'on-failure'{}", if *negative { " and cannot be negative" } else { "" })]
    RestartCount { negative: bool },
    #[error("invalid restart policy: maximum retry count cannot be negative")]
    RestartNegative,

    #[error("logger: no log driver named '{0}' is registered")]
    LogDriver(String),
    #[error("unknown log opt '{option}' for {driver} log driver")]
    LogOption { option: String, driver: String },
    #[error("log opt '{option}' for {driver} log driver is not available yet")]
    LogUnavailable { option: String, driver: String },
    #[error("invalid size: '{0}'")]
    LogSize(String),
    #[error("invalid value for {option}: {value}")]
    LogValue { option: &'static str, value: String },
    #[error("logger: logging mode not supported: {0}")]
    LogMode(String),
    #[error("logger: max-buffer-size option is only supported with 'mode=non-blocking'")]
    LogBuffer,

    #[error("invalid port specification: {0:?}")]
    Port(String),
    #[error("bad format for add-host: {0:?}")]
    ExtraHost(String),
    #[error("invalid IP address in add-host: {0:?}")]
    ExtraHostAddress(String),
    #[error("IP address is not correctly formatted: {0}")]
    Dns(String),
    #[error("invalid DNS search domain or option: {0:?}")]
    DnsText(String),

    #[error("invalid mount config for type {kind:?}: {reason}")]
    MountConfig { kind: String, reason: MountReason },
    #[error("invalid volume specification: '{0}'")]
    VolumeSpec(String),
    #[error("invalid volume specification: '{spec}': invalid mount config for type {kind:?}: {reason}")]
    VolumeConfig { spec: String, kind: String, reason: MountReason },
    #[error("invalid mode: {0}")]
    VolumeMode(String),
    #[error(transparent)]
    Tmpfs(MountReason),
    #[error("Duplicate mount point: {0}")]
    DuplicateMount(String),

    #[error("{0} are not available yet")]
    Unavailable(&'static str),
}

/// What is wrong with a mount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum MountReason {
    #[error("field {0} must not be empty")]
    Missing(&'static str),
    #[error("field {0} must not be specified")]
    Extra(&'static str),
    #[error("invalid mount path: '{0}' mount path must be absolute")]
    Relative(String),
    #[error("invalid specification: destination can't be '/'")]
    Root,
    #[error("bind source path does not exist: {0}")]
    NoSource(String),
    #[error("invalid propagation mode: {0}")]
    Propagation(String),
    #[error("mount type unknown")]
    Unknown,
    #[error("invalid tmpfs option {0:?}")]
    TmpfsOption(String),
    #[error("invalid tmpfs size: {0}")]
    TmpfsSize(i64),
    #[error("must not set ReadOnly mode when using anonymous volumes")]
    ReadOnlyAnonymous,
    #[error("path contains a NUL byte")]
    Nul,
}

impl ValidateError {
    /// True where the request makes sense but Berth does not offer it yet.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Sharing { .. } | Self::LogUnavailable { .. })
    }
}
