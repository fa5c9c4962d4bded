//! The key sequence that ends an attach to a terminal without ending the container (`ctrl-p,ctrl-q` by default).

use crate::error::ApiError;

/// `ctrl-p,ctrl-q`.
const DEFAULT: [u8; 2] = [16, 17];

/// Watches typed bytes for a detach sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachKeys {
    sequence: Vec<u8>,
    /// How many bytes of the sequence were typed so far and held back.
    matched: usize,
}

impl DetachKeys {
    /// Reads `ctrl-x,y`: keys separated by commas, each a character or `ctrl-` with a letter or one of `@[\]^_`.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        let sequence = match text {
            None => Some(DEFAULT.to_vec()),
            Some(text) => text.split(',').map(key).collect(),
        };
        let refused =
            || ApiError::invalid(format!("invalid detach keys ({}) provided", text.unwrap_or_default()));
        Ok(DetachKeys { sequence: sequence.ok_or_else(refused)?, matched: 0 })
    }

    /// Takes typed bytes; returns what to pass on, and whether the sequence is complete.
    pub(crate) fn filter(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(typed.len());
        for byte in typed {
            if self.sequence.get(self.matched) != Some(byte) {
                // What was held back was ordinary input after all.
                out.extend(self.sequence.iter().take(self.matched));
                self.matched = 0;
            }
            if self.sequence.get(self.matched) == Some(byte) {
                self.matched += 1;
            } else {
                out.push(*byte);
            }
            if self.matched == self.sequence.len() {
                return (out, true);
            }
        }
        (out, false)
    }
}

/// The byte of one key.
fn key(name: &str) -> Option<u8> {
    match (name.as_bytes(), name.strip_prefix("ctrl-").map(str::as_bytes)) {
        ([single], _) => Some(*single),
        (_, Some([letter @ (b'a'..=b'z' | b'@' | b'['..=b'_')])) => Some(letter.to_ascii_uppercase() - b'@'),
        _ if name == "DEL" => Some(127),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_dockers_notation() {
        let sequence = |text| DetachKeys::parse(Some(text)).map(|keys| keys.sequence);
        assert_eq!(DetachKeys::parse(None).unwrap().sequence, [16, 17]);
        assert_eq!(sequence("ctrl-a,b"), Ok(vec![1, b'b']));
        assert_eq!(
            sequence("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,DEL"),
            Ok(vec![0, 27, 28, 29, 30, 31, 127])
        );
        assert_eq!(sequence("ctrl-").unwrap_err().message, "invalid detach keys (ctrl-) provided");
        assert!(sequence("xy").is_err() && sequence("a,,b").is_err());
    }

    #[test]
    fn the_sequence_ends_the_session_even_across_reads() {
        let mut keys = DetachKeys::parse(None).unwrap();
        assert_eq!(keys.filter(b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(keys.filter(b"\x11zz"), (vec![], true));
    }

    #[test]
    fn an_unfinished_sequence_is_passed_on() {
        let mut keys = DetachKeys::parse(None).unwrap();
        assert_eq!(keys.filter(b"\x10x\x10\x10"), (b"\x10x\x10".to_vec(), false));
        assert_eq!(keys.filter(b"y"), (b"\x10y".to_vec(), false));
    }
}
