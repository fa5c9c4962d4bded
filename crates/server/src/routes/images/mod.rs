//! Images. Names in paths may contain slashes, so paths below `/images/` are taken apart in [`by_name`].

pub(crate) mod bootstrap;
pub(crate) mod by_name;
pub(crate) mod create;
pub(crate) mod history;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod prune;
pub(crate) mod remove;
pub(crate) mod tag;
