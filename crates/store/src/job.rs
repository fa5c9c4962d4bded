//! Jobs of any result type in one queue: the type is erased here, and a job's result is held back until the
//! transaction has ended.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::tx::{JobFuture, Tx};

/// A queued job.
pub(crate) trait Job: Send {
    /// Runs it. A panic is caught and counts as a failure: it must not take the writer down.
    fn run(self: Box<Self>, tx: &mut Tx) -> BoxFuture<'_, Finished>;

    /// Answers without running it.
    fn refuse(self: Box<Self>, error: Error);
}

/// A job that has run and waits for the end of its transaction.
pub(crate) struct Finished {
    /// Whether what it wrote must be rolled back.
    pub(crate) failed: bool,
    deliver: Box<dyn FnOnce(Option<Error>) + Send>,
}

impl Finished {
    /// Replies with the job's own result.
    pub(crate) fn committed(self) {
        (self.deliver)(None);
    }

    /// Replies with `error`, unless the job has one of its own, which says more.
    pub(crate) fn lost(self, error: Error) {
        (self.deliver)(Some(error));
    }
}

/// A job as its caller made it.
pub(crate) struct Typed<F, T, E> {
    pub(crate) work: F,
    pub(crate) reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Typed<F, T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> JobFuture<'t, T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn run(self: Box<Self>, tx: &mut Tx) -> BoxFuture<'_, Finished> {
        let Typed { work, reply } = *self;
        Box::pin(async move {
            // The call of the closure itself may panic too, so it happens inside.
            let outcome = AssertUnwindSafe(async move { work(tx).await })
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(Error::JobPanicked.into()));
            Finished {
                failed: outcome.is_err(),
                deliver: Box::new(move |lost| {
                    let answer = match (outcome, lost) {
                        (Ok(_), Some(error)) => Err(error.into()),
                        (outcome, _) => outcome,
                    };
                    // A caller that no longer waits does not want the answer; the work is done all the same.
                    let _ = reply.send(answer);
                }),
            }
        })
    }

    fn refuse(self: Box<Self>, error: Error) {
        let _ = self.reply.send(Err(error.into()));
    }
}
