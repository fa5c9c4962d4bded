//! Signal names and numbers as the API's clients write them: `SIGTERM`, `term`, `15`, `RTMIN+3`.

use std::fmt;
use std::str::FromStr;

const NAMES: &[(&str, i32)] = &[
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// First real-time signal that the C library leaves to programs.
const RTMIN: i32 = 34;
/// Last signal.
const RTMAX: i32 = 64;

/// A signal of this platform, 1–64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(i32);

impl Signal {
    /// What `stop` sends where neither image nor container says otherwise.
    pub const TERM: Self = Self(15);
    /// What nothing survives.
    pub const KILL: Self = Self(9);

    /// The number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Why a signal was refused. The wording is Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// Neither a name nor a number.
    #[error("invalid signal: {0}")]
    Invalid(String),
    /// A number beyond what the platform has.
    #[error("The linux daemon does not support signal {0}")]
    Unsupported(i64),
}

impl FromStr for Signal {
    type Err = SignalError;

    fn from_str(raw: &str) -> Result<Self, SignalError> {
        let invalid = || SignalError::Invalid(raw.to_owned());
        if let Ok(number) = raw.parse::<i64>() {
            return match i32::try_from(number) {
                Ok(0) => Err(invalid()),
                Ok(number @ 1..=RTMAX) => Ok(Self(number)),
                _ => Err(SignalError::Unsupported(number)),
            };
        }
        let upper = raw.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(Self(*number));
        }
        let offset = |text: &str| match text.parse::<i32>() {
            // Not `RTMIN++3`, which `parse` alone would take.
            Ok(offset) if text.starts_with(|c: char| c.is_ascii_digit()) => Some(offset),
            _ => None,
        };
        let number = match name {
            "RTMIN" => Some(RTMIN),
            "RTMAX" => Some(RTMAX),
            _ => match (name.strip_prefix("RTMIN+"), name.strip_prefix("RTMAX-")) {
                (Some(text), _) => offset(text).filter(|offset| *offset <= RTMAX - RTMIN).map(|o| RTMIN + o),
                (_, Some(text)) => offset(text).filter(|offset| *offset <= RTMAX - RTMIN).map(|o| RTMAX - o),
                _ => None,
            },
        };
        number.map(Self).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(raw: &str) -> i32 {
        raw.parse::<Signal>().unwrap().number()
    }

    #[test]
    fn names_are_taken_with_and_without_prefix_in_any_case() {
        for raw in ["SIGTERM", "sigterm", "TERM", "term", "15"] {
            assert_eq!(number(raw), 15, "{raw}");
        }
        assert_eq!((number("SIGKILL"), number("usr1"), number("IO")), (9, 10, 29));
    }

    #[test]
    fn realtime_signals_count_from_both_ends() {
        assert_eq!((number("RTMIN"), number("SIGRTMIN+3"), number("rtmin+15")), (34, 37, 49));
        assert_eq!((number("RTMAX"), number("RTMAX-14")), (64, 50));
    }

    #[test]
    fn nonsense_is_refused_in_dockers_words() {
        for raw in ["", "SIG", "NOPE", "0", "RTMIN+31", "RTMIN++3", "RTMAX-99", "15x", "SIGSIGTERM"] {
            let error = raw.parse::<Signal>().unwrap_err();
            assert_eq!(error.to_string(), format!("invalid signal: {raw}"));
        }
        let error = "65".parse::<Signal>().unwrap_err();
        assert_eq!(error.to_string(), "The linux daemon does not support signal 65");
        assert!("-1".parse::<Signal>().is_err());
        assert!("9223372036854775807".parse::<Signal>().is_err());
    }

    #[test]
    fn a_signal_prints_as_its_name() {
        assert_eq!(Signal::TERM.to_string(), "SIGTERM");
        assert_eq!("40".parse::<Signal>().unwrap().to_string(), "40");
    }
}
