//! What every container gets unless it asks for something else.

use std::path::Path;

/// Size of `/dev/shm` in bytes.
pub const SHM_SIZE: i64 = 64 << 20;

/// `PATH` where neither client nor image sets one.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Paths of `/proc` and `/sys` that tell too much about the host or its other tenants.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Paths of `/proc` through which the host could be changed.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The paths that are hidden, with each processor's throttling counters (a side channel between containers).
pub fn masked_paths() -> Vec<String> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let throttle = (0..cpus)
        .map(|cpu| format!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle"))
        .filter(|path| Path::new(path).exists());
    MASKED.iter().map(|path| (*path).to_owned()).chain(throttle).collect()
}

/// The paths that are made read-only.
pub fn readonly_paths() -> Vec<String> {
    READ_ONLY.iter().map(|path| (*path).to_owned()).collect()
}
