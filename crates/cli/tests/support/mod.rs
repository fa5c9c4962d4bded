//! A daemon that exists only on paper, and running the client against it.

#![allow(dead_code)] // each test file uses its own part

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Path and query without a version prefix.
    pub target: String,
    pub body: Vec<u8>,
}

impl Request {
    /// The path alone.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// Listens on a unix socket of its own and answers every request through a handler.
pub struct FakeDaemon {
    directory: tempfile::TempDir,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What answers: gets the request and the connection to write to.
pub type Handler = dyn Fn(&Request, &mut UnixStream) + Send + Sync;

impl FakeDaemon {
    pub fn start(handler: impl Fn(&Request, &mut UnixStream) + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("sock")).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, handler): (_, Arc<Handler>) = (requests.clone(), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, handler) = (log.clone(), handler.clone());
                std::thread::spawn(move || serve(stream, &log, &*handler));
            }
        });
        Self { directory, requests }
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.directory.path().join("sock").display())
    }

    /// Requests so far, pings left out.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn serve(stream: UnixStream, log: &Mutex<Vec<Request>>, handler: &Handler) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(request) = read_request(&mut reader) {
        if request.path() == "/_ping" {
            let body: &[u8] = if request.method == "HEAD" { b"" } else { b"OK" };
            let head = "HTTP/1.1 200 OK\r\nApi-Version: 1.49\r\nOstype: linux\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n";
            writer.write_all(&[head.as_bytes(), body].concat()).unwrap();
            continue;
        }
        log.lock().unwrap().push(request.clone());
        handler(&request, &mut writer);
    }
}

fn read_request(reader: &mut BufReader<UnixStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let target = match target.strip_prefix("/v1.") {
        Some(rest) => rest[rest.find('/')?..].to_owned(),
        None => target,
    };
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        chunked |= header == "transfer-encoding: chunked";
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    while chunked {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        body.extend(&chunk[..size]);
        chunked = size > 0;
    }
    Some(Request { method, target, body })
}

/// Writes a complete response.
pub fn respond(to: &mut UnixStream, status: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // The client may be gone by now; the test looks at the client.
    let _ = to.write_all(&[head.as_bytes(), body.as_bytes()].concat());
}

/// A file under `tests/fixtures`.
pub fn fixture(name: &str) -> String {
    let path = fixtures().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Serves the documents of `tests/fixtures/documents`.
pub fn documents(request: &Request, to: &mut UnixStream) {
    let name = match request.path() {
        "/containers/web/json" => "container",
        "/containers/json" => "list",
        "/images/json" => "images",
        "/images/busybox/json" => "image",
        "/images/busybox/history" => "history",
        "/info" => "info",
        "/version" => "version",
        "/events" => "events",
        path => {
            let kind = if path.starts_with("/images") { "image" } else { "container" };
            let name = path.split('/').nth(2).unwrap_or_default();
            return respond(to, "404 Not Found", &format!("{{\"message\":\"No such {kind}: {name}\"}}"));
        }
    };
    respond(to, "200 OK", &fixture(&format!("documents/{name}.json")));
}

/// The ID every container of the fake daemon gets.
pub const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// What a finished client left behind.
#[derive(Debug, PartialEq)]
pub struct Finished {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

/// A client that will talk to `host`, with an otherwise empty environment.
pub fn client(program: &str, host: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", "/nonexistent").env("DOCKER_HOST", host).env("TZ", "UTC");
    command.stdin(Stdio::null());
    command
}

/// The client under test.
pub const BERTH: &str = env!("CARGO_BIN_EXE_berth");

pub fn finish(command: &mut Command) -> Finished {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    Finished {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

/// The strings of a JSON array.
pub fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// docker's own name replaced by ours, as far as it is the name of the program.
pub fn ours(text: &str) -> String {
    text.replace("docker: ", "berth: ")
        .replace("'docker ", "'berth ")
        .replace("  docker ", "  berth ")
        .replace(": docker ", ": berth ")
}
