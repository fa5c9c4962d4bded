//! Work that may wait for the disk or the kernel.

use crate::{Error, Result};

/// Runs `work` on a thread where waiting is allowed. `action` says in an error what was being done.
pub async fn blocking<T, E>(
    action: &'static str,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T>
where
    T: Send + 'static,
    E: Into<Error> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.map_err(Error::host(action))?.map_err(Into::into)
}
