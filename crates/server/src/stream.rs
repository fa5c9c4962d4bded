//! Response bodies that grow: log and output framing, and ending a stream when nobody needs it any more.

use std::convert::Infallible;

use axum::body::Body;
use berth_engine::LogRecord;
use berth_engine::streams::{Output, StdStream};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use tokio::sync::watch;

use crate::peer::Connection;

/// Content type of output without frame headers.
pub(crate) const RAW: &str = "application/vnd.docker.raw-stream";
/// Content type of output in frames, from API 1.42 on.
pub(crate) const MULTIPLEXED: &str = "application/vnd.docker.multiplexed-stream";

/// Frame number of a message from the daemon itself.
const DAEMON: u8 = 3;

/// The frame number of an output stream.
fn number(stream: StdStream) -> u8 {
    match stream {
        StdStream::Stdout => 1,
        StdStream::Stderr => 2,
    }
}

/// Appends a frame: `[stream, 0, 0, 0, length as big-endian u32]`, then the payload.
fn put_frame(out: &mut BytesMut, stream: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.put_u32(u32::from(stream) << 24);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    parts.iter().for_each(|part| out.put_slice(part));
}

/// How output is written for one client.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Framing {
    /// The container has a terminal: no frame headers.
    pub(crate) raw: bool,
    /// Each line starts with its time.
    pub(crate) timestamps: bool,
    /// Each line starts with its attributes; there are none yet, so with their separator.
    pub(crate) details: bool,
}

impl Framing {
    /// Appends a log record.
    pub(crate) fn put_record(self, out: &mut BytesMut, record: &LogRecord) {
        let time = if self.timestamps { fixed_time(record.time_ns) } else { String::new() };
        let separator: &[u8] = if self.details { b" " } else { b"" };
        let parts = [time.as_bytes(), separator, &record.line];
        if self.raw {
            parts.iter().for_each(|part| out.put_slice(part));
        } else {
            put_frame(out, number(record.stream), &parts);
        }
    }

    /// Appends the error that ends a log.
    pub(crate) fn put_error(self, out: &mut BytesMut, message: &str) {
        let line = format!("Error grabbing logs: {message}\n");
        if self.raw {
            out.put_slice(line.as_bytes());
        } else {
            put_frame(out, DAEMON, &[line.as_bytes()]);
        }
    }

    /// One piece of live output.
    pub(crate) fn output(self, output: Output) -> Bytes {
        if self.raw {
            return output.bytes;
        }
        let mut out = BytesMut::with_capacity(8 + output.bytes.len());
        put_frame(&mut out, number(output.stream), &[&output.bytes]);
        out.freeze()
    }
}

/// RFC 3339 with all nine digits of the second's fraction and a space: the time before a log line.
fn fixed_time(ns: i64) -> String {
    let seconds = berth_api_types::time::rfc3339_nano(ns - ns.rem_euclid(1_000_000_000));
    format!("{}.{:09}Z ", seconds.trim_end_matches('Z'), ns.rem_euclid(1_000_000_000))
}

/// A JSON document and a newline, as every JSON stream is written.
pub(crate) fn json_line<T: Serialize>(value: &T) -> Bytes {
    // The API's types always serialise; an empty line is what is left to say otherwise.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

/// Turns true when the engine is about to stop.
pub(crate) type Stopping = watch::Receiver<bool>;

/// Resolves when the engine stops: the moment to end streams that would go on for ever.
pub(crate) async fn stopped(mut stopping: Stopping) {
    // A closed channel means the engine is gone altogether.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// A stream that also ends when the client is gone or the engine stops.
pub(crate) fn until_unwanted<S: Stream>(
    stream: S,
    connection: Connection,
    stopping: Stopping,
) -> impl Stream<Item = S::Item> {
    stream.take_until(async move {
        tokio::select! {
            () = connection.gone() => {}
            () = stopped(stopping) => {}
        }
    })
}

/// A response body from pieces.
pub(crate) fn body(stream: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(stream.map(Ok::<_, Infallible>))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &'static str) -> LogRecord {
        LogRecord { stream: StdStream::Stderr, time_ns: 1_795_295_781_496_973_600, line: line.into() }
    }

    #[test]
    fn frames_carry_stream_and_length() {
        let mut out = BytesMut::new();
        Framing::default().put_record(&mut out, &record("e1\n"));
        assert_eq!(&out[..], b"\x02\0\0\0\0\0\0\x03e1\n");
        let output = Output { stream: StdStream::Stdout, bytes: "o".into() };
        assert_eq!(&Framing::default().output(output)[..], b"\x01\0\0\0\0\0\0\x01o");
    }

    #[test]
    fn times_keep_all_nine_digits() {
        let mut out = BytesMut::new();
        Framing { raw: true, timestamps: true, details: false }.put_record(&mut out, &record("e1\n"));
        assert_eq!(&out[..], b"2026-11-21T21:16:21.496973600Z e1\n");
        assert_eq!(fixed_time(0), "1970-01-01T00:00:00.000000000Z ");
    }

    #[test]
    fn a_broken_log_says_so_in_the_stream() {
        let mut out = BytesMut::new();
        Framing::default().put_error(&mut out, "gone");
        assert_eq!(&out[..8], b"\x03\0\0\0\0\0\0\x1a");
        assert_eq!(&out[8..], b"Error grabbing logs: gone\n");
    }
}
