//! What can go wrong in the client, worded as docker words it, and the exit status each failure means.

use std::io;
use std::path::PathBuf;

/// A failed command. `Display` is the text for stderr, without a trailing newline.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// No daemon listens at the endpoint.
    #[error("Cannot connect to the Berth daemon at {host}. Is berthd running?")]
    Connect { host: String, source: io::Error },
    /// The endpoint given by flag or environment is not one the client can speak to.
    #[error("unable to parse docker host `{host}`: {reason}")]
    Host { host: String, reason: &'static str },
    /// The daemon answered with an error document.
    #[error("Error response from daemon: {message}")]
    Daemon { status: u16, message: String },
    /// The connection broke in the middle of a request.
    #[error("error during {request}: {reason}")]
    Transport { request: String, reason: String },
    /// The daemon's answer is not what the API promises.
    #[error("unexpected answer to {request}: {reason}")]
    Answer { request: String, reason: String },
    /// A flag's value cannot be used. `flag` is as in the help, e.g. `-m, --memory`.
    #[error("invalid argument {value:?} for {flag:?} flag: {reason}")]
    Flag { flag: &'static str, value: String, reason: String },
    /// Flags that are fine alone but not together, or a value that only fails in context.
    #[error("{reason}")]
    Options { reason: String },
    /// The command line cannot be understood; `text` is complete.
    #[error("{text}")]
    Usage { text: String, code: u8 },
    /// A local file cannot be used.
    #[error("open {}: {}", path.display(), os_text(source))]
    File { path: PathBuf, source: io::Error },
    /// `--format` cannot be parsed or executed. Includes docker's prefix.
    #[error("{text}")]
    Template { text: String, code: u8 },
    /// Standard output went away or cannot be written.
    #[error("write to standard output: {0}")]
    Output(#[source] io::Error),
    /// Reading standard input or driving the terminal failed.
    #[error("{what}: {source}")]
    Terminal { what: &'static str, source: io::Error },
    /// `run`, `create` or `exec` failed before the container's own exit code exists.
    #[error("berth: {source}\n\nRun 'berth {verb} --help' for more information")]
    Verb { verb: &'static str, code: u8, source: Box<CliError> },
    /// Everything was already printed; only the exit status is left.
    #[error("")]
    Reported { code: u8 },
}

impl CliError {
    /// The exit status of a process that failed with this.
    pub fn exit_code(&self) -> u8 {
        match self {
            CliError::Verb { code, .. } | CliError::Reported { code } => *code,
            CliError::Usage { code, .. } | CliError::Template { code, .. } => *code,
            CliError::Flag { .. } => 125,
            CliError::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => 141,
            _ => 1,
        }
    }

    /// Whether nothing needs to be printed: it was already, or nobody is left to read it.
    pub fn is_silent(&self) -> bool {
        match self {
            CliError::Reported { .. } => true,
            CliError::Output(e) => e.kind() == io::ErrorKind::BrokenPipe,
            _ => false,
        }
    }

    /// The HTTP status, when the daemon refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            CliError::Daemon { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// A conflict or mistake among options.
    pub fn options(reason: impl Into<String>) -> Self {
        CliError::Options { reason: reason.into() }
    }

    /// An unusable value of one flag.
    pub fn flag(flag: &'static str, value: impl Into<String>, reason: impl Into<String>) -> Self {
        CliError::Flag { flag, value: value.into(), reason: reason.into() }
    }

    /// Wraps a failure of `run` or `create`. Start errors that say why the program cannot be executed become
    /// the shell's 126 and 127; everything else is 125.
    pub fn in_verb(self, verb: &'static str) -> Self {
        if matches!(
            self,
            CliError::Flag { .. }
                | CliError::Usage { .. }
                | CliError::Reported { .. }
                | CliError::Verb { .. }
        ) || self.is_silent()
        {
            return self;
        }
        let text = self.to_string();
        let code =
            if ["executable file not found", "no such file or directory"].iter().any(|t| text.contains(t))
                && matches!(self, CliError::Daemon { .. })
            {
                127
            } else if ["permission denied", "is a directory"].iter().any(|t| text.contains(t))
                && matches!(self, CliError::Daemon { .. })
            {
                126
            } else {
                125
            };
        CliError::Verb { verb, code, source: Box::new(self) }
    }
}

/// The operating system's text for an error, lower case and without Rust's "(os error N)".
pub fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Shorthand used across the crate.
pub type Result<T, E = CliError> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    fn start(message: &str) -> u8 {
        CliError::Daemon { status: 400, message: message.into() }.in_verb("run").exit_code()
    }

    #[test]
    fn start_errors_become_the_shells_exit_codes() {
        assert_eq!(start("exec: \"nope\": executable file not found in $PATH: unknown"), 127);
        assert_eq!(start("exec: \"/nope\": stat /nope: no such file or directory: unknown"), 127);
        assert_eq!(start("exec: \"/etc/passwd\": permission denied: unknown"), 126);
        assert_eq!(start("exec: \"/etc\": is a directory: unknown"), 126);
        assert_eq!(start("Conflict. The container name \"/a\" is already in use"), 125);
    }

    #[test]
    fn errors_of_run_end_with_the_help_hint() {
        let error = CliError::Daemon { status: 409, message: "Conflict.".into() }.in_verb("run");
        assert_eq!(
            error.to_string(),
            "berth: Error response from daemon: Conflict.\n\nRun 'berth run --help' for more information"
        );
    }

    #[test]
    fn file_errors_read_like_the_system_call_that_failed() {
        let source = io::Error::from_raw_os_error(2);
        let error = CliError::File { path: "/nonexistent".into(), source };
        assert_eq!(error.to_string(), "open /nonexistent: no such file or directory");
    }
}
