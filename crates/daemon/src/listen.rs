//! Opening the sockets that clients connect to.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use berth_server::Listener;
use nix::unistd::Group;
use tokio::net::{TcpListener, UnixListener};

/// Groups whose members may use the socket, the first that exists.
const GROUPS: [&str; 2] = ["berth", "docker"];

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Not an address of a kind we know.
    #[error("--host {0}: expected unix://PATH, tcp://ADDRESS:PORT or fd://")]
    Url(String),
    /// Without authentication a TCP socket is root for everybody who reaches it.
    #[error("--host tcp://{0}: without TLS the API is only offered on loopback addresses")]
    NotLoopback(SocketAddr),
    /// The group that was named does not exist.
    #[error("--group {0}: there is no such group")]
    Group(String),
    /// Another daemon listens here.
    #[error("{}: another daemon is listening on this socket", .0.display())]
    InUse(PathBuf),
    /// systemd passed no socket.
    #[error("--host fd://: no socket was passed by systemd")]
    NoSocket,
    /// The system refused.
    #[error("listening on {what}: {source}")]
    Io {
        /// Where.
        what: String,
        /// The cause.
        source: io::Error,
    },
}

/// A socket file, removed when the daemon stops listening.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(path = %self.0.display(), %error, "a socket file was not removed");
        }
    }
}

/// Whether these are addresses of kinds we know, before anything is opened.
pub fn check(hosts: &[String]) -> Result<(), ListenError> {
    let known =
        |host: &&String| ["unix:///", "tcp://", "fd://"].iter().any(|scheme| host.starts_with(scheme));
    match hosts.iter().find(|host| !known(host)) {
        Some(unknown) => Err(ListenError::Url(unknown.clone())),
        None => Ok(()),
    }
}

/// Opens every socket, or none.
pub async fn open(
    hosts: &[String],
    group: Option<&str>,
) -> Result<(Vec<Listener>, Vec<SocketFile>), ListenError> {
    let mut listeners = Vec::new();
    let mut files = Vec::new();
    for host in hosts {
        if let Some(path) = host.strip_prefix("unix://") {
            listeners.push(Listener::Unix(unix(Path::new(path), group)?));
            files.push(SocketFile(path.into()));
        } else if let Some(address) = host.strip_prefix("tcp://") {
            listeners.push(Listener::Tcp(tcp(host, address).await?));
        } else if host.starts_with("fd://") {
            listeners.extend(passed()?);
        } else {
            return Err(ListenError::Url(host.clone()));
        }
    }
    Ok((listeners, files))
}

fn unix(path: &Path, group: Option<&str>) -> Result<UnixListener, ListenError> {
    let failed = |source| ListenError::Io { what: path.display().to_string(), source };
    if !path.is_absolute() {
        return Err(ListenError::Url(format!("unix://{}", path.display())));
    }
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(ListenError::InUse(path.to_owned()));
            }
            // Left behind by a daemon that was killed.
            fs::remove_file(path).map_err(failed)?;
        }
        Ok(_) => return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "not a socket"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // Nobody but root may connect between bind and chown.
    let mask = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    nix::sys::stat::umask(mask);
    let listener = bound.map_err(failed)?;
    if let Some(gid) = socket_group(group)? {
        std::os::unix::fs::chown(path, None, Some(gid)).map_err(failed)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(failed)?;
    Ok(listener)
}

fn socket_group(named: Option<&str>) -> Result<Option<u32>, ListenError> {
    let look_up = |name: &str| Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
    match named {
        Some(name) => match name.parse() {
            Ok(gid) => Ok(Some(gid)),
            Err(_) => look_up(name).map(Some).ok_or_else(|| ListenError::Group(name.to_owned())),
        },
        None => Ok(GROUPS.into_iter().find_map(look_up)),
    }
}

async fn tcp(host: &str, address: &str) -> Result<TcpListener, ListenError> {
    let address = address.trim_end_matches('/').to_owned();
    let resolved = tokio::task::spawn_blocking(move || address.to_socket_addrs().map(Vec::from_iter))
        .await
        .map_err(|e| ListenError::Io { what: host.to_owned(), source: e.into() })?;
    let addresses = resolved.map_err(|_| ListenError::Url(host.to_owned()))?;
    let address = *addresses.first().ok_or_else(|| ListenError::Url(host.to_owned()))?;
    if !address.ip().is_loopback() {
        return Err(ListenError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|source| ListenError::Io { what: host.to_owned(), source })
}

/// Sockets that systemd opened for us (sd_listen_fds(3)).
fn passed() -> Result<Vec<Listener>, ListenError> {
    let failed = |source| ListenError::Io { what: "fd://".to_owned(), source };
    let mut listeners = Vec::new();
    for fd in sd_notify::listen_fds().map_err(failed)? {
        let socket = berth_linux::inherited::take(fd).map_err(|e| failed(e.into()))?;
        listeners.push(inherited(socket).map_err(failed)?);
    }
    if listeners.is_empty() { Err(ListenError::NoSocket) } else { Ok(listeners) }
}

fn inherited(socket: OwnedFd) -> io::Result<Listener> {
    use nix::sys::socket::{AddressFamily, SockaddrLike, SockaddrStorage, getsockname};
    let address: SockaddrStorage = getsockname(std::os::fd::AsRawFd::as_raw_fd(&socket))?;
    if address.family() == Some(AddressFamily::Unix) {
        let listener = std::os::unix::net::UnixListener::from(socket);
        listener.set_nonblocking(true)?;
        return Ok(Listener::Unix(UnixListener::from_std(listener)?));
    }
    let listener = std::net::TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(Listener::Tcp(TcpListener::from_std(listener)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tcp_socket_open_to_the_network_is_refused() {
        let error = open(&["tcp://0.0.0.0:0".to_owned()], None).await.unwrap_err();
        assert!(error.to_string().contains("only offered on loopback"), "{error}");
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_but_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let url = vec![format!("unix://{}", path.display())];
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let (_listeners, _files) = open(&url, None).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let error = open(&url, None).await.unwrap_err();
        assert!(matches!(error, ListenError::InUse(_)), "{error}");
    }

    #[tokio::test]
    async fn a_socket_file_goes_with_the_daemon() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let opened = open(&[format!("unix://{}", path.display())], None).await.unwrap();
        drop(opened);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn unknown_schemes_and_groups_are_named() {
        let error = check(&["fd://".to_owned(), "npipe://x".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("npipe://x"), "{error}");
        assert!(matches!(socket_group(Some("no-such-group-here")), Err(ListenError::Group(_))));
    }
}
