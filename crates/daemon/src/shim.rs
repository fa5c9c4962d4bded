//! Finding `berth-shim`: where the flag says, else beside this executable, else on PATH.

use std::path::{Path, PathBuf};

const NAME: &str = "berth-shim";

/// There is none.
#[derive(Debug, thiserror::Error)]
#[error("{NAME} was not found{}; name it with --shim-path", place.as_ref().map(|p| format!(" at {}", p.display())).unwrap_or_else(|| " beside berthd or on PATH".into()))]
pub struct NotFound {
    place: Option<PathBuf>,
}

/// The shim's executable.
pub fn find(given: Option<&PathBuf>) -> Result<PathBuf, NotFound> {
    if let Some(path) = given {
        return if path.is_file() { Ok(path.clone()) } else { Err(NotFound { place: Some(path.clone()) }) };
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(NAME)));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(std::env::split_paths(&on_path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(NAME)))
        .find(|path| Path::is_file(path))
        .ok_or(NotFound { place: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_that_is_named_but_missing_is_an_error() {
        let error = find(Some(&PathBuf::from("/nowhere/berth-shim"))).unwrap_err().to_string();
        assert!(error.contains("at /nowhere/berth-shim"), "{error}");
    }
}
