//! Container names: the rule, and random ones.

use rand::RngExt;

use crate::{Error, Result};

/// The characters Docker allows: a letter or digit, then at least one letter, digit, `_`, `.` or `-`.
const RULE: &str = "[a-zA-Z0-9][a-zA-Z0-9_.-]";

/// Checks a name given by a client and takes its optional leading slash away.
pub fn validate(name: &str) -> Result<String> {
    let bare = name.strip_prefix('/').unwrap_or(name);
    let mut bytes = bare.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = bare.len() > 1 && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if first && rest {
        Ok(bare.to_owned())
    } else {
        Err(Error::Invalid(format!("Invalid container name ({name}), only {RULE} are allowed")))
    }
}

const ADJECTIVES: &[&str] = &[
    "able", "agile", "amber", "ample", "astute", "bold", "brave", "breezy", "bright", "brisk", "calm",
    "candid", "clear", "clever", "coastal", "cosy", "crisp", "daring", "deft", "earnest", "eager", "fair",
    "fleet", "fluent", "fond", "frank", "fresh", "gentle", "glad", "golden", "grand", "hardy", "hearty",
    "humble", "ideal", "jolly", "keen", "kind", "lively", "loyal", "lucid", "lucky", "mellow", "merry",
    "mild", "modest", "neat", "nimble", "noble", "patient", "placid", "polite", "proud", "quick", "quiet",
    "ready", "robust", "salty", "serene", "sharp", "silent", "simple", "sleek", "smooth", "snug", "solid",
    "spry", "stable", "steady", "stout", "sturdy", "sunny", "swift", "tidal", "tidy", "trim", "upbeat",
    "vivid", "warm", "wise", "witty", "zesty",
];

const NOUNS: &[&str] = &[
    "anchor",
    "barge",
    "bay",
    "beacon",
    "berth",
    "boat",
    "bosun",
    "bow",
    "breeze",
    "brig",
    "buoy",
    "cabin",
    "canal",
    "canoe",
    "cape",
    "capstan",
    "cargo",
    "channel",
    "coast",
    "compass",
    "coral",
    "cove",
    "crane",
    "crew",
    "current",
    "cutter",
    "deck",
    "dinghy",
    "dock",
    "dolphin",
    "estuary",
    "ferry",
    "fjord",
    "fleet",
    "galley",
    "gannet",
    "gull",
    "harbor",
    "hatch",
    "helm",
    "heron",
    "hull",
    "island",
    "jetty",
    "kayak",
    "keel",
    "ketch",
    "lagoon",
    "lantern",
    "lighthouse",
    "lock",
    "lugger",
    "marina",
    "mast",
    "mooring",
    "oar",
    "osprey",
    "otter",
    "pelican",
    "petrel",
    "pier",
    "pilot",
    "port",
    "porthole",
    "puffin",
    "quay",
    "raft",
    "reef",
    "rigging",
    "rudder",
    "sail",
    "schooner",
    "seal",
    "sextant",
    "ship",
    "shore",
    "skiff",
    "sloop",
    "spar",
    "stern",
    "strait",
    "tender",
    "tern",
    "tide",
    "tiller",
    "trawler",
    "tug",
    "voyage",
    "wave",
    "wharf",
    "winch",
    "yawl",
];

/// A random `adjective_noun`; after a few tries (`attempt` counts from 0) with a digit behind it.
pub fn random(attempt: u32) -> String {
    let mut rng = rand::rng();
    let pick =
        |words: &'static [&'static str], at: usize| words.get(at % words.len()).copied().unwrap_or("berth");
    let adjective = pick(ADJECTIVES, rng.random_range(0..ADJECTIVES.len()));
    let noun = pick(NOUNS, rng.random_range(0..NOUNS.len()));
    if attempt < 3 {
        format!("{adjective}_{noun}")
    } else {
        let digits = 10_u32.saturating_pow(attempt.min(8) - 2);
        format!("{adjective}_{noun}{}", rng.random_range(0..digits))
    }
}

/// A new container ID: 64 hex digits. Never one whose first twelve are all decimal, because the short
/// form serves as a hostname and must not look like a number.
pub fn new_id() -> String {
    loop {
        let bytes: [u8; 32] = rand::random();
        let id = hex::encode(bytes);
        if id.bytes().take(12).any(|b| b.is_ascii_alphabetic()) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_slash_is_taken_away() {
        assert_eq!(validate("/web").unwrap(), "web");
    }

    #[test]
    fn names_outside_the_rule_are_refused_with_dockers_words() {
        for name in ["", "/", "a", "_x", "-x", "a b", "a/b", "ä1", "a\0b", "//x"] {
            assert!(validate(name).is_err(), "{name:?}");
        }
        assert_eq!(
            validate("a b").unwrap_err().to_string(),
            "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        );
    }

    #[test]
    fn random_names_obey_the_rule() {
        for attempt in 0..12 {
            let name = random(attempt);
            assert_eq!(validate(&name).unwrap(), name);
        }
    }

    #[test]
    fn ids_are_64_hex_digits_and_differ() {
        let (a, b) = (new_id(), new_id());
        assert_eq!(a.len(), 64);
        assert!(a.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(a, b);
    }
}
