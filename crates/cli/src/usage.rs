//! Mistakes on the command line, reported in docker's words.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::CliError;

/// What follows `[OPTIONS]` in each verb's usage line.
const OPERANDS: [(&str, &str); 27] = [
    ("attach", "CONTAINER"),
    ("bootstrap", ""),
    ("completion", "SHELL"),
    ("create", "IMAGE [COMMAND] [ARG...]"),
    ("events", ""),
    ("history", "IMAGE"),
    ("images", "[REPOSITORY[:TAG]]"),
    ("import", "file|URL|- [REPOSITORY[:TAG]]"),
    ("info", ""),
    ("inspect", "NAME|ID [NAME|ID...]"),
    ("kill", "CONTAINER [CONTAINER...]"),
    ("load", ""),
    ("logs", "CONTAINER"),
    ("ls", ""),
    ("prune", ""),
    ("ps", ""),
    ("rename", "CONTAINER NEW_NAME"),
    ("restart", "CONTAINER [CONTAINER...]"),
    ("rm", "CONTAINER [CONTAINER...]"),
    ("rmi", "IMAGE [IMAGE...]"),
    ("run", "IMAGE [COMMAND] [ARG...]"),
    ("start", "CONTAINER [CONTAINER...]"),
    ("stop", "CONTAINER [CONTAINER...]"),
    ("tag", "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]"),
    ("version", ""),
    ("wait", "CONTAINER [CONTAINER...]"),
    ("system", ""),
];

/// Verbs without any option, whose usage line says so by leaving `[OPTIONS]` out.
const PLAIN: [&str; 4] = ["rename", "tag", "wait", "completion"];

/// Whether the parser stopped over a mistake, rather than to print help.
pub fn is_mistake(error: &clap::Error) -> bool {
    error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// Translates a parser error. `args` is the whole command line, program name first.
pub fn explain(error: &clap::Error, args: &[String]) -> CliError {
    let path = path(args);
    let operands = operands(&path);
    let usage = line(&path);
    let flag = |message: String| CliError::Usage {
        text: format!("{message}\n\n{usage}\n\nRun '{path} --help' for more information"),
        code: 125,
    };
    let count = |message: String| {
        let hint = if message.contains("at least") { "See" } else { "Run" };
        let text =
            format!("berth: '{path}' {message}\n\n{usage}\n\n{hint} '{path} --help' for more information");
        CliError::Usage { text, code: 1 }
    };
    let argument = text_of(error, ContextKind::InvalidArg);
    let value = text_of(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with("--") => {
            flag(format!("unknown flag: {}", argument.split('=').next().unwrap_or_default()))
        }
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            let letter = argument.chars().nth(1).unwrap_or('-');
            flag(format!("unknown shorthand flag: '{letter}' in {argument}"))
        }
        ErrorKind::UnknownArgument => count(too_many(operands)),
        ErrorKind::MissingRequiredArgument => count(too_few(operands)),
        ErrorKind::InvalidValue if value.is_empty() => {
            let last = args.last().map_or("", String::as_str);
            let letter = last.chars().last().filter(|_| last.starts_with('-') && !last.starts_with("--"));
            match letter {
                Some(letter) => flag(format!("flag needs an argument: '{letter}' in {last}")),
                None => flag(format!("flag needs an argument: {}", flag_name(&argument))),
            }
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error)
                .map(ToString::to_string)
                .unwrap_or_else(|| "invalid syntax".into());
            flag(format!("invalid argument {value:?} for {:?} flag: {reason}", flag_name(&argument)))
        }
        ErrorKind::InvalidSubcommand => {
            let word = text_of(error, ContextKind::InvalidSubcommand);
            let extra = if path == "berth" { String::new() } else { format!("Usage:  {path}\n\n") };
            CliError::Usage {
                text: format!(
                    "berth: unknown command: {path} {word}\n\n{extra}Run '{path} --help' for more information"
                ),
                code: 1,
            }
        }
        _ => CliError::Usage { text: error.to_string().trim_end().to_owned(), code: 125 },
    }
}

fn operands(path: &str) -> &'static str {
    if path.ends_with("image rm") || path.ends_with("image remove") {
        return "IMAGE [IMAGE...]";
    }
    let verb = path.rsplit(' ').next().unwrap_or_default();
    OPERANDS.iter().find(|(name, _)| *name == verb).map_or("", |(_, operands)| operands)
}

/// The usage line of a verb.
pub fn line(path: &str) -> String {
    format!("Usage:  {}", synopsis(path))
}

/// The verb with what it takes.
pub fn synopsis(path: &str) -> String {
    let verb = path.rsplit(' ').next().unwrap_or_default();
    let options = if PLAIN.contains(&verb) { "" } else { " [OPTIONS]" };
    format!("{path}{options} {}", operands(path)).trim_end().to_owned()
}

/// The verbs given, e.g. `berth container run`.
pub fn path(args: &[String]) -> String {
    let mut command = crate::cli::command();
    let mut path = String::from("berth");
    let mut skip = false;
    for arg in args.iter().skip(1) {
        if std::mem::take(&mut skip) {
            continue;
        }
        if arg.starts_with('-') {
            skip = matches!(arg.as_str(), "-H" | "--host");
            continue;
        }
        match command.find_subcommand(arg).cloned() {
            Some(sub) => {
                path.push(' ');
                path.push_str(arg);
                if !sub.has_subcommands() {
                    break;
                }
                command = sub;
            }
            None => break,
        }
    }
    path
}

fn text_of(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(" "),
        _ => String::new(),
    }
}

/// The flag alone: the parser's text also shows its value's name.
fn flag_name(argument: &str) -> &str {
    argument.split([' ', '=', '[']).next().unwrap_or_default()
}

fn too_few(operands: &str) -> String {
    if operands.contains("...") || operands.contains(" [") {
        "requires at least 1 argument".into()
    } else {
        match operands.split(' ').count() {
            1 => "requires 1 argument".into(),
            n => format!("requires {n} arguments"),
        }
    }
}

fn too_many(operands: &str) -> String {
    match operands {
        "" => "accepts no arguments".into(),
        text if text.starts_with('[') => "requires at most 1 argument".into(),
        text if text.contains(" [") => "requires at most 2 arguments".into(),
        _ => too_few(operands),
    }
}
