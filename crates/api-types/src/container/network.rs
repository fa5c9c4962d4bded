//! A container's place in networks: what clients ask for and what inspect reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{PortBinding, PortMap};
use crate::presence::{is_default, or_default};

/// Networks a new container joins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkingConfig {
    /// Endpoint settings by network name.
    #[serde(deserialize_with = "or_default")]
    #[schema(value_type = Option<BTreeMap<String, EndpointSettings>>)]
    pub endpoints_config: Option<BTreeMap<String, Option<EndpointSettings>>>,
}

/// A container's endpoint in one network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointSettings {
    /// Addresses the client asked for.
    #[serde(rename = "IPAMConfig", deserialize_with = "or_default")]
    pub ipam_config: Option<EndpointIpamConfig>,
    /// Links to other containers.
    #[serde(deserialize_with = "or_default")]
    pub links: Option<Vec<String>>,
    /// Names of the container in this network.
    #[serde(deserialize_with = "or_default")]
    pub aliases: Option<Vec<String>>,
    /// MAC address.
    #[serde(deserialize_with = "or_default")]
    pub mac_address: String,
    /// Driver options.
    #[serde(deserialize_with = "or_default")]
    pub driver_opts: Option<BTreeMap<String, String>>,
    /// Which network gives the default route: the highest number.
    #[serde(deserialize_with = "or_default")]
    pub gw_priority: i64,
    /// Network ID; empty until connected.
    #[serde(rename = "NetworkID", deserialize_with = "or_default")]
    pub network_id: String,
    /// Endpoint ID; empty while not running.
    #[serde(rename = "EndpointID", deserialize_with = "or_default")]
    pub endpoint_id: String,
    /// IPv4 gateway.
    #[serde(deserialize_with = "or_default")]
    pub gateway: String,
    /// IPv4 address.
    #[serde(rename = "IPAddress", deserialize_with = "or_default")]
    pub ip_address: String,
    /// IPv4 prefix length.
    #[serde(rename = "IPPrefixLen", deserialize_with = "or_default")]
    pub ip_prefix_len: i64,
    /// IPv6 gateway.
    #[serde(rename = "IPv6Gateway", deserialize_with = "or_default")]
    pub ipv6_gateway: String,
    /// IPv6 address.
    #[serde(rename = "GlobalIPv6Address", deserialize_with = "or_default")]
    pub global_ipv6_address: String,
    /// IPv6 prefix length.
    #[serde(rename = "GlobalIPv6PrefixLen", deserialize_with = "or_default")]
    pub global_ipv6_prefix_len: i64,
    /// Every name that resolves to this endpoint.
    #[serde(rename = "DNSNames", deserialize_with = "or_default")]
    pub dns_names: Option<Vec<String>>,
}

/// Addresses a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct EndpointIpamConfig {
    /// IPv4 address.
    #[serde(rename = "IPv4Address", deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ipv4_address: String,
    /// IPv6 address.
    #[serde(rename = "IPv6Address", deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ipv6_address: String,
    /// Link-local addresses.
    #[serde(rename = "LinkLocalIPs", deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub link_local_ips: Option<Vec<String>>,
}

/// Network state of a container; the address fields repeat those of the default bridge.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    /// Bridge device, where set by hand.
    #[serde(deserialize_with = "or_default")]
    pub bridge: String,
    /// ID of the network namespace.
    #[serde(rename = "SandboxID", deserialize_with = "or_default")]
    pub sandbox_id: String,
    /// Path of the network namespace.
    #[serde(deserialize_with = "or_default")]
    pub sandbox_key: String,
    /// Published ports with their real host ports.
    #[serde(deserialize_with = "or_default")]
    #[schema(value_type = Option<BTreeMap<String, Option<Vec<PortBinding>>>>)]
    pub ports: Option<PortMap>,
    /// Always false, kept for old clients.
    #[serde(deserialize_with = "or_default")]
    pub hairpin_mode: bool,
    /// Link-local IPv6 address.
    #[serde(rename = "LinkLocalIPv6Address", deserialize_with = "or_default")]
    pub link_local_ipv6_address: String,
    /// Its prefix length.
    #[serde(rename = "LinkLocalIPv6PrefixLen", deserialize_with = "or_default")]
    pub link_local_ipv6_prefix_len: i64,
    /// Further IPv4 addresses.
    #[serde(rename = "SecondaryIPAddresses", deserialize_with = "or_default")]
    pub secondary_ip_addresses: Option<Vec<SecondaryAddress>>,
    /// Further IPv6 addresses.
    #[serde(rename = "SecondaryIPv6Addresses", deserialize_with = "or_default")]
    pub secondary_ipv6_addresses: Option<Vec<SecondaryAddress>>,
    /// Endpoint in the default bridge.
    #[serde(rename = "EndpointID", deserialize_with = "or_default")]
    pub endpoint_id: String,
    /// IPv4 gateway in the default bridge.
    #[serde(deserialize_with = "or_default")]
    pub gateway: String,
    /// IPv6 address in the default bridge.
    #[serde(rename = "GlobalIPv6Address", deserialize_with = "or_default")]
    pub global_ipv6_address: String,
    /// Its prefix length.
    #[serde(rename = "GlobalIPv6PrefixLen", deserialize_with = "or_default")]
    pub global_ipv6_prefix_len: i64,
    /// IPv4 address in the default bridge.
    #[serde(rename = "IPAddress", deserialize_with = "or_default")]
    pub ip_address: String,
    /// Its prefix length.
    #[serde(rename = "IPPrefixLen", deserialize_with = "or_default")]
    pub ip_prefix_len: i64,
    /// IPv6 gateway in the default bridge.
    #[serde(rename = "IPv6Gateway", deserialize_with = "or_default")]
    pub ipv6_gateway: String,
    /// MAC address in the default bridge.
    #[serde(deserialize_with = "or_default")]
    pub mac_address: String,
    /// Endpoints by network name.
    #[serde(deserialize_with = "or_default")]
    pub networks: Option<BTreeMap<String, EndpointSettings>>,
}

/// An additional address of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default)]
pub struct SecondaryAddress {
    /// Address.
    #[serde(deserialize_with = "or_default")]
    pub addr: String,
    /// Prefix length.
    #[serde(deserialize_with = "or_default")]
    pub prefix_len: i64,
}
