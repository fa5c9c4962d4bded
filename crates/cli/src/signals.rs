//! Signals while attached: forwarded to the container, or a clean end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::error::{CliError, Result};

/// Signals that are passed on, by the number and name the kill API takes. SIGCHLD and SIGPIPE are about this
/// process; SIGURG is the runtime's; the rest cannot be caught.
const FORWARDED: [(i32, &str); 11] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (10, "USR1"),
    (12, "USR2"),
    (14, "ALRM"),
    (15, "TERM"),
    (18, "CONT"),
    (20, "TSTP"),
    (21, "TTIN"),
    (22, "TTOU"),
];

/// Signals that end a client whose terminal is raw.
const FATAL: [i32; 4] = [1, 2, 3, 15];

fn listen(number: i32) -> Result<tokio::signal::unix::Signal> {
    signal(SignalKind::from_raw(number))
        .map_err(|source| CliError::Terminal { what: "listening for signals", source })
}

/// Catches every forwardable signal from now on; the names arrive in order.
pub fn forwarded() -> Result<mpsc::UnboundedReceiver<&'static str>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for (number, name) in FORWARDED {
        let mut signal = listen(number)?;
        let sender = sender.clone();
        tokio::spawn(async move { while signal.recv().await.is_some() && sender.send(name).is_ok() {} });
    }
    Ok(receiver)
}

/// Restores the terminal and ends the process when a fatal signal arrives: raw mode must not outlive us.
pub fn restore_terminal_on_death() -> Result<()> {
    for number in FATAL {
        let mut signal = listen(number)?;
        tokio::spawn(async move {
            signal.recv().await;
            crate::terminal::restore();
            std::process::exit(128 + number);
        });
    }
    Ok(())
}

/// Fires whenever the terminal changes its size.
pub fn window_changes() -> Result<tokio::signal::unix::Signal> {
    signal(SignalKind::window_change())
        .map_err(|source| CliError::Terminal { what: "listening for signals", source })
}
