//! Short ways to make containers through the API and to look into them.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use crate::{Daemon, IMAGE, Output, eventually, image, process};

const IMAGE_LOCK: &str = "/run/berth-e2e/image.lock";

impl Daemon {
    /// Puts [`IMAGE`] into the daemon unless it is there.
    #[track_caller]
    pub fn provide_image(&self) {
        // Tests that share a reference must not all import it at once.
        let lock = self.is_reference().then(|| fs::File::create(IMAGE_LOCK).expect("make the lock file"));
        if let Some(lock) = &lock {
            lock.lock().expect("take the lock");
        }
        if self.client.get(&format!("/images/{IMAGE}/json")).status != 200 {
            self.import(IMAGE, image::busybox());
        }
    }

    /// Imports a tar archive as an image with `PATH` and the command `sh`.
    #[track_caller]
    pub fn import(&self, reference: &str, archive: Vec<u8>) {
        let (repository, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
        let changes = "changes=ENV%20PATH%3D%2Fbin%3A%2Fusr%2Fbin&changes=CMD%20%5B%22sh%22%5D";
        let path = format!("/images/create?fromSrc=-&repo={repository}&tag={tag}&{changes}");
        let response = self.client.post_bytes(&path, "application/x-tar", archive).expect(200);
        let last = response.json_lines().pop().expect("import reports the image");
        assert!(last["status"].as_str().is_some_and(|id| id.starts_with("sha256:")), "import said {last}");
    }

    /// Creates a container from [`IMAGE`]; `more` is merged over `{"Image": …, "Cmd": …}`.
    #[track_caller]
    pub fn create(&self, name: &str, command: &[&str], more: Value) -> String {
        let mut body = json!({"Image": IMAGE, "Cmd": command});
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let path = format!("/containers/create?name={}", self.name(name));
        let created = self.client.post_json(&path, &body).expect(201).json();
        created["Id"].as_str().expect("create answers an Id").to_owned()
    }

    /// Starts a created container.
    #[track_caller]
    pub fn begin(&self, id: &str) {
        self.client.post(&format!("/containers/{id}/start")).expect(204);
    }

    /// Creates and starts a container.
    #[track_caller]
    pub fn run(&self, name: &str, command: &[&str], more: Value) -> String {
        let id = self.create(name, command, more);
        self.begin(&id);
        id
    }

    /// A container that runs until it is stopped, and ends at once on SIGTERM.
    #[track_caller]
    pub fn idle(&self, name: &str) -> String {
        let script = "trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done";
        let id = self.run(name, &["sh", "-c", script], Value::Null);
        self.await_log(&id, "ready");
        id
    }

    /// Waits until the container's output contains `text`.
    #[track_caller]
    pub fn await_log(&self, id: &str, text: &str) {
        eventually(&format!("{text:?} in the log of {id}"), || self.logs(id).contains(text).then_some(()));
    }

    /// `GET /containers/{id}/json`.
    #[track_caller]
    pub fn inspect(&self, id: &str) -> Value {
        self.client.get(&format!("/containers/{id}/json")).expect(200).json()
    }

    /// `State.Status`.
    #[track_caller]
    pub fn status(&self, id: &str) -> String {
        self.inspect(id)["State"]["Status"].as_str().expect("State.Status is text").to_owned()
    }

    /// Host PID of the container's init.
    #[track_caller]
    pub fn init_pid(&self, id: &str) -> i32 {
        let pid = self.inspect(id)["State"]["Pid"].as_i64().expect("State.Pid is a number");
        assert!(pid > 1, "{id} does not run");
        pid.try_into().expect("PIDs fit")
    }

    /// Waits for the end of a container; its exit code.
    #[track_caller]
    pub fn wait(&self, id: &str) -> i64 {
        let answer = self.client.post(&format!("/containers/{id}/wait")).expect(200).json();
        answer["StatusCode"].as_i64().expect("wait answers a StatusCode")
    }

    /// Both output streams of a container without a terminal, unframed.
    #[track_caller]
    pub fn logs(&self, id: &str) -> String {
        let response = self.client.get(&format!("/containers/{id}/logs?stdout=1&stderr=1")).expect(200);
        let pieces = unframe(&response.body).into_iter().map(|(_, piece)| piece);
        String::from_utf8_lossy(&pieces.collect::<Vec<_>>().concat()).into_owned()
    }

    /// Removes a container, running or not.
    #[track_caller]
    pub fn remove(&self, id: &str) {
        self.client.delete(&format!("/containers/{id}?force=1&v=1")).expect(204);
    }

    /// Runs a command line in a container of its own and returns what it printed; the container is removed.
    #[track_caller]
    pub fn inside(&self, script: &str) -> Inside {
        self.inside_with(script, Value::Null)
    }

    /// [`inside`](Daemon::inside) with more container settings.
    #[track_caller]
    pub fn inside_with(&self, script: &str, more: Value) -> Inside {
        let name = format!("inside-{}", crate::home::random_name());
        let id = self.run(&name, &["sh", "-c", script], more);
        let code = self.wait(&id);
        let inside = Inside { code, output: self.logs(&id) };
        self.remove(&id);
        inside
    }

    /// Runs a host command in namespaces of the container's init, chosen by `nsenter` flags.
    #[track_caller]
    pub fn nsenter(&self, id: &str, flags: &[&str], command: &[&str]) -> Output {
        let pid = self.init_pid(id).to_string();
        let mut arguments = vec!["--target", pid.as_str()];
        arguments.extend(flags);
        arguments.push("--");
        arguments.extend(command);
        process::sh("nsenter", &arguments)
    }

    /// The container's directory in a cgroup hierarchy that has `file`, found through its init.
    #[track_caller]
    pub fn cgroup_file(&self, id: &str, file: &str) -> Option<String> {
        let dirs = crate::leftovers::cgroups(id);
        assert!(!dirs.is_empty(), "{id} has no cgroup of its own");
        let path = dirs.iter().map(|dir| dir.join(file)).find(|path| path.exists())?;
        Some(fs::read_to_string(&path).expect("read a cgroup file").trim().to_owned())
    }

    /// Waits until the container has the status.
    #[track_caller]
    pub fn await_status(&self, id: &str, status: &str) {
        let reached = crate::until(Duration::from_secs(10), || (self.status(id) == status).then_some(()));
        assert!(reached.is_some(), "{id} is {} and never became {status}", self.status(id));
    }
}

/// What a container printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Exit code.
    pub code: i64,
    /// Both streams together.
    pub output: String,
}

impl Inside {
    /// The output of a command that succeeded, trimmed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "the command failed inside: {}", self.output);
        self.output.trim().to_owned()
    }
}

/// Splits Docker's multiplexed stream into (stream number, payload).
#[track_caller]
pub(crate) fn unframe(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        assert!(bytes.len() >= 8, "a frame header was cut off: {bytes:?}");
        let (header, rest) = bytes.split_at(8);
        assert!(header[0] <= 2 && header[1..4] == [0, 0, 0], "not a frame header: {header:?}");
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        assert!(rest.len() >= length, "a frame of {length} bytes was cut off");
        pieces.push((header[0], rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    pieces
}

impl crate::Response {
    /// The body as frames of Docker's multiplexed stream: (1 stdout, 2 stderr; payload).
    #[track_caller]
    pub fn frames(&self) -> Vec<(u8, Vec<u8>)> {
        unframe(&self.body)
    }
}
