//! Removes the daemons, containers and directories of end-to-end tests that were killed before they could.

fn main() {
    berth_testkit::require_root();
    berth_testkit::sweep();
}
