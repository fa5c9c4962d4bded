//! Values with a notation of their own: byte sizes, CPU counts, durations, booleans and integers.

/// Go's boolean spellings.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {text:?}: invalid syntax")),
    }
}

/// A decimal integer.
pub fn integer(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"));
    }
    text.parse().map_err(|_| format!("strconv.ParseInt: parsing {text:?}: value out of range"))
}

/// A size such as `64m`, `1.5g` or `1024`; units are powers of 1024.
pub fn bytes(text: &str) -> Result<i64, String> {
    let invalid = || format!("invalid size: '{text}'");
    let split = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ').ok_or_else(invalid)?;
    let (number, suffix) = text.split_at(split + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let number: f64 = number.parse().map_err(|_| invalid())?;
    if number < 0.0 || !number.is_finite() {
        return Err(invalid());
    }
    let bad = || format!("invalid suffix: '{suffix}'");
    let lower = suffix.to_lowercase();
    let (unit, rest) = lower.split_at(lower.chars().next().map_or(0, char::len_utf8));
    let power = match unit {
        "" | "b" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(bad()),
    };
    if !matches!((unit, rest), ("" | "b", "") | ("k" | "m" | "g" | "t" | "p", "" | "b" | "ib")) {
        return Err(bad());
    }
    Ok((number * 1024f64.powi(power)) as i64)
}

/// `--cpus`: a decimal number of CPUs as billionths of one.
pub fn nano_cpus(text: &str) -> Result<i64, String> {
    let bad = || format!("failed to parse {text} as a rational number");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or((1, whole), |rest| (-1, rest));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(bad());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 9 {
        return Err("value is too precise".into());
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| bad())? };
    let fraction: i64 = format!("{fraction:0<9}").parse().map_err(|_| bad())?;
    let nanos = whole.checked_mul(1_000_000_000).and_then(|n| n.checked_add(fraction)).ok_or_else(bad)?;
    Ok(sign * nanos)
}

/// A Go duration (`1m30s`, `500ms`, `1.5h`) in nanoseconds.
pub fn duration(text: &str) -> Result<i64, String> {
    let bad = || format!("time: invalid duration {text:?}");
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total = 0f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let number: f64 = number.parse().map_err(|_| bad())?;
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let scale = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            other => return Err(format!("time: unknown unit {other:?} in duration {text:?}")),
        };
        total += number * scale;
        rest = tail;
    }
    Ok((sign * total) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, want) in [
            ("0", 0),
            ("1024", 1024),
            ("64m", 64 << 20),
            ("1.5g", 3 << 29),
            ("2KiB", 2048),
            ("1 mb", 1 << 20),
            ("5b", 5),
        ] {
            assert_eq!(bytes(text), Ok(want), "{text}");
        }
        assert_eq!(bytes("10q"), Err("invalid suffix: 'q'".into()));
        assert_eq!(bytes("-1"), Err("invalid size: '-1'".into()));
        assert_eq!(bytes("abc"), Err("invalid size: 'abc'".into()));
        assert_eq!(bytes("1bb"), Err("invalid suffix: 'bb'".into()));
    }

    #[test]
    fn cpus_are_exact_to_a_billionth() {
        assert_eq!(nano_cpus("1.5"), Ok(1_500_000_000));
        assert_eq!(nano_cpus(".25"), Ok(250_000_000));
        assert_eq!(nano_cpus("2"), Ok(2_000_000_000));
        assert_eq!(nano_cpus("0.0000000001"), Err("value is too precise".into()));
        assert_eq!(nano_cpus("abc"), Err("failed to parse abc as a rational number".into()));
    }

    #[test]
    fn durations_add_up_their_parts() {
        assert_eq!(duration("1m30s"), Ok(90_000_000_000));
        assert_eq!(duration("500ms"), Ok(500_000_000));
        assert_eq!(duration("-1.5h"), Ok(-5_400_000_000_000));
        assert_eq!(duration("0"), Ok(0));
        assert!(duration("10").unwrap_err().contains("missing unit"));
        assert!(duration("x").is_err());
    }

    #[test]
    fn integers_and_booleans_fail_with_gos_words() {
        assert_eq!(integer("-7"), Ok(-7));
        assert_eq!(integer("x"), Err("strconv.ParseInt: parsing \"x\": invalid syntax".into()));
        assert_eq!(boolean("maybe"), Err("strconv.ParseBool: parsing \"maybe\": invalid syntax".into()));
    }
}
