//! Reading a container's log (`GET /containers/{id}/logs`).

use std::sync::Arc;
use std::time::Duration;

use berth_api_types::time::now_ns;
use tokio::sync::{mpsc, watch};

use super::log_file::LogFile;
use super::log_watch::Interest;
use super::record::Record;
use super::registry::Container;
use crate::blocking::blocking;
use crate::engine::Inner;
use crate::{Caller, Engine, Error, LogRecord, LogStream, Result, StdStream};

/// Which records to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogOptions {
    /// Those of standard output.
    pub stdout: bool,
    /// Those of standard error.
    pub stderr: bool,
    /// Go on with what is written from now on, until the container ends.
    pub follow: bool,
    /// Only the last so many.
    pub tail: Option<u64>,
    /// Only from this time on, nanoseconds since the epoch.
    pub since_ns: Option<i64>,
    /// Only up to this time.
    pub until_ns: Option<i64>,
}

impl Engine {
    /// Opens a container's log.
    pub async fn container_logs(
        &self,
        _caller: &Caller,
        name: &str,
        options: LogOptions,
    ) -> Result<LogStream> {
        let container = self.0.containers.resolve(name)?;
        if !options.stdout && !options.stderr {
            return Err(Error::Invalid("Bad parameters: you must choose at least one stream".into()));
        }
        let record = container.record();
        if record.definition.host_config.log_config.r#type == "none" {
            return Err(Error::NotImplemented("configured logging driver does not support reading".into()));
        }
        let directory = self.0.config.bundle(&container.id);
        let path = directory.join(format!("{}-json.log", container.id));
        // Interest before the first read: what is written in between wakes us.
        let interest = if options.follow && record.is_running() {
            Some(self.0.log_watch.follow(&directory).map_err(Error::file("watching", &directory))?)
        } else {
            None
        };
        let file = blocking("opening the log", move || {
            LogFile::open(&path, options.tail).map_err(Error::file("opening", &path))
        })
        .await?;
        let (sender, records) = mpsc::channel(256);
        let reader = Reader { options, file, state: container.watch(), _container: container, sender };
        tokio::spawn(reader.run(interest, self.0.clone()));
        Ok(LogStream { tty: record.definition.config.tty, records })
    }
}

struct Reader {
    options: LogOptions,
    file: LogFile,
    state: watch::Receiver<Arc<Record>>,
    /// Keeps the sender of `state` alive.
    _container: Arc<Container>,
    sender: mpsc::Sender<Result<LogRecord>>,
}

impl Reader {
    async fn run(mut self, mut interest: Option<Interest>, engine: Arc<Inner>) {
        let mut shutdown = engine.shutting_down();
        loop {
            // Looked up before reading: the shim writes everything before the end is announced, so a read
            // that begins after the end sees all there is.
            let running = self.state.borrow_and_update().is_running();
            if !self.read_all().await {
                return;
            }
            let Some(interest) = interest.as_mut().filter(|_| running) else { return };
            let until = self.options.until_ns.map_or(Duration::MAX, |until| {
                Duration::from_nanos(u64::try_from(until.saturating_sub(now_ns())).unwrap_or(0))
            });
            tokio::select! {
                () = interest.changed() => {}
                _ = self.state.changed() => {}
                () = self.sender.closed() => return,
                _ = shutdown.wait_for(|down| *down) => return,
                () = sleep(until) => return,
            }
        }
    }

    /// Sends everything up to the present end of the log. False if there is no point in going on.
    async fn read_all(&mut self) -> bool {
        loop {
            let mut file = std::mem::take(&mut self.file);
            let read = blocking("reading the log", move || {
                let mut batch = Vec::new();
                let more = file.read(&mut batch);
                Ok::<_, Error>((file, batch, more))
            })
            .await;
            let (batch, more) = match read {
                Ok((file, batch, more)) => {
                    self.file = file;
                    (batch, more)
                }
                Err(error) => {
                    let _ = self.sender.send(Err(error)).await;
                    return false;
                }
            };
            for record in batch {
                if self.options.until_ns.is_some_and(|until| record.time_ns > until) {
                    return false;
                }
                if self.wanted(&record) && self.sender.send(Ok(record)).await.is_err() {
                    return false;
                }
            }
            match more {
                Ok(true) => {}
                Ok(false) => return true,
                Err(source) => {
                    let error = Error::Host { action: "reading the log".into(), source };
                    let _ = self.sender.send(Err(error)).await;
                    return false;
                }
            }
        }
    }

    fn wanted(&self, record: &LogRecord) -> bool {
        let stream = match record.stream {
            StdStream::Stdout => self.options.stdout,
            StdStream::Stderr => self.options.stderr,
        };
        stream && self.options.since_ns.is_none_or(|since| record.time_ns >= since)
    }
}

/// `Duration::MAX` is beyond what the timer takes.
async fn sleep(duration: Duration) {
    if duration == Duration::MAX {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(duration).await;
}
