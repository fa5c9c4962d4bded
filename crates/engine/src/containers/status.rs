//! The state of a container in words, as `docker ps` shows it.

use berth_api_types::duration::human;
use berth_store::containers::ContainerRow;
use berth_store::containers::Status;

/// For example `Up 2 hours` or `Exited (0) 3 minutes ago`.
pub fn describe(row: &ContainerRow, now_ns: i64) -> String {
    let since = |ns: i64| human((now_ns - ns).max(0) / 1_000_000_000);
    match row.status {
        Status::Created => "Created".into(),
        Status::Running => format!("Up {}", since(row.started_ns)),
        Status::Paused => format!("Up {} (Paused)", since(row.started_ns)),
        Status::Restarting => format!("Restarting ({}) {} ago", row.exit_code, since(row.finished_ns)),
        Status::Removing => "Removal In Progress".into(),
        Status::Dead => "Dead".into(),
        Status::Exited => format!("Exited ({}) {} ago", row.exit_code, since(row.finished_ns)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn row(status: Status) -> ContainerRow {
        let mut row =
            ContainerRow::new("0".repeat(64), "web".into(), "sha256:x".into(), "x".into(), 0, "{}".into());
        row.status = status;
        row.started_ns = 10 * SECOND;
        row.finished_ns = 40 * SECOND;
        row.exit_code = 3;
        row
    }

    #[test]
    fn states_read_as_dockers() {
        assert_eq!(describe(&row(Status::Created), 0), "Created");
        assert_eq!(describe(&row(Status::Running), 15 * SECOND), "Up 5 seconds");
        assert_eq!(describe(&row(Status::Exited), 41 * SECOND), "Exited (3) 1 second ago");
    }
}
