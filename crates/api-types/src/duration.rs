//! Go's duration notation, and durations in the words of Docker's lists.

/// Nanoseconds in a second.
const SECOND: i128 = 1_000_000_000;

/// Parses Go's notation (`1h30m`, `-1.5s`, `100ms`) into nanoseconds; `None` where Go refuses it.
///
/// Units are `ns`, `us` (`µs`, `μs`), `ms`, `s`, `m` and `h`; a bare `0` needs none.
pub fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        total = total.checked_add(scale(number, unit_nanos(unit)?)?)?;
        if total > i128::from(i64::MAX) + 1 {
            return None;
        }
        rest = tail;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// The length of a unit in nanoseconds.
fn unit_nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        _ => return None,
    })
}

/// A decimal number of units in nanoseconds, rounded down.
fn scale(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let mut total = if whole.is_empty() { 0 } else { whole.parse::<i128>().ok()?.checked_mul(unit)? };
    let mut step = unit;
    for digit in fraction.bytes() {
        step /= 10;
        total += i128::from(digit.saturating_sub(b'0')) * step;
    }
    Some(total)
}

/// A duration in whole seconds in the words of Docker's lists: `Less than a second`, `5 minutes`, `About an hour`.
pub fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    match seconds {
        ..=0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..MINUTE => format!("{seconds} seconds"),
        MINUTE..120 => "About a minute".to_owned(),
        120..HOUR => format!("{} minutes", seconds / MINUTE),
        // Docker rounds hours to the nearest one and switches to days at two of them.
        _ => match (seconds + HOUR / 2) / HOUR {
            ..=1 => "About an hour".to_owned(),
            hours @ 2..48 => format!("{hours} hours"),
            hours @ 48..336 => format!("{} days", hours / 24),
            hours @ 336..1440 => format!("{} weeks", hours / 24 / 7),
            hours @ 1440..17520 => format!("{} months", hours / 24 / 30),
            _ => format!("{} years", seconds / DAY / 365),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        for (text, nanos) in [
            ("0", 0),
            ("1s", 1_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("-1.5s", -1_500_000_000),
            ("100ms", 100_000_000),
            (".5s", 500_000_000),
            ("1µs", 1_000),
            ("+2m3s4ns", 123_000_000_004),
        ] {
            assert_eq!(parse(text), Some(nanos), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in ["", "1", "-", "s", "1x", "1.2.3s", ".s", "1 s", "10000000000h", "é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn durations_read_as_docker_writes_them() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (45 * 60, "45 minutes"),
            (3600, "About an hour"),
            (2 * 3600, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (14 * 86400, "2 weeks"),
            (60 * 86400, "2 months"),
            (3 * 365 * 86400, "3 years"),
        ] {
            assert_eq!(human(seconds), text);
        }
    }
}
