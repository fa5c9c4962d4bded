//! The two ways to reach the database: a job's transaction, and a reader from the pool.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection};

use crate::events::EventRow;

/// What a job returns: `Box::pin(async move { … })`.
pub type JobFuture<'t, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 't>>;

pub(crate) type Hook = Box<dyn FnOnce() + Send>;

/// The transaction of a running job. Made by the writer only.
///
/// A job returns every error it gets from the store: SQLite ends the whole transaction on some of them (a full disk),
/// and a job that goes on regardless writes outside of it.
pub struct Tx {
    pub(crate) conn: SqliteConnection,
    /// To run after COMMIT, in this order.
    pub(crate) hooks: Vec<Hook>,
    /// To tell after COMMIT, in the order of their sequence numbers.
    pub(crate) events: Vec<Arc<EventRow>>,
}

impl Tx {
    /// Runs `hook` right after COMMIT, before the job's caller gets its reply and before the job's events are
    /// broadcast; never, if the job or the transaction fails. Hooks run in commit order on the writer task whether or
    /// not the caller still waits: the place to update in-memory views. They must be short and must not block.
    pub fn on_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.hooks.push(Box::new(hook));
    }

    /// How much is waiting for the commit, to get back to it with [`Tx::forget_since`].
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.hooks.len(), self.events.len())
    }

    /// Drops what a failed job left for the commit.
    pub(crate) fn forget_since(&mut self, (hooks, events): (usize, usize)) {
        self.hooks.truncate(hooks);
        self.events.truncate(events);
    }
}

/// A connection of the read pool. Each query sees the last commit at its start.
pub struct Reader {
    pub(crate) conn: PoolConnection<Sqlite>,
}

/// Whatever can be read from: a [`Tx`] or a [`Reader`].
pub trait Access: sealed::Connected {}

impl Access for Tx {}
impl Access for Reader {}

pub(crate) mod sealed {
    use super::{Reader, SqliteConnection, Tx};

    /// Keeps [`super::Access`] to this crate, and sqlx out of everybody else's sight.
    pub trait Connected: Send {
        /// The connection to run statements on.
        fn conn(&mut self) -> &mut SqliteConnection;
    }

    impl Connected for Tx {
        fn conn(&mut self) -> &mut SqliteConnection {
            &mut self.conn
        }
    }

    impl Connected for Reader {
        fn conn(&mut self) -> &mut SqliteConnection {
            &mut self.conn
        }
    }
}
