//! Sizes and durations for people, rounded the way docker rounds them.

/// A number with `digits` significant digits and no trailing zeros, as C's `%.Ng` writes it.
fn general(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let scientific = format!("{:.*e}", digits.saturating_sub(1), value);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.abs());
    }
    let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
    trim(&format!("{value:.decimals$}"))
}

fn scaled(size: i64, digits: usize, base: f64, units: &[&str]) -> String {
    let mut value = size as f64;
    let mut unit = 0;
    while value >= base && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    format!("{}{}", general(value, digits), units.get(unit).unwrap_or(&""))
}

const DECIMAL: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `4.26MB`: powers of 1000, three digits; sizes in listings.
pub fn size(bytes: i64) -> String {
    scaled(bytes, 3, 1000.0, &DECIMAL)
}

/// `4.257MB`: powers of 1000, four digits; reclaimed space.
pub fn exact_size(bytes: i64) -> String {
    scaled(bytes, 4, 1000.0, &DECIMAL)
}

/// `23.59GiB`: powers of 1024, four digits; memory.
pub fn memory(bytes: i64) -> String {
    scaled(bytes, 4, 1024.0, &BINARY)
}

/// `About a minute`, `3 weeks`: how long ago, without the "ago".
pub fn duration(seconds: i64) -> String {
    let hours = (seconds as f64 / 3600.0).round() as i64;
    match seconds {
        s if s < 1 => "Less than a second".into(),
        1 => "1 second".into(),
        s if s < 60 => format!("{s} seconds"),
        s if s < 120 => "About a minute".into(),
        s if s < 3600 => format!("{} minutes", s / 60),
        _ if hours == 1 => "About an hour".into(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_and_decimal_units() {
        for (bytes, want) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (1_984_287, "1.98MB"),
            (4_257_123, "4.26MB"),
            (123_456_789_012, "123GB"),
            (999_999, "1e+03kB"),
            (138_000_000, "138MB"),
        ] {
            assert_eq!(size(bytes), want);
        }
        assert_eq!(exact_size(1_984_287), "1.984MB");
        assert_eq!(memory(25_325_268_992), "23.59GiB");
        assert_eq!(memory(64 << 20), "64MiB");
    }

    #[test]
    fn durations_use_dockers_words() {
        for (seconds, want) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (5400, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (14 * 86400, "2 weeks"),
            (60 * 86400, "2 months"),
            (3 * 365 * 86400, "3 years"),
        ] {
            assert_eq!(duration(seconds), want, "{seconds} s");
        }
    }
}
