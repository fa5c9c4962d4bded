//! Ports and names: what can be wrong with them before there is a network.

use std::net::IpAddr;

use berth_api_types::container::HostConfig;

use super::ValidateError;

/// Checks published ports, extra hosts and name servers.
pub(super) fn check(host: &HostConfig) -> Result<(), ValidateError> {
    for (port, bindings) in host.port_bindings.iter().flatten() {
        let number = port.split('/').next().unwrap_or_default();
        if !is_port(number) {
            return Err(ValidateError::Port(number.to_owned()));
        }
        for binding in bindings.iter().flatten() {
            if !binding.host_port.is_empty() && !is_range(&binding.host_port) {
                return Err(ValidateError::Port(binding.host_port.clone()));
            }
        }
    }
    for entry in host.extra_hosts.iter().flatten() {
        extra_host(entry)?;
    }
    for server in host.dns.iter().flatten() {
        if server.parse::<IpAddr>().is_err() {
            return Err(ValidateError::Dns(server.clone()));
        }
    }
    for text in host.dns_search.iter().flatten().chain(host.dns_options.iter().flatten()) {
        // They become words of a line in resolv.conf.
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ValidateError::DnsText(text.clone()));
        }
    }
    Ok(())
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_range(text: &str) -> bool {
    match text.split_once('-') {
        None => is_port(text),
        Some((from, to)) => {
            is_port(from) && is_port(to) && from.parse::<u16>().ok() <= to.parse::<u16>().ok()
        }
    }
}

/// `NAME:ADDRESS`, where `host-gateway` stands for the host.
fn extra_host(entry: &str) -> Result<(), ValidateError> {
    let format = || ValidateError::ExtraHost(entry.to_owned());
    let (name, address) = entry.split_once(':').ok_or_else(format)?;
    // Names become a line of /etc/hosts.
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(format());
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if address == "host-gateway" || bare.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err(ValidateError::ExtraHostAddress(address.to_owned()))
}

#[cfg(test)]
mod tests {
    use berth_api_types::container::PortBinding;

    use super::*;

    fn port(port: &str, host_port: &str) -> Result<(), String> {
        let binding = PortBinding { host_port: host_port.to_owned(), ..PortBinding::default() };
        let host = HostConfig {
            port_bindings: Some([(port.to_owned(), Some(vec![binding]))].into()),
            ..HostConfig::default()
        };
        check(&host).map_err(|error| error.to_string())
    }

    #[test]
    fn ports_are_numbers_or_ranges() {
        for good in ["", "0", "80", "8000-8010"] {
            assert_eq!(port("80/tcp", good), Ok(()), "{good}");
        }
        for bad in ["99999", "abc", "-1", "9-8", "80-", "+80"] {
            assert_eq!(port("80/tcp", bad), Err(format!("invalid port specification: {bad:?}")));
        }
        assert_eq!(port("abc", "9"), Err("invalid port specification: \"abc\"".to_owned()));
    }

    #[test]
    fn names_and_addresses_are_checked_before_they_become_lines() {
        let hosts = |entry: &str| {
            let host = HostConfig { extra_hosts: Some(vec![entry.to_owned()]), ..HostConfig::default() };
            check(&host).map_err(|error| error.to_string())
        };
        for good in ["a:1.2.3.4", "a:::1", "a:[::1]", "a.b:host-gateway"] {
            assert_eq!(hosts(good), Ok(()), "{good}");
        }
        assert_eq!(hosts("bogus"), Err("bad format for add-host: \"bogus\"".to_owned()));
        assert_eq!(hosts("a:x"), Err("invalid IP address in add-host: \"x\"".to_owned()));
        assert!(hosts("a\n0.0.0.0 b:1.2.3.4").is_err());
        let host = HostConfig { dns: Some(vec!["bogus".to_owned()]), ..HostConfig::default() };
        assert_eq!(check(&host).unwrap_err().to_string(), "IP address is not correctly formatted: bogus");
        let host = HostConfig {
            dns_search: Some(vec!["a\nnameserver 6.6.6.6".to_owned()]),
            ..HostConfig::default()
        };
        assert!(check(&host).is_err());
    }
}
