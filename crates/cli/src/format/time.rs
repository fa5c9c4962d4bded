//! Points in time: printing them in local time, and reading `--since` and `--until`.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::flags::values;

/// Seconds since the epoch.
pub fn now() -> i64 {
    Timestamp::now().as_second()
}

fn local(seconds: i64, nanos: i32) -> Option<Zoned> {
    Some(Timestamp::new(seconds, nanos).ok()?.to_zoned(TimeZone::system()))
}

/// `2001-09-09 01:46:40 +0000 UTC`, local time.
pub fn long(seconds: i64) -> String {
    local(seconds, 0).map_or_else(String::new, |t| t.strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string())
}

/// `2001-09-09T01:46:40Z`, local time with its offset.
pub fn rfc3339(seconds: i64) -> String {
    local(seconds, 0).map_or_else(String::new, |t| with_offset(&t, "%Y-%m-%dT%H:%M:%S"))
}

/// `2001-09-09T01:46:40.000000000Z`: nanoseconds always written; for events.
pub fn rfc3339_nanos(nanoseconds: i64) -> String {
    let (seconds, nanos) = (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
    local(seconds, nanos as i32).map_or_else(String::new, |t| with_offset(&t, "%Y-%m-%dT%H:%M:%S.%9f"))
}

fn with_offset(time: &Zoned, format: &str) -> String {
    let offset = if time.offset().is_zero() { "Z".into() } else { time.strftime("%:z").to_string() };
    time.strftime(format).to_string() + &offset
}

/// `Thu May  7 21:09:36 2026`, as `version` prints build times; other text is left alone.
pub fn build_time(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(time) => time.to_zoned(TimeZone::UTC).strftime("%a %b %e %H:%M:%S %Y").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// `--since` and `--until` as the API wants them: `seconds.nanoseconds`. Accepts a Go duration before now, an RFC
/// 3339 time (local when it has no offset, its time of day and seconds optional), or a Unix timestamp.
pub fn parameter(text: &str, now: Timestamp) -> Result<String, String> {
    if let Ok(nanos) = values::duration(text) {
        let at = now.as_nanosecond() - i128::from(nanos);
        return Ok(stamp(at));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(stamp(time.as_nanosecond()));
    }
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
    let looks_like_date = text.get(4..5) == Some("-");
    if let (Ok(civil), true) = (civil, looks_like_date) {
        let zoned = civil.to_zoned(TimeZone::system()).map_err(|e| e.to_string())?;
        return Ok(stamp(zoned.timestamp().as_nanosecond()));
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if seconds.is_empty() || !digits(seconds.strip_prefix('-').unwrap_or(seconds)) || !digits(fraction) {
        return Err(format!("failed to parse value as time or duration: {text:?}"));
    }
    Ok(text.to_owned())
}

fn stamp(nanoseconds: i128) -> String {
    format!("{}.{:09}", nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        parameter(text, Timestamp::new(1000, 500_000_000).unwrap())
    }

    #[test]
    fn times_may_be_durations_dates_or_timestamps() {
        assert_eq!(read("10s").unwrap(), "990.500000000");
        assert_eq!(read("1970-01-01T00:01:00Z").unwrap(), "60.000000000");
        assert_eq!(read("1970-01-01T01:00:00.25+01:00").unwrap(), "0.250000000");
        assert_eq!(read("1136073845.5").unwrap(), "1136073845.5");
        assert!(read("1970-01-02").unwrap().ends_with(".000000000"));
        assert!(read("yesterday").unwrap_err().contains("yesterday"));
    }

    #[test]
    fn build_times_lose_their_zone() {
        assert_eq!(build_time("2026-05-07T21:09:36.000000000+00:00"), "Thu May  7 21:09:36 2026");
        assert_eq!(build_time("whenever"), "whenever");
    }
}
