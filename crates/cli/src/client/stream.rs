//! Docker's multiplexed stream: frames of an 8-byte header (`[stream, 0, 0, 0, length × 4 big-endian]`) and a
//! payload, as attach and logs send them for containers without a terminal.

/// Which of the container's streams a payload belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Also used for frames marked stdin, which some daemons echo.
    Stdout,
    /// Standard error.
    Stderr,
    /// An error of the daemon's own, to be shown to the user.
    System,
}

/// A stream byte that is none of the known four.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized stream: {0}")]
pub struct UnknownStream(pub u8);

/// Splits the byte stream into payloads; pieces may end anywhere.
#[derive(Debug, Default)]
pub struct Demux {
    header: Vec<u8>,
    left: usize,
    channel: Option<Channel>,
}

impl Demux {
    /// A decoder at the start of a frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes the next piece. Payloads are handed over as they arrive, possibly split.
    pub fn feed<'a>(&mut self, mut data: &'a [u8]) -> Result<Vec<(Channel, &'a [u8])>, UnknownStream> {
        let mut out = Vec::new();
        while !data.is_empty() {
            if let Some(channel) = self.channel.filter(|_| self.left > 0) {
                let (payload, rest) = data.split_at(self.left.min(data.len()));
                self.left -= payload.len();
                data = rest;
                out.push((channel, payload));
                continue;
            }
            let (part, rest) = data.split_at((8 - self.header.len()).min(data.len()));
            self.header.extend_from_slice(part);
            data = rest;
            if let &[stream, _, _, _, a, b, c, d] = self.header.as_slice() {
                self.channel = Some(match stream {
                    0 | 1 => Channel::Stdout,
                    2 => Channel::Stderr,
                    3 => Channel::System,
                    other => return Err(UnknownStream(other)),
                });
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                self.header.clear();
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend((text.len() as u32).to_be_bytes());
        frame.extend(text.as_bytes());
        frame
    }

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let bytes = [frame(1, "hello"), frame(2, ""), frame(2, "oops"), frame(1, "x")].concat();
        for size in 1..bytes.len() {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut demux = Demux::new();
            for piece in bytes.chunks(size) {
                for (channel, data) in demux.feed(piece).unwrap() {
                    match channel {
                        Channel::Stdout => out.extend_from_slice(data),
                        _ => err.extend_from_slice(data),
                    }
                }
            }
            assert_eq!((out.as_slice(), err.as_slice()), (&b"hellox"[..], &b"oops"[..]), "pieces of {size}");
        }
    }

    #[test]
    fn an_unknown_stream_byte_is_an_error() {
        assert_eq!(Demux::new().feed(&frame(7, "x")), Err(UnknownStream(7)));
    }
}
