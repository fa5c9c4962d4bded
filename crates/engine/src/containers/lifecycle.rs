//! The life of a container, and who may move it.
//!
//! ```text
//!            start            program ended
//! created ──────────▶ running ─────────────▶ exited
//!    │                  │  ▲                  │  │
//!    │            pause │  │ unpause    start │  │
//!    │                  ▼  │◀─────────────────┘  │
//!    │                 paused                    │
//!    │  remove                            remove │
//!    └──────────────▶ removing ◀─────────────────┘
//!                        │
//!                        ▼
//!                 (row deleted)          removing ──▶ dead, where removal failed
//! ```
//!
//! Only a container's actor changes its state. What it does with a request is decided here, by plain
//! functions without effects.

use berth_store::containers::Status;

use crate::{Error, Result};

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Carry it out.
    Proceed,
    /// Nothing to do: the container already is as asked.
    AlreadyDone,
}

/// May the container be started?
pub fn start(id: &str, status: Status) -> Result<Admission> {
    match status {
        Status::Created | Status::Exited => Ok(Admission::Proceed),
        Status::Running | Status::Restarting => Ok(Admission::AlreadyDone),
        Status::Paused => Err(Error::Conflict("cannot start a paused container, try unpause instead".into())),
        Status::Removing => {
            Err(Error::Conflict("container is marked for removal and cannot be started".into()))
        }
        Status::Dead => {
            Err(Error::Conflict(format!("container {id} is dead and cannot be started: remove it")))
        }
    }
}

/// May a signal be sent on a client's behalf?
pub fn kill(id: &str, status: Status) -> Result<()> {
    match status {
        Status::Running | Status::Paused => Ok(()),
        _ => Err(Error::Conflict(format!("container {id} is not running"))),
    }
}

/// Must the container be stopped?
pub fn stop(status: Status) -> Admission {
    match status {
        Status::Running | Status::Paused | Status::Restarting => Admission::Proceed,
        Status::Created | Status::Exited | Status::Removing | Status::Dead => Admission::AlreadyDone,
    }
}

/// May the container be removed? `name` is its own, without a slash.
pub fn remove(name: &str, status: Status, force: bool) -> Result<()> {
    let hint = match status {
        Status::Created | Status::Exited | Status::Dead => return Ok(()),
        Status::Removing => {
            return Err(Error::Conflict(format!("removal of container {name} is already in progress")));
        }
        Status::Running | Status::Paused | Status::Restarting if force => return Ok(()),
        Status::Paused => "container is paused and must be unpaused first",
        Status::Running | Status::Restarting => {
            "container is running: stop the container before removing or force remove"
        }
    };
    Err(Error::Conflict(format!("cannot remove container \"/{name}\": {hint}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_a_running_container_changes_nothing() {
        assert_eq!(start("x", Status::Running).unwrap(), Admission::AlreadyDone);
    }

    #[test]
    fn a_container_that_ended_can_be_started_again() {
        assert_eq!(start("x", Status::Exited).unwrap(), Admission::Proceed);
    }

    #[test]
    fn a_container_under_removal_cannot_be_started() {
        assert!(start("x", Status::Removing).is_err());
        assert!(start("x", Status::Dead).is_err());
    }

    #[test]
    fn stop_requests_are_idempotent() {
        for status in [Status::Created, Status::Exited, Status::Removing, Status::Dead] {
            assert_eq!(stop(status), Admission::AlreadyDone);
        }
        assert_eq!(stop(Status::Paused), Admission::Proceed);
    }

    #[test]
    fn only_a_living_container_takes_signals() {
        assert!(kill("x", Status::Running).is_ok());
        let error = kill("abc", Status::Exited).unwrap_err();
        assert_eq!(error.to_string(), "container abc is not running");
    }

    #[test]
    fn a_running_container_is_removed_only_by_force() {
        assert!(remove("web", Status::Running, true).is_ok());
        let error = remove("web", Status::Running, false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot remove container \"/web\": container is running: stop the container before removing or force remove"
        );
        assert!(remove("web", Status::Exited, false).is_ok());
    }

    #[test]
    fn a_second_removal_is_refused_even_by_force() {
        assert!(remove("web", Status::Removing, true).is_err());
    }
}
