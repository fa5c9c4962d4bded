//! Who is on the other end of a connection, and whether they are still there.

use std::future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use berth_engine::Caller;
use http::request::Parts;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpStream, UnixStream};

use crate::error::ApiError;

/// The client's end of a connection; every request on it carries this as an extension.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Who asked.
    pub caller: Caller,
    socket: Option<Arc<OwnedFd>>,
}

impl Connection {
    /// A client that is not on a socket: requests made within the process.
    pub fn local(caller: Caller) -> Self {
        Connection { caller, socket: None }
    }

    /// The client of a unix socket, known by its credentials (`SO_PEERCRED`).
    ///
    /// # Errors
    /// The socket's own; it is of no use then.
    pub fn unix(stream: &UnixStream) -> io::Result<Self> {
        let peer = stream.peer_cred()?;
        let caller = Caller::Peer { uid: peer.uid(), gid: peer.gid(), pid: peer.pid().unwrap_or(0) };
        Ok(Connection { caller, socket: Some(Arc::new(stream.as_fd().try_clone_to_owned()?)) })
    }

    /// The client of a TCP socket, known by its address.
    ///
    /// # Errors
    /// The socket's own; it is of no use then.
    pub fn tcp(stream: &TcpStream, address: SocketAddr) -> io::Result<Self> {
        let caller = Caller::Tcp { address };
        Ok(Connection { caller, socket: Some(Arc::new(stream.as_fd().try_clone_to_owned()?)) })
    }

    /// Waits until a client that only listens is gone; for streams that may have nothing to write for hours.
    ///
    /// On a unix socket this is a full hang-up: a client that only closed its writing side still listens. TCP does
    /// not tell the two apart, so there the end of the client's side counts, as it does for Docker.
    pub(crate) async fn gone(self) {
        let interest = match self.caller {
            Caller::Tcp { .. } => Interest::READABLE,
            Caller::Peer { .. } | Caller::Engine => Interest::PRIORITY,
        };
        self.closed(interest).await;
    }

    /// Waits until a client that may also send is gone, both ways; on TCP only a reset tells.
    pub(crate) async fn hung_up(self) {
        self.closed(Interest::PRIORITY).await;
    }

    /// Waits for the end of the connection. EPOLLHUP is reported whatever one waits for (epoll_ctl(2)); PRIORITY
    /// asks for nothing that ordinary data or a half-close would trigger.
    async fn closed(self, interest: Interest) {
        let Some(socket) = self.socket else { return future::pending().await };
        #[expect(
            deprecated,
            reason = "the replacement is unsafe for types that may swap their descriptor; OwnedFd cannot"
        )]
        let watch = socket.try_clone().and_then(|fd| AsyncFd::with_interest(fd, interest));
        // A descriptor that cannot be watched means an end that is noticed at the next write instead.
        let Ok(watch) = watch else { return future::pending().await };
        while let Ok(mut ready) = watch.ready(interest).await {
            if ready.ready().is_read_closed() || ready.ready().is_write_closed() {
                return;
            }
            ready.clear_ready();
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Connection {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Connection>().cloned().ok_or_else(|| {
            ApiError::new(http::StatusCode::INTERNAL_SERVER_ERROR, "request without a connection")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);
    const A_WHILE: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn a_unix_client_that_closes_is_gone() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let connection = Connection::unix(&ours).unwrap();
        assert!(matches!(connection.caller, Caller::Peer { pid, .. } if pid > 0));
        let gone = tokio::spawn(connection.gone());
        drop(theirs);
        timeout(SOON, gone).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_unix_client_that_half_closes_still_listens() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let connection = Connection::unix(&ours).unwrap();
        theirs.write_all(b"data").await.unwrap();
        theirs.shutdown().await.unwrap();
        assert!(timeout(A_WHILE, connection.gone()).await.is_err());
    }

    #[tokio::test]
    async fn a_tcp_client_that_closes_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = listener.accept().await.unwrap();
        let connection = Connection::tcp(&stream, address).unwrap();
        assert_eq!(connection.caller, Caller::Tcp { address });
        assert!(timeout(A_WHILE, connection.clone().gone()).await.is_err());
        drop(client);
        timeout(SOON, connection.gone()).await.unwrap();
    }
}
