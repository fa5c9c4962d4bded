//! Networks, published and exposed ports, extra hosts and DNS.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::create::CreateFlags;
use super::{mounts, values};
use crate::error::{CliError, Result};

/// `NetworkMode` and the endpoints of the create request.
#[derive(Debug)]
pub struct Networks {
    /// `HostConfig.NetworkMode`
    pub mode: String,
    /// `NetworkingConfig.EndpointsConfig`
    pub endpoints: Map<String, Value>,
}

/// One `--network` flag, with the flags that refine the first one merged in.
#[derive(Debug, Default)]
struct Attachment {
    target: String,
    aliases: Vec<String>,
    links: Vec<String>,
    ipv4: String,
    ipv6: String,
    link_local: Vec<String>,
    mac: String,
    driver_opts: BTreeMap<String, String>,
    gw_priority: i64,
}

impl Attachment {
    /// Whether anything beyond the network's name is asked for.
    fn is_refined(&self) -> bool {
        let texts = [&self.ipv4, &self.ipv6, &self.mac];
        let lists = [&self.aliases, &self.links, &self.link_local];
        texts.iter().any(|text| !text.is_empty())
            || lists.iter().any(|list| !list.is_empty())
            || !self.driver_opts.is_empty()
            || self.gw_priority != 0
    }
}

/// Whether endpoint settings make sense: not for networks that belong to somebody else or to nobody.
fn has_endpoint(mode: &str) -> bool {
    !matches!(mode, "host" | "none") && !mode.starts_with("container:")
}

fn is_user_defined(mode: &str) -> bool {
    has_endpoint(mode) && !matches!(mode, "default" | "bridge")
}

/// Reads `--network` and the flags around it.
pub fn networks(flags: &CreateFlags) -> Result<Networks> {
    let mut attachments = flags.network.iter().map(|flag| attachment(flag)).collect::<Result<Vec<_>>>()?;
    if attachments.is_empty() {
        attachments.push(Attachment { target: "default".into(), ..Default::default() });
    }
    let mut seen = Vec::new();
    let mut found = Networks { mode: String::new(), endpoints: Map::new() };
    for (index, mut network) in attachments.into_iter().enumerate() {
        if index == 0 {
            merge(&mut network, flags)?;
            found.mode.clone_from(&network.target);
        }
        if seen.contains(&network.target) {
            return Err(CliError::options(format!(
                "network {:?} is specified multiple times",
                network.target
            )));
        }
        seen.push(network.target.clone());
        if !network.aliases.is_empty() && !is_user_defined(&network.target) {
            return Err(CliError::options(
                "network-scoped aliases are only supported for user-defined networks",
            ));
        }
        // The bridge needs no settings of its own to be joined.
        if has_endpoint(&network.target) && (network.target != "bridge" || network.is_refined()) {
            found.endpoints.insert(network.target.clone(), endpoint(&network));
        }
    }
    Ok(found)
}

/// `NAME` or `name=NAME,alias=…,ip=…`.
fn attachment(flag: &str) -> Result<Attachment> {
    let bad = |reason: String| CliError::flag("--network", flag, reason);
    if !flag.contains('=') {
        return Ok(Attachment { target: flag.to_owned(), ..Default::default() });
    }
    let mut network = Attachment::default();
    for field in mounts::csv(flag).map_err(bad)? {
        let (key, value) = field.split_once('=').ok_or_else(|| bad(format!("invalid field {field}")))?;
        let value = value.trim().to_owned();
        match key.trim().to_lowercase().as_str() {
            "name" => network.target = value,
            "alias" => network.aliases.push(value),
            "ip" => network.ipv4 = value,
            "ip6" => network.ipv6 = value,
            "mac-address" => network.mac = value,
            "link-local-ip" => network.link_local.push(value),
            "driver-opt" => {
                let (k, v) = value
                    .split_once('=')
                    .ok_or_else(|| bad("invalid key value pair format in driver options".into()))?;
                network.driver_opts.insert(k.to_lowercase(), v.to_lowercase());
            }
            "gw-priority" => {
                network.gw_priority = values::integer(&value)
                    .map_err(|_| bad(format!("invalid gw-priority ({value}): invalid syntax")))?;
            }
            other => return Err(bad(format!("invalid field key {other}"))),
        }
    }
    if network.target.is_empty() {
        return Err(bad("network name/id is not specified".into()));
    }
    Ok(network)
}

fn merge(network: &mut Attachment, flags: &CreateFlags) -> Result<()> {
    let conflict = |flag: &str, key: &str| {
        Err(CliError::options(format!(
            "conflicting options: cannot specify both {flag} and per-network {key}"
        )))
    };
    if !network.aliases.is_empty() && !flags.network_alias.is_empty() {
        return conflict("--network-alias", "alias");
    }
    network.aliases.extend(flags.network_alias.iter().cloned());
    for (value, flag, key, slot) in [
        (&flags.ip, "--ip", "IPv4 address", &mut network.ipv4),
        (&flags.ip6, "--ip6", "IPv6 address", &mut network.ipv6),
        (&flags.mac_address, "--mac-address", "MAC address", &mut network.mac),
    ] {
        if let Some(value) = value {
            if !slot.is_empty() {
                return conflict(flag, key);
            }
            slot.clone_from(value);
        }
    }
    network.link_local.extend(flags.link_local_ip.iter().cloned());
    if is_user_defined(&network.target) {
        network.links.extend(flags.link.iter().cloned());
    }
    if !network.mac.is_empty() && !is_mac(&network.mac) {
        return Err(CliError::options(format!("{} is not a valid mac address", network.mac)));
    }
    Ok(())
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    parts.len() == 6 && parts.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The endpoint document with every member docker sends.
fn endpoint(network: &Attachment) -> Value {
    let list = |items: &[String]| if items.is_empty() { Value::Null } else { json!(items) };
    let mut ipam = Map::new();
    for (key, value) in [("IPv4Address", &network.ipv4), ("IPv6Address", &network.ipv6)] {
        if !value.is_empty() {
            ipam.insert(key.into(), json!(value));
        }
    }
    if !network.link_local.is_empty() {
        ipam.insert("LinkLocalIPs".into(), json!(network.link_local));
    }
    json!({
        "IPAMConfig": if ipam.is_empty() { Value::Null } else { Value::Object(ipam) },
        "Links": list(&network.links),
        "Aliases": list(&network.aliases),
        "MacAddress": network.mac,
        "DriverOpts": if network.driver_opts.is_empty() { Value::Null } else { json!(network.driver_opts) },
        "GwPriority": network.gw_priority,
        "NetworkID": "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": null,
    })
}

/// Ports of the create request.
#[derive(Debug, Default)]
pub struct Ports {
    /// `ExposedPorts`, by `port/proto`.
    pub exposed: BTreeMap<String, Value>,
    /// `HostConfig.PortBindings`, by `port/proto`.
    pub bindings: BTreeMap<String, Vec<Value>>,
}

/// Reads `-p` and `--expose`.
pub fn ports(publish: &[String], expose: &[String]) -> Result<Ports> {
    let mut ports = Ports::default();
    for flag in publish {
        published(flag, &mut ports).map_err(CliError::options)?;
    }
    for flag in expose {
        if flag.contains(':') {
            return Err(CliError::options(format!("invalid port format for --expose: {flag}")));
        }
        let (range, proto) = flag.split_once('/').unwrap_or((flag, "tcp"));
        let (first, last) = port_range(range).map_err(|reason| {
            CliError::options(format!("invalid range format for --expose: {range}, error: {reason}"))
        })?;
        for port in first..=last {
            ports.exposed.entry(format!("{port}/{}", proto.to_lowercase())).or_insert_with(|| json!({}));
        }
    }
    Ok(ports)
}

/// `[[IP:]HOST:]CONTAINER[/PROTO]`, each port possibly a range.
fn published(flag: &str, ports: &mut Ports) -> Result<(), String> {
    let (addresses, proto) = flag.split_once('/').unwrap_or((flag, "tcp"));
    let proto = proto.to_lowercase();
    if !matches!(proto.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("invalid proto: {proto}"));
    }
    let (front, container) = addresses.rsplit_once(':').unwrap_or(("", addresses));
    let (ip, host) = front.rsplit_once(':').unwrap_or(("", front));
    let ip = match ip.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').unwrap_or(rest),
        None => ip,
    };
    if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address: {ip}"));
    }
    if container.is_empty() {
        return Err(format!("no port specified: {flag}<empty>"));
    }
    let (first, last) = port_range(container).map_err(|_| format!("invalid containerPort: {container}"))?;
    let host_range = match host {
        "" => None,
        host => Some(port_range(host).map_err(|_| format!("invalid hostPort: {host}"))?),
    };
    let same_length = host_range.is_none_or(|(a, b)| b - a == last - first);
    if !same_length && first != last {
        return Err(format!("invalid ranges specified for container and host Ports: {container} and {host}"));
    }
    for port in first..=last {
        let key = format!("{port}/{proto}");
        let host_port = match host_range {
            None => String::new(),
            Some((a, b)) if a != b && !same_length => format!("{a}-{b}"),
            Some((a, _)) => (a + (port - first)).to_string(),
        };
        ports.exposed.insert(key.clone(), json!({}));
        ports.bindings.entry(key).or_default().push(json!({"HostIp": ip, "HostPort": host_port}));
    }
    Ok(())
}

fn port_range(text: &str) -> Result<(u16, u16), String> {
    let port =
        |s: &str| s.parse::<u16>().map_err(|_| format!("strconv.ParseUint: parsing {s:?}: invalid syntax"));
    if text.is_empty() {
        return Err("empty string specified for ports".into());
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if last < first { Err(format!("invalid range specified for port: {text}")) } else { Ok((first, last)) }
}

/// `--add-host NAME:IP`, also `NAME=IP` and `NAME:[IPv6]`; `None` stands for `null`.
pub fn extra_hosts(flags: &[String]) -> Result<Option<Vec<String>>> {
    let mut hosts = Vec::new();
    for flag in flags {
        let bad = |reason: String| CliError::flag("--add-host", flag, reason);
        let at = flag.find(['=', ':']).filter(|at| *at > 0);
        let (name, rest) = at
            .map(|at| flag.split_at(at))
            .ok_or_else(|| bad(format!("bad format for add-host: {flag:?}")))?;
        let rest = rest.get(1..).unwrap_or_default();
        let ip = rest.strip_prefix('[').and_then(|s| s.strip_suffix(']')).unwrap_or(rest);
        if ip != "host-gateway" && ip.parse::<IpAddr>().is_err() {
            return Err(bad(format!("invalid IP address in add-host: {ip:?}")));
        }
        hosts.push(format!("{name}:{ip}"));
    }
    Ok(if hosts.is_empty() { None } else { Some(hosts) })
}

/// `--dns`: addresses only.
pub fn dns_servers(flags: &[String]) -> Result<Vec<String>> {
    flags
        .iter()
        .map(|flag| match flag.trim().parse::<IpAddr>() {
            Ok(ip) => Ok(ip.to_string()),
            Err(_) => {
                let reason = format!("IP address is not correctly formatted: {flag}");
                Err(CliError::flag("--dns", flag, reason))
            }
        })
        .collect()
}

/// `--link NAME[:ALIAS]`; `None` stands for `null`.
pub fn links(flags: &[String]) -> Result<Option<Vec<String>>> {
    for flag in flags {
        if flag.is_empty() || flag.split(':').count() > 2 {
            return Err(CliError::flag("--link", flag, format!("bad format for links: {flag}")));
        }
    }
    Ok(if flags.is_empty() { None } else { Some(flags.to_vec()) })
}

/// `--sysctl KEY=VALUE`, only the ones a container can have of its own; `None` when there is none.
pub fn sysctls(flags: &[String]) -> Result<Option<BTreeMap<String, String>>> {
    const EXACT: [&str; 8] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    let mut found = BTreeMap::new();
    for flag in flags {
        let allowed =
            |key: &str| EXACT.contains(&key) || key.starts_with("net.") || key.starts_with("fs.mqueue.");
        match flag.split_once('=').filter(|(key, _)| allowed(key)) {
            Some((key, value)) => found.insert(key.to_owned(), value.to_owned()),
            None => return Err(CliError::flag("--sysctl", flag, format!("sysctl '{flag}' is not allowed"))),
        };
    }
    Ok(if found.is_empty() { None } else { Some(found) })
}
