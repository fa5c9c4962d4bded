//! Points in time as Docker writes and reads them. Inside Berth a point in time is nanoseconds since the Unix epoch.

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::duration;

/// Go's zero time: how a moment that never came is written.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// Why a time in a query cannot be used; the texts are Docker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Neither a number of seconds nor anything else known.
    #[error("failed to parse value as time or duration: {0:?}")]
    Unknown(String),
    /// Looks like RFC 3339 and is not.
    #[error("parsing time {0:?}: cannot parse as RFC 3339")]
    Rfc3339(String),
    /// Not a number of seconds where only that is allowed.
    #[error("strconv.ParseInt: parsing {0:?}: invalid syntax")]
    NotANumber(String),
}

/// RFC 3339 in UTC with nanoseconds, trailing zeros of the fraction cut as Go does.
///
/// Years outside 0–9999 cannot be written; they come out as [`ZERO_TIME`].
pub fn rfc3339_nano(ns: i64) -> String {
    let Ok(moment) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ns)) else {
        return ZERO_TIME.to_owned();
    };
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second, nanos) = moment.to_hms_nano();
    let mut text = format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", u8::from(month));
    if nanos != 0 {
        text.push_str(format!(".{nanos:09}").trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// [`rfc3339_nano`], with [`ZERO_TIME`] for a moment that never came.
pub fn rfc3339_nano_or_zero(ns: Option<i64>) -> String {
    ns.map_or_else(|| ZERO_TIME.to_owned(), rfc3339_nano)
}

/// Reads RFC 3339 with or without a fraction; `None` where it is not that, or where 64 bits cannot hold it.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(moment.unix_timestamp_nanos()).ok()
}

/// Reads `SECONDS[.FRACTION]` since the epoch, the form in which clients send `since` and `until` to the daemon.
///
/// The fraction counts in digits: `1.5` is one and a half seconds. A moment beyond what 64 bits of nanoseconds hold
/// (years before 1678 or after 2262) is the first or last one that they do: clients write `9999999999` for "never".
///
/// # Errors
/// [`TimeError::NotANumber`] for anything else.
pub fn parse_unix(text: &str) -> Result<i64, TimeError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let refused = |part: &str| TimeError::NotANumber(part.to_owned());
    let seconds: i64 = whole.parse().map_err(|_| refused(whole))?;
    let nanos = match fraction {
        "" => 0,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            let nine: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
            nine.parse().map_err(|_| refused(digits))?
        }
        other => return Err(refused(other)),
    };
    Ok(seconds.saturating_mul(SECOND).saturating_add(nanos))
}

/// Reads a time as users write it: a Go duration before `now_ns`, RFC 3339 with optional parts (UTC where no zone
/// is given), a date, or Unix seconds. Used for `until` filters and by the client.
///
/// # Errors
/// [`TimeError`], with Docker's words.
pub fn parse_user(text: &str, now_ns: i64) -> Result<i64, TimeError> {
    if text != "0"
        && let Some(ago) = duration::parse(text)
    {
        return now_ns.checked_sub(ago).ok_or_else(|| TimeError::Unknown(text.to_owned()));
    }
    if let Some(ns) = complete_rfc3339(text).as_deref().and_then(parse_rfc3339) {
        return Ok(ns);
    }
    if text.contains('-') && !text.starts_with('-') {
        return Err(TimeError::Rfc3339(text.to_owned()));
    }
    parse_unix(text).map_err(|_| TimeError::Unknown(text.to_owned()))
}

/// Fills in the parts of RFC 3339 that users leave out: time of day, minutes, seconds, zone.
fn complete_rfc3339(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    if date.bytes().filter(|b| *b == b'-').count() != 2 {
        return None;
    }
    let zone_at = rest.find(['z', 'Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let clock = clock.strip_prefix(['T', 't']).unwrap_or(clock);
    let clock = match clock.split(':').count() {
        _ if clock.is_empty() => "00:00:00".to_owned(),
        1 => format!("{clock}:00:00"),
        2 => format!("{clock}:00"),
        _ => clock.to_owned(),
    };
    Some(format!("{date}T{clock}{}", if zone.is_empty() { "Z" } else { zone }))
}

/// The current moment.
pub fn now_ns() -> i64 {
    let now = OffsetDateTime::now_utc().to_offset(UtcOffset::UTC);
    i64::try_from(now.unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_795_295_090_184_759_773;

    #[test]
    fn nanoseconds_are_written_without_trailing_zeros() {
        assert_eq!(rfc3339_nano(T), "2026-11-21T21:04:50.184759773Z");
        assert_eq!(rfc3339_nano(1_795_295_090_500_000_000), "2026-11-21T21:04:50.5Z");
        assert_eq!(rfc3339_nano(1_795_295_090_000_000_000), "2026-11-21T21:04:50Z");
        assert_eq!(rfc3339_nano_or_zero(None), ZERO_TIME);
    }

    #[test]
    fn written_times_are_read_back() {
        assert_eq!(parse_rfc3339(&rfc3339_nano(T)), Some(T));
        assert_eq!(parse_rfc3339("2026-11-21T22:04:50.5+01:00"), Some(1_795_295_090_500_000_000));
        assert_eq!(parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn unix_seconds_take_a_fraction() {
        assert_eq!(parse_unix("1795295090"), Ok(1_795_295_090_000_000_000));
        assert_eq!(parse_unix("1795295090.184759773"), Ok(T));
        assert_eq!(parse_unix("1.5"), Ok(1_500_000_000));
        assert_eq!(
            parse_unix("abc").unwrap_err().to_string(),
            "strconv.ParseInt: parsing \"abc\": invalid syntax"
        );
        assert!(parse_unix("1.x").is_err());
    }

    #[test]
    fn moments_too_far_away_are_the_farthest_ones() {
        assert_eq!(parse_unix("9999999999.5"), Ok(i64::MAX));
        assert_eq!(parse_unix("-9999999999"), Ok(i64::MIN));
        assert!(parse_unix("99999999999999999999").is_err());
    }

    #[test]
    fn users_write_times_in_many_ways() {
        let ten = 10 * SECOND;
        assert_eq!(parse_user("4s", ten), Ok(6 * SECOND));
        assert_eq!(parse_user("0", ten), Ok(0));
        assert_eq!(parse_user("7", ten), Ok(7 * SECOND));
        for text in
            ["2026-11-21T21:04Z", "2026-11-21T21:04", "2026-11-21T21:04:00", "2026-11-21T22:04:00+01:00"]
        {
            assert_eq!(parse_user(text, 0), Ok(1_795_295_040 * SECOND), "{text}");
        }
        assert_eq!(parse_user("2026-11-21", 0).map(rfc3339_nano), Ok("2026-11-21T00:00:00Z".to_owned()));
        assert_eq!(parse_user("2026-11-21T21", 0).map(rfc3339_nano), Ok("2026-11-21T21:00:00Z".to_owned()));
        assert!(matches!(parse_user("2026-13-41", 0), Err(TimeError::Rfc3339(_))));
        assert!(matches!(parse_user("soon", 0), Err(TimeError::Unknown(_))));
        assert!(parse_user("ééééééé", 0).is_err());
    }
}
