//! `berth create`, and the creation step of `berth run`.

use std::io::Write;
use std::path::Path;

use crate::client::Client;
use crate::client::query::Target;
use crate::error::{CliError, Result};
use crate::flags::body::{Context, CreateRequest, create_request};
use crate::flags::create::CreateFlags;
use crate::json::Doc;
use crate::progress::{Show, show};
use crate::{out, terminal};

/// Flags of `create`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to create
    #[command(flatten)]
    pub create: CreateFlags,
    /// Print usage
    #[arg(long, action = clap::ArgAction::Help)]
    pub help: Option<bool>,
}

/// Creates a container and prints its ID.
pub async fn create(client: &Client, args: Args) -> Result<u8> {
    let request = request(&args.create, false).map_err(|e| e.in_verb("create"))?;
    out::line(create_container(client, &args.create, &request).await?)?;
    Ok(0)
}

/// The request for these flags in this process's surroundings.
pub fn request(flags: &CreateFlags, detach: bool) -> Result<CreateRequest> {
    if let Some(policy) = flags.pull.as_deref().filter(|p| !matches!(*p, "always" | "missing" | "never" | ""))
    {
        return Err(CliError::options(format!(
            "invalid pull option: '{policy}': must be one of \"always\", \"missing\" or \"never\""
        )));
    }
    let cwd = std::env::current_dir().map_err(|source| CliError::Terminal { what: "getwd", source })?;
    let console = if flags.tty { terminal::size().unwrap_or_default() } else { [0, 0] };
    create_request(flags, &Context { lookup: &|name| std::env::var(name).ok(), cwd: &cwd, detach, console })
}

/// Sends the request; pulls the image first or after a refusal, as `--pull` says. Returns the container's ID.
pub async fn create_container(
    client: &Client,
    flags: &CreateFlags,
    request: &CreateRequest,
) -> Result<String> {
    let policy = flags.pull.as_deref().unwrap_or("missing");
    let mut cidfile =
        flags.cidfile.as_deref().filter(|path| !path.is_empty()).map(CidFile::open).transpose()?;
    if policy == "always" {
        pull(client, flags).await?;
    }
    let created = match client.post(&request.target, Some(&request.body)).await {
        Err(CliError::Daemon { status: 404, message })
            if matches!(policy, "missing" | "") && message.to_lowercase().contains("no such image") =>
        {
            if !flags.quiet {
                out::warn(format_args!("Unable to find image '{}' locally", with_tag(flags.image())));
            }
            pull(client, flags).await?;
            client.post(&request.target, Some(&request.body)).await?
        }
        answer => answer?,
    };
    for warning in created.texts("Warnings") {
        out::warn(format_args!("WARNING: {warning}"));
    }
    let id = created.text("Id").to_owned();
    if id.is_empty() {
        return Err(CliError::Answer {
            request: "POST /containers/create".into(),
            reason: "no container ID".into(),
        });
    }
    if let Some(file) = &mut cidfile {
        file.write(&id)?;
    }
    Ok(id)
}

async fn pull(client: &Client, flags: &CreateFlags) -> Result<()> {
    let (name, tag) = split_reference(flags.image());
    let target = Target::new("/images/create")
        .with("fromImage", name)
        .with("tag", tag.unwrap_or("latest"))
        .with_text("platform", flags.platform.as_deref().unwrap_or(""))
        .done();
    let response = client.send(http::Method::POST, &target, None, crate::client::empty()).await?;
    show(response.into_body(), "pull", if flags.quiet { Show::Nothing } else { Show::Stderr }).await
}

/// Name, and tag or digest, of an image reference. A colon before a slash belongs to a registry's port.
pub fn split_reference(reference: &str) -> (&str, Option<&str>) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, Some(digest));
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (reference, None),
    }
}

fn with_tag(reference: &str) -> String {
    match split_reference(reference) {
        (name, None) => format!("{name}:latest"),
        _ => reference.to_owned(),
    }
}

/// The file of `--cidfile`: claimed before the container exists, removed again if it never does.
struct CidFile {
    file: std::fs::File,
    path: std::path::PathBuf,
    written: bool,
}

impl CidFile {
    fn open(path: &str) -> Result<Self> {
        let path = Path::new(path);
        match std::fs::File::create_new(path) {
            Ok(file) => Ok(Self { file, path: path.into(), written: false }),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(CliError::options(format!(
                "container ID file found, make sure the other container isn't running or delete {}",
                path.display()
            ))),
            Err(source) => Err(CliError::File { path: path.into(), source }),
        }
    }

    fn write(&mut self, id: &str) -> Result<()> {
        self.file
            .write_all(id.as_bytes())
            .map_err(|source| CliError::File { path: self.path.clone(), source })?;
        self.written = true;
        Ok(())
    }
}

impl Drop for CidFile {
    fn drop(&mut self) {
        if !self.written {
            // Only an empty file of ours is lost or left behind.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether the container described by `inspect` has a terminal.
pub fn has_tty(inspect: &Doc) -> bool {
    inspect.at(&["Config", "Tty"]) == Some(&Doc::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_registries_are_not_tags() {
        assert_eq!(split_reference("localhost:5000/a"), ("localhost:5000/a", None));
        assert_eq!(split_reference("localhost:5000/a:1"), ("localhost:5000/a", Some("1")));
        assert_eq!(split_reference("a@sha256:x"), ("a", Some("sha256:x")));
        assert_eq!(with_tag("busybox"), "busybox:latest");
    }

    #[test]
    fn a_cidfile_is_never_overwritten_and_an_unused_one_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cid");
        let text = path.to_str().unwrap();
        drop(CidFile::open(text).unwrap());
        assert!(!path.exists());
        CidFile::open(text).unwrap().write("abc").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "abc");
        assert!(CidFile::open(text).is_err());
    }
}
