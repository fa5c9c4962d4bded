//! `berth images` and `berth image bootstrap`.

use crate::client::Client;
use crate::client::query::{Filters, Target};
use crate::error::{CliError, Result};
use crate::format::listing::{Listing, PREFIX};
use crate::format::{time, units};
use crate::json::Doc;
use crate::out;
use crate::template::Row;

/// Flags of `images`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show all images (default hides intermediate images)
    #[arg(short, long)]
    pub all: bool,
    /// Show digests
    #[arg(long)]
    pub digests: bool,
    /// Filter output based on conditions provided
    #[arg(short, long, value_name = "filter")]
    pub filter: Vec<String>,
    /// Format output: 'table', 'table TEMPLATE', 'json' or a Go template
    #[arg(long, value_name = "string")]
    pub format: Option<String>,
    /// Don't truncate output
    #[arg(long)]
    pub no_trunc: bool,
    /// Only show image IDs
    #[arg(short, long)]
    pub quiet: bool,
    /// Only images of this name
    #[arg(value_name = "REPOSITORY[:TAG]")]
    pub reference: Option<String>,
}

/// `image bootstrap` has no flags.
#[derive(Debug, clap::Args)]
pub struct BootstrapArgs {}

const LISTING: Listing = Listing {
    type_name: "*formatter.imageContext",
    titles: &[
        ("ID", "IMAGE ID"),
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("Digest", "DIGEST"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Size", "SIZE"),
        ("Containers", "CONTAINERS"),
        ("VirtualSize", "SIZE"),
        ("SharedSize", "SHARED SIZE"),
        ("UniqueSize", "UNIQUE SIZE"),
    ],
    has_labels: false,
    error_prefix: PREFIX,
};

/// Reads `--filter` flags; `name` is how the verb's help calls them.
pub fn parse_filters(name: &'static str, flags: &[String]) -> Result<Filters> {
    let reason = "bad format of filter (expected name=value)";
    Filters::parse(flags).map_err(|flag| CliError::flag(name, flag, reason))
}

/// Lists images.
pub async fn images(client: &Client, args: Args) -> Result<u8> {
    let mut filters = parse_filters("-f, --filter", &args.filter)?;
    if let Some(reference) = &args.reference {
        filters.add("reference", reference.as_str());
    }
    let target = Target::new("/images/json").with_flag("all", args.all).with_filters(&filters).done();
    let list = client.get(&target).await?;
    let given = args.format.clone().unwrap_or_default();
    let format = if args.quiet { "{{.ID}}".to_owned() } else { given };
    let with_digests = args.digests || format.contains("{{.Digest}}");
    let table = if args.digests {
        "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
    } else {
        "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
    };
    let now = time::now();
    let mut rows = Vec::new();
    for image in list.items() {
        for name in names(image, with_digests) {
            rows.push(row(image, &name, !args.no_trunc, now));
        }
    }
    out::print(&LISTING.render(&format, table, rows)?)?;
    Ok(0)
}

/// Makes the built-in image and prints its name.
pub async fn bootstrap(client: &Client, _args: BootstrapArgs) -> Result<u8> {
    let answer = client.post("/berth/v1/images/bootstrap", None).await?;
    out::line(answer.text("Name"))?;
    Ok(0)
}

/// One line of the listing: repository, tag, digest.
#[derive(Debug, PartialEq)]
struct Name {
    repository: String,
    tag: String,
    digest: String,
}

const NONE: &str = "<none>";

/// The lines an image gets: one per tag (and digest, where they are shown), one per digest of a repository that
/// has no tag, or one without any name.
fn names(image: &Doc, with_digests: bool) -> Vec<Name> {
    let split = |text: &str, at: char| {
        text.rsplit_once(at).map_or((text.to_owned(), NONE.to_owned()), |(a, b)| (a.to_owned(), b.to_owned()))
    };
    let known = |list: Vec<&str>, at: char| -> Vec<(String, String)> {
        list.into_iter().map(|text| split(text, at)).filter(|(name, _)| name != NONE).collect()
    };
    let tags = known(image.texts("RepoTags"), ':');
    let digests = known(image.texts("RepoDigests"), '@');
    let mut names = Vec::new();
    for (repository, tag) in &tags {
        let line =
            |digest: &str| Name { repository: repository.clone(), tag: tag.clone(), digest: digest.into() };
        let own: Vec<&String> =
            digests.iter().filter(|(name, _)| name == repository).map(|(_, d)| d).collect();
        if with_digests && !own.is_empty() {
            names.extend(own.into_iter().map(|digest| line(digest)));
        } else {
            names.push(line(NONE));
        }
    }
    let untagged = digests.iter().filter(|(repository, _)| !tags.iter().any(|(name, _)| name == repository));
    for (repository, digest) in untagged {
        let name = Name { repository: repository.clone(), tag: NONE.into(), digest: digest.clone() };
        if with_digests || !names.iter().any(|n: &Name| n.repository == *repository) {
            names.push(name);
        }
    }
    if names.is_empty() {
        names.push(Name { repository: NONE.into(), tag: NONE.into(), digest: NONE.into() });
    }
    names
}

fn row(image: &Doc, name: &Name, truncate: bool, now: i64) -> Row {
    let created = image.int("Created");
    let id = image.text("Id");
    let (size, shared) = (image.int("Size"), image.int("SharedSize"));
    let available = |value: i64, text: String| if value == -1 { "N/A".to_owned() } else { text };
    let containers = image.int("Containers");
    Row {
        type_name: LISTING.type_name,
        fields: vec![
            ("ID", Doc::from(if truncate { out::short_id(id) } else { id })),
            ("Repository", name.repository.as_str().into()),
            ("Tag", name.tag.as_str().into()),
            ("Digest", name.digest.as_str().into()),
            ("CreatedSince", format!("{} ago", units::duration(now - created)).into()),
            ("CreatedAt", time::long(created).into()),
            ("Size", units::size(size).into()),
            ("Containers", available(containers, containers.to_string()).into()),
            ("VirtualSize", units::exact_size(size).into()),
            ("SharedSize", available(shared, units::exact_size(shared)).into()),
            ("UniqueSize", available(shared, units::exact_size(size - shared)).into()),
        ],
        labels: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(json: &str, with_digests: bool) -> Vec<String> {
        let names = names(&Doc::parse(json).unwrap(), with_digests);
        names.into_iter().map(|n| format!("{} {} {}", n.repository, n.tag, n.digest)).collect()
    }

    #[test]
    fn every_tag_is_a_line_and_digests_only_when_wanted() {
        let image = r#"{"RepoTags":["h:5000/a:1","b:x"],"RepoDigests":["h:5000/a@sha256:d","c@sha256:e"]}"#;
        assert_eq!(lines(image, false), ["h:5000/a 1 <none>", "b x <none>", "c <none> sha256:e"]);
        assert_eq!(lines(image, true), ["h:5000/a 1 sha256:d", "b x <none>", "c <none> sha256:e"]);
    }

    #[test]
    fn images_without_a_name_still_have_a_line() {
        assert_eq!(
            lines(r#"{"RepoTags":["<none>:<none>"],"RepoDigests":["<none>@<none>"]}"#, false),
            ["<none> <none> <none>"]
        );
        assert_eq!(lines(r#"{"RepoTags":null}"#, true), ["<none> <none> <none>"]);
    }
}
