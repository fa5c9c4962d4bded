//! `berth ps`.

use super::images::parse_filters;
use crate::client::Client;
use crate::client::query::Target;
use crate::error::Result;
use crate::flags::resources::parsed;
use crate::flags::values;
use crate::format::listing::Listing;
use crate::format::table::ellipsis;
use crate::format::{time, units};
use crate::json::Doc;
use crate::out;
use crate::template::Row;

/// Flags of `ps`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show all containers (default shows just running)
    #[arg(short, long)]
    pub all: bool,
    /// Filter output based on conditions provided
    #[arg(short, long, value_name = "filter")]
    pub filter: Vec<String>,
    /// Format output: 'table', 'table TEMPLATE', 'json' or a Go template
    #[arg(long, value_name = "string")]
    pub format: Option<String>,
    /// Show n last created containers (includes all states)
    #[arg(short = 'n', long, value_name = "int")]
    pub last: Option<String>,
    /// Show the latest created container (includes all states)
    #[arg(short, long)]
    pub latest: bool,
    /// Don't truncate output
    #[arg(long)]
    pub no_trunc: bool,
    /// Only display container IDs
    #[arg(short, long)]
    pub quiet: bool,
    /// Display total file sizes
    #[arg(short, long)]
    pub size: bool,
}

const LISTING: Listing = Listing {
    type_name: "*formatter.ContainerContext",
    titles: &[
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("Ports", "PORTS"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Size", "SIZE"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"),
        ("Platform", "PLATFORM"),
    ],
    has_labels: true,
    error_prefix: ["failed to parse template: ", "failed to execute template: "],
};

const TABLE: &str =
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";

const RAW: &str = "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\n\
                   state: {{.State}}\nstatus: {{.Status}}\nnames: {{.Names}}\nlabels:{{if .Labels}} {{.Labels}}{{end}}\n\
                   ports:{{if .Ports}} {{.Ports}}{{end}}\n";

/// Lists containers.
pub async fn ps(client: &Client, args: Args) -> Result<u8> {
    let mut format = args.format.clone().unwrap_or_default();
    if args.quiet && !matches!(format.as_str(), "" | "table") {
        out::warn("WARNING: Ignoring custom format, because both --format and --quiet are set.");
    }
    if args.quiet {
        format = "{{.ID}}".into();
    }
    LISTING.check(&format)?;
    let last = match &args.last {
        Some(text) => parsed("-n, --last", Some(text), values::integer, -1)?,
        None if args.latest => 1,
        None => -1,
    };
    let target = Target::new("/containers/json")
        .with_flag("all", args.all)
        .with_text("limit", &if last > 0 { last.to_string() } else { String::new() })
        .with_flag("size", args.size || format.contains(".Size"))
        .with_filters(&parse_filters("-f, --filter", &args.filter)?)
        .done();
    let list = client.get(&target).await?;
    let now = time::now();
    let rows = list.items().iter().map(|item| row(item, !args.no_trunc, now)).collect();
    let table = if args.size { format!("{TABLE}\t{{{{.Size}}}}") } else { TABLE.to_owned() };
    let raw = if args.size { format!("{RAW}size: {{{{.Size}}}}\n") } else { RAW.to_owned() };
    let format = if format == "raw" { raw } else { format };
    out::print(&LISTING.render(&format, &table, rows)?)?;
    Ok(0)
}

fn row(item: &Doc, truncate: bool, now: i64) -> Row {
    let labels: Vec<(String, String)> = item
        .get("Labels")
        .map_or(&[][..], Doc::members)
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").to_owned()))
        .collect();
    let mut label_text: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    label_text.sort();
    let created = item.int("Created");
    let command = if truncate { ellipsis(item.text("Command"), 20) } else { item.text("Command").to_owned() };
    let id = item.text("Id");
    let mounts = item.list("Mounts");
    let local = mounts.iter().filter(|mount| mount.text("Driver") == "local").count();
    let networks: Vec<&str> = item
        .at(&["NetworkSettings", "Networks"])
        .map_or(&[][..], Doc::members)
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let size = units::size(item.int("SizeRw"));
    let size = match item.int("SizeRootFs") {
        0 => size,
        total => format!("{size} (virtual {})", units::size(total)),
    };
    Row {
        type_name: LISTING.type_name,
        fields: vec![
            ("ID", Doc::from(if truncate { out::short_id(id) } else { id })),
            ("Names", names(item, truncate).into()),
            ("Image", image(item, truncate).into()),
            ("Command", out::quote(&command).into()),
            ("CreatedAt", time::long(created).into()),
            ("RunningFor", format!("{} ago", units::duration(now - created)).into()),
            ("Ports", ports(item.list("Ports")).into()),
            ("State", item.text("State").into()),
            ("Status", item.text("Status").into()),
            ("Size", size.into()),
            ("Labels", label_text.join(",").into()),
            ("Mounts", mount_names(mounts, truncate).into()),
            ("LocalVolumes", local.to_string().into()),
            ("Networks", networks.join(",").into()),
            ("Platform", item.at(&["ImageManifestDescriptor", "platform"]).cloned().unwrap_or_default()),
        ],
        labels: Some(labels),
    }
}

/// Names without their slash. Short output leaves out the ones that are links of other containers.
fn names(item: &Doc, truncate: bool) -> String {
    let names: Vec<&str> =
        item.texts("Names").into_iter().map(|name| name.strip_prefix('/').unwrap_or(name)).collect();
    match names.iter().find(|name| !name.contains('/')) {
        Some(own) if truncate => (*own).to_owned(),
        _ => names.join(","),
    }
}

fn image(item: &Doc, truncate: bool) -> String {
    let image = item.text("Image");
    if image.is_empty() {
        return "<no image>".into();
    }
    if truncate {
        let (short, by_id) = (out::short_id(image), out::short_id(item.text("ImageID")));
        if !by_id.is_empty() && short == by_id {
            return short.to_owned();
        }
        if let Some((name, _)) = image.split_once('@') {
            return name.to_owned();
        }
    }
    image.to_owned()
}

fn mount_names(mounts: &[Doc], truncate: bool) -> String {
    let name = |mount: &Doc| {
        let name = if mount.text("Name").is_empty() { mount.text("Source") } else { mount.text("Name") };
        if truncate { ellipsis(name, 15) } else { name.to_owned() }
    };
    mounts.iter().map(name).collect::<Vec<_>>().join(",")
}

/// One published or exposed port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Port<'a> {
    private: i64,
    ip: &'a str,
    public: i64,
    kind: &'a str,
}

/// `53/udp, 0.0.0.0:7000-7001->7000-7001/tcp`: ports that map to their own number are joined into ranges per
/// address and protocol; the others follow one by one.
fn ports(list: &[Doc]) -> String {
    let mut ports: Vec<Port> = list
        .iter()
        .map(|port| Port {
            private: port.int("PrivatePort"),
            ip: port.text("IP"),
            public: port.int("PublicPort"),
            kind: port.text("Type"),
        })
        .collect();
    ports.sort();
    // Ranges still growing, in order of first appearance: (address, protocol, first, last).
    let mut open: Vec<(&str, &str, i64, i64)> = Vec::new();
    let (mut closed, mut single) = (Vec::new(), Vec::new());
    for port in &ports {
        if !port.ip.is_empty() && port.public != port.private {
            single.push(format!("{}:{}->{}/{}", bracketed(port.ip), port.public, port.private, port.kind));
            continue;
        }
        match open.iter_mut().find(|(ip, kind, ..)| *ip == port.ip && *kind == port.kind) {
            None => open.push((port.ip, port.kind, port.private, port.private)),
            Some(range) if port.private == range.3 + 1 => range.3 = port.private,
            Some(range) => {
                closed.push(range_text(*range));
                *range = (port.ip, port.kind, port.private, port.private);
            }
        }
    }
    closed.extend(open.into_iter().map(range_text));
    closed.extend(single);
    closed.join(", ")
}

fn range_text((ip, kind, first, last): (&str, &str, i64, i64)) -> String {
    let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
    if ip.is_empty() {
        format!("{range}/{kind}")
    } else {
        format!("{}:{range}->{range}/{kind}", bracketed(ip))
    }
}

fn bracketed(ip: &str) -> String {
    if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjacent_ports_become_ranges() {
        let doc = Doc::parse(
            r#"[{"PrivatePort":81,"Type":"tcp"},{"PrivatePort":80,"Type":"tcp"},{"PrivatePort":90,"Type":"tcp"},
                {"IP":"::","PrivatePort":80,"PublicPort":80,"Type":"tcp"},
                {"IP":"0.0.0.0","PrivatePort":53,"PublicPort":5353,"Type":"udp"}]"#,
        )
        .unwrap();
        assert_eq!(ports(doc.items()), "80-81/tcp, 90/tcp, [::]:80->80/tcp, 0.0.0.0:5353->53/udp");
    }

    #[test]
    fn digests_are_not_shown_in_short_output() {
        let doc = Doc::parse(r#"{"Image":"a/b@sha256:00","ImageID":"sha256:11"}"#).unwrap();
        assert_eq!(image(&doc, true), "a/b");
        assert_eq!(image(&doc, false), "a/b@sha256:00");
    }
}
