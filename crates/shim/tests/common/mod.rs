//! Drives the real shim over a socket, with a busybox image laid out as the layer store has it.
//!
//! These tests need root: without it they fail, they are never skipped.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, and its helpers with it"
)]

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio as ProcessStdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use berth_linux::cgroup::Hierarchies;
use berth_shim_proto::frame;
use berth_shim_proto::{
    Attach, Call, Cgroup, Event, Exit, Hello, Launch, Log, Message, Reply, Request, Rootfs, Stdio,
};
use serde_json::{Value, json};

/// First host ID of the test containers.
pub const HOST_ROOT: u32 = 2_000_000;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A store with one busybox layer, and everything one container needs. Removed on drop, with its cgroups.
pub struct Fixture {
    pub dir: tempfile::TempDir,
    pub id: String,
    pub config: Value,
    pub launch: Launch,
    pub parent: String,
    pub hierarchies: Hierarchies,
}

impl Fixture {
    /// A container that runs `args`.
    pub fn new(args: &[&str]) -> Fixture {
        assert!(rustix::process::geteuid().is_root(), "these tests need root");
        let dir = tempfile::tempdir().unwrap();
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:08x}{:056x}", std::process::id(), number);
        let base = dir.path();
        for name in ["store/layers/base", "store/containers/c/u", "store/containers/c/w", "bundle", "run"] {
            fs::create_dir_all(base.join(name)).unwrap();
        }
        image(&base.join("store/layers/base"));
        let parent = format!("berth-shim-test-{}-{number}", std::process::id());
        let hierarchies = Hierarchies::detect().unwrap();
        hierarchies.create_parent(&parent).unwrap();
        let cgroups = hierarchies
            .for_containers()
            .map(|h| Cgroup { path: h.dir(&parent).join(&id), v2: h.v2, settings: Vec::new() })
            .collect();
        let launch = Launch {
            id: id.clone(),
            rootfs: Rootfs {
                store: base.join("store"),
                layers: "layers".into(),
                lowers: vec!["base".into()],
                upper: "../containers/c/u".into(),
                work: "../containers/c/w".into(),
                readonly: false,
            },
            user: String::new(),
            additional_groups: Vec::new(),
            seccomp: None,
            stdio: Stdio::default(),
            log: Log::JsonFile { path: base.join("log"), max_size: None, max_file: 1, attrs: None },
            cgroups,
        };
        Fixture { id, config: config(args), launch, parent, hierarchies, dir }
    }

    /// A path in the fixture's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The upper directory: what the container has written.
    pub fn upper(&self) -> PathBuf {
        self.path("store/containers/c/u")
    }

    /// The image.
    pub fn image(&self) -> PathBuf {
        self.path("store/layers/base")
    }

    /// Adds a mount to the specification.
    pub fn add_mount(&mut self, mount: Value) {
        self.config["mounts"].as_array_mut().unwrap().push(mount);
    }

    /// Takes a namespace out of the specification.
    pub fn remove_namespace(&mut self, kind: &str) {
        self.config["linux"]["namespaces"].as_array_mut().unwrap().retain(|one| one["type"] != kind);
    }

    /// Joins a namespace instead of making a new one.
    pub fn join_namespace(&mut self, kind: &str, path: &str) {
        self.remove_namespace(kind);
        let list = self.config["linux"]["namespaces"].as_array_mut().unwrap();
        list.push(json!({ "type": kind, "path": path }));
    }

    /// Writes `setting` into the container's cgroup that has `controller`.
    pub fn limit(&mut self, controller: &str, file: &str, value: &str) {
        let dir = self.hierarchies.controller(controller).unwrap().dir(&self.parent).join(&self.id);
        let cgroup = self.launch.cgroups.iter_mut().find(|one| one.path == dir).unwrap();
        cgroup.settings.push((file.to_owned(), value.to_owned()));
    }

    /// Starts the shim and greets it.
    pub fn spawn(&self) -> Shim {
        // Another build of it (static, size-optimised) can be put through the same tests.
        let program = std::env::var_os("BERTH_TEST_SHIM").unwrap_or(env!("CARGO_BIN_EXE_berth-shim").into());
        self.spawn_program(program.as_ref())
    }

    /// As [`Fixture::start`], from a sealed copy of the program.
    pub fn start_sealed(&self) -> (Shim, i32) {
        let copy = berth_linux::sealed::copy(env!("CARGO_BIN_EXE_berth-shim")).unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&copy));
        self.start_with(self.spawn_program(path.as_ref()))
    }

    fn spawn_program(&self, program: &Path) -> Shim {
        fs::write(self.path("bundle/config.json"), self.config.to_string()).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let log = fs::File::create(self.path("run/shim.log")).unwrap();
        let child = Command::new(program)
            .args(["--id", &self.id, "--bundle"])
            .arg(self.path("bundle"))
            .arg("--run-dir")
            .arg(self.path("run"))
            .stdin(ProcessStdio::from(OwnedFd::from(theirs)))
            .stdout(ProcessStdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        frame::write(&ours, &Hello::OURS).unwrap();
        Shim { child, control: ours, run: self.path("run") }
    }

    /// Launches without starting.
    pub fn create(&self) -> (Shim, i32, Vec<String>) {
        let shim = self.spawn();
        shim.call(1, Request::Launch(Box::new(self.launch.clone())));
        shim.hello();
        match shim.event() {
            Event::Created { pid, warnings, .. } => (shim, pid, warnings),
            other => panic!("{other:?}; {}", shim.complaints()),
        }
    }

    /// Launches and starts, all requests at once.
    pub fn start(&self) -> (Shim, i32) {
        self.start_with(self.spawn())
    }

    fn start_with(&self, shim: Shim) -> (Shim, i32) {
        shim.call(1, Request::Launch(Box::new(self.launch.clone())));
        shim.call(2, Request::Start);
        shim.hello();
        let pid = match shim.event() {
            Event::Created { pid, .. } => pid,
            other => panic!("{other:?}; {}", shim.complaints()),
        };
        match shim.event() {
            Event::Started { .. } => (shim, pid),
            other => panic!("{other:?}; {}", shim.complaints()),
        }
    }

    /// Runs to the end and returns the exit, and the lines of the log as (stream, text).
    pub fn run(&self) -> (Exit, Vec<(String, String)>) {
        let (shim, _) = self.start();
        let exit = shim.wait();
        (exit, self.log())
    }

    /// Runs to the end and returns standard output; panics unless the exit code is 0.
    pub fn output(&self) -> String {
        let (exit, lines) = self.run();
        let text = |stream: &str| -> String {
            lines.iter().filter(|(s, _)| s == stream).map(|(_, text)| text.as_str()).collect()
        };
        assert_eq!(exit.code, 0, "stdout: {} stderr: {}", text("stdout"), text("stderr"));
        text("stdout")
    }

    /// Expects set-up to fail; returns phase, message and code.
    pub fn failure(&self) -> (String, String, i32) {
        let mut shim = self.spawn();
        shim.call(1, Request::Launch(Box::new(self.launch.clone())));
        // It may have failed and gone already.
        let _ = frame::write(&shim.control, &Call { seq: 2, request: Request::Start });
        shim.hello();
        loop {
            match shim.event() {
                Event::Created { .. } => {}
                Event::Failed { phase, message, code, .. } => {
                    shim.child.wait().unwrap();
                    self.assert_nothing_left();
                    return (phase, message, code);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Lines of the log as (stream, text).
    pub fn log(&self) -> Vec<(String, String)> {
        read_log(&self.path("log"))
    }

    /// Asserts that the container's cgroups are gone and nothing of it is mounted.
    pub fn assert_nothing_left(&self) {
        for cgroup in &self.launch.cgroups {
            assert!(!cgroup.path.exists(), "{:?}", cgroup.path);
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let base = self.dir.path().to_str().unwrap();
        assert!(!mounts.contains(base), "{mounts}");
        assert!(!mounts.contains(&self.id), "{mounts}");
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.hierarchies.remove_parent(&self.parent);
    }
}

/// A running shim.
pub struct Shim {
    pub child: Child,
    pub control: UnixStream,
    pub run: PathBuf,
}

impl Shim {
    pub fn call(&self, seq: u64, request: Request) {
        frame::write(&self.control, &Call { seq, request }).unwrap();
    }

    pub fn hello(&self) {
        let hello: Hello =
            frame::read(&self.control).unwrap_or_else(|e| panic!("{e}; {}", self.complaints()));
        assert_eq!(hello, Hello::OURS);
    }

    pub fn message(&self) -> Message {
        frame::read(&self.control).unwrap_or_else(|error| panic!("{error}; {}", self.complaints()))
    }

    pub fn event(&self) -> Event {
        match self.message() {
            Message::Event { event } => event,
            other => panic!("{other:?}"),
        }
    }

    /// Calls and returns the reply, passing over events.
    pub fn ask(&self, request: Request) -> Reply {
        self.call(99, request);
        loop {
            if let Message::Reply { seq, reply } = self.message() {
                assert_eq!(seq, 99);
                return reply;
            }
        }
    }

    /// Waits for the exit and the end of the shim.
    pub fn wait(mut self) -> Exit {
        let exit = match self.event() {
            Event::Exited(exit) => exit,
            other => panic!("{other:?}; {}", self.complaints()),
        };
        let record: Exit = serde_json::from_slice(&fs::read(self.run.join("exit.json")).unwrap()).unwrap();
        assert_eq!(record, exit);
        assert!(self.child.wait().unwrap().success());
        exit
    }

    /// What the shim wrote to its own log.
    pub fn complaints(&self) -> String {
        fs::read_to_string(self.run.join("shim.log")).unwrap_or_default()
    }

    /// A second connection, greeted.
    pub fn connect(&self) -> UnixStream {
        // The path may be too long for a socket name; a name through the directory is not.
        let dir = fs::File::open(&self.run).unwrap();
        let path = format!("/proc/self/fd/{}/shim.sock", std::os::fd::AsRawFd::as_raw_fd(&dir));
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        frame::write(&stream, &Hello::OURS).unwrap();
        let _: Hello = frame::read(&stream).unwrap();
        stream
    }

    /// An attached connection.
    pub fn attach(&self, attach: Attach) -> UnixStream {
        let stream = self.connect();
        frame::write(&stream, &Call { seq: 7, request: Request::Attach(attach) }).unwrap();
        let reply: Message = frame::read(&stream).unwrap();
        assert_eq!(reply, Message::Reply { seq: 7, reply: Reply::Done });
        stream
    }
}

/// Reads frames of an attach stream to its end; returns (stdout, stderr).
pub fn read_attached(mut stream: &UnixStream) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut head = [0; 8];
    while stream.read_exact(&mut head).is_ok() {
        let (number, len) = berth_shim_proto::attach::parse(head);
        let mut body = vec![0; len as usize];
        stream.read_exact(&mut body).unwrap();
        if number == berth_shim_proto::attach::STDERR { err.extend(body) } else { out.extend(body) }
    }
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

pub fn read_log(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            (value["stream"].as_str().unwrap().to_owned(), value["log"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// Waits until `done` says so.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Owner of a file as (user, group).
pub fn owner(path: impl AsRef<Path>) -> (u32, u32) {
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.uid(), meta.gid())
}

/// Sets the execute bits.
pub fn make_executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A busybox image.
pub fn image(layer: &Path) {
    for dir in ["bin", "etc", "proc", "sys", "dev", "tmp", "root"] {
        fs::create_dir_all(layer.join(dir)).unwrap();
    }
    fs::set_permissions(layer.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::copy("/usr/bin/busybox", layer.join("bin/busybox")).expect("busybox-static is installed");
    let list = Command::new("/usr/bin/busybox").arg("--list").output().unwrap();
    for name in String::from_utf8(list.stdout).unwrap().lines().filter(|name| *name != "busybox") {
        symlink("busybox", layer.join("bin").join(name)).unwrap();
    }
    fs::write(
        layer.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:Web:/home/web:/bin/sh\n",
    )
    .unwrap();
    fs::write(layer.join("etc/group"), "root:x:0:\nwww:x:1001:\nmedia:x:50:web\n").unwrap();
}

/// Docker's default capability set.
pub const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// A specification with Docker's defaults.
fn config(args: &[&str]) -> Value {
    let namespaces =
        ["user", "mount", "pid", "network", "ipc", "uts", "cgroup"].map(|kind| json!({ "type": kind }));
    let map = json!([{ "containerID": 0, "hostID": HOST_ROOT, "size": 65536 }]);
    json!({
        "ociVersion": "1.2.0",
        "hostname": "harbour",
        "process": {
            "args": args,
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "cwd": "/",
            "capabilities": {
                "bounding": CAPABILITIES, "effective": CAPABILITIES, "permitted": CAPABILITIES,
            },
            "oomScoreAdj": 0,
        },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
              "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] },
            { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
              "options": ["ro", "nosuid", "noexec", "nodev"] },
            { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"] },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
              "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"] },
        ],
        "linux": {
            "uidMappings": map, "gidMappings": map,
            "namespaces": namespaces,
            "maskedPaths": ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
                "/proc/interrupts", "/sys/devices/virtual/powercap"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })
}
