//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the shim is told before the first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Args {
    /// Full container ID. It stands in the arguments so that operators find the process by it.
    pub id: String,
    /// Directory with the OCI `config.json`, absolute.
    pub bundle: PathBuf,
    /// Directory for the socket, the exit record and so on, absolute.
    pub run_dir: PathBuf,
}

/// How the command is used.
pub const USAGE: &str = "usage: berth-shim --id ID --bundle DIR --run-dir DIR
(started by berthd, with a socket as standard input)";

impl Args {
    /// Reads the arguments after the program's name.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, String> {
        let (mut id, mut bundle, mut run_dir) = (None, None, None);
        let mut arguments = arguments.into_iter();
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{} needs a value", flag.display()));
            match flag.to_str() {
                Some("--id") => {
                    id = Some(
                        value()?.into_string().map_err(|id| format!("--id {}: not text", id.display()))?,
                    );
                }
                Some("--bundle") => bundle = Some(absolute("--bundle", value()?)?),
                Some("--run-dir") => run_dir = Some(absolute("--run-dir", value()?)?),
                _ => return Err(format!("unknown argument {}", flag.display())),
            }
        }
        match (id, bundle, run_dir) {
            (Some(id), Some(bundle), Some(run_dir)) if !id.is_empty() => Ok(Args { id, bundle, run_dir }),
            _ => Err("--id, --bundle and --run-dir are all needed".to_owned()),
        }
    }
}

/// Relative paths are refused: the shim changes its directory.
fn absolute(flag: &str, value: OsString) -> Result<PathBuf, String> {
    let path = PathBuf::from(value);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(format!("{flag} {}: not an absolute path", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_ascii_whitespace().map(OsString::from))
    }

    #[test]
    fn all_three_arguments_are_needed_in_any_order() {
        let args = parse("--run-dir /run/c --id abc --bundle /b").unwrap();
        assert_eq!((args.id.as_str(), args.bundle), ("abc", PathBuf::from("/b")));
        assert_eq!(args.run_dir, PathBuf::from("/run/c"));
        assert!(parse("--id abc --bundle /b").is_err());
        assert!(parse("--id abc --bundle /b --run-dir").is_err());
    }

    #[test]
    fn relative_directories_and_unknown_flags_are_refused() {
        assert!(parse("--id a --bundle b --run-dir /r").unwrap_err().contains("absolute"));
        assert!(parse("--colour").unwrap_err().contains("--colour"));
    }
}
