//! The end of a container: the last output, the record, the news.

use std::time::{Duration, Instant};

use berth_linux::cgroup;
use berth_shim_proto::{Event, Exit, files};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::WaitStatus;

use super::Resident;
use super::attach::Client;
use super::building::write_whole;
use super::log::Stream;
use crate::clock;

/// How long output of processes that outlived the container's init is read.
const DRAIN: Duration = Duration::from_secs(2);
/// How long the news and the last output wait for those who should take them.
const GOODBYE: Duration = Duration::from_secs(10);

impl Resident {
    /// Records and announces the exit. The shim's last act.
    ///
    /// The order is part of the protocol: the output is in the log and the record on disk before anybody is
    /// told.
    pub(super) fn finish(mut self, status: WaitStatus) -> i32 {
        let at_ns = clock::now();
        let own_pids = self.plan.as_ref().is_some_and(|plan| plan.own_pids);
        if !own_pids {
            // They would hold the pipes open, and nobody else ends them.
            for (path, _) in self.plan.iter().flat_map(|plan| &plan.cgroups) {
                if let Err(error) = cgroup::kill_all(path) {
                    eprintln!("{error}");
                }
            }
        }
        self.drain();
        let signal = status.terminating_signal();
        let code = match (signal, status.exit_status()) {
            (Some(signal), _) => 128 + signal,
            (None, code) => code.unwrap_or(255),
        };
        let oom_killed = self
            .plan
            .iter()
            .flat_map(|plan| &plan.cgroups)
            .any(|(path, v2)| cgroup::oom_kills(path, *v2) > 0);
        self.remove_cgroups();
        let exit = Exit { code, signal, at_ns, oom_killed };
        let recorded = serde_json::to_vec(&exit)
            .map_err(std::io::Error::from)
            .and_then(|text| write_whole(files::EXIT, &text));
        if let Err(error) = recorded {
            eprintln!("write {}: {error}", files::EXIT);
        }
        self.announce(&Event::Exited(exit));
        self.say_goodbye();
        0
    }

    /// Reads output until its end, or until there is none at the moment: everybody who could write is dead.
    fn drain(&mut self) {
        let deadline = Instant::now() + DRAIN;
        let outputs: Vec<Stream> = self.streams.outputs().collect();
        for stream in outputs {
            while self.read_output(stream) && Instant::now() < deadline {}
            if let Some(log) = &mut self.log {
                log.end(stream);
            }
        }
    }

    /// Removes the container's cgroups, in spite of processes that somebody else put there.
    pub(super) fn remove_cgroups(&mut self) {
        for (path, _) in self.plan.iter().flat_map(|plan| &plan.cgroups) {
            if std::fs::remove_dir(path).is_ok() {
                continue;
            }
            if let Err(error) = cgroup::kill_all(path).and_then(|()| cgroup::remove(path)) {
                eprintln!("{error}");
            }
        }
    }

    /// Waits until the last words have been taken, but not for ever.
    pub(super) fn say_goodbye(&mut self) {
        let deadline = Instant::now() + GOODBYE;
        loop {
            self.connections.retain_mut(|connection| !connection.flush());
            for client in &mut self.clients {
                client.flush();
            }
            self.clients.retain(|client| !client.is_flushed());
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || (self.connections.is_empty() && self.clients.is_empty()) {
                return;
            }
            let out = PollFlags::OUT;
            let mut fds: Vec<PollFd<'_>> = self.connections.iter().map(|one| PollFd::new(one, out)).collect();
            fds.extend(self.clients.iter().map(|client: &Client| PollFd::new(client, out)));
            let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            let _ = rustix::event::poll(&mut fds, Some(&timeout));
        }
    }
}
