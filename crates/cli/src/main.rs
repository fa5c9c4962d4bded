//! `berth`, the companion client: docker's verbs and flags over the engine's REST API.
//!
//! [`cli`] is the command line, [`cmd`] one module per verb, [`client`] the HTTP side, [`flags`] the way from
//! flags to the create request, [`format`] and [`template`] the way from answers to what is printed. No engine
//! logic lives here.

mod cli;
mod client;
mod cmd;
mod error;
mod flags;
mod format;
mod json;
mod out;
mod progress;
mod session;
mod signals;
mod template;
mod terminal;
mod usage;

use std::process::ExitCode;

use error::{CliError, Result};

fn main() -> ExitCode {
    terminal::install_panic_hook();
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let code = match run(args) {
        Ok(code) => code,
        Err(error) => {
            if !error.is_silent() {
                out::warn(&error);
            }
            error.exit_code()
        }
    };
    terminal::restore();
    // A thread may still be blocked reading standard input; returning from main would not wait for it either.
    ExitCode::from(code)
}

fn run(args: Vec<std::ffi::OsString>) -> Result<u8> {
    let words: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let cli = match cli::parse(args) {
        Ok(cli) => cli,
        Err(error) if usage::is_mistake(&error) => return Err(usage::explain(&error, &words)),
        Err(help) => {
            out::print(&help.to_string())?;
            return Ok(0);
        }
    };
    if cli.version {
        out::line(format_args!("Berth version {}", env!("CARGO_PKG_VERSION")))?;
        return Ok(0);
    }
    let Some(verb) = cli.verb else {
        out::print(&cli::command().render_help().to_string())?;
        return Ok(0);
    };
    let host = client::endpoint::choose_host(cli.host.as_deref(), |name| std::env::var(name).ok());
    let client = client::Client::new(&host)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::Terminal { what: "starting the client", source })?;
    let result = runtime.block_on(cmd::dispatch(&client, verb));
    runtime.shutdown_background();
    // Flag values are checked by the verbs, which do not know how they were reached; the hint does.
    match result {
        Err(error @ CliError::Flag { .. }) => {
            let path = usage::path(&words);
            let text =
                format!("{error}\n\n{}\n\nRun '{path} --help' for more information", usage::line(&path));
            Err(CliError::Usage { text, code: 125 })
        }
        other => other,
    }
}
