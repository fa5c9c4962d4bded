//! Which namespaces a container has of its own.

use berth_api_types::container::{ContainerConfig, HostConfig};

use super::super::host::{CgroupVersion, HostFacts};
use super::ValidateError;

/// Whose namespace a container runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Its own.
    Container,
    /// The host's.
    Host,
}

impl Owner {
    /// True for a namespace of the container's own.
    pub fn is_own(self) -> bool {
        self == Self::Container
    }
}

/// `IpcMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpcMode {
    /// An own namespace without `/dev/shm`.
    None,
    /// An own namespace.
    Private,
    /// An own namespace that others may join.
    Shareable,
    /// The host's.
    Host,
}

/// `NetworkMode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkMode {
    /// Loopback only.
    None,
    /// The host's namespace.
    Host,
    /// The default bridge network.
    Default,
    /// A network by name or ID.
    Named(String),
}

/// The namespaces of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "named like the kernel's kinds")]
pub struct Namespaces {
    pub user: Owner,
    pub pid: Owner,
    pub uts: Owner,
    pub cgroup: Owner,
    pub ipc: IpcMode,
    pub network: NetworkMode,
}

/// Refuses what contradicts itself in a request. Not for stored configurations, where defaults were filled in.
pub(super) fn conflicts(config: &ContainerConfig, host: &HostConfig) -> Result<(), ValidateError> {
    if host.uts_mode == "host" && !config.hostname.is_empty() {
        return Err(ValidateError::HostnameAndUts);
    }
    Ok(())
}

/// Reads the modes and writes back what they mean, so that inspect shows it.
pub(super) fn check(
    config: &ContainerConfig,
    host: &mut HostConfig,
    facts: &HostFacts,
    warnings: &mut Vec<String>,
) -> Result<Namespaces, ValidateError> {
    let network = network(config, host)?;
    let ipc = match &*host.ipc_mode {
        "" | "private" => IpcMode::Private,
        "none" => IpcMode::None,
        "shareable" => IpcMode::Shareable,
        "host" => IpcMode::Host,
        other => return Err(shared("ipc", other, ValidateError::IpcMode)),
    };
    let pid = match &*host.pid_mode {
        "" | "private" => Owner::Container,
        "host" => Owner::Host,
        other => return Err(shared("pid", other, ValidateError::PidMode)),
    };
    let uts = match &*host.uts_mode {
        "" | "private" => Owner::Container,
        "host" => Owner::Host,
        other => return Err(shared("uts", other, ValidateError::UtsMode)),
    };
    let cgroup = match &*host.cgroupns_mode {
        "private" => Owner::Container,
        "host" => Owner::Host,
        // A privileged container on v1 manages the host's groups, as it always could.
        "" if host.privileged && facts.cgroup == CgroupVersion::V1 => Owner::Host,
        "" => Owner::Container,
        other => return Err(ValidateError::CgroupMode(other.to_owned())),
    };
    let user = user(host, &network, ipc, pid, warnings)?;
    if !matches!(&*host.isolation, "" | "default") {
        return Err(ValidateError::Isolation(host.isolation.clone()));
    }
    if host.ipc_mode.is_empty() {
        "private".clone_into(&mut host.ipc_mode);
    }
    if host.cgroupns_mode.is_empty() {
        let mode = if cgroup.is_own() { "private" } else { "host" };
        mode.clone_into(&mut host.cgroupns_mode);
    }
    if network == NetworkMode::Host && host.port_bindings.as_ref().is_some_and(|ports| !ports.is_empty()) {
        warnings.push("Published ports are discarded when using host network mode".to_owned());
    }
    Ok(Namespaces { user, pid, uts, cgroup, ipc, network })
}

/// `container:ID` is understood and not offered; anything else is nonsense.
fn shared(kind: &'static str, mode: &str, invalid: fn(String) -> ValidateError) -> ValidateError {
    match mode.strip_prefix("container:") {
        Some(id) if !id.is_empty() && kind != "uts" => ValidateError::Sharing { kind, mode: mode.to_owned() },
        _ => invalid(mode.to_owned()),
    }
}

fn network(config: &ContainerConfig, host: &mut HostConfig) -> Result<NetworkMode, ValidateError> {
    if host.network_mode.is_empty() {
        "default".clone_into(&mut host.network_mode);
    }
    Ok(match &*host.network_mode {
        "none" => NetworkMode::None,
        _ if config.network_disabled => NetworkMode::None,
        "host" => NetworkMode::Host,
        "default" | "bridge" => NetworkMode::Default,
        other if other.starts_with("container:") => {
            return Err(ValidateError::Sharing { kind: "network", mode: other.to_owned() });
        }
        other => NetworkMode::Named(other.to_owned()),
    })
}

/// The user namespace: an own one, unless asked otherwise or another mode needs the host's. A process in an own
/// user namespace has no power over namespaces the host's owns, which would make those modes useless.
fn user(
    host: &mut HostConfig,
    network: &NetworkMode,
    ipc: IpcMode,
    pid: Owner,
    warnings: &mut Vec<String>,
) -> Result<Owner, ValidateError> {
    let implied = [
        (host.privileged, "--privileged"),
        (*network == NetworkMode::Host, "--network host"),
        (pid == Owner::Host, "--pid host"),
        (ipc == IpcMode::Host, "--ipc host"),
    ];
    match &*host.userns_mode {
        "host" => Ok(Owner::Host),
        "private" => Ok(Owner::Container),
        "" => match implied.iter().find(|(asked, _)| *asked) {
            None => Ok(Owner::Container),
            Some((_, option)) => {
                warnings.push(format!(
                    "{option} implies --userns=host: root in this container is root on the host"
                ));
                "host".clone_into(&mut host.userns_mode);
                Ok(Owner::Host)
            }
        },
        other => Err(ValidateError::UserMode(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::host::tests::facts;
    use super::*;

    fn run(change: impl FnOnce(&mut HostConfig)) -> Result<(Namespaces, HostConfig, Vec<String>), String> {
        let (mut host, mut warnings) = (HostConfig::default(), Vec::new());
        change(&mut host);
        check(&ContainerConfig::default(), &mut host, &facts(), &mut warnings)
            .map(|namespaces| (namespaces, host, warnings))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_container_has_every_namespace_of_its_own() {
        let (namespaces, host, warnings) = run(|_| {}).unwrap();
        let Namespaces { user, pid, uts, cgroup, ipc, network } = namespaces;
        assert!([user, pid, uts, cgroup].iter().all(|owner| owner.is_own()));
        assert_eq!((ipc, network), (IpcMode::Private, NetworkMode::Default));
        assert_eq!(
            (&*host.ipc_mode, &*host.cgroupns_mode, &*host.network_mode),
            ("private", "private", "default")
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn host_modes_imply_the_hosts_user_namespace_and_say_so() {
        let modes: [fn(&mut HostConfig); 4] = [
            |h| h.privileged = true,
            |h| h.network_mode = "host".to_owned(),
            |h| h.pid_mode = "host".to_owned(),
            |h| h.ipc_mode = "host".to_owned(),
        ];
        for mode in modes {
            let (namespaces, host, warnings) = run(mode).unwrap();
            assert_eq!((namespaces.user, &*host.userns_mode, warnings.len()), (Owner::Host, "host", 1));
            let (namespaces, _, warnings) = run(|host| {
                mode(host);
                host.userns_mode = "private".to_owned();
            })
            .unwrap();
            assert_eq!((namespaces.user, warnings.len()), (Owner::Container, 0));
        }
        assert!(run(|h| h.uts_mode = "host".to_owned()).unwrap().0.user.is_own());
    }

    #[test]
    fn sharing_with_a_container_is_refused_clearly() {
        for (kind, error) in [
            ("network", run(|h| h.network_mode = "container:a".to_owned()).unwrap_err()),
            ("ipc", run(|h| h.ipc_mode = "container:a".to_owned()).unwrap_err()),
            ("pid", run(|h| h.pid_mode = "container:a".to_owned()).unwrap_err()),
        ] {
            assert_eq!(
                error,
                format!(
                    "sharing the {kind} namespace of another container (container:a) is not available yet"
                )
            );
        }
    }

    #[test]
    fn nonsense_is_refused_in_dockers_words() {
        assert_eq!(run(|h| h.ipc_mode = "x".to_owned()).unwrap_err(), "invalid IPC mode: x");
        assert_eq!(run(|h| h.pid_mode = "x".to_owned()).unwrap_err(), "invalid PID mode: x");
        assert_eq!(run(|h| h.uts_mode = "x".to_owned()).unwrap_err(), "invalid UTS mode: x");
        assert_eq!(
            run(|h| h.uts_mode = "container:x".to_owned()).unwrap_err(),
            "invalid UTS mode: container:x"
        );
        assert_eq!(run(|h| h.userns_mode = "x".to_owned()).unwrap_err(), "invalid USER mode: x");
        assert_eq!(
            run(|h| h.cgroupns_mode = "x".to_owned()).unwrap_err(),
            "invalid cgroup namespace mode: x"
        );
        assert_eq!(
            run(|h| h.isolation = "hyperv".to_owned()).unwrap_err(),
            "invalid isolation 'hyperv' on linux"
        );
    }

    #[test]
    fn a_host_name_needs_a_namespace_to_be_set_in() {
        let config = ContainerConfig { hostname: "a".to_owned(), ..ContainerConfig::default() };
        let host = HostConfig { uts_mode: "host".to_owned(), ..HostConfig::default() };
        assert!(matches!(conflicts(&config, &host), Err(ValidateError::HostnameAndUts)));
    }
}
