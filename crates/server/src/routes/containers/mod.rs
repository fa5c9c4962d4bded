//! Containers. `{name}` in a path is a name, an ID or a unique prefix of one.

pub(crate) mod attach;
pub(crate) mod create;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod prune;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod resize;
pub(crate) mod restart;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod wait;

use berth_engine::Changed;
use http::StatusCode;

/// 204 for a change, 304 where nothing had to change.
fn changed(changed: Changed) -> StatusCode {
    match changed {
        Changed::Yes => StatusCode::NO_CONTENT,
        Changed::Already => StatusCode::NOT_MODIFIED,
    }
}
