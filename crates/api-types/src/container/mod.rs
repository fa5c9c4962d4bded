//! Containers: what clients ask for, and every document about one.

mod config;
mod host_config;
mod inspect;
mod lifecycle;
mod mount;
mod network;
mod resource;
mod summary;

pub use config::{ContainerConfig, EmptyObject};
pub use host_config::{HostConfig, PortMap};
pub use inspect::{ContainerInspect, ContainerState, GraphDriver, Health, HealthcheckResult};
pub use lifecycle::{CreateRequest, CreateResponse, PruneResponse, WaitError, WaitResponse};
pub use mount::{
    BindOptions, ImageOptions, Mount, MountPoint, TmpfsOptions, VolumeDriverConfig, VolumeOptions,
};
pub use network::{
    EndpointIpamConfig, EndpointSettings, NetworkSettings, NetworkingConfig, SecondaryAddress,
};
pub use resource::{
    DeviceMapping, DeviceRequest, HealthConfig, LogConfig, PortBinding, RestartPolicy, ThrottleDevice,
    Ulimit, WeightDevice,
};
pub use summary::{ContainerSummary, PortSummary, SummaryHostConfig, SummaryNetworkSettings};
