//! The lexical rules of references, one predicate per production.
//!
//! ```text
//! reference  = name [ ":" tag ] [ "@" digest ]
//! name       = [ domain "/" ] component { "/" component }
//! domain     = host [ ":" digits ]
//! host       = label { "." label } | "[" IPv6 "]"
//! label      = alnum [ { alnum | "-" } alnum ]
//! component  = lower { separator lower }        lower = [a-z0-9]+
//! separator  = "_" | "." | "__" | "-"+
//! tag        = word { word | "." | "-" }        at most 128 characters
//! digest     = scheme { [+._-] scheme } ":" 32 or more hex digits
//! ```

/// Host with an optional port.
pub(super) fn is_domain(s: &str) -> bool {
    if let Some(rest) = s.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return !address.is_empty()
            && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_digits));
    }
    let (host, port) = match s.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (s, None),
    };
    host.split('.').all(is_label) && port.is_none_or(is_digits)
}

fn is_digits(s: &str) -> bool {
    !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit())
}

fn is_label(s: &str) -> bool {
    let b = s.as_bytes();
    b.first().is_some_and(u8::is_ascii_alphanumeric)
        && b.last().is_some_and(u8::is_ascii_alphanumeric)
        && b.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// One or more path components.
pub(super) fn is_path(s: &str) -> bool {
    s.split('/').all(is_component)
}

fn is_component(s: &str) -> bool {
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut rest = s.as_bytes();
    loop {
        let word = rest.iter().take_while(|b| lower(**b)).count();
        if word == 0 {
            return false;
        }
        rest = rest.get(word..).unwrap_or_default();
        if rest.is_empty() {
            return true;
        }
        let separator = rest.iter().take_while(|b| !lower(**b)).count();
        let (sep, after) = rest.split_at(separator);
        if !(matches!(sep, b"_" | b"." | b"__") || sep.iter().all(|b| *b == b'-')) {
            return false;
        }
        rest = after;
    }
}

/// A tag.
pub(super) fn is_tag(s: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    s.len() <= 128
        && s.bytes().next().is_some_and(word)
        && s.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// The outer shape of a digest of any algorithm.
pub(super) fn is_digest(s: &str) -> bool {
    let Some((algorithm, hex)) = s.split_once(':') else { return false };
    let part = |p: &str| {
        p.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
            && p.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    algorithm.split(['+', '.', '_', '-']).all(part)
        && hex.len() >= 32
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_allow_the_documented_separators_only() {
        for ok in ["a", "a1", "a.b", "a_b", "a__b", "a-b", "a----b", "0", "a.b_c__d-e"] {
            assert!(is_component(ok), "{ok}");
        }
        for bad in ["", "A", "a___b", "a..b", "a._b", "-a", "a-", ".a", "a.", "_a", "a b", "a\u{e9}", "a-_b"]
        {
            assert!(!is_component(bad), "{bad}");
        }
    }

    #[test]
    fn domains_are_hosts_with_an_optional_port() {
        for ok in
            ["localhost", "a.b", "a:1", "UPPER", "1.2.3.4:5000", "[::1]", "[2001:db8::1]:5000", "a--b.c"]
        {
            assert!(is_domain(ok), "{ok}");
        }
        for bad in ["", "a:", "a:x", ".a", "a.", "-a", "a-", "a_b", "[]", "[::1", "[::1]x", "[g]", "a:1:2"] {
            assert!(!is_domain(bad), "{bad}");
        }
    }

    #[test]
    fn tags_are_words_of_at_most_128_characters() {
        assert!(is_tag("v1.0-rc_1") && is_tag("_x") && is_tag(&"a".repeat(128)));
        assert!(!is_tag("") && !is_tag(".x") && !is_tag("-x") && !is_tag(&"a".repeat(129)) && !is_tag("a/b"));
    }
}
