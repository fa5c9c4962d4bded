//! `berth events`.

use super::images::parse_filters;
use super::logs::point;
use crate::client::Client;
use crate::client::lines::Documents;
use crate::client::query::Target;
use crate::error::{CliError, Result};
use crate::format::time;
use crate::json::Doc;
use crate::out;
use crate::template::{Mode, Template, TemplateError, Value};

/// Flags of `events`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Filter output based on conditions provided
    #[arg(short, long, value_name = "filter")]
    pub filter: Vec<String>,
    /// Format output: 'json' or a Go template
    #[arg(long, value_name = "string")]
    pub format: Option<String>,
    /// Show all events created since timestamp
    #[arg(long, value_name = "string")]
    pub since: Option<String>,
    /// Stream events until this timestamp
    #[arg(long, value_name = "string")]
    pub until: Option<String>,
}

/// Prints events until the daemon ends the stream.
pub async fn events(client: &Client, args: Args) -> Result<u8> {
    let failed =
        |e: TemplateError| CliError::Template { text: format!("Error parsing format: {e}"), code: 64 };
    let template = match args.format.as_deref().unwrap_or("") {
        "" => None,
        "json" => Some("{{json .}}"),
        text => Some(text),
    };
    let template = template.map(|text| Template::parse("", text)).transpose().map_err(failed)?;
    let target = Target::new("/events")
        .with_text("since", &point("since", args.since.as_deref())?)
        .with_text("until", &point("until", args.until.as_deref())?)
        .with_filters(&parse_filters("-f, --filter", &args.filter)?)
        .done();
    let mut documents = Documents::new(client.get_stream(&target).await?, "events");
    while let Some(event) = documents.next().await? {
        match &template {
            None => out::line(line(&event))?,
            Some(template) => {
                out::line(
                    template.execute(&Value::from(event), Mode::Typed("*events.Message")).map_err(failed)?,
                )?;
            }
        }
    }
    Ok(0)
}

/// `TIME TYPE ACTION ID (KEY=VALUE, …)`
fn line(event: &Doc) -> String {
    let nanos = match event.int("timeNano") {
        0 => event.int("time").saturating_mul(1_000_000_000),
        nanos => nanos,
    };
    let mut text = format!("{} ", time::rfc3339_nanos(nanos));
    if event.text("Type").is_empty() {
        text.push_str(&format!("{} {}", event.text("id"), event.text("status")));
        return text;
    }
    let actor = event.get("Actor").cloned().unwrap_or_default();
    text.push_str(&format!("{} {} {}", event.text("Type"), event.text("Action"), actor.text("ID")));
    let mut attributes: Vec<String> = actor
        .get("Attributes")
        .map_or(&[][..], Doc::members)
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    if !attributes.is_empty() {
        attributes.sort();
        text.push_str(&format!(" ({})", attributes.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_one_line_with_sorted_attributes() {
        let event = Doc::parse(
            r#"{"Type":"container","Action":"die","Actor":{"ID":"abc","Attributes":{"name":"x","exitCode":"0"}},"time":1,"timeNano":1500000000}"#,
        )
        .unwrap();
        let text = line(&event);
        assert!(text.ends_with(" container die abc (exitCode=0, name=x)"), "{text}");
        assert!(text.contains(".500000000"), "{text}");
    }
}
