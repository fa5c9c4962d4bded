//! JSON request bodies, refused in Docker's words.
//!
//! Clients see the daemon's words about bad JSON, and some match on them, so serde's findings are retold the way
//! Go's decoder tells them.

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::ApiError;

/// Longest JSON body that is read, in bytes. Real ones are a few kilobytes.
const LIMIT: usize = 16 << 20;

/// The body of a request that must be JSON.
pub(crate) async fn body(request: Request) -> Result<Bytes, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = read(body).await?;
    content_type(&parts.headers, bytes.is_empty())?;
    Ok(bytes)
}

/// Reads a whole body.
async fn read(body: Body) -> Result<Bytes, ApiError> {
    match Limited::new(body, LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("request body is larger than {} MiB", LIMIT >> 20),
        )),
        Err(error) => Err(ApiError::invalid(format!("error reading request body: {error}"))),
    }
}

/// Checks that a body says it is JSON; an empty one need not.
fn content_type(headers: &HeaderMap, empty: bool) -> Result<(), ApiError> {
    let value = match headers.get(header::CONTENT_TYPE) {
        Some(value) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        None if empty => return Ok(()),
        None => String::new(),
    };
    let media = value.split(';').next().unwrap_or_default().trim();
    if media.is_empty() {
        let text = format!("malformed Content-Type header ({value}): mime: no media type");
        return Err(ApiError::invalid(text));
    }
    if !media.eq_ignore_ascii_case("application/json") {
        let text = format!("unsupported Content-Type header ({value}): must be 'application/json'");
        return Err(ApiError::invalid(text));
    }
    Ok(())
}

/// Decodes a document.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.trim_ascii().is_empty() {
        return Err(ApiError::invalid("invalid JSON: got EOF while reading request body"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value: Option<T> = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| ApiError::invalid(format!("invalid JSON: {}", retell(&error, bytes))))?;
    if deserializer.end().is_err() {
        return Err(ApiError::invalid("unexpected content after JSON"));
    }
    // `null` is Go's zero value: for a document that is one without any field.
    match value {
        Some(value) => Ok(value),
        None => serde_json::from_str("{}")
            .map_err(|_| ApiError::invalid("invalid JSON: json: cannot unmarshal null into Go value")),
    }
}

/// One of serde's errors in Go's words.
fn retell(error: &serde_path_to_error::Error<serde_json::Error>, bytes: &[u8]) -> String {
    let inner = error.inner();
    match inner.classify() {
        Category::Eof => "unexpected EOF".to_owned(),
        Category::Io => inner.to_string(),
        Category::Data => mismatch(&inner.to_string(), &error.path().to_string()),
        Category::Syntax => syntax(&inner.to_string(), offending(inner, bytes)),
    }
}

/// The byte a syntax error points at.
fn offending(error: &serde_json::Error, bytes: &[u8]) -> char {
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let text = String::from_utf8_lossy(line.get(error.column().saturating_sub(1)..).unwrap_or_default());
    text.chars().next().unwrap_or('\n')
}

/// A syntax error.
fn syntax(message: &str, found: char) -> String {
    let place = if message.starts_with("key must be a string") || message.starts_with("trailing comma") {
        "looking for beginning of object key string"
    } else if message.starts_with("expected value") {
        "looking for beginning of value"
    } else if message.starts_with("expected ident") {
        "in literal"
    } else if message.starts_with("expected `,` or `}`") {
        "after object key:value pair"
    } else if message.starts_with("expected `,` or `]`") {
        "after array element"
    } else if message.starts_with("expected `:`") {
        "after object key"
    } else if message.starts_with("control character") || message.starts_with("invalid unicode") {
        "in string literal"
    } else if message.contains("escape") {
        "in string escape code"
    } else if message.starts_with("invalid number") {
        "in numeric literal"
    } else {
        return message.to_owned();
    };
    format!("invalid character {} {place}", quoted(found))
}

/// A character as Go quotes it in such messages.
fn quoted(found: char) -> String {
    match found {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        '\\' | '\n' | '\r' | '\t' => format!("'{}'", found.escape_default()),
        other if other.is_control() => format!("'\\x{:02x}'", u32::from(other)),
        other => format!("'{other}'"),
    }
}

/// A value of the wrong type: `invalid type: integer `5`, expected a string at line 1 column 10`.
fn mismatch(message: &str, path: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    let Some((found, expected)) = message.split_once(", expected ") else {
        return message.to_owned();
    };
    let found = found.split_once(": ").map_or(found, |(_, found)| found);
    let kind = match found.split(' ').next().unwrap_or_default() {
        "string" | "character" => "string",
        "integer" | "floating" | "number" => "number",
        "boolean" => "bool",
        "sequence" => "array",
        "map" => "object",
        other => other,
    };
    let wanted = match expected {
        "a string" | "a character" => "string",
        "i64" => "int64",
        "i32" => "int32",
        "u64" => "uint64",
        "u32" => "uint32",
        "u16" => "uint16",
        "a boolean" => "bool",
        "a sequence" => "[]string",
        "a map" => "map[string]string",
        other => other,
    };
    if path.is_empty() || path == "." || path == "?" {
        format!("json: cannot unmarshal {kind} into Go value of type {wanted}")
    } else {
        format!("json: cannot unmarshal {kind} into Go struct field {path} of type {wanted}")
    }
}

#[cfg(test)]
mod tests {
    use berth_api_types::container::{ContainerConfig, HostConfig};

    use super::*;

    fn refusal(text: &str) -> String {
        let error = decode::<ContainerConfig>(text.as_bytes()).unwrap_err();
        assert_eq!(error.status.as_u16(), 400);
        error.message
    }

    #[test]
    fn syntax_errors_are_told_as_go_tells_them() {
        for (text, reason) in [
            ("{bad", "invalid character 'b' looking for beginning of object key string"),
            ("bogus", "invalid character 'b' looking for beginning of value"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\":2}", "invalid character '\"' after object key:value pair"),
            ("{\"Env\":[\"a\" \"b\"]}", "invalid character '\"' after array element"),
            ("é", "invalid character 'é' looking for beginning of value"),
            ("\u{1}", "invalid character '\\x01' looking for beginning of value"),
            ("{\"a\":", "unexpected EOF"),
            ("", "got EOF while reading request body"),
        ] {
            assert_eq!(refusal(text), format!("invalid JSON: {reason}"), "{text}");
        }
        assert_eq!(refusal("{} x"), "unexpected content after JSON");
    }

    #[test]
    fn wrong_types_name_the_field() {
        assert_eq!(
            refusal("{\"Image\":5}"),
            "invalid JSON: json: cannot unmarshal number into Go struct field Image of type string"
        );
        assert_eq!(
            refusal("{\"Tty\":\"x\"}"),
            "invalid JSON: json: cannot unmarshal string into Go struct field Tty of type bool"
        );
        let error = decode::<HostConfig>(b"{\"LogConfig\":{\"Type\":[]}}").unwrap_err();
        assert_eq!(
            error.message,
            "invalid JSON: json: cannot unmarshal array into Go struct field LogConfig.Type of type string"
        );
    }

    #[test]
    fn null_is_an_empty_document() {
        assert_eq!(decode::<ContainerConfig>(b"null"), Ok(ContainerConfig::default()));
    }

    #[test]
    fn bodies_must_say_they_are_json() {
        let headers = |value: &str| HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]);
        assert_eq!(content_type(&headers("application/json; charset=utf-8"), false), Ok(()));
        assert_eq!(content_type(&HeaderMap::new(), true), Ok(()));
        assert_eq!(
            content_type(&headers("text/plain"), false).unwrap_err().message,
            "unsupported Content-Type header (text/plain): must be 'application/json'"
        );
        assert_eq!(
            content_type(&HeaderMap::new(), false).unwrap_err().message,
            "malformed Content-Type header (): mime: no media type"
        );
    }
}
