//! The user's terminal: raw mode that is always undone, and its size.

use std::io::{self, IsTerminal};
use std::sync::Mutex;

use rustix::termios::{self, OptionalActions, Termios};

use crate::error::{CliError, Result};

/// Settings to go back to. Global, so that a panic or a fatal signal finds them too.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);

/// Puts standard input's terminal back as it was, if raw mode is on.
pub fn restore() {
    let saved = SAVED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
    if let Some(settings) = saved {
        // Nothing can be done about a terminal that is gone.
        let _ = termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &settings);
    }
}

/// Restores the terminal before a panic prints its message.
pub fn install_panic_hook() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        restore();
        previous(info);
    }));
}

/// Raw mode on standard input, until dropped.
#[derive(Debug)]
pub struct RawMode(());

impl RawMode {
    /// Switches standard input's terminal to raw mode.
    pub fn enter() -> Result<Self> {
        let fail = |source: io::Error| CliError::Terminal { what: "setting up the terminal", source };
        let stdin = rustix::stdio::stdin();
        let settings = termios::tcgetattr(stdin).map_err(|e| fail(e.into()))?;
        let mut raw = settings.clone();
        raw.make_raw();
        *SAVED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(settings);
        termios::tcsetattr(stdin, OptionalActions::Drain, &raw).map_err(|e| fail(e.into()))?;
        Ok(Self(()))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

/// Whether standard input is a terminal.
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Height and width of standard output's terminal; `None` if it is not one.
pub fn size() -> Option<[u16; 2]> {
    let size = termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    if size.ws_row == 0 && size.ws_col == 0 { None } else { Some([size.ws_row, size.ws_col]) }
}
