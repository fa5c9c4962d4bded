//! Signal names.

const NAMES: [&str; 37] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
    "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "UNUSED", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
];

/// True for a signal's number, or its name with or without `SIG`, in any case; `RTMIN+n` and `RTMAX-n` included.
pub(super) fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<i32>() {
        return number > 0;
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |text: &str, max: u8| text.parse::<u8>().is_ok_and(|n| (1..=max).contains(&n));
    NAMES.contains(&name)
        || name.strip_prefix("RTMIN+").is_some_and(|n| offset(n, 15))
        || name.strip_prefix("RTMAX-").is_some_and(|n| offset(n, 14))
}

#[cfg(test)]
mod tests {
    use super::is_signal;

    #[test]
    fn names_and_numbers_are_accepted() {
        for ok in ["SIGTERM", "term", "9", "RTMIN+3", "sigrtmax-14", "RTMIN"] {
            assert!(is_signal(ok), "{ok}");
        }
        for bad in ["", "0", "-1", "FOO", "SIG", "RTMIN+16", "RTMAX-15", "RTMIN+x", "SIGSIGTERM"] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
