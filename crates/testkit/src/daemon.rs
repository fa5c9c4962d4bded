//! A daemon to test against: a private `berthd`, or the reference.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use nix::{sys::signal::Signal, unistd::Pid};

use crate::{
    Client, Output,
    home::{Home, random_name},
    openapi::Document,
    process::{self, Running},
    until,
};

const REFERENCE: &str = "BERTH_E2E_REFERENCE";

/// A running daemon. Dropping it removes everything it made, also when the test fails.
#[derive(Debug)]
pub struct Daemon {
    /// Talks to it; checks answers against the OpenAPI document when it is Berth.
    pub client: Client,
    home: Home,
    arguments: Vec<String>,
    child: Option<Child>,
    reference: bool,
    token: String,
}

/// How a private daemon is to be started.
#[derive(Debug, Default)]
pub struct Builder {
    arguments: Vec<String>,
    bare: bool,
}

impl Builder {
    /// One more command line argument for `berthd`.
    pub fn argument(mut self, argument: &str) -> Builder {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Leaves [`IMAGE`](crate::IMAGE) out.
    pub fn without_image(mut self) -> Builder {
        self.bare = true;
        self
    }

    /// Starts a private `berthd`; panics in reference mode.
    #[track_caller]
    pub fn berth(self) -> Daemon {
        assert!(
            std::env::var_os(REFERENCE).is_none(),
            "this test is about Berth itself; run the reference with `--profile reference`, which leaves it out"
        );
        let home = Home::create();
        let document = Arc::new(Document::load(&workspace().join("api/openapi.json")));
        let client = Client::validating(&home.socket(), document);
        let token = home.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let arguments = self.arguments;
        let mut daemon = Daemon { client, home, arguments, child: None, reference: false, token };
        daemon.launch();
        if !self.bare {
            daemon.provide_image();
        }
        daemon
    }
}

impl Daemon {
    /// The daemon under test: a private Berth, or the reference where `BERTH_E2E_REFERENCE` names one.
    #[track_caller]
    pub fn start() -> Daemon {
        let Ok(url) = std::env::var(REFERENCE) else { return Builder::default().berth() };
        let socket = url.strip_prefix("unix://").unwrap_or_else(|| panic!("{REFERENCE} must be unix://…"));
        let daemon = Daemon {
            client: Client::new(Path::new(socket)),
            home: Home::create(),
            arguments: Vec::new(),
            child: None,
            reference: true,
            token: random_name(),
        };
        assert!(daemon.client.answers(), "the reference at {url} does not answer");
        daemon.provide_image();
        daemon
    }

    /// A private `berthd` with the test image; panics in reference mode.
    #[track_caller]
    pub fn berth() -> Daemon {
        Builder::default().berth()
    }

    /// Settings for a private `berthd`.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// True when this is the reference.
    pub fn is_reference(&self) -> bool {
        self.reference
    }

    /// A container name that no other test uses.
    pub fn name(&self, name: &str) -> String {
        format!("e{}-{name}", self.token)
    }

    /// The directories of the private daemon.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// PID of the private daemon.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        self.child.as_ref().expect("the daemon was started").id().try_into().expect("PIDs fit")
    }

    /// What `berthd` printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.log()).unwrap_or_default()
    }

    /// `berthd` with this daemon's roots and socket, not yet started.
    pub fn command(&self) -> Command {
        let mut command = Command::new(binary("berthd"));
        command
            .arg("--data-root")
            .arg(self.home.data())
            .arg("--exec-root")
            .arg(self.home.exec())
            .arg("-H")
            .arg(format!("unix://{}", self.home.socket().display()))
            .args(&self.arguments);
        command
    }

    /// Starts the daemon (again) and waits until it answers.
    #[track_caller]
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "the daemon already runs");
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.home.log()).expect("open the log");
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("duplicate the log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run `make build`", binary("berthd").display()));
        let pid = i32::try_from(child.id()).expect("PIDs fit");
        let child = self.child.insert(child);
        if let Some(started) = process::start_time(pid) {
            fs::write(self.home.daemon_note(), format!("{pid} {started}")).expect("note the daemon");
        }
        let client = &self.client;
        let ready = until(Duration::from_secs(20), || {
            if let Some(status) = child.try_wait().expect("wait for berthd") {
                return Some(Err(status));
            }
            client.answers().then_some(Ok(()))
        });
        match ready {
            Some(Ok(())) => {}
            Some(Err(status)) => panic!("berthd ended with {status} instead of starting:\n{}", self.log()),
            None => panic!("berthd did not answer within 20 s:\n{}", self.log()),
        }
    }

    /// Kills the daemon without a warning. Its containers go on.
    #[track_caller]
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("the daemon runs");
        child.kill().expect("kill berthd");
        child.wait().expect("wait for berthd");
    }

    /// Asks the daemon to stop (SIGTERM) and returns its exit code. Its containers go on.
    #[track_caller]
    pub fn stop(&mut self) -> i32 {
        let mut child = self.child.take().expect("the daemon runs");
        let pid = Pid::from_raw(child.id().try_into().expect("PIDs fit"));
        nix::sys::signal::kill(pid, Signal::SIGTERM).expect("signal berthd");
        match process::wait_child(&mut child, Duration::from_secs(15)) {
            Some(code) => code,
            None => {
                child.kill().ok();
                child.wait().ok();
                panic!("berthd did not stop within 15 s of SIGTERM:\n{}", self.log())
            }
        }
    }

    /// [`stop`](Daemon::stop), then [`launch`](Daemon::launch).
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.launch();
    }

    fn client_command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let host = format!("unix://{}", self.client.socket().display());
        for name in ["DOCKER_CONTEXT", "DOCKER_API_VERSION", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] {
            command.env_remove(name);
        }
        command
            .env("DOCKER_HOST", &host)
            .env("BERTH_HOST", &host)
            .env("DOCKER_CONFIG", self.home.docker_config())
            .env("DOCKER_CLI_HINTS", "false")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC");
        command
    }

    /// Runs the real `docker` command against this daemon.
    #[track_caller]
    pub fn docker(&self, arguments: &[&str]) -> Output {
        self.docker_with_input(arguments, b"")
    }

    /// The same with something on its standard input.
    #[track_caller]
    pub fn docker_with_input(&self, arguments: &[&str], input: &[u8]) -> Output {
        process::run(self.client_command(Path::new("docker")).args(arguments), input)
    }

    /// Starts the real `docker` command and leaves it running.
    #[track_caller]
    pub fn docker_spawn(&self, arguments: &[&str]) -> Running {
        Running::spawn(self.client_command(Path::new("docker")).args(arguments))
    }

    /// Runs Berth's own client against this daemon.
    #[track_caller]
    pub fn berth_cli(&self, arguments: &[&str]) -> Output {
        process::run(self.client_command(&binary("berth")).args(arguments), b"")
    }

    /// Starts Berth's own client and leaves it running.
    #[track_caller]
    pub fn berth_spawn(&self, arguments: &[&str]) -> Running {
        Running::spawn(self.client_command(&binary("berth")).args(arguments))
    }

    /// Any program, with `DOCKER_HOST` and the rest set for this daemon.
    pub fn environment_for(&self, program: &Path) -> Command {
        self.client_command(program)
    }

    fn remove_containers(&self) {
        let Ok(list) = serde_json::from_slice::<Vec<serde_json::Value>>(
            &Client::new(self.client.socket()).get("/containers/json?all=1").body,
        ) else {
            return;
        };
        for container in list {
            let names = container["Names"].as_array().cloned().unwrap_or_default();
            let ours = names.iter().any(|name| name.as_str().unwrap_or("").contains(&self.token));
            if ours || !self.reference {
                let id = container["Id"].as_str().unwrap_or("");
                Client::new(self.client.socket()).delete(&format!("/containers/{id}?force=1&v=1"));
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if self.client.answers() {
            // A daemon that breaks while it is cleaned up must not hide the failure that came first.
            let client = std::panic::AssertUnwindSafe(|| self.remove_containers());
            if std::panic::catch_unwind(client).is_err() {
                eprintln!("removing the containers of the test failed");
            }
        }
        if let Some(mut child) = self.child.take() {
            let pid = Pid::from_raw(child.id().try_into().unwrap_or(i32::MAX));
            nix::sys::signal::kill(pid, Signal::SIGTERM).ok();
            if process::wait_child(&mut child, Duration::from_secs(10)).is_none() {
                child.kill().ok();
                child.wait().ok();
            }
        }
        if failed && !self.reference {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("--- the end of berthd's log");
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
        for problem in self.home.destroy() {
            eprintln!("cleaning up: {problem}");
        }
    }
}

/// The checkout this was built from.
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).expect("crates/testkit is two levels down").to_owned()
}

/// One of Berth's binaries: in `BERTH_BIN_DIR`, by default `target/release`.
pub fn binary(name: &str) -> PathBuf {
    match std::env::var_os("BERTH_BIN_DIR") {
        Some(dir) => PathBuf::from(dir).join(name),
        None => workspace().join("target/release").join(name),
    }
}

/// What `make deps` prepared for the tests: a Python environment and a Debian root file system.
pub fn cache() -> PathBuf {
    std::env::var_os("BERTH_TEST_CACHE").map_or_else(|| PathBuf::from("/var/cache/berth-e2e"), PathBuf::from)
}
