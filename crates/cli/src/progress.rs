//! The message streams of pull, import and load.

use hyper::body::Incoming;

use crate::client::lines::Documents;
use crate::error::{CliError, Result};
use crate::json::Doc;
use crate::out;

/// Where messages are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Standard output.
    Stdout,
    /// Standard error: the command's own output goes to standard output.
    Stderr,
    /// Nowhere, unless something fails.
    Nothing,
}

/// Shows a message stream to its end; an error message in it fails the command.
pub async fn show(body: Incoming, request: &'static str, to: Show) -> Result<()> {
    let mut documents = Documents::new(body, request);
    while let Some(doc) = documents.next().await? {
        let failure = doc.at(&["errorDetail", "message"]).or_else(|| doc.get("error")).and_then(Doc::as_str);
        if let Some(message) = failure {
            return Err(CliError::Options { reason: message.to_owned() });
        }
        let text = text(&doc);
        match to {
            Show::Stdout => out::print(&text)?,
            Show::Stderr => out::warn(text.trim_end_matches('\n')),
            Show::Nothing => {}
        }
    }
    Ok(())
}

/// One message as text with its newline. Progress bars are left out: the status lines around them tell enough.
fn text(doc: &Doc) -> String {
    match doc.text("stream") {
        "" => {}
        stream => return stream.to_owned(),
    }
    if doc.get("progressDetail").is_some_and(|detail| !detail.members().is_empty()) {
        return String::new();
    }
    match (doc.text("id"), doc.text("status")) {
        (_, "") => String::new(),
        ("", status) => format!("{status}\n"),
        (id, status) => format!("{id}: {status}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_become_lines() {
        let line = |json: &str| text(&Doc::parse(json).unwrap());
        assert_eq!(line(r#"{"stream":"Loaded image: a:b\n"}"#), "Loaded image: a:b\n");
        assert_eq!(
            line(r#"{"status":"Pulling fs layer","progressDetail":{},"id":"abc"}"#),
            "abc: Pulling fs layer\n"
        );
        assert_eq!(line(r#"{"status":"Downloading","progressDetail":{"current":1},"id":"abc"}"#), "");
        assert_eq!(line(r#"{"status":"sha256:abc"}"#), "sha256:abc\n");
    }
}
