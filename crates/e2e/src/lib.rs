//! End-to-end tests of Berth through real clients.
//!
//! - `tests/parity`: what must hold for Berth and for Docker's own daemon alike. Run on the reference with
//!   `make test-reference`, which starts a private `dockerd` and sets `BERTH_E2E_REFERENCE=unix:///path`.
//! - `tests/berth`: what only Berth promises. Tests under `alone::` count or measure and run by themselves.
//! - `src/bin/bench.rs`: `make bench`.
//! - `src/bin/sweep.rs`: `make clean-up`, removes what killed tests left behind.
//!
//! The harness is the crate `berth-testkit`.
