//! Where the daemon listens: reading `-H`, `BERTH_HOST` and `DOCKER_HOST`, and connecting.

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::error::{CliError, Result};

/// The socket a daemon with default settings listens on.
pub const DEFAULT_HOST: &str = "unix:///run/berth/berth.sock";

/// A byte stream to the daemon.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A parsed daemon address.
#[derive(Debug, Clone, PartialEq)]
pub enum Endpoint {
    /// `unix://PATH`
    Unix(PathBuf),
    /// `tcp://HOST:PORT` or `http://HOST:PORT`
    Tcp(String),
}

impl Endpoint {
    /// Parses a host URL. A missing TCP port is 2375, as for docker.
    pub fn parse(host: &str) -> Result<Self> {
        let bad = |reason| CliError::Host { host: host.to_owned(), reason };
        if let Some(path) = host.strip_prefix("unix://") {
            return if path.is_empty() {
                Err(bad("the socket path is empty"))
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        let Some(rest) = host.strip_prefix("tcp://").or_else(|| host.strip_prefix("http://")) else {
            return Err(bad("only unix:// and tcp:// addresses are supported"));
        };
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.is_empty() {
            return Err(bad("the address has no host"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Self::Tcp(if has_port { authority.to_owned() } else { format!("{authority}:2375") }))
    }

    /// Opens one connection.
    pub async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Self::Tcp(authority) => {
                let stream = TcpStream::connect(authority).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }
}

/// Chooses the daemon address: the flag, then `BERTH_HOST`, then `DOCKER_HOST`, then the default socket. Empty
/// values count as unset.
pub fn choose_host(flag: Option<&str>, env: impl Fn(&str) -> Option<String>) -> String {
    flag.map(str::to_owned)
        .filter(|host| !host.is_empty())
        .or_else(|| {
            ["BERTH_HOST", "DOCKER_HOST"].iter().find_map(|name| env(name).filter(|host| !host.is_empty()))
        })
        .unwrap_or_else(|| DEFAULT_HOST.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_beats_berth_host_which_beats_docker_host() {
        let both = |name: &str| Some(format!("unix:///{}", name.to_lowercase()));
        assert_eq!(choose_host(Some("tcp://x:1"), both), "tcp://x:1");
        assert_eq!(choose_host(None, both), "unix:///berth_host");
        assert_eq!(choose_host(None, |n| (n == "DOCKER_HOST").then(|| "tcp://d:1".into())), "tcp://d:1");
        assert_eq!(choose_host(Some(""), |_| Some(String::new())), DEFAULT_HOST);
    }

    #[test]
    fn addresses_are_parsed_and_bad_ones_are_named() {
        assert_eq!(Endpoint::parse("unix:///a/b").unwrap(), Endpoint::Unix("/a/b".into()));
        assert_eq!(Endpoint::parse("tcp://h:1").unwrap(), Endpoint::Tcp("h:1".into()));
        assert_eq!(Endpoint::parse("tcp://h").unwrap(), Endpoint::Tcp("h:2375".into()));
        assert_eq!(Endpoint::parse("tcp://[::1]:2/x").unwrap(), Endpoint::Tcp("[::1]:2".into()));
        for bad in ["unix://", "tcp://", "ssh://h", "nonsense"] {
            let text = Endpoint::parse(bad).unwrap_err().to_string();
            assert!(text.contains(bad), "{text}");
        }
    }
}
