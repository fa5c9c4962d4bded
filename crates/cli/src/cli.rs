//! The command line: every verb, in docker's short form and under its management command.

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::cmd::{
    attach, completion, create, events, history, images, import, info, inspect, kill, load, logs, prune, ps,
    rename, rm, rmi, run, start, stop, tag, version, wait,
};
use crate::flags::values;
use crate::usage;

/// A container engine's companion client
#[derive(Debug, Parser)]
#[command(
    name = "berth",
    disable_help_subcommand = true,
    disable_version_flag = true,
    subcommand_value_name = "COMMAND"
)]
pub struct Cli {
    /// Daemon socket to connect to [env: BERTH_HOST, DOCKER_HOST]
    #[arg(short = 'H', long, value_name = "string")]
    pub host: Option<String>,
    /// Print version information and quit
    #[arg(short, long)]
    pub version: bool,
    /// The verb
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Everything `berth` can be asked to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Attach local standard input, output, and error streams to a running container
    Attach(attach::Args),
    /// Generate a completion script for a shell
    Completion(completion::Args),
    /// Manage containers
    #[command(subcommand)]
    Container(ContainerVerb),
    /// Create a new container
    #[command(disable_help_flag = true)]
    Create(create::Args),
    /// Get real time events from the server
    Events(events::Args),
    /// Show the history of an image
    History(history::Args),
    /// Manage images
    #[command(subcommand)]
    Image(ImageVerb),
    /// List images
    Images(images::Args),
    /// Import the contents from a tarball to create a filesystem image
    Import(import::Args),
    /// Display system-wide information
    Info(info::Args),
    /// Return low-level information on objects
    Inspect(inspect::Args),
    /// Kill one or more running containers
    Kill(kill::Args),
    /// Load an image from a tar archive or STDIN
    Load(load::Args),
    /// Fetch the logs of a container
    Logs(logs::Args),
    /// List containers
    Ps(ps::Args),
    /// Rename a container
    Rename(rename::Args),
    /// Restart one or more containers
    Restart(stop::Args),
    /// Remove one or more containers
    Rm(rm::Args),
    /// Remove one or more images
    Rmi(rmi::Args),
    /// Create and run a new container from an image
    #[command(disable_help_flag = true)]
    Run(run::Args),
    /// Start one or more stopped containers
    Start(start::Args),
    /// Stop one or more running containers
    Stop(stop::Args),
    /// Manage the engine
    #[command(subcommand)]
    System(SystemVerb),
    /// Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE
    Tag(tag::Args),
    /// Show version information
    Version(version::Args),
    /// Block until one or more containers stop, then print their exit codes
    Wait(wait::Args),
}

/// `berth container …`
#[derive(Debug, Subcommand)]
pub enum ContainerVerb {
    /// Attach local standard input, output, and error streams to a running container
    Attach(attach::Args),
    /// Create a new container
    #[command(disable_help_flag = true)]
    Create(create::Args),
    /// Display detailed information on one or more containers
    Inspect(inspect::ContainerArgs),
    /// Kill one or more running containers
    Kill(kill::Args),
    /// Fetch the logs of a container
    Logs(logs::Args),
    /// List containers
    #[command(alias = "ps", alias = "list")]
    Ls(ps::Args),
    /// Remove all stopped containers
    Prune(prune::ContainerArgs),
    /// Rename a container
    Rename(rename::Args),
    /// Restart one or more containers
    Restart(stop::Args),
    /// Remove one or more containers
    #[command(alias = "remove")]
    Rm(rm::Args),
    /// Create and run a new container from an image
    #[command(disable_help_flag = true)]
    Run(run::Args),
    /// Start one or more stopped containers
    Start(start::Args),
    /// Stop one or more running containers
    Stop(stop::Args),
    /// Block until one or more containers stop, then print their exit codes
    Wait(wait::Args),
}

/// `berth image …`
#[derive(Debug, Subcommand)]
pub enum ImageVerb {
    /// Make the built-in busybox image from the host's static busybox
    Bootstrap(images::BootstrapArgs),
    /// Show the history of an image
    History(history::Args),
    /// Import the contents from a tarball to create a filesystem image
    Import(import::Args),
    /// Display detailed information on one or more images
    Inspect(inspect::ImageArgs),
    /// Load an image from a tar archive or STDIN
    Load(load::Args),
    /// List images
    #[command(alias = "list")]
    Ls(images::Args),
    /// Remove unused images
    Prune(prune::ImageArgs),
    /// Remove one or more images
    #[command(alias = "remove")]
    Rm(rmi::Args),
    /// Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE
    Tag(tag::Args),
}

/// `berth system …`
#[derive(Debug, Subcommand)]
pub enum SystemVerb {
    /// Get real time events from the server
    Events(events::Args),
    /// Display system-wide information
    Info(info::Args),
    /// Remove unused data
    Prune(prune::SystemArgs),
}

/// The command tree with docker's flag grammar: switches take an optional `=BOOL`, the last of a repeated flag
/// counts, and a flag's value may start with a dash.
pub fn command() -> clap::Command {
    docker_grammar(Cli::command(), "berth")
}

/// Parses a command line.
pub fn parse(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Cli, clap::Error> {
    let mut matches = command().try_get_matches_from(args)?;
    Cli::from_arg_matches_mut(&mut matches)
}

fn docker_grammar(command: clap::Command, path: &str) -> clap::Command {
    let command = command.args_override_self(true).mut_args(|arg| match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_value("false")
            .default_missing_value("true")
            .value_parser(values::boolean)
            .value_name("bool")
            .hide_default_value(true),
        ArgAction::Set | ArgAction::Append if !arg.is_positional() => arg.allow_hyphen_values(true),
        _ => arg,
    });
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    if names.is_empty() {
        return command.override_usage(usage::synopsis(path));
    }
    names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}");
        command.mut_subcommand(name, |sub| docker_grammar(sub, &path))
    })
}

/// Parses Go's boolean spellings, for switches that are on by default.
pub fn boolean(text: &str) -> Result<bool, String> {
    values::boolean(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Cli {
        parse(line.split(' ').map(Into::into)).unwrap()
    }

    #[test]
    fn the_command_tree_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn switches_cluster_and_take_values_like_dockers() {
        let Some(Verb::Run(args)) = parsed("berth run -itd --rm=false -e A=1 busybox sh -c x").verb else {
            panic!()
        };
        assert!(args.create.interactive && args.create.tty && args.detach && !args.create.rm);
        assert_eq!((args.create.image(), args.create.command().len()), ("busybox", 3));
        assert!(args.sig_proxy);
        let Some(Verb::Run(args)) = parsed("berth run --rm --rm=0 --sig-proxy=false -h box x").verb else {
            panic!()
        };
        assert!(!args.create.rm && !args.sig_proxy);
        assert_eq!(args.create.hostname.as_deref(), Some("box"));
    }

    #[test]
    fn flags_end_at_the_image() {
        let Some(Verb::Create(args)) = parsed("berth create -q busybox -c X --rm -- y").verb else {
            panic!()
        };
        assert_eq!(args.create.command(), ["-c", "X", "--rm", "--", "y"]);
        assert!(args.create.env.is_empty());
        assert!(parse(["berth", "create", "--bogus", "busybox"].map(Into::into)).is_err());
    }

    #[test]
    fn values_may_start_with_a_dash() {
        let Some(Verb::Create(args)) = parsed("berth create --memory-swap -1 -e -x busybox").verb else {
            panic!()
        };
        assert_eq!(args.create.memory_swap.as_deref(), Some("-1"));
        assert_eq!(args.create.env, ["-x"]);
    }
}
