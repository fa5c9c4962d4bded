//! An attached session: the user's standard streams on one side, a hijacked connection on the other.

use std::io::Read;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use crate::client::Client;
use crate::client::endpoint::Stream;
use crate::client::hijack::Hijacked;
use crate::client::query::{Target, escape};
use crate::client::stream::{Channel, Demux};
use crate::error::{CliError, Result};
use crate::flags::body::Attach;
use crate::{signals, terminal};

/// Ctrl-P Ctrl-Q.
const DEFAULT_DETACH: [u8; 2] = [16, 17];

/// How a session is wired.
#[derive(Debug, Clone)]
pub struct Session {
    /// The container has a terminal: its output is one raw stream.
    pub tty: bool,
    /// Which streams are connected.
    pub attach: Attach,
    /// Keys that end the session and leave the container running.
    pub detach_keys: Vec<u8>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The daemon closed the streams.
    Closed,
    /// The user pressed the detach keys.
    Detached,
}

/// Reads `--detach-keys`: single characters or `ctrl-X`, separated by commas.
pub fn detach_keys(flag: Option<&str>) -> Result<Vec<u8>> {
    let Some(text) = flag.filter(|text| !text.is_empty()) else {
        return Ok(DEFAULT_DETACH.to_vec());
    };
    let bad = || CliError::options(format!("invalid detach keys ({text}) provided"));
    text.split(',')
        .map(|key| match (key.as_bytes(), key.to_lowercase().strip_prefix("ctrl-").map(str::as_bytes)) {
            (_, Some([c @ b'a'..=b'z'])) => Ok(c - b'a' + 1),
            (_, Some([b'@'])) => Ok(0),
            (_, Some([c @ b'['..=b'_'])) => Ok(c - b'[' + 27),
            ([c], _) => Ok(*c),
            _ => Err(bad()),
        })
        .collect()
}

impl Session {
    /// Copies until the daemon closes the streams or the user detaches. With a terminal on both sides the local
    /// one is raw meanwhile.
    pub async fn run(&self, connection: Hijacked) -> Result<Ended> {
        let raw = self.tty && self.attach.stdin && terminal::stdin_is_terminal();
        let _raw = if raw {
            signals::restore_terminal_on_death()?;
            Some(terminal::RawMode::enter()?)
        } else {
            None
        };
        let (reader, writer) = tokio::io::split(connection.stream);
        let output = self.output(reader, connection.early);
        if !self.attach.stdin {
            return output.await.map(|()| Ended::Closed);
        }
        let input = input(writer, if raw { self.detach_keys.clone() } else { Vec::new() });
        tokio::pin!(output, input);
        tokio::select! {
            ended = &mut output => return ended.map(|()| Ended::Closed),
            ended = &mut input => {
                if ended == Ended::Detached {
                    return Ok(Ended::Detached);
                }
            }
        }
        if self.attach.stdout || self.attach.stderr {
            output.await?;
        }
        Ok(Ended::Closed)
    }

    async fn output(&self, mut reader: ReadHalf<Box<dyn Stream>>, early: bytes::Bytes) -> Result<()> {
        let mut printer = Printer::new(!self.tty);
        printer.feed(&early).await?;
        let mut buffer = vec![0; 32 * 1024];
        loop {
            match reader.read(&mut buffer).await {
                Ok(0) => return Ok(()),
                Ok(count) => printer.feed(buffer.get(..count).unwrap_or_default()).await?,
                // A daemon that goes away resets the connection; the exit status tells what happened.
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Ok(()),
                Err(e) => {
                    return Err(CliError::Transport { request: "attach".into(), reason: e.to_string() });
                }
            }
        }
    }
}

/// Writes a container's output to the standard streams.
pub struct Printer {
    demux: Option<Demux>,
    out: tokio::io::Stdout,
    err: tokio::io::Stderr,
}

impl Printer {
    /// `multiplexed`: the bytes are frames of two streams rather than one terminal's output.
    pub fn new(multiplexed: bool) -> Self {
        Self { demux: multiplexed.then(Demux::new), out: tokio::io::stdout(), err: tokio::io::stderr() }
    }

    /// Writes what the next bytes contain.
    pub async fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(demux) = &mut self.demux else {
            return write(&mut self.out, bytes).await;
        };
        let frames = demux
            .feed(bytes)
            .map_err(|e| CliError::Answer { request: "attach".into(), reason: e.to_string() })?;
        for (channel, payload) in frames {
            match channel {
                Channel::Stdout => write(&mut self.out, payload).await?,
                Channel::Stderr => write(&mut self.err, payload).await?,
                Channel::System => {
                    let message = String::from_utf8_lossy(payload).trim_end().to_owned();
                    return Err(CliError::Daemon { status: 500, message });
                }
            }
        }
        Ok(())
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<()> {
    to.write_all(bytes).await.map_err(CliError::Output)?;
    to.flush().await.map_err(CliError::Output)
}

/// Copies standard input to the container until it ends, then closes the container's input.
async fn input(mut writer: WriteHalf<Box<dyn Stream>>, detach: Vec<u8>) -> Ended {
    let mut chunks = read_stdin();
    let mut keys = DetachKeys::new(detach);
    while let Some(chunk) = chunks.recv().await {
        let (bytes, detached) = keys.filter(&chunk);
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            // The container ended; the output side says so.
            return Ended::Closed;
        }
        if detached {
            return Ended::Detached;
        }
    }
    // Failure means the connection is gone already, which is what closing it would have achieved.
    let _ = writer.shutdown().await;
    Ended::Closed
}

/// Standard input, read on a thread of its own: a read cannot be cancelled, and the process must be able to end
/// while it blocks.
fn read_stdin() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = vec![0; 32 * 1024];
        while let Ok(count @ 1..) = stdin.read(&mut buffer) {
            if sender.blocking_send(buffer.get(..count).unwrap_or_default().to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Finds the detach sequence in what the user types, holding back a possible beginning of it.
struct DetachKeys {
    keys: Vec<u8>,
    matched: usize,
}

impl DetachKeys {
    fn new(keys: Vec<u8>) -> Self {
        Self { keys, matched: 0 }
    }

    /// The bytes to send, and whether the sequence was completed.
    fn filter(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut send = Vec::with_capacity(typed.len());
        for &byte in typed {
            if self.keys.get(self.matched) == Some(&byte) {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    return (send, true);
                }
                continue;
            }
            send.extend_from_slice(self.keys.get(..self.matched).unwrap_or_default());
            self.matched = 0;
            if self.keys.first() == Some(&byte) && self.keys.len() > 1 {
                self.matched = 1;
            } else {
                send.push(byte);
            }
        }
        (send, false)
    }
}

/// Tells the container the terminal's size now and whenever it changes; lasts as long as the process.
pub async fn follow_window_size(client: &Client, id: &str) -> Result<()> {
    let mut changes = signals::window_changes()?;
    // The first resize may come before the program's terminal exists.
    for attempt in 0..5u64 {
        if resize(client, id).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10 * (attempt + 1))).await;
    }
    let (client, id) = (client.clone(), id.to_owned());
    tokio::spawn(async move {
        while changes.recv().await.is_some() {
            resize(&client, &id).await;
        }
    });
    Ok(())
}

async fn resize(client: &Client, id: &str) -> bool {
    let Some([rows, columns]) = terminal::size() else {
        return true;
    };
    let target = Target::new(format!("/containers/{}/resize", escape(id)))
        .with("h", &rows.to_string())
        .with("w", &columns.to_string());
    client.post(&target.done(), None).await.is_ok()
}

/// Passes signals on to the container until the process ends. Three interrupts that the container ignores end the
/// client itself.
pub fn forward_signals(client: &Client, id: &str, mut received: mpsc::UnboundedReceiver<&'static str>) {
    let (client, id) = (client.clone(), id.to_owned());
    tokio::spawn(async move {
        let mut patience = 3;
        while let Some(name) = received.recv().await {
            let target = Target::new(format!("/containers/{}/kill", escape(&id))).with("signal", name);
            // A container that is gone cannot be signalled; its end is on the way.
            let _ = client.post(&target.done(), None).await;
            patience -= i32::from(matches!(name, "INT" | "TERM"));
            if patience == 0 {
                crate::out::warn("\ngot 3 SIGTERM/SIGINTs, forcefully exiting");
                std::process::exit(1);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detach_keys_are_parsed() {
        assert_eq!(detach_keys(None).unwrap(), [16, 17]);
        assert_eq!(detach_keys(Some("ctrl-a,x,ctrl-@,ctrl-[")).unwrap(), [1, b'x', 0, 27]);
        assert!(detach_keys(Some("ctrl-1")).is_err());
        assert!(detach_keys(Some("ab")).is_err());
    }

    #[test]
    fn the_detach_sequence_is_found_across_reads_and_not_sent() {
        let mut keys = DetachKeys::new(vec![16, 17]);
        assert_eq!(keys.filter(b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(keys.filter(b"\x10\x11rest"), (b"\x10".to_vec(), true));
        let mut keys = DetachKeys::new(vec![16, 17]);
        assert_eq!(keys.filter(b"\x10x"), (b"\x10x".to_vec(), false));
        assert_eq!(DetachKeys::new(Vec::new()).filter(b"\x10\x11"), (b"\x10\x11".to_vec(), false));
    }
}
