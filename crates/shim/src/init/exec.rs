//! Finding and executing the container's program, with errors in Docker's words.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, FileType};
use rustix::io::Errno;

use crate::report::{CODE_NOT_EXECUTABLE, CODE_NOT_FOUND, Failure, words};

const PHASE: &str = "execute";

/// The environment: as configured, with `HOME` added where it is missing or empty.
pub fn environment(configured: &[String], home: &str) -> Vec<String> {
    let mut environment: Vec<String> = configured.to_vec();
    if variable(&environment, "HOME").is_none_or(str::is_empty) {
        environment.retain(|entry| !entry.starts_with("HOME="));
        environment.push(format!("HOME={home}"));
    }
    environment
}

/// The value of a variable; of several the last, as a shell has it.
fn variable<'a>(environment: &'a [String], name: &str) -> Option<&'a str> {
    environment.iter().rev().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
}

/// A program that exists and may be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
}

/// Looks the program up as the container's shell would, with the container's `PATH`.
pub fn find(arguments: &[String], environment: &[String]) -> Result<Program, Failure> {
    let Some(name) = arguments.first() else {
        return Err(Failure::new(PHASE, "no command specified").code(CODE_NOT_FOUND));
    };
    if name.contains('/') {
        return match examine(Path::new(name)) {
            Ok(()) => Ok(Program { path: PathBuf::from(name) }),
            Err(Errno::ACCESS | Errno::ISDIR) => Err(refused(name, Errno::ACCESS)),
            Err(error) => {
                let message = format!("exec: \"{name}\": stat {name}: {}", words(&io::Error::from(error)));
                Err(failure(error, message, CODE_NOT_FOUND))
            }
        };
    }
    let mut seen_unusable = false;
    if !name.is_empty() {
        for directory in variable(environment, "PATH").unwrap_or_default().split(':') {
            // An empty entry is the current directory; a relative one may be anything, and never is meant.
            let directory = if directory.is_empty() { "." } else { directory };
            let path = Path::new(directory).join(name);
            match examine(&path) {
                Ok(()) => return Ok(Program { path }),
                Err(Errno::ACCESS) => seen_unusable = true,
                Err(_) => {}
            }
        }
    }
    if seen_unusable {
        return Err(refused(name, Errno::ACCESS));
    }
    let message = format!("exec: \"{name}\": executable file not found in $PATH");
    Err(failure(Errno::NOENT, message, CODE_NOT_FOUND))
}

/// Whether a path could be executed: there, not a directory, and with an execute bit for us.
fn examine(path: &Path) -> Result<(), Errno> {
    let stat = rustix::fs::stat(path)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Err(Errno::ISDIR);
    }
    rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)
}

fn refused(name: &str, error: Errno) -> Failure {
    failure(error, format!("exec: \"{name}\": permission denied"), CODE_NOT_EXECUTABLE)
}

fn failure(error: Errno, message: String, code: i32) -> Failure {
    Failure { errno: error.raw_os_error(), ..Failure::new(PHASE, message) }.code(code)
}

impl Program {
    /// Becomes the program. Returns only why it could not.
    pub fn execute(&self, arguments: &[String], environment: &[String]) -> Failure {
        let strings = |list: &[String]| -> Result<Vec<CString>, _> {
            list.iter().map(|one| CString::new(one.as_str())).collect()
        };
        let prepared = || -> Result<(CString, Vec<CString>, Vec<CString>), std::ffi::NulError> {
            let path = CString::new(self.path.as_os_str().as_bytes())?;
            Ok((path, strings(arguments)?, strings(environment)?))
        };
        let (path, arguments, environment) = match prepared() {
            Ok(prepared) => prepared,
            Err(error) => return Failure::new(PHASE, error.to_string()).code(CODE_NOT_EXECUTABLE),
        };
        let error = berth_linux::clone::execve(&path, &arguments, &environment);
        let name = self.path.display();
        let code = if error.kind() == io::ErrorKind::NotFound { CODE_NOT_FOUND } else { CODE_NOT_EXECUTABLE };
        let message = match error.kind() {
            io::ErrorKind::PermissionDenied => format!("exec: \"{name}\": permission denied"),
            // It was there a moment ago: its interpreter is what is missing.
            _ => format!("exec {name}: {}", words(&error)),
        };
        let errno = error.raw_os_error().unwrap_or(0);
        Failure { errno, ..Failure::new(PHASE, message) }.code(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn home_is_added_only_where_the_configuration_has_none() {
        assert_eq!(environment(&list(&["A=1"]), "/root"), ["A=1", "HOME=/root"]);
        assert_eq!(environment(&list(&["HOME="]), "/root"), ["HOME=/root"]);
        assert_eq!(environment(&list(&["HOME=/x"]), "/root"), ["HOME=/x"]);
        assert_eq!(environment(&list(&["HOMEPAGE=x"]), "/")[1], "HOME=/");
    }

    #[test]
    fn a_name_is_searched_and_a_path_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let tool = dir.path().join("tool");
        fs::write(&tool, "").unwrap();
        let path = list(&[&format!("PATH=/nowhere:{}", dir.path().display())]);
        let error = find(&list(&["tool"]), &path).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (126, "exec: \"tool\": permission denied"));
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(&list(&["tool"]), &path).unwrap().path, tool);
        let error = find(&list(&["other"]), &path).unwrap_err();
        assert_eq!((error.code, error.errno), (127, 2));
        assert_eq!(error.message, "exec: \"other\": executable file not found in $PATH");
    }

    #[test]
    fn missing_paths_and_directories_are_named_as_docker_does() {
        let error = find(&list(&["/no/such"]), &[]).unwrap_err();
        assert_eq!(error.message, "exec: \"/no/such\": stat /no/such: no such file or directory");
        assert_eq!(error.code, 127);
        let error = find(&list(&["/"]), &[]).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (126, "exec: \"/\": permission denied"));
        assert_eq!(find(&[], &[]).unwrap_err().code, 127);
        assert_eq!(find(&list(&[""]), &[]).unwrap_err().code, 127);
    }
}
