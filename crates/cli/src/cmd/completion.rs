//! `berth completion`.

use clap_complete::Shell;

use crate::error::Result;
use crate::{cli, out};

/// Operands of `completion`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// bash, elvish, fish, powershell or zsh
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints the completion script of a shell.
pub fn completion(args: &Args) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli::command(), "berth", &mut script);
    out::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
