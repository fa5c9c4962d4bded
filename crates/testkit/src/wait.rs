//! Waiting for something another process does, with a deadline and a message.

use std::time::{Duration, Instant};

/// Polls `probe` until it yields a value or `timeout` has passed.
pub fn until<T>(timeout: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(value) = probe() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Like [`until`], ten seconds at most; panics saying what did not happen.
#[track_caller]
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    match until(Duration::from_secs(10), probe) {
        Some(value) => value,
        None => panic!("did not happen within 10 s: {what}"),
    }
}
