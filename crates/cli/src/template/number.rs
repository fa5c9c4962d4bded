//! Numbers in templates: Go's integer and float notations, and how floats are written.

use super::tree::Kind;

/// Reads a number token; `None` if it is not one.
pub fn parse(text: &str) -> Option<Kind> {
    let clean = text.replace('_', "");
    let (sign, digits) = match clean.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, clean.strip_prefix('+').unwrap_or(&clean)),
    };
    let lower = digits.to_lowercase();
    let radix = [("0x", 16), ("0b", 2), ("0o", 8)].into_iter().find(|(prefix, _)| lower.starts_with(prefix));
    let integer = match radix {
        Some((prefix, radix)) => i64::from_str_radix(lower.get(prefix.len()..)?, radix).ok(),
        None if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|b| b.is_ascii_digit()) => {
            i64::from_str_radix(&lower, 8).ok()
        }
        None => lower.parse().ok().filter(|_| lower.starts_with(|c: char| c.is_ascii_digit())),
    };
    if let Some(value) = integer {
        return Some(Kind::Int(sign * value, text.to_owned()));
    }
    if !lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let value: f64 = lower.parse().ok()?;
    // An integral float constant such as 1e3 is as good as an integer.
    if value.fract() == 0.0 && value.abs() < 9e15 && !lower.contains('.') {
        return Some(Kind::Int(sign * value as i64, text.to_owned()));
    }
    Some(Kind::Float(f64::from(sign as i32) * value, text.to_owned()))
}

/// A float as Go's `%v` writes it.
pub fn float(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        return format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    format!("{value}")
}
