//! `berth history`.

use crate::cli;
use crate::client::Client;
use crate::client::query::escape_reference;
use crate::error::Result;
use crate::format::listing::{Listing, PREFIX};
use crate::format::table::ellipsis;
use crate::format::{time, units};
use crate::json::Doc;
use crate::out;
use crate::template::Row;

/// Flags of `history`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Format output: 'table', 'table TEMPLATE', 'json' or a Go template
    #[arg(long, value_name = "string")]
    pub format: Option<String>,
    /// Print sizes and dates in human readable format
    #[arg(short = 'H', long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", value_parser = cli::boolean, value_name = "bool")]
    pub human: bool,
    /// Don't truncate output
    #[arg(long)]
    pub no_trunc: bool,
    /// Only show image IDs
    #[arg(short, long)]
    pub quiet: bool,
    /// The image
    #[arg(value_name = "IMAGE")]
    pub image: String,
}

const LISTING: Listing = Listing {
    type_name: "*formatter.historyContext",
    titles: &[
        ("ID", "IMAGE"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("Size", "SIZE"),
        ("Comment", "COMMENT"),
    ],
    has_labels: false,
    error_prefix: PREFIX,
};

/// Layers stamped 2000-01-01 or earlier carry a placeholder for reproducible builds, not a date.
const LAST_PLACEHOLDER: i64 = 946_684_800;

/// Lists the layers of an image.
pub async fn history(client: &Client, args: Args) -> Result<u8> {
    let list = client.get(&format!("/images/{}/history", escape_reference(&args.image))).await?;
    let format = if args.quiet { "{{.ID}}".to_owned() } else { args.format.clone().unwrap_or_default() };
    let table = if args.human {
        "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
    } else {
        "table {{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
    };
    let now = time::now();
    let rows = list.items().iter().map(|layer| row(layer, &args, now)).collect();
    out::print(&LISTING.render(&format, table, rows)?)?;
    Ok(0)
}

fn row(layer: &Doc, args: &Args, now: i64) -> Row {
    let (id, created, size) = (layer.text("Id"), layer.int("Created"), layer.int("Size"));
    let by = layer.text("CreatedBy").replace('\t', " ");
    let since = if created <= LAST_PLACEHOLDER {
        "N/A".to_owned()
    } else {
        format!("{} ago", units::duration(now - created))
    };
    Row {
        type_name: LISTING.type_name,
        fields: vec![
            ("ID", Doc::from(if args.no_trunc { id } else { out::short_id(id) })),
            ("CreatedSince", since.into()),
            ("CreatedAt", time::rfc3339(created).into()),
            ("CreatedBy", if args.no_trunc { by } else { ellipsis(&by, 45) }.into()),
            ("Size", if args.human { units::size(size) } else { size.to_string() }.into()),
            ("Comment", layer.text("Comment").into()),
        ],
        labels: None,
    }
}
