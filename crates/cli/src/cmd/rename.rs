//! `berth rename`.

use crate::client::Client;
use crate::client::query::{Target, escape};
use crate::error::{CliError, Result};

/// Operands of `rename`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// Its new name
    #[arg(value_name = "NEW_NAME")]
    pub name: String,
}

/// Renames a container.
pub async fn rename(client: &Client, args: Args) -> Result<u8> {
    let (old, new) = (args.container.trim(), args.name.trim());
    if old.is_empty() || new.is_empty() {
        return Err(CliError::options("Error: Neither old nor new names may be empty"));
    }
    let target = Target::new(format!("/containers/{}/rename", escape(old))).with("name", new);
    client.post(&target.done(), None).await.map_err(|error| match error {
        CliError::Daemon { .. } => {
            CliError::options(format!("{error}\nError: failed to rename container named {old}"))
        }
        other => other,
    })?;
    Ok(0)
}
