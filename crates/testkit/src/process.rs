//! Running commands with a deadline, and looking at processes through `/proc`.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use nix::{sys::signal::Signal, unistd::Pid};

/// How long any command may take before the test fails.
pub const TIMEOUT: Duration = Duration::from_secs(90);

/// What a finished command said.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// Exit code; 128 + signal where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Panics unless the exit code was `code`.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Output {
        assert_eq!(self.code, code, "`{}`\nstdout: {}\nstderr: {}", self.command, self.stdout, self.stderr);
        self
    }

    /// Standard output of a command that succeeded, without the newline at its end.
    #[track_caller]
    pub fn ok(self) -> String {
        self.expect_code(0).stdout.trim_end_matches('\n').to_owned()
    }

    /// Panics unless standard error contains `needle`.
    #[track_caller]
    pub fn stderr_has(self, needle: &str) -> Output {
        assert!(self.stderr.contains(needle), "`{}`: no {needle:?} in stderr: {}", self.command, self.stderr);
        self
    }
}

/// Runs a command to its end, feeding it `input`; panics where it takes longer than [`TIMEOUT`].
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    let line = describe(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("`{line}` could not be run: {error}"));
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The command may end without reading its input: a broken pipe is its business.
    std::thread::spawn(move || drop(stdin.write_all(&input)));
    let code = wait_child(&mut child, TIMEOUT).unwrap_or_else(|| {
        child.kill().ok();
        child.wait().ok();
        panic!("`{line}` did not end within {TIMEOUT:?}")
    });
    let text = |receiver: Receiver<Vec<u8>>| {
        let bytes = receiver.recv_timeout(Duration::from_secs(10)).expect("output of an ended command");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Output { command: line, code, stdout: text(stdout), stderr: text(stderr) }
}

/// Runs a program with arguments and no input.
#[track_caller]
pub fn sh<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Output {
    run(Command::new(program).args(args), b"")
}

fn describe(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

fn collect(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).ok();
        sender.send(bytes).ok();
    });
    receiver
}

/// The exit code of a child that ends within `timeout`.
pub fn wait_child(child: &mut Child, timeout: Duration) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    crate::until(timeout, || child.try_wait().expect("wait for a child"))
        .map(|status| status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

/// A command that is left running while the test watches what it prints.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Receiver<Vec<u8>>,
}

impl Running {
    /// Starts it; standard output is read line by line from now on.
    pub fn spawn(command: &mut Command) -> Running {
        let line = describe(command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`{line}` could not be run: {error}"));
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stderr = collect(child.stderr.take().unwrap());
        let stdin = child.stdin.take();
        Running { line, child, stdin, lines, stderr }
    }

    /// The next line it prints, within ten seconds; `None` once it closed its output.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(Duration::from_secs(10)) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("`{}` printed nothing for 10 s", self.line),
        }
    }

    /// Panics if it prints anything within `time`.
    #[track_caller]
    pub fn stays_silent(&mut self, time: Duration) {
        if let Ok(line) = self.lines.recv_timeout(time) {
            panic!("`{}` was expected to wait, but printed {line:?}", self.line);
        }
    }

    /// Every line until it ends, and its exit code.
    #[track_caller]
    pub fn finish(mut self) -> (Vec<String>, i32) {
        drop(self.stdin.take());
        let deadline = Instant::now() + TIMEOUT;
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("`{}` did not end; so far: {lines:?}", self.line),
            }
        }
        match wait_child(&mut self.child, Duration::from_secs(10)) {
            Some(code) => (lines, code),
            None => panic!("`{}` closed its output but did not end", self.line),
        }
    }

    /// Writes to its standard input.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().expect("stdin is open").write_all(bytes).expect("write to stdin");
    }

    /// What it wrote to standard error; waits for its end.
    pub fn stderr(&mut self) -> String {
        let bytes = self.stderr.recv_timeout(TIMEOUT).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).expect("signal a running command");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Start time of a process (`/proc/PID/stat`, field 22), `None` where there is none or it is a zombie.
pub fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    fields.get(19)?.parse().ok()
}

/// True while the process exists and is not a zombie.
pub fn alive(pid: i32) -> bool {
    start_time(pid).is_some()
}

/// The parent of a process.
pub fn parent(pid: i32) -> i32 {
    status_field(pid, "PPid").parse().expect("PPid is a number")
}

/// One value of `/proc/PID/status`, its columns separated by single spaces.
#[track_caller]
pub fn status_field(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_else(|error| panic!("status of process {pid}: {error}"));
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = line.unwrap_or_else(|| panic!("no {name} in the status of {pid}"));
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `kind:[inode]` of a process's namespace.
#[track_caller]
pub fn namespace(pid: &str, kind: &str) -> String {
    fs::read_link(format!("/proc/{pid}/ns/{kind}"))
        .unwrap_or_else(|error| panic!("{kind} namespace of {pid}: {error}"))
        .to_string_lossy()
        .into_owned()
}

/// The kinds of namespaces a process is in, as `lsns` on the host lists them.
#[track_caller]
pub fn lsns(pid: &str) -> Vec<String> {
    // It looks at every process of the host, and gives up when one of them ends under its eyes.
    crate::eventually("lsns succeeds", || {
        let listed = sh("lsns", &["-n", "-o", "TYPE", "-p", pid]);
        (listed.code == 0).then(|| listed.stdout.split_whitespace().map(str::to_owned).collect())
    })
}

/// PIDs of every process whose arguments contain `needle`.
pub fn with_argument(needle: &str) -> Vec<i32> {
    let own = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("read /proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(cmdline) = fs::read(entry.path().join("cmdline")) else { continue };
        if u32::try_from(pid) != Ok(own) && String::from_utf8_lossy(&cmdline).contains(needle) {
            found.push(pid);
        }
    }
    found
}

/// SIGKILLs exactly the process that has this PID and start time, and waits until it is gone.
pub fn kill_exactly(pid: i32, started: u64) {
    if pid > 1 && start_time(pid) == Some(started) {
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        crate::until(Duration::from_secs(5), || (start_time(pid) != Some(started)).then_some(()));
    }
}
