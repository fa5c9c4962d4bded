//! `berth container prune`, `berth image prune` and `berth system prune`.

use std::io::{BufRead, Write};

use super::images::parse_filters;
use crate::client::Client;
use crate::client::query::{Filters, Target};
use crate::error::{CliError, Result};
use crate::format::units;
use crate::json::Doc;
use crate::out;

/// Flags of `container prune`.
#[derive(Debug, clap::Args)]
pub struct ContainerArgs {
    /// Provide filter values (e.g. "until=<timestamp>")
    #[arg(long, value_name = "filter")]
    pub filter: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    pub force: bool,
}

/// Flags of `image prune`.
#[derive(Debug, clap::Args)]
pub struct ImageArgs {
    /// Remove all unused images, not just dangling ones
    #[arg(short, long)]
    pub all: bool,
    /// Provide filter values (e.g. "until=<timestamp>")
    #[arg(long, value_name = "filter")]
    pub filter: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    pub force: bool,
}

/// Flags of `system prune`.
#[derive(Debug, clap::Args)]
pub struct SystemArgs {
    /// Remove all unused images not just dangling ones
    #[arg(short, long)]
    pub all: bool,
    /// Provide filter values (e.g. "label=<key>=<value>")
    #[arg(long, value_name = "filter")]
    pub filter: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    pub force: bool,
    /// Prune anonymous volumes
    #[arg(long)]
    pub volumes: bool,
}

/// Removes stopped containers.
pub async fn containers(client: &Client, args: ContainerArgs) -> Result<u8> {
    let filters = parse_filters("--filter", &args.filter)?;
    confirm(args.force, "WARNING! This will remove all stopped containers.")?;
    let mut total = 0;
    prune(client, Kind::Containers, &filters, &mut total).await?;
    reclaimed(total)
}

/// Removes unused images.
pub async fn images(client: &Client, args: ImageArgs) -> Result<u8> {
    let filters = image_filters(parse_filters("--filter", &args.filter)?, args.all);
    let what = if args.all {
        "WARNING! This will remove all images without at least one container associated to them."
    } else {
        "WARNING! This will remove all dangling images."
    };
    confirm(args.force, what)?;
    let mut total = 0;
    prune(client, Kind::Images, &filters, &mut total).await?;
    reclaimed(total)
}

/// Removes everything unused: containers, networks, volumes if asked for, images, build cache.
pub async fn system(client: &Client, args: SystemArgs) -> Result<u8> {
    let filters = parse_filters("--filter", &args.filter)?;
    let mut what = String::from("WARNING! This will remove:\n  - all stopped containers\n");
    what.push_str("  - all networks not used by at least one container\n");
    if args.volumes {
        what.push_str("  - all anonymous volumes not used by at least one container\n");
    }
    what.push_str(if args.all {
        "  - all images without at least one container associated to them\n  - all build cache\n"
    } else {
        "  - all dangling images\n  - unused build cache\n"
    });
    confirm(args.force, &what)?;
    let mut total = 0;
    for kind in [Kind::Containers, Kind::Networks, Kind::Volumes, Kind::Images, Kind::Build] {
        let filters = match kind {
            Kind::Volumes if !args.volumes => continue,
            Kind::Images => image_filters(filters.clone(), args.all),
            _ => filters.clone(),
        };
        match prune(client, kind, &filters, &mut total).await {
            // A daemon without an endpoint for this kind has no objects of it.
            Err(error) if matches!(error.status(), Some(404 | 501)) && kind.may_be_absent() => {}
            result => result?,
        }
    }
    reclaimed(total)
}

fn image_filters(mut filters: Filters, all: bool) -> Filters {
    filters.add("dangling", if all { "false" } else { "true" });
    filters
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Containers,
    Networks,
    Volumes,
    Images,
    Build,
}

impl Kind {
    fn may_be_absent(self) -> bool {
        matches!(self, Kind::Networks | Kind::Volumes | Kind::Build)
    }

    /// Path segment, member of the answer and title.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Kind::Containers => ("containers", "ContainersDeleted", "Deleted Containers:"),
            Kind::Networks => ("networks", "NetworksDeleted", "Deleted Networks:"),
            Kind::Volumes => ("volumes", "VolumesDeleted", "Deleted Volumes:"),
            Kind::Images => ("images", "ImagesDeleted", "Deleted Images:"),
            Kind::Build => ("build", "CachesDeleted", "Deleted build cache objects:"),
        }
    }
}

async fn prune(client: &Client, kind: Kind, filters: &Filters, total: &mut i64) -> Result<()> {
    let (path, member, title) = kind.words();
    let target = Target::new(format!("/{path}/prune")).with_filters(filters).done();
    let answer = client.post(&target, None).await?;
    let deleted = answer.list(member);
    if !deleted.is_empty() {
        let mut text = format!("{title}\n");
        for item in deleted {
            let line = match item {
                Doc::Object(_) if item.text("Deleted").is_empty() => {
                    format!("untagged: {}", item.text("Untagged"))
                }
                Doc::Object(_) => format!("deleted: {}", item.text("Deleted")),
                item => item.as_str().unwrap_or("").to_owned(),
            };
            text.push_str(&line);
            text.push('\n');
        }
        out::line(text)?;
    }
    *total += answer.int("SpaceReclaimed");
    Ok(())
}

fn reclaimed(total: i64) -> Result<u8> {
    out::line(format_args!("Total reclaimed space: {}", units::exact_size(total)))?;
    Ok(0)
}

/// Asks before deleting; anything but yes cancels.
fn confirm(force: bool, what: &str) -> Result<()> {
    if force {
        return Ok(());
    }
    out::print(&format!("{what}\nAre you sure you want to continue? [y/N] "))?;
    std::io::stdout().flush().map_err(CliError::Output)?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|source| CliError::Terminal { what: "reading the answer", source })?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        out::line("")?;
        Err(CliError::Usage { text: "operation canceled".into(), code: 1 })
    }
}
