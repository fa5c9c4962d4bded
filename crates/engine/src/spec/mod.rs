//! From what a client asked for to what a container gets.
//!
//! [`validate::validate`] reads a request into a [`validate::ValidatedConfig`]; [`build()`] makes of that the OCI
//! runtime specification for the bundle and the settings of the control group. Both are free of side effects, so
//! they can be called at any time; what they need to know of the machine is in [`host::HostFacts`].

pub mod build;
pub mod caps;
pub mod defaults;
pub mod host;
pub mod oci;
pub mod resources;
pub mod seccomp;
pub mod signal;
pub mod validate;

pub use build::{BuildError, Built, Inputs, build};
pub use host::{CgroupVersion, HostFacts};
pub use validate::{ValidateError, ValidatedConfig, parse_size, stored, validate};
