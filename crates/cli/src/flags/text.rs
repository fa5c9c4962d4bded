//! Key=value lists: environment, labels, options, and the files they may come from.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{CliError, Result};

/// Reads the environment; injected so tests do not depend on the process's own.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

const WHITE: [char; 2] = [' ', '\t'];

/// `--env-file` and `-e`, in that order. A bare name takes the client's value; one that is unset is dropped when
/// it comes from a file and sent bare (the daemon then unsets the image's) when it comes from a flag.
pub fn environment(files: &[String], flags: &[String], lookup: Lookup) -> Result<Option<Vec<String>>> {
    let mut env = Vec::new();
    for file in files {
        env.extend(file_lines(file, "env file", lookup)?);
    }
    let mut given: Vec<(&str, String)> = Vec::new();
    for flag in flags {
        let (name, entry) = match flag.split_once('=') {
            Some(("", _)) => {
                return Err(CliError::flag(
                    "-e, --env",
                    flag,
                    format!("invalid environment variable: {flag}"),
                ));
            }
            Some((name, _)) => (name, flag.clone()),
            None => {
                (flag.as_str(), lookup(flag).map_or_else(|| flag.clone(), |value| format!("{flag}={value}")))
            }
        };
        // A repeated name keeps its first place and its last value.
        match given.iter_mut().find(|(known, _)| *known == name) {
            Some(slot) => slot.1 = entry,
            None => given.push((name, entry)),
        }
    }
    env.extend(given.into_iter().map(|(_, entry)| entry));
    Ok(if env.is_empty() { None } else { Some(env) })
}

/// `--label-file` and `-l`. A bare name is a label with an empty value.
pub fn labels(files: &[String], flags: &[String]) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    for file in files {
        for line in file_lines(file, "label file", &|_| None)? {
            insert(&mut labels, &line);
        }
    }
    for flag in flags {
        if flag.starts_with('=') || flag.is_empty() {
            let reason = format!("invalid label '{flag}': empty name");
            return Err(CliError::flag("-l, --label", flag, reason));
        }
        insert(&mut labels, flag);
    }
    Ok(labels)
}

/// `key=value` flags as a map; a bare key has an empty value.
pub fn map(flags: &[String]) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    flags.iter().for_each(|flag| insert(&mut map, flag));
    map
}

fn insert(map: &mut BTreeMap<String, String>, text: &str) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    map.insert(key.to_owned(), value.to_owned());
}

/// The `name=value` lines of a file; comments and blank lines are skipped.
fn file_lines(file: &str, what: &str, lookup: Lookup) -> Result<Vec<String>> {
    let path = Path::new(file);
    let text =
        std::fs::read_to_string(path).map_err(|source| CliError::File { path: path.into(), source })?;
    let mut lines = Vec::new();
    for line in text.strip_prefix('\u{feff}').unwrap_or(&text).lines() {
        let line = line.trim_start_matches(WHITE);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').map_or((line, None), |(name, value)| (name, Some(value)));
        if name.is_empty() {
            return Err(CliError::options(format!(
                "invalid {what} ({file}): no variable name on line '{line}'"
            )));
        }
        if name.contains(WHITE) {
            return Err(CliError::options(format!(
                "invalid {what} ({file}): variable '{name}' contains whitespaces"
            )));
        }
        match value.map(str::to_owned).or_else(|| lookup(name)) {
            Some(value) => lines.push(format!("{name}={value}")),
            None => continue,
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn files_come_before_flags_and_unset_names_differ() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("env");
        std::fs::write(&file, "# c\n\n  A=1\nUNSET\nHOME_SET\nB=two words\n").unwrap();
        let files = [file.to_str().unwrap().to_owned()];
        let lookup = |name: &str| (name == "HOME_SET").then(|| "x".to_owned());
        let env = environment(&files, &["UNSET".into(), "C=".into()], &lookup).unwrap().unwrap();
        assert_eq!(env, ["A=1", "HOME_SET=x", "B=two words", "UNSET", "C="]);
    }

    #[test]
    fn bad_names_are_refused() {
        assert!(environment(&[], &["=x".into()], &none).is_err());
        assert!(labels(&[], &["=x".into()]).unwrap_err().to_string().contains("empty name"));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bad");
        std::fs::write(&file, "bad name=1\n").unwrap();
        let text = environment(&[file.to_str().unwrap().to_owned()], &[], &none).unwrap_err().to_string();
        assert!(text.ends_with("variable 'bad name' contains whitespaces"), "{text}");
    }
}
