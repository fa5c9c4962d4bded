//! The accept loop.
//!
//! Not `axum::serve`: it gives up on a request when the client closes its writing side after sending it, which
//! Docker's own client does. Connections here are half-closable, upgradable, and on shutdown idle ones close at
//! once while requests under way get [`GRACE`] to finish.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::peer::Connection;

/// How long requests under way may take after shutdown was asked for.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after a failed accept: out of descriptors, mostly.
const BACKOFF: Duration = Duration::from_millis(100);

/// A socket that accepts clients.
#[derive(Debug)]
pub enum Listener {
    /// A unix socket; its file is the owner's business.
    Unix(UnixListener),
    /// A TCP socket.
    Tcp(TcpListener),
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Stream, Connection)> {
        match self {
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let connection = Connection::unix(&stream)?;
                Ok((Stream::Unix(stream), connection))
            }
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let connection = Connection::tcp(&stream, address)?;
                Ok((Stream::Tcp(stream), connection))
            }
        }
    }
}

/// Serves clients of every listener until `shutdown`, then lets requests under way finish.
///
/// Endless streams must be ended by whoever feeds them; what still runs after the grace period is cut off.
pub async fn serve(listeners: Vec<Listener>, router: Router, shutdown: CancellationToken) {
    let mut loops = JoinSet::new();
    for listener in listeners {
        loops.spawn(accept_loop(listener, router.clone(), shutdown.clone()));
    }
    while loops.join_next().await.is_some() {}
}

async fn accept_loop(listener: Listener, router: Router, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((Stream::Unix(stream), connection)) => {
                    connections.spawn(serve_connection(stream, connection, router.clone(), shutdown.clone()));
                }
                Ok((Stream::Tcp(stream), connection)) => {
                    connections.spawn(serve_connection(stream, connection, router.clone(), shutdown.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(BACKOFF).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = shutdown.cancelled() => break,
        }
    }
    drop(listener);
    let finish = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        tracing::warn!("cutting off requests that did not finish in time");
    }
}

async fn serve_connection<S>(stream: S, connection: Connection, router: Router, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let caller = connection.caller.clone();
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        router.clone().call(request.map(Body::new))
    });
    let http = http1::Builder::new()
        .half_close(true)
        // Scripts read headers as Docker writes them.
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut http = pin!(http);
    let served = tokio::select! {
        served = http.as_mut() => served,
        () = shutdown.cancelled() => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, ?caller, "connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Serves a small router on a unix socket; the guard keeps its directory.
    fn start(
        router: Router,
    ) -> (tempfile::TempDir, std::path::PathBuf, CancellationToken, tokio::task::JoinHandle<()>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = Listener::Unix(UnixListener::bind(&path).unwrap());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(vec![listener], router, shutdown.clone()));
        (directory, path, shutdown, task)
    }

    async fn slow() -> &'static str {
        tokio::time::sleep(Duration::from_millis(200)).await;
        "late"
    }

    #[tokio::test]
    async fn a_client_that_half_closes_still_gets_its_answer() {
        let (_directory, path, _shutdown, _task) = start(Router::new().route("/slow", get(slow)));
        let mut client = UnixStream::connect(&path).await.unwrap();
        client.write_all(b"GET /slow HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("late"), "{answer}");
    }

    #[tokio::test]
    async fn the_caller_is_the_peer() {
        let who = |connection: Connection| async move { format!("{:?}", connection.caller) };
        let (_directory, path, _shutdown, _task) = start(Router::new().route("/who", post(who)));
        let mut client = UnixStream::connect(&path).await.unwrap();
        client.write_all(b"POST /who HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(&format!("pid: {}", std::process::id())), "{answer}");
    }

    #[tokio::test]
    async fn shutdown_closes_idle_connections_and_lets_requests_finish() {
        let (_directory, path, shutdown, task) = start(Router::new().route("/slow", get(slow)));
        let mut idle = UnixStream::connect(&path).await.unwrap();
        let mut busy = UnixStream::connect(&path).await.unwrap();
        busy.write_all(b"GET /slow HTTP/1.1\r\nHost: d\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        shutdown.cancel();
        let mut answer = String::new();
        idle.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "");
        busy.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("late"), "{answer}");
        tokio::time::timeout(Duration::from_secs(5), task).await.unwrap().unwrap();
        assert!(UnixStream::connect(&path).await.is_err());
    }
}
