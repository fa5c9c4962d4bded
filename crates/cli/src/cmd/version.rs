//! `berth version`.

use crate::client::Client;
use crate::error::{CliError, Result};
use crate::format::time;
use crate::json::Doc;
use crate::out;
use crate::template::{Mode, Template, TemplateError, Value};

/// Flags of `version`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Format output: 'json' or a Go template
    #[arg(short, long, value_name = "string")]
    pub format: Option<String>,
}

/// The newest API version this client knows.
const API_VERSION: &str = "1.51";

/// This client, as the `Client` member of the version document.
pub fn client_info(api_version: &str) -> Doc {
    let members = [
        ("Version", env!("CARGO_PKG_VERSION")),
        ("ApiVersion", api_version),
        ("DefaultAPIVersion", API_VERSION),
        ("Os", std::env::consts::OS),
        ("Arch", arch()),
        ("Context", "default"),
    ];
    Doc::Object(members.into_iter().map(|(key, value)| (key.to_owned(), Doc::from(value))).collect())
}

/// Go's name of the architecture.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The version both sides speak: the older of the two.
fn negotiated(server: &str) -> &str {
    let number = |text: &str| -> Option<(u32, u32)> {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    if number(server).is_some_and(|theirs| Some(theirs) < number(API_VERSION)) { server } else { API_VERSION }
}

/// Prints the versions of client and daemon. Without a daemon the client's part is printed all the same.
pub async fn version(client: &Client, args: Args) -> Result<u8> {
    let failed = |code: u8| {
        move |e: TemplateError| CliError::Template { text: format!("template parsing error: {e}"), code }
    };
    let run_failed = |e: TemplateError| CliError::Template { text: e.to_string(), code: 1 };
    let template = match args.format.as_deref().unwrap_or("") {
        "" => None,
        "json" => Some("{{json .}}"),
        text => Some(text),
    };
    let template = template.map(|text| Template::parse("version", text)).transpose().map_err(failed(64))?;
    let server = client.get("/version").await;
    let api = server.as_ref().map_or(API_VERSION, |doc| negotiated(doc.text("ApiVersion"))).to_owned();
    let mut members = vec![("Client".to_owned(), client_info(&api))];
    members.push(("Server".to_owned(), server.as_ref().map_or(Doc::Null, Clone::clone)));
    let document = Doc::Object(members);
    match template {
        Some(template) => {
            let text = template.execute(&Value::from(document), Mode::Typed("system.versionInfo"));
            // The line is ended even when the template failed in the middle of it.
            out::line(text.as_deref().unwrap_or_default())?;
            text.map_err(run_failed)?;
        }
        None => out::print(&text(&document, client.host()))?,
    }
    server.map(|_| 0)
}

fn text(document: &Doc, host: &str) -> String {
    let client = document.get("Client").cloned().unwrap_or_default();
    let api = client.text("ApiVersion");
    let downgraded =
        if api == API_VERSION { String::new() } else { format!(" (downgraded from {API_VERSION})") };
    let mut text = format!(
        "Client:\n Version:           {}\n API version:       {api}{downgraded}\n OS/Arch:           {}/{}\n Host:              {host}\n",
        client.text("Version"),
        client.text("Os"),
        client.text("Arch"),
    );
    let Some(server) = document.get("Server").filter(|server| **server != Doc::Null) else {
        return text;
    };
    match server.at(&["Platform", "Name"]).and_then(Doc::as_str) {
        Some(name) if !name.is_empty() => text.push_str(&format!("\nServer: {name}\n")),
        _ => text.push_str("\nServer:\n"),
    }
    for component in server.list("Components") {
        text.push_str(&component_text(component));
    }
    text
}

/// One component: the engine with its well-known details, others with whatever they report.
fn component_text(component: &Doc) -> String {
    let name = component.text("Name");
    let details = component.get("Details").cloned().unwrap_or_default();
    let mut text = format!(" {name}:\n  {:<18}{}\n", "Version:", component.text("Version"));
    if name == "Engine" {
        let detail = |key: &str| details.text(key).to_owned();
        let lines = [
            (
                "API version:",
                format!("{} (minimum version {})", detail("ApiVersion"), detail("MinAPIVersion")),
            ),
            ("Go version:", detail("GoVersion")),
            ("Git commit:", detail("GitCommit")),
            ("Built:", time::build_time(&detail("BuildTime"))),
            ("OS/Arch:", format!("{}/{}", detail("Os"), detail("Arch"))),
            ("Experimental:", detail("Experimental")),
        ];
        // A daemon that was not written in Go has no Go version to tell.
        for (label, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
            text.push_str(&format!("  {label:<18}{value}\n"));
        }
    } else {
        let mut sorted: Vec<_> = details.members().iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        for (key, value) in sorted {
            text.push_str(&format!("  {:<18}{}\n", format!("{key}:"), value.as_str().unwrap_or("")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_version_wins() {
        assert_eq!(negotiated("1.41"), "1.41");
        assert_eq!(negotiated("1.60"), "1.51");
        assert_eq!(negotiated(""), "1.51");
    }
}
