//! Carrying output from a shim to an attached client.

use std::path::{Path, PathBuf};

use berth_shim_proto::{Attach, Message, Reply, Request, attach};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{mpsc, oneshot};

use super::{Connection, Failure, spill::Spill};
use crate::{Attachment, Output, StdStream, StdinWriter};

/// Opens an attach stream to the shim with this run directory.
pub async fn connect_attach(run_dir: &Path, what: Attach) -> Result<UnixStream, Failure> {
    let mut connection = Connection::connect(run_dir).await?;
    connection.call(Request::Attach(what)).await?;
    loop {
        match connection.last_message().await? {
            Message::Reply { reply: Reply::Done, .. } => return connection.into_stream(),
            Message::Reply { reply, .. } => {
                return Err(Failure::Io(std::io::Error::other(format!("attach refused: {reply:?}"))));
            }
            Message::Event { .. } => {}
        }
    }
}

/// The client's side of an attach stream that may be opened later, when the container starts; `spill` is
/// where output waits that the client is too slow for.
pub fn open_attachment(
    stream: oneshot::Receiver<UnixStream>,
    what: Attach,
    tty: bool,
    spill: PathBuf,
) -> Attachment {
    let (sender, output) = mpsc::channel(16);
    let (give_input, input) = oneshot::channel();
    tokio::spawn(async move {
        // A container that is removed before it starts never opens the stream; a client that leaves before
        // that never gets one.
        let stream = tokio::select! {
            stream = stream => stream,
            () = sender.closed() => return,
        };
        let Ok(stream) = stream else { return };
        let (read, write) = stream.into_split();
        // A client that has closed its side already drops the half here, which the shim sees as end of file.
        if what.stdin {
            drop(give_input.send(write));
            pump(read, sender, Spill::new(spill)).await;
        } else {
            pump(read, sender, Spill::new(spill)).await;
            drop(write);
        }
    });
    Attachment {
        tty,
        output,
        input: what.stdin.then_some(StdinWriter::new(input)),
        ends_with_input: what.stdin && (tty || !what.close_stdin_on_eof),
    }
}

/// Reads from the shim as fast as it sends, so that the shim never has to wait for the client.
async fn pump(mut from: OwnedReadHalf, to: mpsc::Sender<Output>, mut spill: Spill) {
    let mut buffer = BytesMut::with_capacity(32 << 10);
    let mut open = true;
    while open || !spill.is_empty() {
        tokio::select! {
            permit = to.reserve(), if !spill.is_empty() => {
                let Ok(permit) = permit else { return };
                match on_disk(|| spill.pop()) {
                    Ok(Some(output)) => permit.send(output),
                    Ok(None) => {}
                    Err(error) => return tracing::warn!(%error, "output of an attached container is lost"),
                }
            }
            () = to.closed(), if spill.is_empty() => return,
            read = from.read_buf(&mut buffer), if open => {
                open = matches!(read, Ok(n) if n > 0);
                while let Some(output) = next_frame(&mut buffer) {
                    if let Err(error) = on_disk(|| spill.push(output)) {
                        return tracing::warn!(%error, "a client was detached");
                    }
                }
                buffer.reserve(32 << 10);
            }
        }
    }
}

/// Runs what may wait for the disk; the runtime moves its other work to another thread meanwhile.
fn on_disk<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

fn next_frame(buffer: &mut BytesMut) -> Option<Output> {
    let (stream, length) = attach::parse(*buffer.first_chunk()?);
    let total = attach::HEADER + length as usize;
    if buffer.len() < total {
        return None;
    }
    let bytes: Bytes = buffer.split_to(total).freeze().slice(attach::HEADER..);
    let stream = if stream == attach::STDERR { StdStream::Stderr } else { StdStream::Stdout };
    Some(Output { stream, bytes })
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn attached(stream: UnixStream, dir: &Path) -> Attachment {
        let (give, take) = oneshot::channel();
        give.send(stream).unwrap();
        open_attachment(take, Attach::default(), false, dir.to_owned())
    }

    fn frame(stream: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = attach::header(stream, bytes.len() as u32).to_vec();
        out.extend_from_slice(bytes);
        out
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_client_that_does_not_read_holds_nobody_up_and_misses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, mut shim) = UnixStream::pair().unwrap();
        let mut attachment = attached(ours, dir.path());
        let payload = vec![7; 64 << 10];
        for _ in 0..320 {
            shim.write_all(&frame(attach::STDERR, &payload)).await.unwrap();
        }
        drop(shim);
        let mut total = 0;
        while let Some(output) = attachment.output.recv().await {
            assert_eq!(output.stream, StdStream::Stderr);
            total += output.bytes.len();
        }
        assert_eq!(total, 320 * (64 << 10));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn frames_that_arrive_in_pieces_are_put_together() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, mut shim) = UnixStream::pair().unwrap();
        let mut attachment = attached(ours, dir.path());
        for byte in frame(attach::STDOUT, b"hello") {
            shim.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(shim);
        let output = attachment.output.recv().await.unwrap();
        assert_eq!((output.stream, &output.bytes[..]), (StdStream::Stdout, &b"hello"[..]));
        assert!(attachment.output.recv().await.is_none());
    }
}
