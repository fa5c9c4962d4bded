//! What templates work on: the daemon's documents, and rows of a listing.
//!
//! docker decodes documents into Go structs first, so a template sees structs, maps and pointers where JSON has
//! only objects. The tables here restore that difference by member name, because it decides what a missing or
//! null member prints.

use std::rc::Rc;

use super::Mode;
use crate::json::Doc;

/// Members that are Go maps: a missing key is `<no value>`, not an error, and printing gives `map[…]`.
const MAPS: [&str; 22] = [
    "Labels",
    "ExposedPorts",
    "Volumes",
    "PortBindings",
    "Ports",
    "Networks",
    "LogConfig.Config",
    "Sysctls",
    "Tmpfs",
    "StorageOpt",
    "Annotations",
    "Data",
    "Options",
    "DriverOpts",
    "Runtimes",
    "Details",
    "IndexConfigs",
    "Attributes",
    "Status",
    "IndexInfo",
    "Hosts",
    "EndpointsConfig",
];

/// Maps whose values are strings, so that indexing a missing key gives "".
const STRING_MAPS: [&str; 11] = [
    "Labels",
    "LogConfig.Config",
    "Sysctls",
    "Tmpfs",
    "StorageOpt",
    "Annotations",
    "Data",
    "Options",
    "DriverOpts",
    "Details",
    "Attributes",
];

/// Members that are Go pointers: null prints `<nil>`.
const POINTERS: [&str; 16] = [
    "Health",
    "SizeRw",
    "SizeRootFs",
    "StopTimeout",
    "Healthcheck",
    "Init",
    "OomKillDisable",
    "PidsLimit",
    "MemorySwappiness",
    "IPAMConfig",
    "ContainerConfig",
    "HostConfig",
    "Networks[]",
    "Cluster",
    "RegistryConfig",
    "Platform",
];

/// Members that Go knows although the daemon leaves them out of the document.
const OPTIONAL: [&str; 20] = [
    "Health",
    "SizeRw",
    "SizeRootFs",
    "StopTimeout",
    "Healthcheck",
    "Init",
    "Sysctls",
    "StorageOpt",
    "Tmpfs",
    "Annotations",
    "Mounts",
    "Shell",
    "ArgsEscaped",
    "NetworkDisabled",
    "MacAddress",
    "StopSignal",
    "Runtime",
    "ExposedPorts",
    "OomKillDisable",
    "PidsLimit",
];

/// One line of a listing: fields of a Go type, and the labels its `Label` method looks up.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The Go type named in error messages.
    pub type_name: &'static str,
    /// What templates and `json` see.
    pub fields: Vec<(&'static str, Doc)>,
    /// For `{{.Label "key"}}`; `None` where the type has no such method.
    pub labels: Option<Vec<(String, String)>>,
}

impl Row {
    /// The field called `name`.
    pub fn get(&self, name: &str) -> Option<&Doc> {
        self.fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// One line of JSON, members sorted, as Go marshals a map.
    pub fn json(&self) -> String {
        let mut members: Vec<(String, Doc)> =
            self.fields.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        Doc::Object(members).compact(true)
    }
}

/// A value during execution.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing at all; prints `<no value>`.
    Missing,
    /// A member that Go's type has and the document has not.
    Absent(String),
    /// Part of a document, with the member name it was found under (`name[]` for elements).
    Doc(Doc, String),
    /// A line of a listing.
    Row(Rc<Row>),
}

impl From<Doc> for Value {
    fn from(doc: Doc) -> Self {
        Value::Doc(doc, String::new())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Doc::from(text).into()
    }
}

impl From<Row> for Value {
    fn from(row: Row) -> Self {
        Value::Row(Rc::new(row))
    }
}

/// Whether an object found under `name` is a Go map.
pub fn is_map(name: &str) -> bool {
    MAPS.contains(&name)
}

/// Whether null found under `name` is a Go pointer.
pub fn is_pointer(name: &str) -> bool {
    POINTERS.contains(&name)
}

/// The name that the member `key` of an object called `parent` goes by.
fn member_name(parent: &str, key: &str) -> String {
    if is_map(parent) {
        format!("{parent}[]")
    } else if parent == "LogConfig" && key == "Config" {
        "LogConfig.Config".into()
    } else {
        key.to_owned()
    }
}

impl Value {
    /// A string result.
    pub fn text(text: impl Into<String>) -> Self {
        Doc::String(text.into()).into()
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Doc(doc, _) => doc.as_str(),
            _ => None,
        }
    }

    /// Truth as `{{if}}` sees it.
    pub fn truth(&self) -> bool {
        match self {
            Value::Missing | Value::Absent(_) => false,
            Value::Row(_) => true,
            Value::Doc(doc, name) => match doc {
                Doc::Null => false,
                Doc::Bool(value) => *value,
                Doc::Number(number) => number.as_f64() != Some(0.0),
                Doc::String(text) => !text.is_empty(),
                Doc::Array(items) => !items.is_empty(),
                Doc::Object(members) => !is_map(name) || !members.is_empty(),
            },
        }
    }

    /// The member called `key`.
    pub fn field(&self, key: &str, mode: Mode) -> Result<Value, String> {
        match self {
            Value::Missing => Ok(Value::Missing),
            Value::Absent(name) if mode == Mode::Document => Err(no_entry(name)),
            Value::Absent(name) => Err(format!("nil pointer evaluating {name}.{key}")),
            Value::Row(row) => match row.get(key) {
                Some(doc) => Ok(Value::Doc(doc.clone(), key.to_owned())),
                None if mode == Mode::Header => Ok(Value::Missing),
                None => Err(format!("can't evaluate field {key} in type {}", row.type_name)),
            },
            Value::Doc(doc, name) => match doc {
                Doc::Object(_) => {
                    let found = member(doc, key);
                    match (found, mode) {
                        (Some(member), _) => Ok(Value::Doc(member.clone(), member_name(name, key))),
                        (None, _) if is_map(name) => Ok(Value::Missing),
                        (None, _) if OPTIONAL.contains(&key) => Ok(Value::Absent(key.to_owned())),
                        // Events of objects other than containers and images leave these out.
                        (None, Mode::Typed("*events.Message")) if matches!(key, "ID" | "Status" | "From") => {
                            Ok(Value::text(""))
                        }
                        (None, Mode::Typed(type_name)) => {
                            Err(format!("can't evaluate field {key} in type {type_name}"))
                        }
                        (None, _) => Err(no_entry(key)),
                    }
                }
                Doc::Null => Err(format!("nil pointer evaluating interface {{}}.{key}")),
                _ if mode == Mode::Document => {
                    Err(format!("can't evaluate field {key} in type interface {{}}"))
                }
                _ => Err(format!("can't evaluate field {key} in type {}", self.type_name())),
            },
        }
    }

    /// One step of the `index` function.
    pub fn index(&self, key: &Value) -> Result<Value, String> {
        let Value::Doc(doc, name) = self else {
            return Err("index of untyped nil".into());
        };
        let by_number = |length: usize| {
            let Value::Doc(Doc::Number(number), _) = key else {
                return Err(format!("cannot index slice/array with type {}", key.type_name()));
            };
            let index = number.as_i64().unwrap_or(-1);
            match usize::try_from(index) {
                Ok(at) if at < length => Ok(at),
                Ok(at) if at == length => Err("reflect: slice index out of range".into()),
                _ => Err(format!("index out of range: {index}")),
            }
        };
        match doc {
            Doc::Null => Err("index of untyped nil".into()),
            Doc::Array(items) => {
                let at = by_number(items.len())?;
                Ok(items.get(at).map_or(Value::Missing, |item| Value::Doc(item.clone(), format!("{name}[]"))))
            }
            Doc::String(text) => {
                let at = by_number(text.len())?;
                Ok(text.as_bytes().get(at).map_or(Value::Missing, |byte| Doc::from(i64::from(*byte)).into()))
            }
            Doc::Object(_) => {
                let Some(key) = key.as_str() else {
                    return Err(format!("value has type {}; should be string", key.type_name()));
                };
                Ok(match doc.get(key) {
                    Some(member) => Value::Doc(member.clone(), member_name(name, key)),
                    None if STRING_MAPS.contains(&name.as_str()) => Value::text(""),
                    None if is_map(name) => Value::Doc(Doc::Null, format!("{name}[]")),
                    None => Value::Missing,
                })
            }
            _ => Err(format!("can't index item of type {}", self.type_name())),
        }
    }

    /// What `{{range}}` visits: key and element pairs. `Err` when it cannot be iterated.
    pub fn elements(&self) -> Result<Vec<(Value, Value)>, ()> {
        match self {
            Value::Missing | Value::Absent(_) => Ok(Vec::new()),
            Value::Row(_) => Err(()),
            Value::Doc(doc, name) => match doc {
                Doc::Null => Ok(Vec::new()),
                Doc::Array(items) => Ok(items
                    .iter()
                    .zip(0i64..)
                    .map(|(item, index)| {
                        (Doc::from(index).into(), Value::Doc(item.clone(), format!("{name}[]")))
                    })
                    .collect()),
                Doc::Object(members) => {
                    let mut sorted: Vec<_> = members.iter().collect();
                    sorted.sort_by(|a, b| a.0.cmp(&b.0));
                    Ok(sorted
                        .into_iter()
                        .map(|(key, member)| {
                            (Value::text(key.clone()), Value::Doc(member.clone(), member_name(name, key)))
                        })
                        .collect())
                }
                Doc::Number(number) => {
                    let count = number.as_i64().ok_or(())?;
                    Ok((0..count.min(1 << 20)).map(|i| (Doc::from(i).into(), Doc::from(i).into())).collect())
                }
                _ => Err(()),
            },
        }
    }

    /// The Go type, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Missing | Value::Absent(_) => "<nil>",
            Value::Row(row) => row.type_name,
            Value::Doc(doc, _) => match doc {
                Doc::Null => "<nil>",
                Doc::Bool(_) => "bool",
                Doc::Number(number) if number.is_f64() => "float64",
                Doc::Number(_) => "int",
                Doc::String(_) => "string",
                Doc::Array(_) => "[]interface {}",
                Doc::Object(_) => "map[string]interface {}",
            },
        }
    }
}

fn no_entry(key: &str) -> String {
    format!("map has no entry for key {key:?}")
}

/// JSON names of the Go fields that are spelled differently.
const GO_NAMES: [(&str, &str); 12] = [
    ("ID", "Id"),
    ("ID", "id"),
    ("DNS", "Dns"),
    ("DNSOptions", "DnsOptions"),
    ("DNSSearch", "DnsSearch"),
    ("HostIP", "HostIp"),
    ("APIVersion", "ApiVersion"),
    ("Status", "status"),
    ("From", "from"),
    ("Scope", "scope"),
    ("Time", "time"),
    ("TimeNano", "timeNano"),
];

/// The member that Go calls `key`.
fn member<'a>(doc: &'a Doc, key: &str) -> Option<&'a Doc> {
    let renamed = || GO_NAMES.iter().filter(|(go, _)| *go == key).find_map(|(_, json)| doc.get(json));
    doc.get(key).or_else(renamed)
}
