//! Events: rows written with the change they announce, and streams that read them (`GET /events`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use berth_api_types::event::{Actor, EventMessage};
use berth_api_types::filters::Filters;
use berth_api_types::time::now_ns;
use berth_store::events::{EventRange, EventRow, NewEvent, append as append_row, last_seq, prune, range};
use berth_store::{Durability, Store, Tx};
use tokio::sync::{broadcast, watch};

use crate::{Caller, Engine, Result};

/// New events after which old ones are dropped.
const PRUNE_EVERY: u64 = 500;
/// Rows read at once.
const BATCH: u32 = 256;

/// Appends an event to the transaction of the change it announces.
pub async fn append(
    tx: &mut Tx,
    kind: &str,
    action: &str,
    actor_id: &str,
    attributes: BTreeMap<String, String>,
) -> berth_store::Result<()> {
    let attributes: serde_json::Map<_, _> =
        attributes.into_iter().map(|(key, value)| (key, serde_json::Value::String(value))).collect();
    let event = NewEvent {
        time_ns: now_ns(),
        kind: kind.to_owned(),
        action: action.to_owned(),
        actor_id: actor_id.to_owned(),
        attributes: serde_json::Value::Object(attributes).to_string(),
        scope: "local".to_owned(),
    };
    append_row(tx, event).await?;
    Ok(())
}

/// Drops old events, now and whenever enough new ones came, until the store is closed.
pub async fn keep_bounded(store: Store, keep: u64) {
    let keep = u32::try_from(keep).unwrap_or(u32::MAX);
    let mut live = store.subscribe();
    let mut new = PRUNE_EVERY;
    loop {
        if new >= PRUNE_EVERY {
            new = 0;
            let pruned =
                store.write(Durability::CrashSafe, move |tx| Box::pin(async move { prune(tx, keep).await }));
            if let Err(error) = pruned.await {
                tracing::warn!(%error, "old events were not dropped");
            }
        }
        match live.recv().await {
            Ok(_) => new += 1,
            Err(broadcast::error::RecvError::Lagged(missed)) => new += missed,
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

impl Engine {
    /// Events from `since_ns` on (else only new ones), up to `until_ns` (else without end). Filters of unknown
    /// names are passed over, as Docker does.
    pub async fn events(
        &self,
        _caller: &Caller,
        since_ns: Option<i64>,
        until_ns: Option<i64>,
        filters: &Filters,
    ) -> Result<EventStream> {
        // Subscribed first: what is committed while the table is read comes through the channel.
        let live = self.0.store.subscribe();
        let mut reader = self.0.store.read().await?;
        let after_seq = match since_ns {
            Some(_) => 0,
            None => last_seq(&mut reader).await?,
        };
        drop(reader);
        Ok(EventStream {
            store: self.0.store.clone(),
            live,
            backlog: VecDeque::new(),
            reading: since_ns.is_some(),
            after_seq,
            since_ns,
            until_ns,
            filters: filters.clone(),
            shutdown: self.0.shutting_down(),
        })
    }
}

/// Events in the order they were committed: first those in the table, then live ones.
pub struct EventStream {
    store: Store,
    live: broadcast::Receiver<Arc<EventRow>>,
    backlog: VecDeque<EventRow>,
    /// There may be more in the table than the backlog holds.
    reading: bool,
    after_seq: i64,
    since_ns: Option<i64>,
    until_ns: Option<i64>,
    filters: Filters,
    shutdown: watch::Receiver<bool>,
}

impl EventStream {
    /// The next event that passes the filters; `None` at the end.
    pub async fn next(&mut self) -> Option<EventMessage> {
        loop {
            let row = self.next_row().await?;
            if let Some(message) = message(&row).filter(|message| passes(&self.filters, message)) {
                return Some(message);
            }
        }
    }

    async fn next_row(&mut self) -> Option<EventRow> {
        loop {
            if let Some(row) = self.backlog.pop_front() {
                return Some(row);
            }
            if self.reading {
                self.read_table().await?;
                continue;
            }
            let wait = match self.until_ns {
                Some(until) => Duration::from_nanos(
                    u64::try_from(until.saturating_sub(now_ns())).ok().filter(|n| *n > 0)?,
                ),
                None => Duration::from_secs(3600),
            };
            tokio::select! {
                row = self.live.recv() => match row {
                    Ok(row) if row.seq <= self.after_seq => {}
                    Ok(row) if self.until_ns.is_some_and(|until| row.time_ns > until) => return None,
                    Ok(row) => {
                        self.after_seq = row.seq;
                        return Some(EventRow::clone(&row));
                    }
                    // Too slow for the channel: what was missed is in the table.
                    Err(broadcast::error::RecvError::Lagged(_)) => self.reading = true,
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                () = tokio::time::sleep(wait) => {}
                _ = self.shutdown.wait_for(|down| *down) => return None,
            }
        }
    }

    async fn read_table(&mut self) -> Option<()> {
        let wanted = EventRange {
            after_seq: Some(self.after_seq),
            since_ns: self.since_ns,
            until_ns: self.until_ns,
            limit: Some(BATCH),
        };
        let read = async { range(&mut self.store.read().await?, wanted).await };
        match read.await {
            Ok(rows) => {
                self.reading = rows.len() == BATCH as usize;
                self.after_seq = rows.last().map_or(self.after_seq, |row| row.seq);
                self.backlog.extend(rows);
                Some(())
            }
            Err(error) => {
                tracing::error!(%error, "an event stream ends early");
                None
            }
        }
    }
}

fn message(row: &EventRow) -> Option<EventMessage> {
    let attributes: BTreeMap<String, String> = serde_json::from_str(&row.attributes)
        .inspect_err(|error| tracing::error!(seq = row.seq, %error, "an event cannot be decoded"))
        .ok()?;
    let legacy = matches!(row.kind.as_str(), "container" | "image");
    let from = match row.kind.as_str() {
        "container" => attributes.get("image").cloned(),
        "image" => attributes.get("name").cloned(),
        _ => None,
    };
    Some(EventMessage {
        status: if legacy { row.action.clone() } else { String::new() },
        id: if legacy { row.actor_id.clone() } else { String::new() },
        from: from.filter(|_| row.kind == "container").unwrap_or_default(),
        r#type: row.kind.clone(),
        action: row.action.clone(),
        actor: Actor { id: row.actor_id.clone(), attributes: Some(attributes) },
        scope: row.scope.clone(),
        time: row.time_ns.div_euclid(1_000_000_000),
        time_nano: row.time_ns,
    })
}

fn passes(filters: &Filters, event: &EventMessage) -> bool {
    let attribute =
        |name: &str| event.actor.attributes.as_ref().and_then(|all| all.get(name)).map_or("", String::as_str);
    // An action such as `exec_create: ls` also answers to its first word.
    let action = filters.exact("event", &event.action)
        || event.action.split_once(':').is_some_and(|(verb, _)| filters.exact("event", verb));
    let named = |key: &str| {
        filters.values(key).next().is_none()
            || (event.r#type == key
                && (filters.prefix(key, &event.actor.id) || filters.exact(key, attribute("name"))))
    };
    let image = filters.values("image").next().is_none() || {
        let name = if event.r#type == "image" { event.actor.id.as_str() } else { attribute("image") };
        let bare = |name: &str| filters.exact("image", name.rsplit_once(':').map_or(name, |(repo, _)| repo));
        filters.exact("image", name) || bare(name) || filters.exact("image", attribute("name"))
    };
    action
        && filters.exact("type", &event.r#type)
        && filters.exact("scope", &event.scope)
        && filters.prefix("id", &event.actor.id)
        && filters.labels("label", event.actor.attributes.as_ref())
        && ["container", "network", "volume", "daemon", "plugin", "node", "service", "secret", "config"]
            .into_iter()
            .all(named)
        && image
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, action: &str, id: &str, attributes: &[(&str, &str)]) -> EventMessage {
        let attributes: serde_json::Map<_, _> =
            attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        let row = EventRow {
            seq: 1,
            time_ns: 1_500_000_000,
            kind: kind.into(),
            action: action.into(),
            actor_id: id.into(),
            attributes: serde_json::Value::Object(attributes).to_string(),
            scope: "local".into(),
        };
        message(&row).unwrap()
    }

    fn filters(text: &str) -> Filters {
        Filters::parse(Some(text)).unwrap()
    }

    #[test]
    fn container_events_carry_the_old_members_too() {
        let event = event("container", "die", "abc", &[("image", "busybox"), ("exitCode", "7")]);
        assert_eq!(
            (event.status.as_str(), event.id.as_str(), event.from.as_str()),
            ("die", "abc", "busybox")
        );
        assert_eq!((event.time, event.time_nano), (1, 1_500_000_000));
    }

    #[test]
    fn a_container_filter_takes_names_and_id_prefixes_of_containers_only() {
        let web = event("container", "start", "abc", &[("name", "web"), ("image", "busybox:1")]);
        assert!(passes(&filters(r#"{"container":["web"]}"#), &web));
        assert!(passes(&filters(r#"{"container":["ab"]}"#), &web));
        assert!(!passes(&filters(r#"{"container":["db"]}"#), &web));
        assert!(passes(&filters(r#"{"image":["busybox"]}"#), &web));
        assert!(!passes(&filters(r#"{"type":["image"]}"#), &web));
    }

    #[test]
    fn labels_are_attributes() {
        let web = event("container", "start", "abc", &[("name", "web"), ("team", "blue")]);
        assert!(passes(&filters(r#"{"label":["team=blue"]}"#), &web));
        assert!(!passes(&filters(r#"{"label":["team=red"]}"#), &web));
    }
}
