//! `-v`, `--mount` and `--tmpfs`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::values;
use crate::error::{CliError, Result};

/// What `-v` flags become.
#[derive(Debug, Default)]
pub struct Volumes {
    /// `HostConfig.Binds`, `None` for `null`.
    pub binds: Option<Vec<String>>,
    /// `Volumes`: anonymous ones, by container path.
    pub anonymous: BTreeMap<String, Value>,
}

/// Sorts `-v` flags into binds and anonymous volumes. A source that starts with a dot is made absolute.
pub fn volumes(flags: &[String], cwd: &Path) -> Volumes {
    let mut found = Volumes::default();
    for flag in flags {
        match flag.split_once(':') {
            None | Some(("", "")) => {
                found.anonymous.insert(flag.clone(), json!({}));
            }
            Some((source, rest)) => {
                let source = if source.starts_with('.') { absolute(source, cwd) } else { source.to_owned() };
                found.binds.get_or_insert_default().push(format!("{source}:{rest}"));
            }
        }
    }
    found
}

/// Joins a relative path to the working directory and removes `.` and `..` without touching the disk.
fn absolute(path: &str, cwd: &Path) -> String {
    let mut out = std::path::PathBuf::new();
    for part in cwd.join(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out.to_string_lossy().into_owned()
}

/// `--tmpfs PATH[:OPTIONS]` as `HostConfig.Tmpfs`; `None` when there is none.
pub fn tmpfs(flags: &[String]) -> Option<BTreeMap<String, String>> {
    let pair = |flag: &String| {
        let (path, options) = flag.split_once(':').unwrap_or((flag, ""));
        (path.to_owned(), options.to_owned())
    };
    if flags.is_empty() { None } else { Some(flags.iter().map(pair).collect()) }
}

/// `--mount` flags as `HostConfig.Mounts`; `None` when there is none.
pub fn mounts(flags: &[String], cwd: &Path) -> Result<Option<Vec<Value>>> {
    if flags.is_empty() {
        return Ok(None);
    }
    let parse = |flag: &String| mount(flag, cwd).map_err(|reason| CliError::flag("--mount", flag, reason));
    flags.iter().map(parse).collect::<Result<_>>().map(Some)
}

/// Option families of one mount, in the order and shape the API wants them.
#[derive(Default)]
struct Parts {
    bind: Map<String, Value>,
    volume: Map<String, Value>,
    driver: Map<String, Value>,
    tmpfs: Map<String, Value>,
    propagation: String,
    recursive: String,
}

fn mount(text: &str, cwd: &Path) -> Result<Value, String> {
    let mut kind = "volume".to_owned();
    let (mut source, mut target, mut consistency) = (String::new(), String::new(), String::new());
    let mut read_only = false;
    let mut parts = Parts::default();
    for field in csv(text)? {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(k, v)| (k, Some(v)));
        let key = key.to_lowercase();
        let value = match (value, key.as_str()) {
            (Some(value), _) => value,
            (None, "readonly" | "ro" | "volume-nocopy" | "bind-nonrecursive" | "bind-create-src") => "true",
            (None, _) => return Err(format!("invalid field '{field}' must be a key=value pair")),
        };
        let boolean = || values::boolean(value).map_err(|_| format!("invalid value for {key}: {value}"));
        match key.as_str() {
            "type" => kind = value.to_lowercase(),
            "source" | "src" => {
                source = if value.starts_with('.') { absolute(value, cwd) } else { value.to_owned() };
            }
            "target" | "dst" | "destination" => target = value.to_owned(),
            "readonly" | "ro" => read_only = boolean()?,
            "consistency" => consistency = value.to_lowercase(),
            "bind-propagation" => parts.propagation = value.to_lowercase(),
            "bind-nonrecursive" => {
                if boolean()? {
                    parts.bind.insert("NonRecursive".into(), json!(true));
                }
            }
            "bind-create-src" => {
                if boolean()? {
                    parts.bind.insert("CreateMountpoint".into(), json!(true));
                }
            }
            "bind-recursive" => parts.recursive = value.to_owned(),
            "volume-subpath" => put(&mut parts.volume, "Subpath", json!(value)),
            "volume-nocopy" => {
                if boolean()? {
                    put(&mut parts.volume, "NoCopy", json!(true));
                }
            }
            "volume-label" => pair(&mut parts.volume, "Labels", value),
            "volume-driver" => put(&mut parts.driver, "Name", json!(value)),
            "volume-opt" => pair(&mut parts.driver, "Options", value),
            "tmpfs-size" => {
                let size = values::bytes(value).map_err(|_| format!("invalid value for {key}: {value}"))?;
                put(&mut parts.tmpfs, "SizeBytes", json!(size));
            }
            "tmpfs-mode" => {
                let mode =
                    u32::from_str_radix(value, 8).map_err(|_| format!("invalid value for {key}: {value}"))?;
                put(&mut parts.tmpfs, "Mode", json!(mode));
            }
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
    }
    if target.is_empty() {
        return Err("target is required".into());
    }
    parts.bind_rules(read_only)?;
    parts.driver_into_volume();
    for (name, family, options) in
        [("volume", "volume", &parts.volume), ("bind", "bind", &parts.bind), ("tmpfs", "tmpfs", &parts.tmpfs)]
    {
        if !options.is_empty() && kind != name {
            return Err(format!("cannot mix '{family}-*' options with mount type '{kind}'"));
        }
    }
    let mut mount = Map::new();
    put(&mut mount, "Type", json!(kind));
    for (key, value) in [("Source", source), ("Target", target), ("Consistency", consistency)] {
        if !value.is_empty() {
            put(&mut mount, key, json!(value));
        }
    }
    if read_only {
        put(&mut mount, "ReadOnly", json!(true));
    }
    for (key, options) in
        [("BindOptions", parts.bind), ("VolumeOptions", parts.volume), ("TmpfsOptions", parts.tmpfs)]
    {
        if !options.is_empty() {
            put(&mut mount, key, Value::Object(options));
        }
    }
    Ok(Value::Object(mount))
}

impl Parts {
    /// `bind-propagation` and `bind-recursive`, which constrain each other.
    fn bind_rules(&mut self, read_only: bool) -> Result<(), String> {
        if !self.propagation.is_empty() {
            put(&mut self.bind, "Propagation", json!(self.propagation));
        }
        let key = match self.recursive.as_str() {
            "" | "enabled" => return Ok(()),
            "disabled" => "NonRecursive",
            "writable" => "ReadOnlyNonRecursive",
            "readonly" => "ReadOnlyForceRecursive",
            other => {
                return Err(format!(
                    "invalid value for bind-recursive: {other} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
                ));
            }
        };
        if self.recursive != "disabled" && !read_only {
            return Err(format!(
                "option 'bind-recursive={}' requires 'readonly' to be specified in conjunction",
                self.recursive
            ));
        }
        if self.recursive == "readonly" && self.propagation != "rprivate" {
            return Err("option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction".into());
        }
        put(&mut self.bind, key, json!(true));
        Ok(())
    }

    fn driver_into_volume(&mut self) {
        if !self.driver.is_empty() {
            let driver = std::mem::take(&mut self.driver);
            put(&mut self.volume, "DriverConfig", Value::Object(driver));
        }
    }
}

fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    map.insert(key.to_owned(), value);
}

/// Adds `key=value` to the object member `name`.
fn pair(map: &mut Map<String, Value>, name: &str, text: &str) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if let Value::Object(inner) = map.entry(name).or_insert_with(|| json!({})) {
        inner.insert(key.to_owned(), json!(value));
    }
}

/// Splits one CSV record; fields may be quoted as a whole.
pub fn csv(text: &str) -> Result<Vec<String>, String> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            '"' => return Err("parse error on line 1: bare \" in non-quoted-field".into()),
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    if quoted {
        return Err("parse error on line 1: extraneous or missing \" in quoted-field".into());
    }
    fields.push(field);
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_sources_become_absolute_without_following_links() {
        let volumes = volumes(&["./a/../b:/x:ro".into(), "name:/y".into(), "/z".into()], Path::new("/cwd"));
        assert_eq!(volumes.binds.unwrap(), ["/cwd/b:/x:ro", "name:/y"]);
        assert!(volumes.anonymous.contains_key("/z"));
    }

    #[test]
    fn csv_fields_may_be_quoted() {
        assert_eq!(csv(r#"a,"b,c",d"#).unwrap(), ["a", "b,c", "d"]);
        assert!(csv(r#"a,"b"#).is_err());
    }
}
