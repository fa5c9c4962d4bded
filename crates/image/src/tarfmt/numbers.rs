//! Numeric fields of tar headers: octal text, or base-256 binary where the first byte's high bit is set.

use crate::error::{Error, Result};

/// A numeric header field. Empty fields are 0; base-256 may be negative.
pub(super) fn numeric(field: &[u8], what: &str) -> Result<i64> {
    let invalid = || Error::InvalidTar(format!("invalid tar header: {what} is not a number"));
    let Some(first) = field.first().copied() else { return Ok(0) };
    if first & 0x80 != 0 {
        // Two's complement, big endian, one flag bit on top. Bit 6 is the sign.
        let negative = first & 0x40 != 0;
        let mut value: i128 = if negative { -1 } else { 0 };
        for (i, byte) in field.iter().enumerate() {
            let byte = if i == 0 && !negative { byte & 0x7f } else { *byte };
            value = value.checked_mul(256).ok_or_else(invalid)? | i128::from(byte);
            if i64::try_from(value).is_err() {
                return Err(invalid());
            }
        }
        return i64::try_from(value).map_err(|_| invalid());
    }
    let text: &[u8] = field.split(|b| *b == 0).next().unwrap_or_default();
    let text = text.trim_ascii();
    if text.is_empty() {
        return Ok(0);
    }
    let text = std::str::from_utf8(text).map_err(|_| invalid())?;
    if text.starts_with(['+', '-']) {
        return Err(invalid());
    }
    i64::from_str_radix(text, 8).map_err(|_| invalid())
}

/// A numeric header field that cannot be negative.
pub(super) fn unsigned(field: &[u8], what: &str) -> Result<u64> {
    u64::try_from(numeric(field, what)?)
        .map_err(|_| Error::InvalidTar(format!("invalid tar header: {what} is negative")))
}

/// A decimal number as PAX records and sparse maps hold it.
pub(super) fn decimal(text: &[u8], what: &str) -> Result<u64> {
    let invalid = || Error::InvalidTar(format!("invalid tar header: {what} is not a number"));
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(invalid());
    }
    std::str::from_utf8(text)
        .ok()
        .and_then(|t| t.parse::<u64>().ok())
        .filter(|n| i64::try_from(*n).is_ok())
        .ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_fields_may_be_padded_on_both_sides() {
        for field in [&b"0000644\0"[..], b"   644 \0", b"644", b"644\0junk"] {
            assert_eq!(numeric(field, "mode").unwrap(), 0o644);
        }
        assert_eq!(numeric(b"", "x").unwrap(), 0);
        assert_eq!(numeric(b"\0\0\0", "x").unwrap(), 0);
        assert!(numeric(b"8", "x").is_err() && numeric(b"-1", "x").is_err() && numeric(b"12a", "x").is_err());
    }

    #[test]
    fn base_256_fields_hold_large_and_negative_numbers() {
        let mut field = [0u8; 12];
        field[0] = 0x80;
        field[4..].copy_from_slice(&(1i64 << 40).to_be_bytes());
        assert_eq!(numeric(&field, "size").unwrap(), 1 << 40);
        assert_eq!(numeric(&[0xff; 12], "mtime").unwrap(), -1);
        assert!(unsigned(&[0xff; 12], "size").is_err());
        field[3] = 1;
        assert!(numeric(&field, "size").is_err(), "more than 63 bits");
    }

    #[test]
    fn decimals_are_digits_only() {
        assert_eq!(decimal(b"12", "x").unwrap(), 12);
        for bad in [&b""[..], b"-1", b"+1", b"1.5", b" 1", b"9223372036854775808", b"99999999999999999999999"]
        {
            assert!(decimal(bad, "x").is_err());
        }
    }
}
