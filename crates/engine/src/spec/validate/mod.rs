//! Whether a configuration can be had, before anything is done about it.
//!
//! [`validate`] takes what a client sent and gives a [`ValidatedConfig`], which cannot be made in another way: what
//! builds and starts containers takes nothing else. It is pure but for looking whether bind sources exist.
//! Requests are checked in Docker's order, because only the first thing wrong is reported.

mod error;
mod image;
mod limits;
mod log;
mod modes;
mod mounts;
mod network;
mod process;
mod security;

use berth_api_types::container::{ContainerConfig, HostConfig};

pub use error::{MountReason, ValidateError};
pub use log::{Extra, LogDriver, TagFacts, parse_size};
pub use modes::{IpcMode, Namespaces, NetworkMode, Owner};
pub use mounts::{MountKind, UserMount};
pub use process::RestartPolicy;
pub use security::{SeccompChoice, parse_rule};

use super::caps::{self, CapSet};
use super::defaults;
use super::host::HostFacts;
use super::oci::Rlimit;
use super::resources::Limits;
use super::signal::Signal;

/// A configuration that can be had, read into types.
#[derive(Debug, Clone)]
pub struct ValidatedConfig {
    config: ContainerConfig,
    host: HostConfig,
    caps: CapSet,
    seccomp: SeccompChoice,
    no_new_privileges: bool,
    namespaces: Namespaces,
    limits: Limits,
    rlimits: Vec<Rlimit>,
    mounts: Vec<UserMount>,
    log: LogDriver,
    restart: RestartPolicy,
    stop_signal: Option<Signal>,
    warnings: Vec<String>,
}

/// Checks a client's request.
///
/// # Errors
/// The first thing that is wrong, in Docker's words; or something Berth does not offer
/// ([`ValidateError::is_unavailable`]).
pub fn validate(
    config: ContainerConfig,
    host: HostConfig,
    facts: &HostFacts,
) -> Result<ValidatedConfig, ValidateError> {
    modes::conflicts(&config, &host)?;
    if config.volumes.as_ref().is_some_and(|volumes| !volumes.is_empty()) {
        return Err(ValidateError::Unavailable("volumes"));
    }
    check(config, host, facts, true)
}

/// Reads a configuration that was accepted, completed and stored before. What [`ValidatedConfig::config`] and
/// [`ValidatedConfig::host`] show passes, unless the host has changed.
///
/// # Errors
/// As [`validate`], for what the host can no longer give.
pub fn stored(
    config: ContainerConfig,
    host: HostConfig,
    facts: &HostFacts,
) -> Result<ValidatedConfig, ValidateError> {
    check(config, host, facts, false)
}

fn check(
    mut config: ContainerConfig,
    mut host: HostConfig,
    facts: &HostFacts,
    fresh: bool,
) -> Result<ValidatedConfig, ValidateError> {
    let mut warnings = Vec::new();
    let stop_signal = process::config(&mut config)?;
    let restart = process::restart(&mut host)?;
    let mounts = mounts::check(&host, fresh)?;
    network::check(&host)?;
    let caps = caps::resolve(
        host.cap_add.as_deref().unwrap_or_default(),
        host.cap_drop.as_deref().unwrap_or_default(),
        host.privileged,
        facts.caps,
    )?;
    if host.annotations.iter().flatten().any(|(key, _)| key.is_empty()) {
        return Err(ValidateError::Annotation);
    }
    limits::check(&mut host, facts, &mut warnings)?;
    let rlimits = process::ulimits(&host)?;
    let namespaces = modes::check(&config, &mut host, facts, &mut warnings)?;
    let security = security::options(&host, &mut warnings)?;
    security::devices(&mut host)?;
    security::sysctls(&host, &namespaces)?;
    runtime(&mut host, facts)?;
    let log = log::check(&mut host, &mut warnings)?;
    unavailable(&host, &mut warnings)?;
    complete(&mut host);
    Ok(ValidatedConfig {
        limits: Limits::of(&host),
        caps,
        seccomp: security.seccomp,
        no_new_privileges: security.no_new_privileges,
        namespaces,
        rlimits,
        mounts,
        log,
        restart,
        stop_signal,
        warnings,
        config,
        host,
    })
}

fn runtime(host: &mut HostConfig, facts: &HostFacts) -> Result<(), ValidateError> {
    if host.runtime.is_empty() {
        host.runtime = facts.runtimes.first().cloned().unwrap_or_default();
    }
    if facts.runtimes.contains(&host.runtime) {
        return Ok(());
    }
    Err(ValidateError::Runtime(host.runtime.clone()))
}

/// What would change the container's meaning is refused; what it can do without is said.
fn unavailable(host: &HostConfig, warnings: &mut Vec<String>) -> Result<(), ValidateError> {
    let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    if host.storage_opt.as_ref().is_some_and(|options| !options.is_empty()) {
        return Err(ValidateError::StorageOpt);
    }
    if some(&host.volumes_from) {
        return Err(ValidateError::Unavailable("volumes of other containers"));
    }
    if some(&host.links) {
        return Err(ValidateError::Unavailable("links"));
    }
    if !host.cgroup.is_empty() {
        return Err(ValidateError::Unavailable("control groups of other containers"));
    }
    if !host.cgroup_parent.is_empty() {
        warnings.push("CgroupParent is not available yet and has no effect".to_owned());
    }
    if host.init == Some(true) {
        warnings.push("Init is not available yet: the container's program runs as PID 1".to_owned());
    }
    Ok(())
}

/// Fills in what inspect shows of defaults.
fn complete(host: &mut HostConfig) {
    if host.shm_size == 0 {
        host.shm_size = defaults::SHM_SIZE;
    }
    if !host.privileged {
        host.masked_paths.get_or_insert_with(defaults::masked_paths);
        host.readonly_paths.get_or_insert_with(defaults::readonly_paths);
    }
}

impl ValidatedConfig {
    /// The portable configuration, as it is stored and shown.
    pub fn config(&self) -> &ContainerConfig {
        &self.config
    }

    /// The host configuration, completed by defaults, as it is stored and shown.
    pub fn host(&self) -> &HostConfig {
        &self.host
    }

    /// The bounding set.
    pub fn caps(&self) -> CapSet {
        self.caps
    }

    /// The system call filter.
    pub fn seccomp(&self) -> &SeccompChoice {
        &self.seccomp
    }

    /// Whether exec cannot raise privileges.
    pub fn no_new_privileges(&self) -> bool {
        self.no_new_privileges
    }

    /// Which namespaces are the container's own.
    pub fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// Limits of the control group, but for device throttles.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Resource limits of the process.
    pub fn rlimits(&self) -> &[Rlimit] {
        &self.rlimits
    }

    /// Mounts the client asked for.
    pub fn mounts(&self) -> &[UserMount] {
        &self.mounts
    }

    /// Where output goes.
    pub fn log(&self) -> &LogDriver {
        &self.log
    }

    /// What happens on exit.
    pub fn restart(&self) -> RestartPolicy {
        self.restart
    }

    /// What `stop` sends.
    pub fn stop_signal(&self) -> Signal {
        self.stop_signal.unwrap_or(Signal::TERM)
    }

    /// What will not be as asked, for the answer to create.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sets the host name that is stored and shown, where the client gave none. Has no effect on a container that
    /// uses the host's UTS namespace.
    pub fn set_default_hostname(&mut self, hostname: &str) {
        if self.config.hostname.is_empty() && self.namespaces.uts.is_own() {
            hostname.clone_into(&mut self.config.hostname);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::host::tests::facts;
    use super::*;

    /// A valid configuration.
    pub fn valid(change: impl FnOnce(&mut ContainerConfig, &mut HostConfig)) -> ValidatedConfig {
        let mut config = ContainerConfig { cmd: Some(vec!["sh".to_owned()]), ..ContainerConfig::default() };
        let mut host = HostConfig::default();
        change(&mut config, &mut host);
        validate(config, host, &facts()).unwrap()
    }

    fn refused(change: impl FnOnce(&mut ContainerConfig, &mut HostConfig)) -> ValidateError {
        let (mut config, mut host) = (ContainerConfig::default(), HostConfig::default());
        change(&mut config, &mut host);
        validate(config, host, &facts()).unwrap_err()
    }

    #[test]
    fn an_empty_request_is_completed_with_defaults() {
        let it = valid(|_, _| {});
        let host = it.host();
        assert_eq!((host.shm_size, &*host.restart_policy.name, &*host.runtime), (64 << 20, "no", "runc"));
        assert!(host.masked_paths.as_ref().unwrap().contains(&"/proc/kcore".to_owned()));
        assert_eq!(it.caps(), CapSet::defaults());
        assert_eq!((it.stop_signal(), it.restart()), (Signal::TERM, RestartPolicy::No));
        assert!(it.warnings().is_empty());
    }

    #[test]
    fn what_was_accepted_is_accepted_again_unchanged() {
        let changes: [fn(&mut ContainerConfig, &mut HostConfig); 5] = [
            |_, _| {},
            |_, h| h.privileged = true,
            |_, h| h.network_mode = "host".to_owned(),
            |_, h| h.uts_mode = "host".to_owned(),
            |c, h| {
                c.working_dir = "/a/../b".to_owned();
                h.memory = 64 << 20;
                h.nano_cpus = 500_000_000;
                h.binds = Some(vec!["/tmp:/x:ro".to_owned()]);
                h.tmpfs = Some([("/t".to_owned(), "size=1m".to_owned())].into());
            },
        ];
        for change in changes {
            let mut once = valid(change);
            once.set_default_hostname("0123456789ab");
            let twice = stored(once.config().clone(), once.host().clone(), &facts()).unwrap();
            assert_eq!((once.config(), once.host()), (twice.config(), twice.host()));
            assert_eq!((once.limits(), once.mounts()), (twice.limits(), twice.mounts()));
        }
    }

    #[test]
    fn lists_the_client_emptied_stay_empty() {
        let it = valid(|_, host| {
            host.masked_paths = Some(Vec::new());
            host.readonly_paths = Some(Vec::new());
        });
        assert_eq!(it.host().masked_paths, Some(Vec::new()));
        assert_eq!(valid(|_, host| host.privileged = true).host().masked_paths, None);
    }

    #[test]
    fn what_is_not_offered_is_refused_as_such() {
        let volumes =
            refused(|config, _| config.volumes = Some([("/data".to_owned(), Default::default())].into()));
        assert!(volumes.is_unavailable());
        assert!(refused(|_, host| host.volumes_from = Some(vec!["a".to_owned()])).is_unavailable());
        assert!(refused(|_, host| host.ipc_mode = "container:a".to_owned()).is_unavailable());
        assert!(!refused(|_, host| host.shm_size = -1).is_unavailable());
        assert_eq!(
            refused(|_, host| host.runtime = "nosuch".to_owned()).to_string(),
            "unknown or invalid runtime name: nosuch"
        );
        assert_eq!(valid(|_, host| host.init = Some(true)).warnings().len(), 1);
    }

    #[test]
    fn unknown_capabilities_come_before_limits() {
        let error = refused(|_, host| {
            host.cap_add = Some(vec!["FOO".to_owned()]);
            host.memory = 5;
        });
        assert_eq!(error.to_string(), "invalid CapAdd: unknown capability: \"CAP_FOO\"");
    }
}
