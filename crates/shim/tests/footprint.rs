//! What a shim costs while its container idles. The promised number (`docs/budgets.md`) is for the static,
//! size-optimised build, which is put through this test by `BERTH_TEST_SHIM=PATH`; a plain build has a wider
//! bound.

mod common;

use std::fs;

use berth_shim_proto::Request;
use common::Fixture;

/// Containers running at once.
const COUNT: u64 = 50;
/// Proportional set size per shim, KiB.
const PROMISED: u64 = 200;
const PLAIN_BUILD: u64 = 1000;

#[test]
fn an_idle_shim_is_small() {
    let fixtures: Vec<Fixture> = (0..COUNT).map(|_| Fixture::new(&["sleep", "1000"])).collect();
    let shims: Vec<_> = fixtures.iter().map(|fixture| fixture.start().0).collect();
    let sum = |key: &str| -> u64 {
        let one = |id: u32| -> u64 {
            let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap();
            let line = text.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        shims.iter().map(|shim| one(shim.child.id())).sum()
    };
    let (rss, pss) = (sum("Rss:") / COUNT, sum("Pss:") / COUNT);
    let private = (sum("Private_Dirty:") + sum("Private_Clean:")) / COUNT;
    println!("per shim at {COUNT}: RSS {rss} KiB, PSS {pss} KiB, private {private} KiB");
    for shim in shims {
        shim.call(9, Request::KillAll);
        let _ = shim.message();
        let _ = shim.message();
    }
    let bound = if std::env::var_os("BERTH_TEST_SHIM").is_some() { PROMISED } else { PLAIN_BUILD };
    assert!(pss <= bound, "{pss} KiB");
}
