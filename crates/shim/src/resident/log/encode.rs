//! One line of Docker's `json-file` format.
//!
//! `{"log":"text\n","stream":"stdout","attrs":{…},"time":"2023-11-14T22:13:20.12Z"}` and a newline; strings
//! are escaped as Go's encoder does it, with `<`, `>` and `&` as `\u003c` and so on, and U+FFFD for bytes
//! that are not UTF-8.

use crate::clock;

/// Appends the line for a piece of output. A piece that is not `complete` has no newline in its text: readers
/// join it with the next one.
pub fn append(
    out: &mut Vec<u8>,
    bytes: &[u8],
    complete: bool,
    stream: &str,
    attrs: Option<&str>,
    nanoseconds: i64,
) {
    out.extend_from_slice(b"{\"log\":\"");
    escape(out, bytes);
    if complete {
        out.extend_from_slice(b"\\n");
    }
    out.extend_from_slice(b"\",\"stream\":\"");
    out.extend_from_slice(stream.as_bytes());
    out.push(b'"');
    if let Some(attrs) = attrs {
        out.extend_from_slice(b",\"attrs\":");
        out.extend_from_slice(attrs.as_bytes());
    }
    out.extend_from_slice(b",\"time\":\"");
    clock::append_rfc3339(out, nanoseconds);
    out.extend_from_slice(b"\"}\n");
}

fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find(needs_escape) {
            let (plain, from) = rest.split_at(at);
            out.extend_from_slice(plain.as_bytes());
            let mut letters = from.chars();
            if let Some(letter) = letters.next() {
                escape_letter(out, letter);
            }
            rest = letters.as_str();
        }
        out.extend_from_slice(rest.as_bytes());
        // Go replaces each byte of what is not UTF-8, not each sequence.
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}

fn needs_escape(letter: char) -> bool {
    matches!(letter, '\0'..='\x1f' | '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

fn escape_letter(out: &mut Vec<u8>, letter: char) {
    match letter {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        other => out.extend_from_slice(format!("\\u{:04x}", u32::from(other)).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: &[u8], complete: bool, attrs: Option<&str>) -> String {
        let mut out = Vec::new();
        append(&mut out, bytes, complete, "stdout", attrs, 1_700_000_000_120_000_000);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_has_dockers_members_in_dockers_order() {
        let expected = "{\"log\":\"hi\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:20.12Z\"}\n";
        assert_eq!(line(b"hi", true, None), expected);
        let with = line(b"hi", false, Some(r#"{"tag":"x"}"#));
        assert!(
            with.starts_with("{\"log\":\"hi\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"x\"},\"time\":")
        );
    }

    #[test]
    fn strings_are_escaped_as_go_does_it() {
        let text = line("a\t\"\\\r<>&\u{2028}\u{7f}é\u{1}".as_bytes(), true, None);
        assert!(text.contains(r#""a\u0009\"\\\r\u003c\u003e\u0026\u2028"#), "{text}");
        assert!(text.contains("\u{7f}é\\u0001\\n\""), "{text}");
    }

    #[test]
    fn bytes_that_are_not_utf8_become_replacement_characters() {
        let text = line(b"a\xff\xe2\x82b", true, None);
        assert!(text.contains(r#""a\ufffd\ufffd\ufffdb\n""#), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["log"], "a\u{fffd}\u{fffd}\u{fffd}b\n");
    }
}
