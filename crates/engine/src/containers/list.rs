//! Listing containers (`GET /containers/json`).

use std::sync::Arc;

use berth_api_types::container::{ContainerSummary, SummaryHostConfig, SummaryNetworkSettings};
use berth_api_types::filters::Filters;
use berth_api_types::time::now_ns;
use berth_store::containers::Status;

use super::record::Record;
use super::{inspect, status};
use crate::engine::Inner;
use crate::{Caller, Engine, Error, Result};

const FILTERS: &[&str] = &[
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];
const STATES: &[&str] = &["created", "restarting", "running", "removing", "paused", "exited", "dead"];
const HEALTH: &[&str] = &["starting", "healthy", "unhealthy", "none"];

/// Which containers to list.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// Also those that do not run.
    pub all: bool,
    /// Only the so many newest, running or not.
    pub limit: Option<i64>,
    /// With the bytes they occupy.
    pub size: bool,
    /// Docker's filters.
    pub filters: Filters,
}

impl Engine {
    /// Lists containers, newest first.
    pub async fn container_list(
        &self,
        _caller: &Caller,
        options: ListOptions,
    ) -> Result<Vec<ContainerSummary>> {
        let selection = Selection::new(&self.0, &options)?;
        let limit =
            options.limit.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(usize::MAX);
        let chosen: Vec<Arc<Record>> = self
            .0
            .containers
            .newest_first()
            .into_iter()
            .map(|(_, record)| record)
            .filter(|record| selection.takes(&self.0, record))
            .take(limit)
            .collect();
        let mut list = Vec::with_capacity(chosen.len());
        for record in chosen {
            let mut line = summary(&self.0, &record);
            if options.size {
                line.size_rw = inspect::size_rw(&self.0, record.id()).await?;
                line.size_root_fs = line.size_rw + self.0.images.size_of(&record.row.image_id);
            }
            list.push(line);
        }
        Ok(list)
    }
}

/// The options, checked and resolved.
struct Selection<'a> {
    filters: &'a Filters,
    /// Only running ones: what `ps` shows unless something asks for more.
    running_only: bool,
    exited: Vec<i32>,
    /// Older than this one.
    before: Option<Arc<Record>>,
    /// Newer than this one.
    since: Option<Arc<Record>>,
    ancestors: Vec<String>,
    is_task: Option<bool>,
}

impl<'a> Selection<'a> {
    fn new(engine: &Inner, options: &'a ListOptions) -> Result<Self> {
        let filters = &options.filters;
        let invalid = |error: berth_api_types::filters::FilterError| Error::Invalid(error.to_string());
        filters.validate(FILTERS).map_err(invalid)?;
        if filters.values("status").any(|value| !STATES.contains(&value)) {
            return Err(invalid(filters.bad_value("status")));
        }
        if filters.values("health").any(|value| !HEALTH.contains(&value)) {
            return Err(invalid(filters.bad_value("health")));
        }
        let exited = filters
            .values("exited")
            .map(|value| value.parse().map_err(|_| invalid(filters.bad_value("exited"))))
            .collect::<Result<Vec<i32>>>()?;
        let other = |key| match filters.values(key).last() {
            Some(name) => engine.containers.resolve(name).map(|container| Some(container.record())),
            None => Ok(None),
        };
        Ok(Selection {
            running_only: !options.all && options.limit.is_none_or(|n| n <= 0) && !filters.contains("status"),
            exited,
            before: other("before")?,
            since: other("since")?,
            // An ancestor that does not exist has no descendants.
            ancestors: filters
                .values("ancestor")
                .filter_map(|name| engine.images.resolve(name).map(|i| i.id().to_owned()))
                .collect(),
            is_task: filters.boolean("is-task").map_err(invalid)?,
            filters,
        })
    }

    fn takes(&self, engine: &Inner, record: &Record) -> bool {
        let row = &record.row;
        let filters = self.filters;
        let config = &record.definition.config;
        let slashed = format!("/{}", row.name);
        let name = filters.matches("name", &row.name) || filters.matches("name", &slashed);
        let exited = self.exited.is_empty()
            || (row.started_ns > 0 && !record.is_running() && self.exited.contains(&row.exit_code));
        let ancestor = !filters.contains("ancestor")
            || self.ancestors.iter().any(|ancestor| engine.images.descends(&row.image_id, ancestor));
        let volume = filters.values("volume").next().is_none()
            || record.definition.mounts.iter().any(|mount| {
                filters.exact("volume", &mount.destination)
                    || filters.exact("volume", &mount.source)
                    || filters.exact("volume", &mount.name)
            });
        let network = filters.values("network").next().is_none()
            || inspect::networks(record).keys().any(|name| filters.exact("network", name));
        (!self.running_only || record.is_running())
            && filters.prefix("id", &row.id)
            && name
            && filters.labels("label", config.labels.as_ref())
            && filters.exact("status", row.status.as_str())
            && exited
            && self.before.as_ref().is_none_or(|other| row.created_ns < other.row.created_ns)
            && self.since.as_ref().is_none_or(|other| row.created_ns > other.row.created_ns)
            && ancestor
            && volume
            && network
            && filters.exact("health", "none")
            && self.is_task != Some(true)
            && ports(filters, config)
    }
}

/// `expose` and `publish`: `80`, `80/tcp` or a range of ports.
fn ports(filters: &Filters, config: &berth_api_types::container::ContainerConfig) -> bool {
    let exposed: Vec<&str> = config.exposed_ports.iter().flatten().map(|(port, _)| port.as_str()).collect();
    let meets = |wanted: &str| {
        let (range, protocol) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { return false };
        exposed.iter().any(|port| {
            let (number, of) = port.split_once('/').unwrap_or((port, "tcp"));
            of == protocol && number.parse::<u16>().is_ok_and(|n| (first..=last).contains(&n))
        })
    };
    let expose = filters.values("expose").next().is_none() || filters.values("expose").any(meets);
    // Nothing can be published yet, so a filter for published ports matches nothing.
    expose && filters.values("publish").next().is_none()
}

fn summary(engine: &Inner, record: &Record) -> ContainerSummary {
    let row = &record.row;
    let definition = &record.definition;
    // The name a client used may mean another image by now.
    let still = engine.images.resolve(&row.image_ref).is_some_and(|image| image.id() == row.image_id);
    let argv: Vec<&str> = definition.argv().map(String::as_str).collect();
    let mut mounts = definition.mounts.clone();
    mounts.sort_by(|a, b| a.destination.cmp(&b.destination));
    ContainerSummary {
        id: row.id.clone(),
        names: Some(vec![format!("/{}", row.name)]),
        image: if still { row.image_ref.clone() } else { row.image_id.clone() },
        image_id: row.image_id.clone(),
        command: command(&argv),
        created: row.created_ns / 1_000_000_000,
        ports: Some(Vec::new()),
        size_rw: 0,
        size_root_fs: 0,
        labels: Some(definition.config.labels.clone().unwrap_or_default()),
        state: row.status.as_str().to_owned(),
        status: status::describe(row, now_ns()),
        host_config: SummaryHostConfig {
            network_mode: definition.host_config.network_mode.clone(),
            annotations: definition.host_config.annotations.clone(),
        },
        network_settings: Some(SummaryNetworkSettings { networks: Some(inspect::networks(record)) }),
        mounts: Some(mounts),
    }
}

/// The command line as Docker shows it: an argument with a space in it is quoted.
fn command(argv: &[&str]) -> String {
    let Some((program, args)) = argv.split_first() else { return String::new() };
    let mut line = (*program).to_owned();
    for arg in args {
        line.push(' ');
        if arg.contains(' ') {
            line.push('\'');
            line.push_str(arg);
            line.push('\'');
        } else {
            line.push_str(arg);
        }
    }
    line
}

/// Whether it counts as stopped for `info`.
pub fn is_stopped(status: Status) -> bool {
    !matches!(status, Status::Running | Status::Paused | Status::Restarting)
}
