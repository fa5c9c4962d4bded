//! Each instruction: its form, and what it does to a configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::Line;
use super::{ChangeError, duration, ports, signals, words};
use crate::config::{ContainerConfig, Healthcheck};

/// Shell that runs the shell forms unless the image names another.
const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-c"];
/// Shortest time a health check may be given.
const MIN_DURATION: i64 = 1_000_000;

/// A command line: a list (`["a", "b"]`), or text for the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    List(Vec<String>),
    Shell(String),
}

/// An instruction whose form has been checked.
#[derive(Debug)]
pub(super) enum Instruction {
    Cmd(Command),
    Entrypoint(Command),
    Env(Vec<(String, String)>),
    Expose(Vec<String>),
    Healthcheck(Healthcheck, Option<Command>),
    Label(Vec<(String, String)>),
    OnBuild(String),
    StopSignal(String),
    User(String),
    Volume(Vec<String>),
    WorkDir(String),
}

impl Instruction {
    pub(super) fn parse(line: &Line) -> Result<Self, ChangeError> {
        let upper = line.name.to_uppercase();
        let one = || -> Result<String, ChangeError> {
            if line.rest.is_empty() {
                return Err(line.error(format!("{upper} requires exactly one argument")));
            }
            Ok(line.rest.clone())
        };
        let some = |args: Vec<String>| {
            if args.is_empty() {
                return Err(line.error(format!("{upper} requires at least one argument")));
            }
            Ok(args)
        };
        Ok(match line.name.as_str() {
            "cmd" => Self::Cmd(Command::parse(line, &line.rest)?),
            "entrypoint" => Self::Entrypoint(Command::parse(line, &line.rest)?),
            "env" => Self::Env(pairs(line)?),
            "label" => Self::Label(pairs(line)?),
            "expose" => Self::Expose(some(line.rest.split_whitespace().map(str::to_owned).collect())?),
            "healthcheck" => healthcheck(line)?,
            "onbuild" => Self::OnBuild(trigger(line)?),
            "stopsignal" => Self::StopSignal(one()?),
            "user" => Self::User(one()?),
            "volume" => {
                let volumes = some(match Command::parse(line, &line.rest)? {
                    Command::List(list) => list,
                    Command::Shell(text) => text.split_whitespace().map(str::to_owned).collect(),
                })?;
                if volumes.iter().any(|v| v.trim().is_empty()) {
                    return Err(line.error("VOLUME specified can not be an empty string"));
                }
                Self::Volume(volumes)
            }
            "workdir" => Self::WorkDir(one()?),
            other => return Err(ChangeError::NotAChange(other.to_owned())),
        })
    }

    /// Changes `config`. `cmd_given` remembers that a `CMD` came with these changes: an `ENTRYPOINT` then keeps it.
    pub(super) fn apply(self, config: &mut ContainerConfig, cmd_given: &mut bool) -> Result<(), ChangeError> {
        let env = config.env.clone().unwrap_or_default();
        let value = |word: &str| words::value(word, &env);
        match self {
            Self::Cmd(command) => {
                config.cmd = Some(command.into_args(config));
                *cmd_given = true;
            }
            Self::Entrypoint(command) => {
                // An empty one takes an inherited one back.
                config.entrypoint = (!command.is_empty()).then(|| command.into_args(config));
                if !*cmd_given {
                    config.cmd = None;
                }
            }
            Self::Env(pairs) => {
                let mut new = env.clone();
                for (name, word) in pairs {
                    set_env(&mut new, &value(&name)?, &value(&word)?);
                }
                config.env = Some(new);
            }
            Self::Expose(specs) => {
                let exposed = config.exposed_ports.get_or_insert_default();
                for spec in specs {
                    let spec = value(&spec)?;
                    // A variable may be unset.
                    if !spec.is_empty() {
                        exposed.extend(ports::parse(&spec)?);
                    }
                }
            }
            Self::Healthcheck(mut check, command) => {
                check.test = Some(match command {
                    None => vec!["NONE".to_owned()],
                    Some(Command::List(list)) => [vec!["CMD".to_owned()], list].concat(),
                    Some(Command::Shell(text)) => vec!["CMD-SHELL".to_owned(), text],
                });
                config.healthcheck = Some(check);
            }
            Self::Label(pairs) => {
                let labels: &mut BTreeMap<_, _> = config.labels.get_or_insert_default();
                for (name, word) in pairs {
                    labels.insert(value(&name)?, value(&word)?);
                }
            }
            Self::OnBuild(trigger) => config.on_build.get_or_insert_default().push(trigger),
            Self::StopSignal(word) => {
                let signal = value(&word)?;
                if !signals::is_signal(&signal) {
                    return Err(ChangeError::Value(format!("Invalid signal: {signal}")));
                }
                config.stop_signal = signal;
            }
            Self::User(word) => config.user = value(&word)?,
            Self::Volume(paths) => {
                let volumes: &mut BTreeSet<_> = config.volumes.get_or_insert_default();
                for path in paths {
                    let path = value(&path)?;
                    if path.is_empty() {
                        return Err(ChangeError::Value("VOLUME specified can not be an empty string".into()));
                    }
                    volumes.insert(path);
                }
            }
            Self::WorkDir(word) => config.working_dir = resolve(&config.working_dir, &value(&word)?)?,
        }
        Ok(())
    }
}

impl Command {
    /// A JSON list of strings (what follows it is ignored), or else text.
    fn parse(line: &Line, rest: &str) -> Result<Self, ChangeError> {
        let rest = rest.trim();
        let first = serde_json::Deserializer::from_str(rest).into_iter::<Vec<serde_json::Value>>().next();
        let Some(Ok(list)) = first.filter(|_| rest.starts_with('[')) else {
            return Ok(Self::Shell(rest.to_owned()));
        };
        let strings: Option<Vec<String>> = list.iter().map(|v| v.as_str().map(str::to_owned)).collect();
        strings.map(Self::List).ok_or_else(|| {
            line.error("when using JSON array syntax, arrays must be comprised of strings only")
        })
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Shell(text) => text.is_empty(),
        }
    }

    fn into_args(self, config: &ContainerConfig) -> Vec<String> {
        match self {
            Self::List(list) => list,
            Self::Shell(text) => {
                let shell = config.shell.clone().filter(|s| !s.is_empty());
                let mut args = shell.unwrap_or_else(|| DEFAULT_SHELL.map(str::to_owned).to_vec());
                args.extend((!text.is_empty()).then_some(text));
                args
            }
        }
    }
}

/// `NAME=value ...`, or the old form `NAME the rest`.
fn pairs(line: &Line) -> Result<Vec<(String, String)>, ChangeError> {
    let upper = line.name.to_uppercase();
    let words = words::split(&line.rest);
    let Some(first) = words.first() else {
        return Err(line.error(format!("{upper} requires at least one argument")));
    };
    let pairs = if first.contains('=') {
        let mut pairs = Vec::with_capacity(words.len());
        for word in &words {
            let (name, value) = word.split_once('=').ok_or_else(|| {
                line.error(format!(
                    "Syntax error - can't find = in {word:?}. Must be of the form: name=value"
                ))
            })?;
            pairs.push((name.to_owned(), value.to_owned()));
        }
        pairs
    } else {
        let (name, value) = line
            .rest
            .split_once(char::is_whitespace)
            .ok_or_else(|| line.error(format!("{upper} must have two arguments")))?;
        vec![(name.to_owned(), value.trim_start().to_owned())]
    };
    if pairs.iter().any(|(name, _)| name.is_empty()) {
        return Err(line.error(format!("{upper} names can not be blank")));
    }
    Ok(pairs)
}

fn set_env(env: &mut Vec<String>, name: &str, value: &str) {
    let entry = format!("{name}={value}");
    match env.iter_mut().find(|e| e.split('=').next() == Some(name)) {
        Some(old) => *old = entry,
        None => env.push(entry),
    }
}

fn trigger(line: &Line) -> Result<String, ChangeError> {
    let inner = Line::parse(line.number, &line.rest);
    match inner.name.as_str() {
        "" => Err(line.error("ONBUILD requires at least one argument")),
        "onbuild" => Err(line.error("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")),
        "maintainer" | "from" => {
            Err(line.error(format!("{} isn't allowed as an ONBUILD trigger", inner.name.to_uppercase())))
        }
        _ => Ok(inner.original),
    }
}

fn healthcheck(line: &Line) -> Result<Instruction, ChangeError> {
    let (kind, rest) = line.rest.split_once(char::is_whitespace).unwrap_or((&line.rest, ""));
    let mut check = Healthcheck::default();
    match kind.to_uppercase().as_str() {
        "" => return Err(line.error("HEALTHCHECK requires at least one argument")),
        "NONE" if !rest.trim().is_empty() => {
            return Err(line.error("HEALTHCHECK NONE takes no arguments"));
        }
        "NONE" => return Ok(Instruction::Healthcheck(check, None)),
        "CMD" => {}
        other => return Err(line.error(format!("Unknown type {other:?} in HEALTHCHECK (try CMD)"))),
    }
    for flag in &line.flags {
        let flag = flag.strip_prefix("--").unwrap_or(flag);
        let (name, text) = flag.split_once('=').unwrap_or((flag, ""));
        if !matches!(name, "interval" | "timeout" | "start-period" | "start-interval" | "retries") {
            return Err(line.error(format!("Unknown flag: {name}")));
        }
        if !flag.contains('=') {
            return Err(line.error(format!("Missing a value on flag: {name}")));
        }
        let time = || {
            let nanos = duration::parse(text)
                .ok_or_else(|| line.error(format!("time: invalid duration {text:?}")))?;
            if nanos != 0 && nanos < MIN_DURATION {
                return Err(line.error(format!("Interval {name:?} cannot be less than 1ms")));
            }
            Ok(nanos)
        };
        match name {
            "interval" => check.interval = time()?,
            "timeout" => check.timeout = time()?,
            "start-period" => check.start_period = time()?,
            "start-interval" => check.start_interval = time()?,
            _ => {
                let retries: i32 = text
                    .parse()
                    .map_err(|_| line.error(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")))?;
                if retries < 0 {
                    return Err(line.error(format!("--retries must be at least 1 (not {retries})")));
                }
                check.retries = i64::from(retries);
            }
        }
    }
    let command = Command::parse(line, rest)?;
    if command.is_empty() {
        return Err(line.error("Missing command after HEALTHCHECK CMD"));
    }
    Ok(Instruction::Healthcheck(check, Some(command)))
}

/// An absolute directory as it was written, or one relative to the present one, cleaned by the letter.
fn resolve(current: &str, requested: &str) -> Result<String, ChangeError> {
    if requested.is_empty() {
        return Err(ChangeError::Value("cannot normalize nothing".into()));
    }
    if requested.starts_with('/') {
        return Ok(requested.to_owned());
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in current.split('/').chain(requested.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Ok(format!("/{}", parts.join("/")))
}
