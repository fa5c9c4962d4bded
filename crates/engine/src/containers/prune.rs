//! Removing all stopped containers (`POST /containers/prune`).

use berth_api_types::container::PruneResponse;
use berth_api_types::filters::Filters;
use berth_api_types::time::{now_ns, parse_user};
use berth_store::Durability;
use berth_store::containers::Status;

use super::actor::Command;
use super::{ask, inspect};
use crate::{Caller, Engine, Error, Result, events};

impl Engine {
    /// Removes every container that does not run and passes the filters (`until`, `label`, `label!`).
    pub async fn container_prune(&self, caller: &Caller, filters: &Filters) -> Result<PruneResponse> {
        filters.validate(&["until", "label", "label!"]).map_err(|e| Error::Invalid(e.to_string()))?;
        let mut until = None;
        for value in filters.values("until") {
            if until.is_some() {
                return Err(Error::Invalid("more than one until filter specified".into()));
            }
            until = Some(parse_user(value, now_ns()).map_err(|e| Error::Invalid(e.to_string()))?);
        }
        let mut response = PruneResponse { containers_deleted: None, space_reclaimed: 0 };
        for (container, record) in self.0.containers.newest_first() {
            let labels = record.definition.config.labels.as_ref();
            let stopped = matches!(record.row.status, Status::Created | Status::Exited | Status::Dead);
            let old = until.is_none_or(|until| record.row.created_ns <= until);
            let excluded = filters.contains("label!") && filters.labels("label!", labels);
            if !stopped || !old || !filters.labels("label", labels) || excluded {
                continue;
            }
            let size = match inspect::size_rw(&self.0, &container.id).await {
                Ok(size) => size,
                Err(error) => {
                    tracing::warn!(id = container.id, %error, "a container could not be measured and is kept");
                    continue;
                }
            };
            let caller = caller.clone();
            match ask(&container, |answer| Command::Remove { caller, force: false, answer }).await {
                Ok(()) => {
                    response.containers_deleted.get_or_insert_default().push(container.id.clone());
                    response.space_reclaimed += size.cast_unsigned();
                }
                // Started, or removed by somebody else, since we looked.
                Err(error) => tracing::debug!(id = container.id, %error, "a container was not pruned"),
            }
        }
        let attributes = [("reclaimed".to_owned(), response.space_reclaimed.to_string())].into();
        self.0
            .store
            .write(Durability::CrashSafe, move |tx| {
                Box::pin(async move { events::append(tx, "container", "prune", "", attributes).await })
            })
            .await?;
        Ok(response)
    }
}
