//! The handle the daemon holds: writes go to the queue of the one writer, reads to the pool.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::SqlitePool;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::error::{Doing, Error, Result};
use crate::events::EventRow;
use crate::job::Typed;
use crate::open;
use crate::tx::{JobFuture, Reader, Tx};
use crate::writer::{Message, Writer};

/// How many events a slow subscriber may lag behind before it has to read the table.
const EVENT_BACKLOG: usize = 1024;
/// How long closing waits for connections that are lent to readers.
const READERS_DEADLINE: Duration = Duration::from_secs(5);

/// What a reply to [`Store::write`] guarantees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The change survives SIGKILL of the daemon; a power cut may take the newest such changes (never part of one).
    /// For what describes kernel state, which a power cut destroys anyway.
    CrashSafe,
    /// The change, and every earlier one of either class, survives a power cut: the log was fsynced.
    Durable,
}

/// What the writer has done since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) jobs: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) durable_commits: AtomicU64,
}

/// A reading of the writer's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Jobs run, also failed ones.
    pub jobs: u64,
    /// Transactions committed.
    pub commits: u64,
    /// Those of them that waited for the disk.
    pub durable_commits: u64,
}

/// The open database. Clones share it.
#[derive(Clone)]
pub struct Store {
    queue: mpsc::UnboundedSender<Message>,
    pool: SqlitePool,
    events: broadcast::Sender<Arc<EventRow>>,
    counters: Arc<Counters>,
}

impl Store {
    /// Opens the database at `path`, creates it if it is missing, brings its schema up to date and starts the writer
    /// on the current tokio runtime.
    ///
    /// # Errors
    /// [`Error::NotADatabase`], [`Error::Foreign`], [`Error::Damaged`] and [`Error::NewerSchema`] name what is wrong
    /// with an existing file; the file is left as it was.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let conn = open::prepare(path).await?;
        let pool = open::read_pool(path).await?;
        let (queue, jobs) = mpsc::unbounded_channel();
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        let counters = Arc::new(Counters::default());
        let writer = Writer::new(path.to_owned(), conn, jobs, events.clone(), Arc::clone(&counters));
        tokio::spawn(writer.run());
        Ok(Store { queue, pool, events, counters })
    }

    /// Queues `job` for the writer, at once and not only when the future is first polled; the future waits for the
    /// transaction to end. Dropping the future does not cancel the job.
    ///
    /// Jobs run one after the other in the order they were queued. All that wait share one transaction, each rolled
    /// back alone if it fails. A job should only talk to the database: every other writer waits for it.
    ///
    /// # Errors
    /// The job's own, with nothing it wrote kept; [`Error::Commit`] if the transaction as a whole failed;
    /// [`Error::JobPanicked`]; [`Error::Closed`].
    pub fn write<T, F>(
        &self,
        durability: Durability,
        job: F,
    ) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> JobFuture<'t, T, Error> + Send + 'static,
    {
        self.try_write(durability, job)
    }

    /// [`Store::write`] for a job with an error type of its own, so that a refusal decided inside the transaction
    /// (and its rollback) can be the caller's.
    pub fn try_write<T, E, F>(
        &self,
        durability: Durability,
        job: F,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> JobFuture<'t, T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        // A closed queue drops the message and with it `reply`, which the receiver below reports.
        let _ = self.queue.send(Message::Job(durability, Box::new(Typed { work: job, reply })));
        async move { answer.await.unwrap_or_else(|_| Err(Error::Closed.into())) }
    }

    /// A connection to read from. It never waits for the writer, only for other readers while all connections are
    /// lent: take it late and drop it early.
    pub async fn read(&self) -> Result<Reader> {
        match self.pool.acquire().await {
            Ok(conn) => Ok(Reader { conn }),
            Err(sqlx::Error::PoolClosed) => Err(Error::Closed),
            Err(source) => Err(source).doing("get a connection to read from", "the database"),
        }
    }

    /// Committed events, in the order of their sequence numbers, from now on. A subscriber that gets `Lagged` reads
    /// what it missed with [`crate::events::range`]; so does one that wants history: subscribe, read the table, then
    /// skip what the channel repeats.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<EventRow>> {
        self.events.subscribe()
    }

    /// What the writer has done so far.
    pub fn stats(&self) -> Stats {
        Stats {
            jobs: self.counters.jobs.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
            durable_commits: self.counters.durable_commits.load(Ordering::Relaxed),
        }
    }

    /// Runs all that is queued, empties the write-ahead log and closes the database. Later calls get
    /// [`Error::Closed`]. Does nothing the second time.
    pub async fn close(&self) {
        // Readers first: the log can only be emptied when nobody reads it.
        if tokio::time::timeout(READERS_DEADLINE, self.pool.close()).await.is_err() {
            tracing::warn!("a reader is still at work, closing the database without it");
        }
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).is_ok() {
            // An error means that the writer has ended already.
            let _ = closed.await;
        }
    }
}
