//! Length-prefixed frames over any byte stream.

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

/// Frames beyond this are refused: a launch request is a few kilobytes, nothing else comes near.
pub const MAX_FRAME: u32 = 4 << 20;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream failed.
    #[error("reading or writing a frame: {0}")]
    Io(#[from] io::Error),
    /// The peer closed the stream between two frames.
    #[error("the peer closed the connection")]
    Closed,
    /// The length is beyond [`MAX_FRAME`].
    #[error("frame of {0} bytes is larger than the {MAX_FRAME} allowed")]
    TooLarge(u32),
    /// The payload is not the JSON that was expected.
    #[error("decoding a frame: {0}")]
    Decode(#[from] serde_json::Error),
}

/// One message as the bytes of its frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut out = vec![0; 4];
    serde_json::to_writer(&mut out, message)?;
    let len = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
    if len > MAX_FRAME {
        return Err(FrameError::TooLarge(len));
    }
    if let Some(head) = out.get_mut(..4) {
        head.copy_from_slice(&len.to_le_bytes());
    }
    Ok(out)
}

/// Writes one message.
pub fn write<T: Serialize>(mut to: impl Write, message: &T) -> Result<(), FrameError> {
    to.write_all(&encode(message)?)?;
    Ok(())
}

/// Reads exactly one message and not a byte beyond it.
pub fn read<T: DeserializeOwned>(mut from: impl Read) -> Result<T, FrameError> {
    let mut head = [0; 4];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(FrameError::Closed),
        other => other?,
    }
    let len = u32::from_le_bytes(head);
    if len > MAX_FRAME {
        return Err(FrameError::TooLarge(len));
    }
    let mut body = vec![0; len as usize];
    from.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// Collects bytes as they arrive and yields whole frames, for readers that must not block.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// True if no byte waits to become part of a message.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Takes the bytes that belong to no message read so far: what follows on a connection that leaves the
    /// protocol for a raw stream.
    pub fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// The next whole message, if all of it has arrived.
    pub fn next_message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_le_bytes(*head);
        if len > MAX_FRAME {
            return Err(FrameError::TooLarge(len));
        }
        let end = 4 + len as usize;
        let Some(body) = self.buffer.get(4..end) else { return Ok(None) };
        let message = serde_json::from_slice(body)?;
        self.buffer.drain(..end);
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hello;

    #[test]
    fn a_frame_survives_the_round_trip_and_leaves_the_next_one_alone() {
        let mut bytes = encode(&Hello::OURS).unwrap();
        bytes.extend(encode(&"next").unwrap());
        let mut stream = bytes.as_slice();
        assert_eq!(read::<Hello>(&mut stream).unwrap(), Hello::OURS);
        assert_eq!(read::<String>(&mut stream).unwrap(), "next");
        assert!(matches!(read::<String>(&mut stream), Err(FrameError::Closed)));
    }

    #[test]
    fn a_huge_length_is_refused_before_memory_is_reserved() {
        let bytes = u32::MAX.to_le_bytes();
        assert!(matches!(read::<Hello>(bytes.as_slice()), Err(FrameError::TooLarge(u32::MAX))));
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        assert!(matches!(decoder.next_message::<Hello>(), Err(FrameError::TooLarge(_))));
    }

    #[test]
    fn a_decoder_waits_for_the_last_byte() {
        let bytes = encode(&Hello::OURS).unwrap();
        let mut decoder = Decoder::default();
        for byte in &bytes[..bytes.len() - 1] {
            decoder.push(&[*byte]);
            assert!(decoder.next_message::<Hello>().unwrap().is_none());
        }
        decoder.push(&bytes[bytes.len() - 1..]);
        assert_eq!(decoder.next_message::<Hello>().unwrap(), Some(Hello::OURS));
    }
}
