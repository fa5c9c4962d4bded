//! System call filtering.
//!
//! A [`Profile`] is Docker's seccomp format: rules that may depend on capabilities, architecture and kernel.
//! [`Profile::resolve`] settles those for one container and gives what the OCI runtime specification calls
//! `linux.seccomp`; [`compile()`] turns that into the BPF program the kernel takes; [`Cache`] keeps programs on
//! disk, because compiling one takes 10–20 ms and starting a container must not.

mod cache;
mod compile;
mod default;
#[cfg(test)]
mod interpreter;
mod profile;
mod resolve;
mod stub;

use std::io;
use std::path::PathBuf;

pub use cache::{Cache, Filter};
pub use compile::compile;
pub use default::default_profile;
pub use profile::{Action, Arg, Op, Profile, Rule, Subject};
pub use resolve::{Host, Resolved, ResolvedRule};

/// Why a profile could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SeccompError {
    /// The profile is not the JSON it should be.
    #[error("Decoding seccomp profile failed: {0}")]
    Decode(#[source] serde_json::Error),
    /// A rule or the profile says the same thing in two ways.
    #[error("'{old}' and '{new}' were specified in the seccomp profile, use either '{old}' or '{new}'")]
    Both {
        /// The older spelling.
        old: &'static str,
        /// The newer one.
        new: &'static str,
    },
    /// An architecture libseccomp has no name for.
    #[error("invalid seccomp profile: unknown architecture {0:?}")]
    Architecture(String),
    /// A kernel version that is not `major.minor`.
    #[error("invalid seccomp profile: {0:?} is not a kernel version")]
    Kernel(String),
    /// User-space notification needs a listener, which containers do not have.
    #[error("invalid seccomp profile: SCMP_ACT_NOTIFY is not supported")]
    Notify,
    /// An error number the filter's return value cannot hold.
    #[error("invalid seccomp profile: error number {0} is beyond 4095")]
    Errno(u32),
    /// A system call has six arguments.
    #[error("invalid seccomp profile: {name} has no argument {index}")]
    Argument {
        /// System call.
        name: String,
        /// Index asked for.
        index: u32,
    },
    /// More rules than any kernel would take as a program.
    #[error("invalid seccomp profile: {0} rules are more than the {1} allowed")]
    TooManyRules(usize, usize),
    /// The kernel takes at most 4096 instructions.
    #[error("the seccomp filter has {0} instructions, the kernel takes 4096")]
    TooLong(usize),
    /// libseccomp refused.
    #[error("building the seccomp filter, {step}: {source}")]
    Library {
        /// What was being done.
        step: String,
        /// libseccomp's reason.
        source: libseccomp::error::SeccompError,
    },
    /// Reading the program out of libseccomp failed.
    #[error("exporting the seccomp filter: {0}")]
    Export(#[source] io::Error),
    /// The program could not be stored or read back.
    #[error("seccomp cache {path}: {source}")]
    Cache {
        /// File or directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The kernel's version could not be read.
    #[error("reading the kernel version: {0}")]
    Release(#[source] io::Error),
    /// Serialising the filter for the bundle failed.
    #[error("encoding the seccomp filter: {0}")]
    Encode(#[source] serde_json::Error),
}
