//! Limits, as the files of control groups.
//!
//! The same limits in two dialects: v1 with a directory per controller, v2 with one. Settings come in an order
//! that is right for a group nobody is in yet: a limit before the limit that contains it on v1 (memory before
//! memory and swap), a period before the quota that is checked against it.

use berth_api_types::container::HostConfig;

use super::oci::{self, DeviceRule, Throttle};

/// The period of `NanoCpus`, in microseconds: the kernel's default.
const PERIOD: u64 = 100_000;

/// A file of a control group and what is written to it.
pub type Setting = (String, String);

/// The limits of a container, settled: no zero that means "none", no −1 that means "unlimited".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Memory and swap in bytes; never less than `memory`. Absent means unlimited swap.
    pub memory_and_swap: Option<u64>,
    /// Memory that is left to the container under pressure, in bytes.
    pub reservation: Option<u64>,
    /// 0–100. v1 only.
    pub swappiness: Option<u8>,
    /// v1 only: a process waits instead of being killed.
    pub oom_kill_disable: bool,
    /// Weight of processor time, 2–262144, 1024 being usual.
    pub cpu_shares: Option<u64>,
    /// Microseconds of processor time in each period.
    pub cpu_quota: Option<u64>,
    /// Microseconds.
    pub cpu_period: Option<u64>,
    /// Processors, as a list of ranges; empty means all.
    pub cpus: String,
    /// Memory nodes, as a list of ranges; empty means all.
    pub mems: String,
    /// Number of processes and threads.
    pub pids: Option<u64>,
    /// Weight of block input and output, 10–1000.
    pub blkio_weight: Option<u16>,
    /// Rates of block devices.
    pub throttles: Throttles,
}

/// Rates of block devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Throttles {
    /// Bytes read per second.
    pub read_bps: Vec<Throttle>,
    /// Bytes written per second.
    pub write_bps: Vec<Throttle>,
    /// Reads per second.
    pub read_iops: Vec<Throttle>,
    /// Writes per second.
    pub write_iops: Vec<Throttle>,
}

fn positive<T>(value: i64) -> Option<T>
where
    T: TryFrom<i64>,
{
    if value > 0 { T::try_from(value).ok() } else { None }
}

impl Limits {
    /// Reads the limits of a validated configuration, but for [`Limits::throttles`], whose devices have to be
    /// looked up.
    pub fn of(host: &HostConfig) -> Self {
        let memory = positive(host.memory);
        let memory_and_swap = match host.memory_swap {
            // Docker's rule: as much swap as memory, unless said otherwise.
            0 => memory.map(|memory: u64| memory.saturating_mul(2)),
            swap => positive(swap),
        };
        let (cpu_quota, cpu_period) = match positive::<u64>(host.nano_cpus) {
            Some(nano) => (Some((nano / 1000).saturating_mul(PERIOD) / 1_000_000), Some(PERIOD)),
            None => (positive(host.cpu_quota), positive(host.cpu_period)),
        };
        Self {
            memory,
            memory_and_swap,
            reservation: positive(host.memory_reservation),
            swappiness: host.memory_swappiness.and_then(|value| u8::try_from(value).ok()),
            oom_kill_disable: host.oom_kill_disable.unwrap_or(false),
            // The kernel takes no less than two and makes zero its default.
            cpu_shares: positive::<u64>(host.cpu_shares).map(|shares| shares.clamp(2, 262_144)),
            // The kernel refuses less than a millisecond; tiny fractions of a CPU get that.
            cpu_quota: cpu_quota.map(|quota| quota.max(1000)),
            cpu_period,
            cpus: host.cpuset_cpus.clone(),
            mems: host.cpuset_mems.clone(),
            pids: host.pids_limit.and_then(positive),
            blkio_weight: Some(host.blkio_weight).filter(|weight| *weight > 0),
            throttles: Throttles::default(),
        }
    }

    /// Files of v1 hierarchies, as (controller, file, value). Device rules become the `devices` controller's.
    pub fn v1(&self, devices: &[DeviceRule]) -> Vec<(&'static str, String, String)> {
        let mut out = Vec::new();
        let mut set = |controller, file: &str, value: String| out.push((controller, file.to_owned(), value));
        // A v1 group starts without processors and nodes and takes no process like that: whoever makes the
        // directory copies the parent's, these then narrow them.
        if !self.cpus.is_empty() {
            set("cpuset", "cpuset.cpus", self.cpus.clone());
        }
        if !self.mems.is_empty() {
            set("cpuset", "cpuset.mems", self.mems.clone());
        }
        if let Some(bytes) = self.memory {
            set("memory", "memory.limit_in_bytes", bytes.to_string());
        }
        if let Some(bytes) = self.memory_and_swap {
            set("memory", "memory.memsw.limit_in_bytes", bytes.to_string());
        }
        if let Some(bytes) = self.reservation {
            set("memory", "memory.soft_limit_in_bytes", bytes.to_string());
        }
        if let Some(percent) = self.swappiness {
            set("memory", "memory.swappiness", percent.to_string());
        }
        if self.oom_kill_disable {
            set("memory", "memory.oom_control", "1".to_owned());
        }
        if let Some(shares) = self.cpu_shares {
            set("cpu", "cpu.shares", shares.to_string());
        }
        if let Some(period) = self.cpu_period {
            set("cpu", "cpu.cfs_period_us", period.to_string());
        }
        if let Some(quota) = self.cpu_quota {
            set("cpu", "cpu.cfs_quota_us", quota.to_string());
        }
        if let Some(pids) = self.pids {
            set("pids", "pids.max", pids.to_string());
        }
        if let Some(weight) = self.blkio_weight {
            set("blkio", "blkio.bfq.weight", weight.to_string());
        }
        for (file, throttles) in [
            ("blkio.throttle.read_bps_device", &self.throttles.read_bps),
            ("blkio.throttle.write_bps_device", &self.throttles.write_bps),
            ("blkio.throttle.read_iops_device", &self.throttles.read_iops),
            ("blkio.throttle.write_iops_device", &self.throttles.write_iops),
        ] {
            for Throttle { major, minor, rate } in throttles {
                set("blkio", file, format!("{major}:{minor} {rate}"));
            }
        }
        for rule in devices {
            let file = if rule.allow { "devices.allow" } else { "devices.deny" };
            set("devices", file, device_rule(rule));
        }
        out
    }

    /// Files of the v2 hierarchy, as (file, value). Device rules are not files there but a BPF program.
    pub fn v2(&self) -> Vec<Setting> {
        let mut out = Vec::new();
        let mut set = |file: &str, value: String| out.push((file.to_owned(), value));
        if !self.cpus.is_empty() {
            set("cpuset.cpus", self.cpus.clone());
        }
        if !self.mems.is_empty() {
            set("cpuset.mems", self.mems.clone());
        }
        if let Some(bytes) = self.reservation {
            set("memory.low", bytes.to_string());
        }
        if let Some(bytes) = self.memory {
            // Swap first: for an instant the group may swap less than it should, never more.
            let swap = self.memory_and_swap.map(|both| both.saturating_sub(bytes));
            set("memory.swap.max", swap.map_or_else(|| "max".to_owned(), |swap| swap.to_string()));
            set("memory.max", bytes.to_string());
        }
        if let Some(shares) = self.cpu_shares {
            set("cpu.weight", cpu_weight(shares).to_string());
        }
        if self.cpu_quota.is_some() || self.cpu_period.is_some() {
            let quota = self.cpu_quota.map_or_else(|| "max".to_owned(), |quota| quota.to_string());
            set("cpu.max", format!("{quota} {}", self.cpu_period.unwrap_or(PERIOD)));
        }
        if let Some(pids) = self.pids {
            set("pids.max", pids.to_string());
        }
        if let Some(weight) = self.blkio_weight {
            set("io.weight", format!("default {}", io_weight(weight)));
        }
        for (key, throttles) in [
            ("rbps", &self.throttles.read_bps),
            ("wbps", &self.throttles.write_bps),
            ("riops", &self.throttles.read_iops),
            ("wiops", &self.throttles.write_iops),
        ] {
            for Throttle { major, minor, rate } in throttles {
                set("io.max", format!("{major}:{minor} {key}={rate}"));
            }
        }
        out
    }

    /// The same for `config.json`.
    pub fn oci(&self, devices: Vec<DeviceRule>) -> oci::Resources {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let memory = oci::Memory {
            limit: self.memory.map(signed),
            reservation: self.reservation.map(signed),
            swap: self.memory.and(Some(self.memory_and_swap.map_or(-1, signed))),
            swappiness: self.swappiness.map(u64::from),
            disable_oom_killer: self.oom_kill_disable.then_some(true),
        };
        let cpu = oci::Cpu {
            shares: self.cpu_shares,
            quota: self.cpu_quota.map(signed),
            period: self.cpu_period,
            cpus: self.cpus.clone(),
            mems: self.mems.clone(),
        };
        let block_io = oci::BlockIo {
            weight: self.blkio_weight,
            throttle_read_bps_device: self.throttles.read_bps.clone(),
            throttle_write_bps_device: self.throttles.write_bps.clone(),
            throttle_read_iops_device: self.throttles.read_iops.clone(),
            throttle_write_iops_device: self.throttles.write_iops.clone(),
        };
        oci::Resources {
            devices,
            memory: Some(memory).filter(|memory| *memory != oci::Memory::default()),
            cpu: Some(cpu).filter(|cpu| *cpu != oci::Cpu::default()),
            pids: self.pids.map(|limit| oci::Pids { limit: signed(limit) }),
            block_io: Some(block_io).filter(|block_io| *block_io != oci::BlockIo::default()),
        }
    }
}

fn device_rule(rule: &DeviceRule) -> String {
    let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
    format!("{} {}:{} {}", rule.kind, number(rule.major), number(rule.minor), rule.access)
}

/// A v2 weight (1–10000) for v1 shares (2–262144), such that both defaults, 1024 and 100, and both ends meet. The
/// curve is the one container runtimes have agreed on; a straight line would make the default weight 39.
fn cpu_weight(shares: u64) -> u64 {
    match shares {
        ..=2 => 1,
        262_144.. => 10_000,
        _ => {
            #[expect(clippy::cast_precision_loss, reason = "at most 18 bits")]
            let log = (shares as f64).log2();
            let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 1 and 10000"
            )]
            let weight = 10f64.powf(exponent).ceil() as u64;
            weight.clamp(1, 10_000)
        }
    }
}

/// A v2 weight (1–10000) for a v1 weight (10–1000).
fn io_weight(weight: u16) -> u64 {
    1 + u64::from(weight.saturating_sub(10)) * 9999 / 990
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i64 = 1 << 20;

    fn limits(change: impl FnOnce(&mut HostConfig)) -> Limits {
        let mut host = HostConfig::default();
        change(&mut host);
        Limits::of(&host)
    }

    fn v2(limits: &Limits) -> String {
        limits.v2().iter().map(|(file, value)| format!("{file}={value};")).collect()
    }

    fn v1(limits: &Limits) -> String {
        limits
            .v1(&[])
            .iter()
            .map(|(controller, file, value)| format!("{controller}/{file}={value};"))
            .collect()
    }

    #[test]
    fn no_limits_are_no_settings() {
        let none = limits(|host| host.pids_limit = Some(-1));
        assert_eq!((v1(&none), v2(&none)), (String::new(), String::new()));
        assert_eq!(serde_json::to_string(&none.oci(Vec::new())).unwrap(), "{}");
    }

    #[test]
    fn swap_is_as_much_as_memory_unless_said_otherwise() {
        let plain = limits(|host| host.memory = 64 * MIB);
        assert_eq!(v2(&plain), "memory.swap.max=67108864;memory.max=67108864;");
        assert_eq!(
            v1(&plain),
            "memory/memory.limit_in_bytes=67108864;memory/memory.memsw.limit_in_bytes=134217728;"
        );
        let none = limits(|host| (host.memory, host.memory_swap) = (64 * MIB, 64 * MIB));
        assert_eq!(v2(&none), "memory.swap.max=0;memory.max=67108864;");
        let unlimited = limits(|host| (host.memory, host.memory_swap) = (64 * MIB, -1));
        assert_eq!(v2(&unlimited), "memory.swap.max=max;memory.max=67108864;");
        assert_eq!(v1(&unlimited), "memory/memory.limit_in_bytes=67108864;");
    }

    #[test]
    fn cpus_become_quota_over_period() {
        let half = limits(|host| host.nano_cpus = 500_000_000);
        assert_eq!(v2(&half), "cpu.max=50000 100000;");
        assert_eq!(v1(&half), "cpu/cpu.cfs_period_us=100000;cpu/cpu.cfs_quota_us=50000;");
        assert_eq!(v2(&limits(|host| host.nano_cpus = 1)), "cpu.max=1000 100000;");
        assert_eq!(v2(&limits(|host| host.cpu_quota = 20_000)), "cpu.max=20000 100000;");
        assert_eq!(v2(&limits(|host| host.cpu_period = 50_000)), "cpu.max=max 50000;");
        assert_eq!(v2(&limits(|host| host.cpu_quota = -1)), "");
    }

    #[test]
    fn shares_become_weights_with_the_defaults_meeting() {
        for (shares, weight) in [(2, 1), (1024, 100), (262_144, 10_000), (512, 59), (2048, 174)] {
            assert_eq!(cpu_weight(shares), weight, "{shares}");
        }
        assert_eq!((io_weight(10), io_weight(500), io_weight(1000)), (1, 4950, 10_000));
        assert_eq!(limits(|host| host.cpu_shares = 1).cpu_shares, Some(2));
    }

    #[test]
    fn the_rest_is_passed_on() {
        let all = limits(|host| {
            host.pids_limit = Some(50);
            host.cpuset_cpus = "0-1".to_owned();
            host.cpuset_mems = "0".to_owned();
            host.memory_reservation = 8 * MIB;
            host.blkio_weight = 100;
        });
        assert_eq!(
            v2(&all),
            "cpuset.cpus=0-1;cpuset.mems=0;memory.low=8388608;pids.max=50;io.weight=default 910;"
        );
    }

    #[test]
    fn device_rules_keep_their_order() {
        let rule = |allow, kind, major, access: &str| DeviceRule {
            allow,
            kind,
            major,
            minor: None,
            access: access.to_owned(),
        };
        let rules = [rule(false, 'a', None, "rwm"), rule(true, 'c', Some(136), "rw")];
        let settings = Limits::default().v1(&rules);
        assert_eq!(settings[0], ("devices", "devices.deny".to_owned(), "a *:* rwm".to_owned()));
        assert_eq!(settings[1], ("devices", "devices.allow".to_owned(), "c 136:* rw".to_owned()));
    }
}
