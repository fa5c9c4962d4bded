//! Port specifications of `EXPOSE`: `80`, `80/udp`, `8000-8003/tcp`.

use super::ChangeError;

/// All ports of a specification, as `80/tcp`.
pub(super) fn parse(spec: &str) -> Result<Vec<String>, ChangeError> {
    let mut parts = spec.split('/');
    let ports = parts.next().unwrap_or_default();
    let protocol = parts.next().filter(|p| !p.is_empty()).unwrap_or("tcp").to_ascii_lowercase();
    // `host:container` is for publishing; what is exposed is the container's side.
    let ports = ports.rsplit(':').next().unwrap_or_default();
    if ports.is_empty() {
        return Err(ChangeError::Value(format!("No port specified: {spec}<empty>")));
    }
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let invalid = || ChangeError::Value(format!("Invalid containerPort: {ports}"));
    let number = |text: &str| {
        text.parse::<u16>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit())).ok_or_else(invalid)
    };
    let (first, last) = (number(first)?, number(last)?);
    if last < first {
        return Err(invalid());
    }
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(ChangeError::Value(format!("Invalid proto: {protocol}")));
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn ranges_and_protocols_are_spelled_out() {
        assert_eq!(parse("80").unwrap(), ["80/tcp"]);
        assert_eq!(parse("53/UDP").unwrap(), ["53/udp"]);
        assert_eq!(parse("8000-8002").unwrap(), ["8000/tcp", "8001/tcp", "8002/tcp"]);
        assert_eq!(parse("80/").unwrap(), ["80/tcp"]);
        for bad in ["", "x", "80/abc", "70000", "9-8", "+80", "80-", "/tcp"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
