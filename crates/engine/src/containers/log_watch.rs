//! Word of growing log files.
//!
//! One inotify(7) instance serves all followers: the kernel allows a user only 128 of them. A follower watches
//! the directory rather than the file, so that it also learns of rotation.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

/// Tells followers when something in their directory changed.
#[derive(Debug)]
pub struct LogWatch {
    inotify: AsyncFd<Instance>,
    watched: Mutex<HashMap<WatchDescriptor, Watched>>,
}

#[derive(Debug)]
struct Watched {
    followers: usize,
    changed: watch::Sender<()>,
}

/// The runtime asks for the older of the two traits.
#[derive(Debug)]
struct Instance(Inotify);

impl AsRawFd for Instance {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// A follower's interest in one directory; it ends with the value.
#[derive(Debug)]
pub struct Interest {
    watch: Arc<LogWatch>,
    descriptor: WatchDescriptor,
    changed: watch::Receiver<()>,
}

impl LogWatch {
    /// Opens the inotify instance and starts passing its word on.
    pub fn start() -> io::Result<Arc<Self>> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe; `Instance` owns its descriptor and never changes it"
        )]
        let inotify = AsyncFd::new(Instance(inotify))?;
        let watch = Arc::new(LogWatch { inotify, watched: Mutex::default() });
        let weak = Arc::downgrade(&watch);
        tokio::spawn(async move {
            while let Some(watch) = weak.upgrade() {
                if let Err(error) = watch.pass_on().await {
                    return tracing::error!(%error, "log followers get no more word of new lines");
                }
            }
        });
        Ok(watch)
    }

    /// Registers interest in `directory`. What is written after this returns is told.
    pub fn follow(self: &Arc<Self>, directory: &Path) -> io::Result<Interest> {
        let flags = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        let mut watched = self.watched();
        let descriptor = self.inotify.get_ref().0.add_watch(directory, flags)?;
        let entry = watched
            .entry(descriptor)
            .or_insert_with(|| Watched { followers: 0, changed: watch::Sender::new(()) });
        entry.followers += 1;
        let changed = entry.changed.subscribe();
        Ok(Interest { watch: Arc::clone(self), descriptor, changed })
    }

    async fn pass_on(&self) -> io::Result<()> {
        let mut ready = self.inotify.readable().await?;
        match ready.get_inner().0.read_events() {
            Ok(events) => {
                let watched = self.watched();
                for event in events {
                    if let Some(watched) = watched.get(&event.wd) {
                        watched.changed.send_replace(());
                    } else if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                        // Which directories changed was lost: let every follower look.
                        watched.values().for_each(|watched| watched.changed.send_replace(()));
                    }
                }
                Ok(())
            }
            Err(Errno::EAGAIN) => {
                ready.clear_ready();
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<WatchDescriptor, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interest {
    /// Waits until something changed since the last call (or since the interest began).
    pub async fn changed(&mut self) {
        // The sender lives as long as an interest does.
        let _ = self.changed.changed().await;
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        let mut watched = self.watch.watched();
        if let Entry::Occupied(mut entry) = watched.entry(self.descriptor) {
            entry.get_mut().followers -= 1;
            if entry.get().followers == 0 {
                entry.remove();
                // Fails where the directory is gone already, and the watch with it.
                let _ = self.watch.inotify.get_ref().0.rm_watch(self.descriptor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_write_wakes_every_follower_and_the_last_one_ends_the_watch() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        std::fs::write(&file, "a").unwrap();
        let watch = LogWatch::start().unwrap();
        let mut one = watch.follow(dir.path()).unwrap();
        let mut two = watch.follow(dir.path()).unwrap();
        std::fs::write(&file, "b").unwrap();
        for interest in [&mut one, &mut two] {
            tokio::time::timeout(Duration::from_secs(5), interest.changed()).await.unwrap();
        }
        drop(one);
        assert_eq!(watch.watched().len(), 1);
        drop(two);
        assert!(watch.watched().is_empty());
    }
}
