//! The framing of container output on an attach connection.
//!
//! Docker's "stream format" (Engine API, `POST /containers/{id}/attach`): eight header bytes
//! `[stream, 0, 0, 0, length as big-endian u32]`, then the payload. The daemon can pass it to a client
//! that asked for the multiplexed form without looking inside. A container with a terminal has one
//! stream, [`STDOUT`], and is framed the same way here; the daemon strips the headers.

/// Length of a frame header.
pub const HEADER: usize = 8;
/// Stream number of standard output.
pub const STDOUT: u8 = 1;
/// Stream number of standard error.
pub const STDERR: u8 = 2;

/// The header of a frame with `len` bytes of payload.
pub fn header(stream: u8, len: u32) -> [u8; HEADER] {
    let [a, b, c, d] = len.to_be_bytes();
    [stream, 0, 0, 0, a, b, c, d]
}

/// The stream and the payload length of a frame header.
pub fn parse(header: [u8; HEADER]) -> (u8, u32) {
    let [stream, _, _, _, a, b, c, d] = header;
    (stream, u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_round_trip() {
        assert_eq!(header(STDERR, 258), [2, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(parse(header(STDERR, 258)), (STDERR, 258));
    }
}
