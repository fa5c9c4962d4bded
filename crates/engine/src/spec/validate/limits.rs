//! Memory, processors, block input and output.

use berth_api_types::container::HostConfig;

use super::super::host::{HostFacts, parse_list};
use super::ValidateError;

/// 6 MiB: less would not even start a process.
const MIN_MEMORY: i64 = 6 << 20;

/// Checks limits and drops, with a warning each, those the kernel cannot keep.
pub(super) fn check(
    host: &mut HostConfig,
    facts: &HostFacts,
    warnings: &mut Vec<String>,
) -> Result<(), ValidateError> {
    memory(host, facts, warnings)?;
    cpu(host, facts, warnings)?;
    cpuset("CPUs", "cpus", &host.cpuset_cpus, &facts.cpus)?;
    cpuset("memory nodes", "mems", &host.cpuset_mems, &facts.mems)?;
    let pinned = !host.cpuset_cpus.is_empty() || !host.cpuset_mems.is_empty();
    if pinned && !facts.has("cpuset") {
        warnings.push(missing("cpuset", "CPU set"));
        host.cpuset_cpus.clear();
        host.cpuset_mems.clear();
    }
    if host.pids_limit.is_some_and(|limit| limit <= 0) {
        // Docker's word for "unlimited"; inspect shows null.
        host.pids_limit = None;
    }
    if host.pids_limit.is_some() && !facts.has("pids") {
        warnings.push(missing("PIDs limit", "PIDs limit"));
        host.pids_limit = None;
    }
    if host.blkio_weight != 0 && !(10..=1000).contains(&host.blkio_weight) {
        return Err(ValidateError::BlkioWeight);
    }
    if host.blkio_weight != 0 && !facts.blkio_weight {
        warnings.push(
            "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded."
                .to_owned(),
        );
        host.blkio_weight = 0;
    }
    if host.blkio_weight_device.as_ref().is_some_and(|list| !list.is_empty()) {
        warnings.push(
            "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded."
                .to_owned(),
        );
        host.blkio_weight_device = None;
    }
    let throttles = [
        &mut host.blkio_device_read_bps,
        &mut host.blkio_device_write_bps,
        &mut host.blkio_device_read_i_ops,
        &mut host.blkio_device_write_i_ops,
    ];
    for list in throttles {
        if !facts.has("blkio") && list.as_ref().is_some_and(|list| !list.is_empty()) {
            warnings.push(missing("Block I/O throttling", "Block I/O limit"));
            *list = None;
        }
    }
    if host.shm_size < 0 {
        return Err(ValidateError::ShmSize);
    }
    if !(-1000..=1000).contains(&host.oom_score_adj) {
        return Err(ValidateError::OomScoreAdj(host.oom_score_adj));
    }
    Ok(())
}

fn missing(what: &str, limit: &str) -> String {
    format!(
        "Your kernel does not support {what} capabilities or the cgroup is not mounted. {limit} discarded."
    )
}

fn memory(host: &mut HostConfig, facts: &HostFacts, warnings: &mut Vec<String>) -> Result<(), ValidateError> {
    if host.memory_swappiness == Some(-1) {
        // Old clients' way to leave it alone.
        host.memory_swappiness = None;
    }
    if host.memory != 0 && host.memory < MIN_MEMORY {
        return Err(ValidateError::MemoryTooSmall);
    }
    if host.memory_swap < -1 || (host.memory > 0 && host.memory_swap > 0 && host.memory_swap < host.memory) {
        return Err(ValidateError::SwapBelowMemory);
    }
    if host.memory == 0 && host.memory_swap > 0 {
        return Err(ValidateError::SwapWithoutMemory);
    }
    if let Some(value) = host.memory_swappiness
        && !(0..=100).contains(&value)
    {
        return Err(ValidateError::Swappiness(value));
    }
    if host.memory_reservation != 0 && host.memory_reservation < MIN_MEMORY {
        return Err(ValidateError::ReservationTooSmall);
    }
    if host.memory > 0 && host.memory < host.memory_reservation {
        return Err(ValidateError::MemoryBelowReservation);
    }
    if !facts.has("memory") && (host.memory > 0 || host.memory_reservation > 0) {
        warnings.push(missing("memory limit", "Limitation"));
        (host.memory, host.memory_swap, host.memory_reservation) = (0, 0, 0);
    }
    if host.memory > 0 && host.memory_swap != -1 && !facts.swap_limit {
        warnings.push(
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."
                .to_owned(),
        );
        host.memory_swap = -1;
    }
    if host.memory > 0 && host.memory_swap == 0 {
        host.memory_swap = host.memory.saturating_mul(2);
    }
    let v1 = facts.cgroup == super::super::host::CgroupVersion::V1;
    if host.memory_swappiness.is_some() && !v1 {
        warnings.push(
            "Your kernel does not support memory swappiness capabilities, or the cgroup is not mounted. Memory swappiness discarded."
                .to_owned(),
        );
        host.memory_swappiness = None;
    }
    if let Some(disable) = host.oom_kill_disable {
        if disable && !v1 {
            warnings
                .push("Your kernel does not support OomKillDisable. OomKillDisable discarded.".to_owned());
        } else if disable && host.memory == 0 {
            warnings.push(
                "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources."
                    .to_owned(),
            );
        }
        if !v1 {
            host.oom_kill_disable = None;
        }
    }
    if host.kernel_memory != 0 || host.kernel_memory_tcp != 0 {
        warnings.push("Kernel memory limits are not supported. Limitation discarded.".to_owned());
        (host.kernel_memory, host.kernel_memory_tcp) = (0, 0);
    }
    Ok(())
}

fn cpu(host: &mut HostConfig, facts: &HostFacts, warnings: &mut Vec<String>) -> Result<(), ValidateError> {
    if host.nano_cpus > 0 && host.cpu_period > 0 {
        return Err(ValidateError::NanoCpusAndPeriod);
    }
    if host.nano_cpus > 0 && host.cpu_quota > 0 {
        return Err(ValidateError::NanoCpusAndQuota);
    }
    let count = facts.cpu_count();
    let most = i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    if !(0..=most).contains(&host.nano_cpus) {
        return Err(ValidateError::NanoCpus(count));
    }
    if host.cpu_shares < 0 {
        return Err(ValidateError::CpuShares(host.cpu_shares));
    }
    if host.cpu_period != 0 && !(1000..=1_000_000).contains(&host.cpu_period) {
        return Err(ValidateError::CpuPeriod);
    }
    if host.cpu_quota < -1 || (1..1000).contains(&host.cpu_quota) {
        return Err(ValidateError::CpuQuota);
    }
    if host.cpu_realtime_period != 0 || host.cpu_realtime_runtime != 0 {
        warnings.push(
            "Your kernel does not support CPU real-time scheduler. Real-time limits discarded.".to_owned(),
        );
        (host.cpu_realtime_period, host.cpu_realtime_runtime) = (0, 0);
    }
    let limited = host.cpu_shares > 0 || host.cpu_period > 0 || host.cpu_quota > 0 || host.nano_cpus > 0;
    if limited && !facts.has("cpu") {
        warnings.push(missing("CPU cfs", "CPU limits"));
        (host.cpu_shares, host.cpu_period, host.cpu_quota, host.nano_cpus) = (0, 0, 0, 0);
    }
    Ok(())
}

fn cpuset(
    words: &'static str,
    kind: &'static str,
    value: &str,
    available: &str,
) -> Result<(), ValidateError> {
    if value.is_empty() {
        return Ok(());
    }
    let Some(wanted) = parse_list(value) else {
        return Err(ValidateError::CpusetFormat { kind, value: value.to_owned() });
    };
    let has = parse_list(available).unwrap_or_default();
    if wanted.iter().all(|number| has.contains(number)) {
        return Ok(());
    }
    Err(ValidateError::CpusetRange { kind: words, value: value.to_owned(), available: available.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::super::super::host::CgroupVersion;
    use super::super::super::host::tests::facts;
    use super::*;

    const MIB: i64 = 1 << 20;

    fn run(change: impl FnOnce(&mut HostConfig)) -> Result<(HostConfig, Vec<String>), String> {
        let (mut host, mut warnings) = (HostConfig::default(), Vec::new());
        change(&mut host);
        match check(&mut host, &facts(), &mut warnings) {
            Ok(()) => Ok((host, warnings)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn refused(change: impl FnOnce(&mut HostConfig)) -> String {
        run(change).unwrap_err()
    }

    #[test]
    fn memory_is_checked_in_dockers_words() {
        assert_eq!(refused(|h| h.memory = 1000), "Minimum memory limit allowed is 6MB");
        assert_eq!(refused(|h| h.memory = -1), "Minimum memory limit allowed is 6MB");
        let swap = "Minimum memoryswap limit should be larger than memory limit, see usage";
        assert_eq!(refused(|h| (h.memory, h.memory_swap) = (10 * MIB, 5 * MIB)), swap);
        assert_eq!(refused(|h| h.memory_swap = -2), swap);
        assert_eq!(
            refused(|h| h.memory_swap = MIB),
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        );
        assert_eq!(refused(|h| h.memory_reservation = 5), "Minimum memory reservation allowed is 6MB");
        assert_eq!(
            refused(|h| (h.memory, h.memory_reservation) = (10 * MIB, 50 * MIB)),
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        );
        assert_eq!(
            refused(|h| h.memory_swappiness = Some(101)),
            "Invalid value: 101, valid memory swappiness range is 0-100"
        );
        assert_eq!(refused(|h| h.shm_size = -1), "SHM size can not be less than 0");
        assert_eq!(
            refused(|h| h.oom_score_adj = 5000),
            "Invalid value 5000, range for oom score adj is [-1000, 1000]"
        );
    }

    #[test]
    fn swap_is_filled_in_as_inspect_shows_it() {
        assert_eq!(run(|h| h.memory = 64 * MIB).unwrap().0.memory_swap, 128 * MIB);
        assert_eq!(run(|h| (h.memory, h.memory_swap) = (64 * MIB, -1)).unwrap().0.memory_swap, -1);
    }

    #[test]
    fn processors_are_checked_in_dockers_words() {
        let range = "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available";
        assert_eq!(refused(|h| h.nano_cpus = 3_000_000_000), range);
        assert_eq!(refused(|h| h.nano_cpus = -1), range);
        assert!(run(|h| h.nano_cpus = 2_000_000_000).is_ok());
        assert_eq!(
            refused(|h| (h.nano_cpus, h.cpu_quota) = (1, 1000)),
            "Conflicting options: Nano CPUs and CPU Quota cannot both be set"
        );
        assert_eq!(
            refused(|h| (h.nano_cpus, h.cpu_period) = (1, 1000)),
            "Conflicting options: Nano CPUs and CPU Period cannot both be set"
        );
        assert!(refused(|h| h.cpu_period = 10).starts_with("CPU cfs period can not be less than 1ms"));
        assert!(refused(|h| h.cpu_quota = 10).starts_with("CPU cfs quota can not be less than 1ms"));
        assert!(run(|h| h.cpu_quota = -1).is_ok());
        assert!(refused(|h| h.cpu_shares = -1).starts_with("invalid CPU shares (-1)"));
    }

    #[test]
    fn cpusets_are_checked_against_the_host() {
        assert_eq!(
            refused(|h| h.cpuset_cpus = "abc".to_owned()),
            "Invalid value abc for cpuset cpus: invalid format: abc"
        );
        assert_eq!(
            refused(|h| h.cpuset_cpus = "77".to_owned()),
            "Requested CPUs are not available - requested 77, available: 0-1"
        );
        assert_eq!(
            refused(|h| h.cpuset_mems = "1".to_owned()),
            "Requested memory nodes are not available - requested 1, available: 0"
        );
        assert!(run(|h| h.cpuset_cpus = "0-1".to_owned()).is_ok());
    }

    #[test]
    fn what_the_kernel_cannot_do_is_dropped_with_a_warning() {
        let poor = HostFacts { controllers: Vec::new(), swap_limit: false, blkio_weight: false, ..facts() };
        let mut host = HostConfig {
            memory: 64 * MIB,
            nano_cpus: 1,
            pids_limit: Some(5),
            blkio_weight: 500,
            cpuset_cpus: "0".to_owned(),
            ..HostConfig::default()
        };
        let mut warnings = Vec::new();
        check(&mut host, &poor, &mut warnings).unwrap();
        assert_eq!(warnings.len(), 5, "{warnings:#?}");
        assert_eq!(host, HostConfig::default());
    }

    #[test]
    fn version_two_has_no_swappiness_and_no_disabled_killer() {
        let (host, warnings) = run(|h| {
            h.memory_swappiness = Some(10);
            h.oom_kill_disable = Some(true);
        })
        .unwrap();
        assert_eq!((host.memory_swappiness, host.oom_kill_disable, warnings.len()), (None, None, 2));
        let v1 = HostFacts { cgroup: CgroupVersion::V1, ..facts() };
        let mut host = HostConfig { oom_kill_disable: Some(true), ..HostConfig::default() };
        let mut warnings = Vec::new();
        check(&mut host, &v1, &mut warnings).unwrap();
        assert!(warnings[0].starts_with("OOM killer is disabled"));
    }

    #[test]
    fn unlimited_processes_are_no_limit() {
        for value in [0, -1, -5] {
            assert_eq!(run(|h| h.pids_limit = Some(value)).unwrap().0.pids_limit, None);
        }
    }
}
