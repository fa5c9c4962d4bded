//! All containers by ID and name: the view that reads are served from.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{mpsc, watch};

use super::actor::Command;
use super::record::Record;
use crate::{Error, Result};

/// A container as the rest of the engine sees it: snapshots to read, an inbox for requests.
#[derive(Debug)]
pub struct Container {
    /// Full ID.
    pub id: String,
    /// Requests to its actor.
    pub inbox: mpsc::Sender<Command>,
    state: watch::Sender<Arc<Record>>,
}

impl Container {
    /// A container in this state whose actor reads `inbox`.
    pub fn new(record: Record, inbox: mpsc::Sender<Command>) -> Arc<Self> {
        let id = record.id().to_owned();
        Arc::new(Container { id, inbox, state: watch::Sender::new(Arc::new(record)) })
    }

    /// Its present state.
    pub fn record(&self) -> Arc<Record> {
        self.state.borrow().clone()
    }

    /// Its present and future states.
    pub fn watch(&self) -> watch::Receiver<Arc<Record>> {
        self.state.subscribe()
    }

    /// Makes a committed state visible. For its actor only.
    pub fn publish(&self, record: Arc<Record>) {
        self.state.send_replace(record);
    }
}

/// The containers of an engine.
#[derive(Debug, Default)]
pub struct Registry {
    maps: RwLock<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    by_id: BTreeMap<String, Arc<Container>>,
    by_name: HashMap<String, String>,
}

impl Registry {
    /// The container that `name` means: a full ID, a name (with or without slash), or a unique ID prefix, in
    /// this order.
    pub fn resolve(&self, name: &str) -> Result<Arc<Container>> {
        let maps = self.read();
        if let Some(container) = maps.by_id.get(name) {
            return Ok(container.clone());
        }
        let bare = name.strip_prefix('/').unwrap_or(name);
        if let Some(container) = maps.by_name.get(bare).and_then(|id| maps.by_id.get(id)) {
            return Ok(container.clone());
        }
        if name.is_empty() {
            return Err(Error::NoSuchContainer(name.into()));
        }
        let mut matches = maps.by_id.range(name.to_owned()..).take_while(|(id, _)| id.starts_with(name));
        match (matches.next(), matches.next()) {
            (Some((_, container)), None) => Ok(container.clone()),
            (None, _) => Err(Error::NoSuchContainer(name.into())),
            (Some(_), Some(_)) => Err(Error::AmbiguousPrefix(name.into())),
        }
    }

    /// The holder of a name.
    pub fn holder(&self, name: &str) -> Option<String> {
        self.read().by_name.get(name).cloned()
    }

    /// All containers, newest first.
    pub fn newest_first(&self) -> Vec<(Arc<Container>, Arc<Record>)> {
        let mut all: Vec<_> =
            self.read().by_id.values().map(|container| (container.clone(), container.record())).collect();
        all.sort_by(|(_, a), (_, b)| {
            b.row.created_ns.cmp(&a.row.created_ns).then_with(|| b.id().cmp(a.id()))
        });
        all
    }

    /// Adds a container.
    pub fn insert(&self, container: Arc<Container>) {
        let name = container.record().row.name.clone();
        let mut maps = self.write();
        maps.by_name.insert(name, container.id.clone());
        maps.by_id.insert(container.id.clone(), container);
    }

    /// Gives a container another name.
    pub fn rename(&self, id: &str, old: &str, new: &str) {
        let mut maps = self.write();
        maps.by_name.remove(old);
        maps.by_name.insert(new.to_owned(), id.to_owned());
    }

    /// Takes a container out.
    pub fn remove(&self, id: &str) {
        let mut maps = self.write();
        maps.by_id.remove(id);
        maps.by_name.retain(|_, holder| holder != id);
    }

    // Every change is a few map calls that cannot panic half way, so a poisoned lock is still sound.
    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.maps.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use berth_store::containers::ContainerRow;

    use super::*;

    fn registry(containers: &[(&str, &str)]) -> Registry {
        let registry = Registry::default();
        let definition = r#"{"config":{},"host_config":{},"layers":[]}"#;
        for (prefix, name) in containers {
            let id = format!("{prefix:0<64}");
            let row =
                ContainerRow::new(id, (*name).into(), "sha256:x".into(), "x".into(), 0, definition.into());
            registry.insert(Container::new(Record::decode(row).unwrap(), mpsc::channel(1).0));
        }
        registry
    }

    fn found(registry: &Registry, name: &str) -> String {
        registry.resolve(name).unwrap().record().row.name.clone()
    }

    #[test]
    fn names_ids_and_unique_prefixes_resolve() {
        let registry = registry(&[("abc1", "web"), ("abd2", "db")]);
        assert_eq!(found(&registry, "web"), "web");
        assert_eq!(found(&registry, "/web"), "web");
        assert_eq!(found(&registry, "abd"), "db");
        assert_eq!(found(&registry, &format!("{:0<64}", "abc1")), "web");
    }

    #[test]
    fn a_name_beats_an_id_prefix() {
        let registry = registry(&[("abc1", "web"), ("def2", "abc")]);
        assert_eq!(found(&registry, "abc"), "abc");
    }

    #[test]
    fn an_ambiguous_prefix_is_refused_and_an_unknown_name_is_not_found() {
        let registry = registry(&[("abc1", "web"), ("abd2", "db")]);
        assert!(matches!(registry.resolve("ab"), Err(Error::AmbiguousPrefix(_))));
        assert!(matches!(registry.resolve("nosuch"), Err(Error::NoSuchContainer(_))));
        assert!(matches!(registry.resolve(""), Err(Error::NoSuchContainer(_))));
    }

    #[test]
    fn a_renamed_container_answers_to_its_new_name_only() {
        let registry = registry(&[("abc1", "web")]);
        registry.rename(&format!("{:0<64}", "abc1"), "web", "www");
        assert!(registry.holder("web").is_none() && registry.holder("www").is_some());
    }

    #[test]
    fn a_removed_container_leaves_neither_id_nor_name() {
        let registry = registry(&[("abc1", "web")]);
        registry.remove(&format!("{:0<64}", "abc1"));
        assert!(registry.resolve("web").is_err() && registry.newest_first().is_empty());
    }
}
