//! `berth inspect`: the daemon's documents, whole or through a template.

use crate::client::Client;
use crate::client::query::{Target, escape, escape_reference};
use crate::error::{CliError, Result};
use crate::json::{self, Doc};
use crate::out;
use crate::template::{Mode, Template, TemplateError, Value};

/// Flags of `inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Format output: 'json' or a Go template
    #[arg(short, long, value_name = "string")]
    pub format: Option<String>,
    /// Display total file sizes if the type is container
    #[arg(short, long)]
    pub size: bool,
    /// Only inspect objects of the given type
    #[arg(long = "type", value_name = "string")]
    pub kind: Option<String>,
    /// Names or IDs
    #[arg(value_name = "NAME|ID", required = true)]
    pub names: Vec<String>,
}

/// Flags of `container inspect`.
#[derive(Debug, clap::Args)]
pub struct ContainerArgs {
    /// Format output: 'json' or a Go template
    #[arg(short, long, value_name = "string")]
    pub format: Option<String>,
    /// Display total file sizes
    #[arg(short, long)]
    pub size: bool,
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub names: Vec<String>,
}

/// Flags of `image inspect`.
#[derive(Debug, clap::Args)]
pub struct ImageArgs {
    /// Format output: 'json' or a Go template
    #[arg(short, long, value_name = "string")]
    pub format: Option<String>,
    /// Names or IDs
    #[arg(value_name = "IMAGE", required = true)]
    pub names: Vec<String>,
}

/// What can be inspected, in the order a bare name is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Container, "container"),
    (Kind::Image, "image"),
    (Kind::Network, "network"),
    (Kind::Volume, "volume"),
];

/// Inspects objects of any kind.
pub async fn inspect(client: &Client, args: Args) -> Result<u8> {
    let kinds: Vec<Kind> = match args.kind.as_deref().unwrap_or("") {
        "" => KINDS.iter().map(|(kind, _)| *kind).collect(),
        wanted => match KINDS.iter().find(|(_, name)| *name == wanted) {
            Some((kind, _)) => vec![*kind],
            None => {
                let names: Vec<String> = KINDS.iter().map(|(_, name)| format!("{name:?}")).collect();
                let reason = format!("unknown type: {wanted:?}: must be one of {}", names.join(", "));
                return Err(CliError::options(reason));
            }
        },
    };
    report(client, &kinds, &args.names, args.format.as_deref(), args.size).await
}

/// Inspects containers only.
pub async fn containers(client: &Client, args: ContainerArgs) -> Result<u8> {
    report(client, &[Kind::Container], &args.names, args.format.as_deref(), args.size).await
}

/// Inspects images only.
pub async fn images(client: &Client, args: ImageArgs) -> Result<u8> {
    report(client, &[Kind::Image], &args.names, args.format.as_deref(), false).await
}

async fn report(
    client: &Client,
    kinds: &[Kind],
    names: &[String],
    format: Option<&str>,
    size: bool,
) -> Result<u8> {
    let mut output = Output::new(format)?;
    let mut failures = Vec::new();
    for name in names {
        match lookup(client, kinds, name, size).await {
            Ok(text) => {
                if let Err(error) = output.add(&text) {
                    failures.push(error);
                    break;
                }
            }
            Err(error @ CliError::Connect { .. }) => return Err(error),
            Err(error) => failures.push(error),
        }
    }
    out::print(&output.finish())?;
    out::finish(failures)
}

/// The document of the first kind of object that has this name.
async fn lookup(client: &Client, kinds: &[Kind], name: &str, size: bool) -> Result<String> {
    for kind in kinds {
        let target = match kind {
            Kind::Container => {
                Target::new(format!("/containers/{}/json", escape(name))).with_flag("size", size).done()
            }
            Kind::Image => format!("/images/{}/json", escape_reference(name)),
            Kind::Network => format!("/networks/{}", escape(name)),
            Kind::Volume => format!("/volumes/{}", escape(name)),
        };
        match client.get_text(&target).await {
            Err(error) if kinds.len() > 1 && error.status() == Some(404) => {}
            answer => return answer,
        }
    }
    Err(CliError::options(format!("Error: No such object: {name}")))
}

/// What `inspect` prints.
enum Output {
    /// One array of whole documents.
    Documents { compact: bool, texts: Vec<String> },
    /// One line per object.
    Template(Template, String),
}

fn template_error(error: TemplateError, code: u8) -> CliError {
    CliError::Template { text: format!("template parsing error: {error}"), code }
}

impl Output {
    fn new(format: Option<&str>) -> Result<Self> {
        Ok(match format.unwrap_or("") {
            "" => Self::Documents { compact: false, texts: Vec::new() },
            "json" => Self::Documents { compact: true, texts: Vec::new() },
            text => {
                Self::Template(Template::parse("", text).map_err(|e| template_error(e, 64))?, String::new())
            }
        })
    }

    fn add(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Documents { texts, .. } => texts.push(text.trim().to_owned()),
            Self::Template(template, out) => {
                let doc = Doc::parse(text)
                    .map_err(|e| CliError::Answer { request: "inspect".into(), reason: e.to_string() })?;
                let line =
                    template.execute(&Value::from(doc), Mode::Document).map_err(|e| template_error(e, 1))?;
                out.push_str(&line);
                out.push('\n');
            }
        }
        Ok(())
    }

    fn finish(self) -> String {
        match self {
            Self::Documents { compact, texts } => {
                let array = format!("[{}]", texts.join(","));
                if compact { array + "\n" } else { json::indent(&array) + "\n" }
            }
            Self::Template(_, out) if out.is_empty() => "\n".into(),
            Self::Template(_, out) => out,
        }
    }
}
