//! The conversation between `berthd` and `berth-shim`.
//!
//! A frame is a 32-bit little-endian length followed by that many bytes of JSON. The first frame in each
//! direction is [`Hello`]; both sides then speak the highest version in both ranges. Within a version the
//! protocol only grows: unknown fields are ignored, and a request the shim does not know is answered
//! [`Reply::Unsupported`], so a newer daemon can drive an older shim.
//!
//! Order on a connection (MUST; the shim's own tests hold it to that):
//! 1. `Hello` → `Hello`
//! 2. on the first connection only (the shim's file descriptor 0): [`Request::Launch`] →
//!    [`Event::Created`] or [`Event::Failed`]; then [`Request::Start`] → [`Event::Started`] or [`Event::Failed`]
//! 3. any number of requests, each answered by exactly one [`Reply`] carrying its `seq`; between them, events
//! 4. [`Event::Exited`], sent only after the exit record is on disk and every output byte is in the log
//!
//! A connection that asks for [`Request::Attach`] leaves this protocol after the reply: from then on the
//! shim sends container output in Docker's multiplexed framing (see [`attach`]) and reads raw stdin.

#![forbid(unsafe_code)]

pub mod attach;
pub mod frame;
pub mod v1;

pub use v1 as latest;
pub use v1::*;

use serde::{Deserialize, Serialize};

/// Oldest protocol version this build can speak.
pub const MIN_VERSION: u32 = 1;
/// Newest protocol version this build can speak.
pub const MAX_VERSION: u32 = 1;

/// The first frame of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Oldest version the sender speaks.
    pub min: u32,
    /// Newest version the sender speaks.
    pub max: u32,
}

impl Hello {
    /// What this build offers.
    pub const OURS: Hello = Hello { min: MIN_VERSION, max: MAX_VERSION };

    /// The version both sides should speak, or `None` where their ranges do not meet.
    pub fn agree(self, other: Hello) -> Option<u32> {
        let max = self.max.min(other.max);
        (max >= self.min && max >= other.min).then_some(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_spoken() {
        let old = Hello { min: 1, max: 2 };
        let new = Hello { min: 2, max: 5 };
        assert_eq!(old.agree(new), Some(2));
        assert_eq!(new.agree(old), Some(2));
    }

    #[test]
    fn ranges_that_do_not_meet_have_no_version() {
        assert_eq!(Hello { min: 1, max: 2 }.agree(Hello { min: 3, max: 4 }), None);
    }
}
