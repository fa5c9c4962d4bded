//! Flags and the configuration file. Names are dockerd's where it has one; a flag beats the file.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use berth_engine::DefaultUserns;
use clap::{Parser, ValueEnum};
use serde::Deserialize;

const DEFAULT_FILE: &str = "/etc/berth/berthd.toml";
const DEFAULT_DATA_ROOT: &str = "/var/lib/berth";
const DEFAULT_EXEC_ROOT: &str = "/run/berth";
const DEFAULT_HOST: &str = "unix:///run/berth/berth.sock";

/// Berth's daemon: a container engine that speaks the Docker Engine API.
#[derive(Debug, Default, Parser)]
#[command(name = "berthd", version, about)]
pub struct Flags {
    /// Where everything is kept that outlives a reboot [default: /var/lib/berth]
    #[arg(long, value_name = "DIR")]
    pub data_root: Option<PathBuf>,
    /// Where everything is kept that does not [default: /run/berth]
    #[arg(long, value_name = "DIR")]
    pub exec_root: Option<PathBuf>,
    /// Where to listen: unix://PATH, tcp://ADDRESS:PORT, fd:// (repeatable) [default: unix:///run/berth/berth.sock]
    #[arg(short = 'H', long = "host", value_name = "URL")]
    pub hosts: Vec<String>,
    /// Group of the unix socket [default: berth, else docker, where they exist]
    #[arg(short = 'G', long, value_name = "NAME")]
    pub group: Option<String>,
    /// Name of the default bridge [default: berth0]
    #[arg(long, value_name = "NAME")]
    pub bridge: Option<String>,
    /// Address and network of the default bridge [default: 172.17.0.1/16]
    #[arg(long, value_name = "CIDR")]
    pub bip: Option<String>,
    /// How much to log [default: info]
    #[arg(short = 'l', long, value_enum)]
    pub log_level: Option<LogLevel>,
    /// How to log [default: text]
    #[arg(long, value_enum)]
    pub log_format: Option<LogFormat>,
    /// Configuration file, TOML [default: /etc/berth/berthd.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// The berth-shim executable [default: beside berthd, else on PATH]
    #[arg(long, value_name = "FILE")]
    pub shim_path: Option<PathBuf>,
    /// User namespace of containers that do not ask for one [default: private]
    #[arg(long, value_enum)]
    pub userns: Option<Userns>,
    /// Where daemons of this host claim user IDs [default: /run/berth-ids]
    #[arg(long, value_name = "DIR")]
    pub id_claims: Option<PathBuf>,
    /// Events kept for replay [default: 10000]
    #[arg(long, value_name = "N")]
    pub events_kept: Option<u64>,
}

/// The same settings in the configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct File {
    data_root: Option<PathBuf>,
    exec_root: Option<PathBuf>,
    hosts: Vec<String>,
    group: Option<String>,
    bridge: Option<String>,
    bip: Option<String>,
    log_level: Option<LogLevel>,
    log_format: Option<LogFormat>,
    shim_path: Option<PathBuf>,
    userns: Option<Userns>,
    id_claims: Option<PathBuf>,
    events_kept: Option<u64>,
}

/// Verbosity, in dockerd's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What an operator wants to read.
    #[default]
    Info,
    /// What an operator should look at.
    Warn,
    /// What failed.
    Error,
    /// As `error`.
    Fatal,
}

impl LogLevel {
    /// The filter in tracing's words.
    pub fn filter(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug,sqlx=info,hyper=info",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error | LogLevel::Fatal => "error",
        }
    }
}

/// Shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// Default user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Userns {
    /// One of its own for each container.
    Private,
    /// The host's.
    Host,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("reading {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What and where.
        source: Box<toml::de::Error>,
    },
    /// A path is relative, but the daemon's working directory means nothing to its users.
    #[error("--{flag} {}: the path must be absolute", path.display())]
    Relative {
        /// The flag.
        flag: &'static str,
        /// What was given.
        path: PathBuf,
    },
    /// Not an address with a prefix length.
    #[error("--bip {0}: expected an address and a prefix length, such as 172.17.0.1/16")]
    Bip(String),
    /// No shim was found.
    #[error(transparent)]
    Shim(#[from] crate::shim::NotFound),
}

/// Everything decided.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the engine is told.
    pub engine: berth_engine::Config,
    /// Where to listen.
    pub hosts: Vec<String>,
    /// Group of unix sockets, if it was named.
    pub group: Option<String>,
    /// Verbosity.
    pub log_level: LogLevel,
    /// Shape of log lines.
    pub log_format: LogFormat,
}

impl Settings {
    /// Puts flags and file together and checks them.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = match &flags.config_file {
            Some(path) => read(path)?,
            None if Path::new(DEFAULT_FILE).exists() => read(Path::new(DEFAULT_FILE))?,
            None => File::default(),
        };
        Self::merge(flags, file)
    }

    fn merge(flags: &Flags, file: File) -> Result<Self, ConfigError> {
        let path = |flag, a: &Option<PathBuf>, b: Option<PathBuf>, default: &str| {
            let path = a.clone().or(b).unwrap_or_else(|| default.into());
            if path.is_absolute() { Ok(path) } else { Err(ConfigError::Relative { flag, path }) }
        };
        let data_root = path("data-root", &flags.data_root, file.data_root, DEFAULT_DATA_ROOT)?;
        let exec_root = path("exec-root", &flags.exec_root, file.exec_root, DEFAULT_EXEC_ROOT)?;
        if let Some(bip) = flags.bip.as_ref().or(file.bip.as_ref()) {
            check_cidr(bip)?;
        }
        let shim = crate::shim::find(flags.shim_path.as_ref().or(file.shim_path.as_ref()))?;
        let mut engine = berth_engine::Config::new(data_root, exec_root, shim);
        if flags.userns.or(file.userns) == Some(Userns::Host) {
            engine.default_userns = DefaultUserns::Host;
        }
        if let Some(directory) = flags.id_claims.clone().or(file.id_claims) {
            engine.id_claims = directory;
        }
        if let Some(kept) = flags.events_kept.or(file.events_kept) {
            engine.events_kept = kept;
        }
        let given = if flags.hosts.is_empty() { file.hosts } else { flags.hosts.clone() };
        Ok(Settings {
            engine,
            hosts: if given.is_empty() { vec![DEFAULT_HOST.to_owned()] } else { given },
            group: flags.group.clone().or(file.group),
            log_level: flags.log_level.or(file.log_level).unwrap_or_default(),
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
        })
    }
}

fn read(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: source.into() })
}

fn check_cidr(text: &str) -> Result<(), ConfigError> {
    let bad = || ConfigError::Bip(text.to_owned());
    let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
    address.parse::<Ipv4Addr>().map_err(|_| bad())?;
    prefix.parse::<u8>().ok().filter(|bits| (1..=30).contains(bits)).ok_or_else(bad)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(args: &[&str]) -> Flags {
        Flags::parse_from(["berthd", "--shim-path", "/bin/true"].iter().chain(args))
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_beats_the_default() {
        let file: File =
            toml::from_str("data-root = \"/srv/a\"\nexec-root = \"/srv/b\"\nlog-level = \"warn\"").unwrap();
        let settings = Settings::merge(&flags(&["--data-root", "/srv/c"]), file).unwrap();
        assert_eq!(settings.engine.data_root, Path::new("/srv/c"));
        assert_eq!(settings.engine.exec_root, Path::new("/srv/b"));
        assert_eq!(settings.log_level, LogLevel::Warn);
        assert_eq!(settings.hosts, [DEFAULT_HOST]);
    }

    #[test]
    fn an_unknown_setting_in_the_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("berthd.toml");
        std::fs::write(&path, "data-rot = \"/x\"").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("data-rot"), "{error}");
    }

    #[test]
    fn relative_roots_and_broken_networks_are_refused() {
        assert!(Settings::merge(&flags(&["--data-root", "x"]), File::default()).is_err());
        assert!(Settings::merge(&flags(&["--bip", "172.17.0.1"]), File::default()).is_err());
        assert!(Settings::merge(&flags(&["--bip", "172.17.0.1/16"]), File::default()).is_ok());
    }

    #[test]
    fn hosts_can_be_given_several_times() {
        let settings =
            Settings::merge(&flags(&["-H", "unix:///a", "-H", "tcp://127.0.0.1:1"]), File::default());
        assert_eq!(settings.unwrap().hosts, ["unix:///a", "tcp://127.0.0.1:1"]);
    }
}
