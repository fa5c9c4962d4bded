//! The resident process: one poll loop over the control connections, child ends, the container's streams and
//! attached clients.
//!
//! ```text
//! Building ──Ready──▶ Created ──Start──▶ Starting ──executed──▶ Running ──init ends──▶ (exit recorded, end)
//!     └───────────────────┴──────────────────┴──failure──▶ (undone, end)
//! ```
//! It lives as long as the container and there is one per container, so it keeps its memory small: nothing is
//! parsed here but small messages, and buffers that grew are given back.

mod attach;
mod building;
mod control;
mod ending;
mod log;
mod streams;

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use berth_linux::process::PidFd;
use berth_shim_proto::{Call, Event, Message, Reply, Request, State};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{WaitOptions, WaitStatus};

use crate::args::Args;
use crate::report::{Failure, Plan};
use attach::Client;
use control::Connection;
use log::{Log, Stream};
use streams::Streams;

/// What the resident process starts with.
#[derive(Debug)]
pub struct Inheritance {
    /// The command line.
    pub args: Args,
    /// The connection to the daemon that started the shim.
    pub control: OwnedFd,
    /// Reports of the builder and its helpers.
    pub setup: OwnedFd,
    /// Reports of the container's init.
    pub init: OwnedFd,
    /// A byte written here lets the init execute the program.
    pub gate: OwnedFd,
    /// Readable while a child has ended.
    pub children: OwnedFd,
    /// Host PID of the builder.
    pub builder: i32,
    /// Our ends of the container's standard streams.
    pub stdin: OwnedFd,
    /// Likewise.
    pub stdout: OwnedFd,
    /// Likewise.
    pub stderr: OwnedFd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Building,
    Created,
    Starting,
    Running,
}

/// The container's init.
#[derive(Debug)]
struct Init {
    pid: i32,
    start_time: u64,
    handle: PidFd,
}

#[derive(Debug)]
struct Resident {
    args: Args,
    phase: Phase,
    plan: Option<Plan>,
    /// Channels of reports, until every sender is gone.
    setup: Option<OwnedFd>,
    init_reports: Option<OwnedFd>,
    gate: Option<OwnedFd>,
    children: OwnedFd,
    builder: Option<i32>,
    init: Option<Init>,
    /// Children that ended before the init was known by its PID.
    ended_early: Vec<(i32, WaitStatus)>,
    ended: Option<WaitStatus>,
    executing: bool,
    warnings: Vec<String>,
    failure: Option<Failure>,
    streams: Streams,
    log: Option<Log>,
    /// Keeps the root filesystem mounted until the end: taking the last reference to it away syncs the
    /// filesystem below, which must not delay the news of the exit.
    root: Option<OwnedFd>,
    listener: Option<UnixListener>,
    connections: Vec<Connection>,
    clients: Vec<Client>,
}

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
enum Token {
    Children,
    Reports,
    Listener,
    Connection(usize),
    Client(usize),
    Output(Stream),
    Input,
}

/// Runs the loop to its end and returns the exit code of the shim.
pub fn run(inheritance: Inheritance) -> i32 {
    let i = inheritance;
    let mut resident = Resident {
        args: i.args,
        phase: Phase::Building,
        plan: None,
        setup: Some(i.setup),
        init_reports: Some(i.init),
        gate: Some(i.gate),
        children: i.children,
        builder: Some(i.builder),
        init: None,
        ended_early: Vec::new(),
        ended: None,
        executing: false,
        warnings: Vec::new(),
        failure: None,
        streams: Streams::pipes(i.stdin, i.stdout, i.stderr),
        log: None,
        root: None,
        listener: None,
        connections: vec![Connection::first(i.control)],
        clients: Vec::new(),
    };
    loop {
        let ready = resident.wait();
        for (token, flags) in ready {
            resident.handle(token, flags);
        }
        resident.connections.retain(|connection| !connection.is_closed());
        resident.drop_clients();
        match (resident.phase, &resident.ended, resident.failure.take()) {
            (Phase::Running, Some(status), _) => {
                let status = *status;
                return resident.finish(status);
            }
            (Phase::Running, None, _) => {}
            (_, _, Some(failure)) => return resident.give_up(failure),
            (_, _, None) => {}
        }
    }
}

impl Resident {
    /// Waits until something can be done, and says what.
    fn wait(&mut self) -> Vec<(Token, PollFlags)> {
        let now = Instant::now();
        let deadline = self.deadline(now);
        let timeout = deadline.map(|at| {
            let left = at.saturating_duration_since(now);
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
        });
        let mut set: Vec<(Token, BorrowedFd<'_>, PollFlags)> = Vec::with_capacity(8);
        set.push((Token::Children, self.children.as_fd(), PollFlags::IN));
        for channel in [&self.setup, &self.init_reports].into_iter().flatten() {
            set.push((Token::Reports, channel.as_fd(), PollFlags::IN));
        }
        let building = self.phase == Phase::Building;
        if let Some(listener) = self.listener.as_ref().filter(|_| !building) {
            set.push((Token::Listener, listener.as_fd(), PollFlags::IN));
        }
        for (index, connection) in self.connections.iter().enumerate() {
            set.push((Token::Connection(index), connection.as_fd(), connection.interest(building)));
        }
        let room = self.streams.has_room();
        for (index, client) in self.clients.iter().enumerate() {
            if let Some(interest) = client.interest(room) {
                set.push((Token::Client(index), client.as_fd(), interest));
            }
        }
        // A client that lags behind slows the container down instead of losing its output.
        if self.clients.iter().all(Client::keeps_up) {
            for (stream, fd) in self.streams.readable(now) {
                set.push((Token::Output(stream), fd, PollFlags::IN));
            }
        }
        if let Some(fd) = self.streams.writable() {
            set.push((Token::Input, fd, PollFlags::OUT));
        }
        let mut fds: Vec<PollFd<'_>> =
            set.iter().map(|(_, fd, interest)| PollFd::from_borrowed_fd(*fd, *interest)).collect();
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                // Out of kernel memory, at worst: nothing to do but try again, and not in a tight loop.
                eprintln!("poll: {error}");
                std::thread::sleep(Duration::from_millis(50));
                return Vec::new();
            }
        }
        set.iter()
            .zip(&fds)
            .map(|((token, ..), fd)| (*token, fd.revents()))
            .filter(|(_, flags)| !flags.is_empty())
            .collect()
    }

    /// When to wake up even if nothing happens.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let stalled = self.clients.iter().filter_map(Client::gives_up_at);
        stalled.chain(self.streams.resumes_at(now)).min()
    }

    fn handle(&mut self, token: Token, flags: PollFlags) {
        match token {
            Token::Children => self.reap(),
            Token::Reports => self.read_reports(),
            Token::Listener => self.accept(),
            Token::Connection(index) => self.serve(index, flags),
            Token::Client(index) => self.serve_client(index, flags),
            Token::Output(stream) => {
                self.read_output(stream);
            }
            Token::Input => self.streams.write_pending(),
        }
    }

    /// Collects children that ended. All of them are ours: what the builder made, the init, and in a container
    /// without a PID namespace of its own every orphan.
    fn reap(&mut self) {
        // Clears the notification; the statuses are read below, as one may stand for several children.
        let mut buffer = [0; 512];
        while rustix::io::read(&self.children, &mut buffer).is_ok_and(|len| len > 0) {}
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get();
            if self.init.as_ref().is_some_and(|init| init.pid == pid) {
                self.ended = Some(status);
            } else if self.builder == Some(pid) {
                self.builder = None;
            } else if self.init.is_none() {
                self.ended_early.push((pid, status));
            }
        }
        if self.phase != Phase::Running {
            self.check_building();
        }
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        while let Ok((stream, _)) = listener.accept() {
            self.connections.push(Connection::new(stream.into()));
        }
    }

    /// Serves a control connection.
    fn serve(&mut self, index: usize, flags: PollFlags) {
        let building = self.phase == Phase::Building;
        let Some(connection) = self.connections.get_mut(index) else { return };
        connection.progress(flags, building);
        if connection.is_closed()
            && connection.is_first()
            && matches!(self.phase, Phase::Building | Phase::Created)
        {
            let failure =
                Failure::new("wait for the daemon", "it went away before the container was started");
            self.failure.get_or_insert(failure);
        }
        loop {
            let Some(connection) = self.connections.get_mut(index) else { return };
            let Some(call) = connection.next_call() else { return };
            let Call { seq, request } = call;
            if let Request::Attach(attach) = request {
                if self.phase != Phase::Building {
                    let mut connection = self.connections.remove(index);
                    connection.send(&Message::Reply { seq, reply: Reply::Done });
                    self.clients.push(connection.into_client(attach));
                    // The connections behind it have moved up: their turn comes with the next poll.
                    let leftover = self.clients.len() - 1;
                    self.serve_client(leftover, PollFlags::empty());
                    return;
                }
                connection
                    .send(&Message::Reply { seq, reply: control::refusal("attach", "not created yet") });
                continue;
            }
            if let Some(reply) = self.perform(request)
                && let Some(connection) = self.connections.get_mut(index)
            {
                connection.send(&Message::Reply { seq, reply });
            }
        }
    }

    /// Carries a request out. `None`: an event will be the answer.
    fn perform(&mut self, request: Request) -> Option<Reply> {
        Some(match request {
            Request::Launch(_) => control::refusal("launch", "the container was launched already"),
            Request::Start => return self.start(),
            Request::Kill { signal } => match &self.init {
                Some(init) => control::outcome("kill", init.handle.signal(signal)),
                None => control::refusal("kill", "not created yet"),
            },
            Request::KillAll => self.kill_all(),
            Request::Resize { height, width } => match self.streams.resize(height, width) {
                Ok(()) => Reply::Done,
                Err(error) => control::failed("resize", &error),
            },
            Request::CloseStdin => {
                self.streams.close_input();
                Reply::Done
            }
            Request::State => Reply::State(State {
                pid: self.init.as_ref().map(|init| init.pid),
                started: self.phase == Phase::Running,
                exit: None,
            }),
            _ => Reply::Unsupported,
        })
    }

    /// Lets the init execute the program.
    fn start(&mut self) -> Option<Reply> {
        if self.phase != Phase::Created {
            return Some(control::refusal("start", "the container was started already"));
        }
        // The init may have died: then its end is what gets reported.
        if let Some(gate) = self.gate.take() {
            let _ = rustix::io::write(gate, b"s");
        }
        self.phase = Phase::Starting;
        None
    }

    /// Signals everything in the container once; those that fork meanwhile go down with the init.
    fn kill_all(&mut self) -> Reply {
        let mut result = match &self.init {
            Some(init) => init.handle.signal(9).map(drop),
            None => Ok(()),
        };
        for (path, _) in self.plan.iter().flat_map(|plan| &plan.cgroups) {
            result = result.and(berth_linux::cgroup::kill_once(path).map(drop));
        }
        control::outcome("kill all", result.map(|()| true))
    }

    /// Tells every daemon that listens.
    fn announce(&mut self, event: &Event) {
        for connection in &mut self.connections {
            connection.send(&Message::Event { event: event.clone() });
        }
    }

    /// Reads output once and hands it to the log and the clients. Says whether more may follow at once.
    fn read_output(&mut self, stream: Stream) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 32 << 10];
        let bytes = match self.streams.read(stream, &mut buffer) {
            streams::Taken::Bytes(bytes) => bytes,
            streams::Taken::Nothing => return false,
            streams::Taken::End => {
                if let Some(log) = &mut self.log {
                    log.end(stream);
                }
                return false;
            }
        };
        if let Some(log) = &mut self.log {
            log.write(stream, bytes);
        }
        for client in &mut self.clients {
            client.output(stream, bytes);
        }
        true
    }

    /// Serves an attached client.
    fn serve_client(&mut self, index: usize, flags: PollFlags) {
        let Some(client) = self.clients.get_mut(index) else { return };
        client.flush();
        let mut input = VecDeque::new();
        let ended = client.read(flags, &mut input, self.streams.room());
        if client.sends_input() {
            self.streams.input(input);
        }
        let last = ended
            && self.clients.get(index).is_some_and(Client::closes_input)
            && !self.clients.iter().any(Client::may_still_send);
        if last {
            self.streams.close_input();
        }
    }

    fn drop_clients(&mut self) {
        let now = Instant::now();
        self.clients.retain(|client| !client.is_done(now));
    }
}
