//! Connections that stop being HTTP: output one way, standard input the other.
//!
//! A client that sends `Upgrade: tcp` gets 101 and the bare connection. One that does not gets a 200 whose body is
//! the output, ended by closing the connection, and its request body is the input.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use berth_engine::{Attachment, StdinWriter};
use futures_util::{StreamExt, stream};
use http::{StatusCode, Version, header};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::detach::DetachKeys;
use crate::peer::Connection;
use crate::stream::{Framing, Stopping, body, stopped, until_unwanted};

/// How long a client may take to close after the last output.
const LINGER: Duration = Duration::from_secs(2);
/// Most bytes of input taken at once.
const INPUT: usize = 16 << 10;

/// An attachment about to be handed to a client.
pub(crate) struct Session {
    /// The container's streams.
    pub(crate) attachment: Attachment,
    /// How output is written.
    pub(crate) framing: Framing,
    /// What ends the session from a terminal.
    pub(crate) detach: Option<DetachKeys>,
    /// What the answer calls the output.
    pub(crate) content_type: &'static str,
    /// The client.
    pub(crate) connection: Connection,
    /// Ends the session when it turns true.
    pub(crate) stopping: Stopping,
}

impl Session {
    /// Answers a request with this session.
    pub(crate) fn respond(self, mut request: Request) -> Response {
        let content_type = self.content_type;
        let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
            return self.stream(request.into_body());
        };
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => self.run(TokioIo::new(upgraded)).await,
                Err(error) => tracing::debug!(%error, "client left before the connection was handed over"),
            }
        });
        let headers =
            [(header::CONTENT_TYPE, content_type), (header::CONNECTION, "Upgrade"), (header::UPGRADE, "tcp")];
        (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
    }

    /// Runs the session on a bare connection until the output ends, the client detaches or leaves, or the engine
    /// stops. The end of the client's input ends it only where the attachment says so.
    async fn run(self, io: impl AsyncRead + AsyncWrite + Send + Unpin) {
        let Session { attachment, framing, detach, connection, stopping, .. } = self;
        let Attachment { mut output, input, ends_with_input, .. } = attachment;
        let (mut reader, mut writer) = tokio::io::split(io);
        let write = async {
            while let Some(piece) = output.recv().await {
                if writer.write_all(&framing.output(piece)).await.is_err() {
                    return;
                }
                if output.is_empty() && writer.flush().await.is_err() {
                    return;
                }
            }
        };
        let read = async {
            if !pump_input(&mut reader, input, detach).await && !ends_with_input {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = write => {}
            () = read => {}
            () = connection.hung_up() => return,
            () = stopped(stopping) => {}
        }
        drop(output);
        // The client must see the end of the output, not a reset because of input that nobody read (unix(7), tcp(7)).
        if writer.shutdown().await.is_ok() {
            let mut rest = [0; 1024];
            let drain = async { while matches!(reader.read(&mut rest).await, Ok(1..)) {} };
            _ = tokio::time::timeout(LINGER, drain).await;
        }
    }

    /// The session as an ordinary response, for clients that do not upgrade.
    fn stream(self, input_body: Body) -> Response {
        let Session { attachment, framing, content_type, connection, stopping, .. } = self;
        let Attachment { output, mut input, .. } = attachment;
        // A request without a body leaves standard input open as long as the client listens.
        if !input_body.is_end_stream() {
            tokio::spawn(pump_body(input_body, input.take()));
        }
        let pieces = stream::unfold((output, input), move |(mut output, input)| async move {
            let piece = output.recv().await?;
            Some((framing.output(piece), (output, input)))
        });
        let pieces = until_unwanted(pieces, connection, stopping);
        let mut response = ([(header::CONTENT_TYPE, content_type)], body(pieces)).into_response();
        // Without chunks: old clients read the connection to its end.
        *response.version_mut() = Version::HTTP_10;
        response
    }
}

/// Copies what the client sends to standard input until its end; whether the client asked to detach.
async fn pump_input(
    reader: &mut (impl AsyncRead + Unpin),
    mut input: Option<StdinWriter>,
    mut detach: Option<DetachKeys>,
) -> bool {
    let mut buffer = vec![0; INPUT];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        let typed = buffer.get(..length).unwrap_or_default();
        let (bytes, detached) = match &mut detach {
            Some(keys) => keys.filter(typed),
            None => (typed.to_vec(), false),
        };
        if detached {
            return true;
        }
        // Without standard input, or once the container closed it, what is sent goes nowhere.
        if let Some(stdin) = &mut input
            && stdin.write(&bytes).await.is_err()
        {
            input = None;
        }
    }
    false
}

/// Copies a request body to standard input.
async fn pump_body(source: Body, input: Option<StdinWriter>) {
    let Some(mut input) = input else { return };
    let mut pieces = source.into_data_stream();
    while let Some(Ok(bytes)) = pieces.next().await {
        if input.write(&bytes).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::routing::post;
    use berth_engine::{Output, StdStream};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::sync::{mpsc, watch};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::listen::{Listener, serve};
    use crate::stream::RAW;

    /// A container without standard input behind `POST /attach`, and its end of the output.
    struct Fixture {
        _directory: tempfile::TempDir,
        path: std::path::PathBuf,
        output: mpsc::Sender<Output>,
        stopping: watch::Sender<bool>,
    }

    impl Fixture {
        fn start(tty: bool) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("s");
            let (output, receiver) = mpsc::channel(8);
            let stopping = watch::Sender::new(false);
            let receiver = std::sync::Arc::new(Mutex::new(Some(receiver)));
            let stopped = stopping.subscribe();
            let attach = move |connection: Connection, request: Request| async move {
                let output = receiver.lock().unwrap().take().unwrap();
                let session = Session {
                    attachment: Attachment { tty, output, input: None, ends_with_input: false },
                    framing: Framing { raw: tty, ..Framing::default() },
                    detach: tty.then(|| DetachKeys::parse(None).unwrap()),
                    content_type: RAW,
                    connection,
                    stopping: stopped,
                };
                session.respond(request)
            };
            let router = Router::new().route("/attach", post(attach));
            let listener = Listener::Unix(UnixListener::bind(&path).unwrap());
            tokio::spawn(serve(vec![listener], router, CancellationToken::new()));
            Fixture { _directory: directory, path, output, stopping }
        }

        async fn attach(&self, headers: &str) -> UnixStream {
            let mut client = UnixStream::connect(&self.path).await.unwrap();
            let request = format!("POST /attach HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n{headers}\r\n");
            client.write_all(request.as_bytes()).await.unwrap();
            client
        }

        async fn upgraded(&self) -> UnixStream {
            let mut client = self.attach("Connection: Upgrade\r\nUpgrade: tcp\r\n").await;
            let head = read_head(&mut client).await;
            assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
            assert!(
                head.contains("Upgrade: tcp\r\n") && head.contains(&format!("Content-Type: {RAW}\r\n")),
                "{head}"
            );
            client
        }

        async fn write(&self, text: &'static str) {
            self.output.send(Output { stream: StdStream::Stdout, bytes: text.into() }).await.unwrap();
        }
    }

    async fn read_head(client: &mut UnixStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    async fn rest(client: &mut UnixStream) -> Vec<u8> {
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        rest
    }

    #[tokio::test]
    async fn an_upgraded_client_gets_frames_until_the_container_ends() {
        let fixture = Fixture::start(false);
        let mut client = fixture.upgraded().await;
        fixture.write("one").await;
        drop(fixture.output);
        assert_eq!(rest(&mut client).await, b"\x01\0\0\0\0\0\0\x03one");
    }

    #[tokio::test]
    async fn a_client_that_half_closes_still_gets_the_output() {
        let fixture = Fixture::start(true);
        let mut client = fixture.upgraded().await;
        client.write_all(b"ignored").await.unwrap();
        client.shutdown().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        fixture.write("late").await;
        drop(fixture.output);
        assert_eq!(rest(&mut client).await, b"late");
    }

    #[tokio::test]
    async fn detach_keys_end_the_session() {
        let fixture = Fixture::start(true);
        let mut client = fixture.upgraded().await;
        client.write_all(b"x\x10\x11").await.unwrap();
        assert_eq!(rest(&mut client).await, b"");
        fixture.output.closed().await;
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_noticed_without_output() {
        let fixture = Fixture::start(false);
        drop(fixture.upgraded().await);
        tokio::time::timeout(Duration::from_secs(5), fixture.output.closed()).await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_does_not_upgrade_gets_a_plain_body() {
        let fixture = Fixture::start(true);
        let mut client = fixture.attach("").await;
        fixture.write("plain").await;
        let head = read_head(&mut client).await;
        assert!(
            head.starts_with("HTTP/1.0 200 OK\r\n") && !head.to_lowercase().contains("chunked"),
            "{head}"
        );
        drop(fixture.output);
        assert_eq!(rest(&mut client).await, b"plain");
    }

    #[tokio::test]
    async fn a_stopping_engine_ends_the_session() {
        let fixture = Fixture::start(false);
        let mut client = fixture.upgraded().await;
        fixture.stopping.send_replace(true);
        assert_eq!(rest(&mut client).await, b"");
    }
}
