//! The writer task: the only code that changes the database.
//!
//! ```text
//!            queue empty                     at least one job
//!   ┌──── wait ◀────────────────────────────────────────────────────┐
//!   │       │ take all that waits                                   │
//!   │       ▼                                                       │
//!   │     begin ──fails──▶ every job gets the error ──▶ recover ────┤
//!   │       │ (synchronous set first, if the class changed)         │
//!   │       ▼                                                       │
//!   │  job, job, job   each in a savepoint, rolled back if it fails │
//!   │       ▼                                                       │
//!   │     commit ──fails─▶ every job gets the error ──▶ recover ────┤
//!   │       ▼                                                       │
//!   │  hooks, events, replies ──────────────────────────────────────┘
//!   ├─ idle after some commits ─▶ checkpoint ─▶ wait
//!   └─ closed ─▶ run what is left, checkpoint, close
//! ```
//!
//! Some errors (disk full, I/O) make SQLite end the whole transaction by itself. Then the savepoint is gone, the next
//! statement on it fails, and the batch is lost as a whole instead of continuing outside a transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sqlx::SqliteConnection;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::error::{Error, primary_code};
use crate::events::EventRow;
use crate::job::{Finished, Job};
use crate::open;
use crate::store::{Counters, Durability};
use crate::tx::Tx;

/// Jobs in one transaction at most, so that the first of them need not wait for a flood behind it.
const MAX_BATCH: usize = 256;

/// Commits after which the log is worth folding into the database file, and how long the queue must have been empty
/// for that: a checkpoint takes milliseconds, which are not to be a request's.
const CHECKPOINT_COMMITS: u64 = 64;
const CHECKPOINT_IDLE: Duration = Duration::from_millis(200);
/// A transaction that takes longer is worth a line in the log: a slow disk, or a job that waits for something.
const SLOW: Duration = Duration::from_secs(1);

const SQLITE_ERROR: i32 = 1;

/// What travels to the writer.
pub(crate) enum Message {
    /// Run this.
    Job(Durability, Box<dyn Job>),
    /// Run what is queued, close, say so.
    Close(oneshot::Sender<()>),
}

/// The state of the writer task.
pub(crate) struct Writer {
    path: PathBuf,
    tx: Tx,
    /// `PRAGMA synchronous` of the connection, where it is known.
    level: Option<Durability>,
    /// Commits since the last checkpoint.
    unfolded: u64,
    queue: mpsc::UnboundedReceiver<Message>,
    events: broadcast::Sender<Arc<EventRow>>,
    counters: Arc<Counters>,
}

impl Writer {
    pub(crate) fn new(
        path: PathBuf,
        conn: SqliteConnection,
        queue: mpsc::UnboundedReceiver<Message>,
        events: broadcast::Sender<Arc<EventRow>>,
        counters: Arc<Counters>,
    ) -> Self {
        let tx = Tx { conn, hooks: Vec::new(), events: Vec::new() };
        Writer { path, tx, level: None, unfolded: 0, queue, events, counters }
    }

    /// Serves the queue until it is closed or every [`crate::Store`] is gone.
    pub(crate) async fn run(mut self) {
        let mut messages = Vec::new();
        let mut closers = Vec::new();
        while self.receive(&mut messages).await > 0 {
            let mut jobs = Vec::with_capacity(messages.len());
            for message in messages.drain(..) {
                match message {
                    Message::Job(durability, job) => jobs.push((durability, job)),
                    Message::Close(done) => {
                        // What is in the queue is still received; nothing more gets in.
                        self.queue.close();
                        closers.push(done);
                    }
                }
            }
            if !jobs.is_empty() {
                self.batch(jobs).await;
            }
        }
        if let Err(error) = open::finish(self.tx.conn).await {
            // Nothing is lost: the log is replayed at the next start.
            tracing::warn!(database = %self.path.display(), %error, "closing the database");
        }
        for done in closers {
            let _ = done.send(());
        }
    }

    /// Takes what waits in the queue, or waits for it; 0 = closed and empty. Checkpoints in a pause.
    async fn receive(&mut self, messages: &mut Vec<Message>) -> usize {
        if self.unfolded >= CHECKPOINT_COMMITS {
            match tokio::time::timeout(CHECKPOINT_IDLE, self.queue.recv_many(messages, MAX_BATCH)).await {
                Ok(received) => return received,
                Err(_) => {
                    self.unfolded = 0;
                    // Passive: it waits for nobody, and what a reader still needs stays for the next time.
                    if let Err(error) = self.statement("PRAGMA wal_checkpoint(PASSIVE)").await {
                        tracing::warn!(database = %self.path.display(), %error, "checkpointing the database");
                    }
                }
            }
        }
        self.queue.recv_many(messages, MAX_BATCH).await
    }

    /// Runs jobs in one transaction and answers them.
    async fn batch(&mut self, jobs: Vec<(Durability, Box<dyn Job>)>) {
        self.counters.jobs.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        let level = jobs.iter().map(|(durability, _)| *durability).max().unwrap_or(Durability::Durable);
        let shared = jobs.len() > 1;
        let started = Instant::now();

        if let Err(error) = self.begin(level, shared).await {
            let error = Arc::new(error);
            for (_, job) in jobs {
                job.refuse(Error::Commit(Arc::clone(&error)));
            }
            return self.recover(&error).await;
        }

        let mut finished = Vec::with_capacity(jobs.len());
        let mut lost = None;
        let mut jobs = jobs.into_iter();
        for (_, job) in jobs.by_ref() {
            let mark = self.tx.mark();
            let done = job.run(&mut self.tx).await;
            if done.failed {
                self.tx.forget_since(mark);
            }
            let failed = done.failed;
            finished.push(done);
            if shared && let Err(error) = self.settle(failed).await {
                lost = Some(error);
                break;
            }
        }
        let ended = match lost {
            Some(error) => Err(error),
            None if finished.iter().all(|done| done.failed) => {
                self.statement("ROLLBACK").await.map(|()| false)
            }
            None => self.statement("COMMIT").await.map(|()| true),
        };
        if started.elapsed() > SLOW {
            let (elapsed, jobs) = (started.elapsed(), finished.len());
            tracing::warn!(database = %self.path.display(), ?elapsed, jobs, "a slow database transaction");
        }
        match ended {
            Ok(committed) => {
                if committed {
                    self.count_commit(level);
                }
                self.announce(finished);
            }
            Err(error) => {
                let error = Arc::new(error);
                self.tx.forget_since((0, 0));
                for done in finished {
                    done.lost(Error::Commit(Arc::clone(&error)));
                }
                for (_, job) in jobs {
                    job.refuse(Error::Commit(Arc::clone(&error)));
                }
                self.recover(&error).await;
            }
        }
    }

    /// Opens the transaction, and in it the savepoint of the first job if there are several. One call, because each
    /// is a round trip to the thread of the connection. `synchronous` cannot be changed inside a transaction.
    async fn begin(&mut self, level: Durability, shared: bool) -> Result<(), sqlx::Error> {
        let change = (self.level != Some(level)).then_some(level);
        self.level = None;
        self.statement(match (change, shared) {
            (None, false) => "BEGIN IMMEDIATE",
            (None, true) => "BEGIN IMMEDIATE; SAVEPOINT job",
            (Some(Durability::Durable), false) => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
            (Some(Durability::Durable), true) => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; SAVEPOINT job",
            (Some(Durability::CrashSafe), false) => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
            (Some(Durability::CrashSafe), true) => {
                "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE; SAVEPOINT job"
            }
        })
        .await?;
        self.level = Some(level);
        Ok(())
    }

    /// Keeps or undoes what the last job wrote and leaves a savepoint for the next. COMMIT releases the last one.
    async fn settle(&mut self, failed: bool) -> Result<(), sqlx::Error> {
        self.statement(if failed { "ROLLBACK TO job" } else { "RELEASE job; SAVEPOINT job" }).await
    }

    async fn statement(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql).execute(&mut self.tx.conn).await.map(drop)
    }

    fn count_commit(&mut self, level: Durability) {
        self.unfolded += 1;
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        if level == Durability::Durable {
            self.counters.durable_commits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// After COMMIT, in this order: in-memory views, then subscribers, then callers. So whoever hears of a change
    /// finds it when looking.
    fn announce(&mut self, finished: Vec<Finished>) {
        for hook in self.tx.hooks.drain(..) {
            if catch_unwind(AssertUnwindSafe(hook)).is_err() {
                tracing::error!("a hook that follows a database commit panicked");
            }
        }
        for event in self.tx.events.drain(..) {
            // An error only says that nobody listens.
            let _ = self.events.send(event);
        }
        for done in finished {
            done.committed();
        }
    }

    /// Brings the connection back to "no transaction" after a failure, by a new connection if it must be.
    async fn recover(&mut self, cause: &sqlx::Error) {
        tracing::error!(database = %self.path.display(), error = %cause, "a database transaction failed");
        match self.statement("ROLLBACK").await {
            Ok(()) => {}
            // "no transaction is active": SQLite has rolled back itself.
            Err(error) if primary_code(&error) == Some(SQLITE_ERROR) => {}
            Err(error) => {
                tracing::warn!(%error, "rollback failed, reopening the database");
                match open::connect_writer(&self.path).await {
                    Ok(conn) => {
                        self.tx.conn = conn;
                        self.level = None;
                    }
                    // The next transaction fails on the old connection and tries again.
                    Err(error) => tracing::error!(%error, "cannot reopen the database"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
