//! What a new engine makes of what an old one left behind. Needs root: control groups and layers are real.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};

use berth_api_types::container::{ContainerConfig, CreateRequest};
use berth_engine::images::ImportOptions;
use berth_engine::{Caller, Config, Engine, Error};
use berth_linux::cgroup::Hierarchies;
use berth_store::id_ranges::IdRangeRow;
use berth_store::operations::NewOperation;
use berth_store::{Durability, Store, containers, id_ranges, operations};

struct Host {
    root: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "these tests need root");
        Host { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn config(&self) -> Config {
        // No container is started here, so any executable does for the shim.
        let mut config = Config::new(self.path("data"), self.path("exec"), "/bin/true");
        config.id_claims = self.path("ids");
        config
    }

    async fn open(&self) -> Engine {
        Engine::open(self.config()).await.unwrap()
    }

    async fn store(&self) -> Store {
        Store::open(self.path("data/berth.db")).await.unwrap()
    }

    /// An engine's life in which a container is made; its ID.
    async fn with_container(&self) -> String {
        let engine = self.open().await;
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o644);
        tar.append_data(&mut header, "hello", &b"hi"[..]).unwrap();
        let bytes = std::io::Cursor::new(tar.into_inner().unwrap());
        let options = ImportOptions { repo: Some("tiny".into()), ..ImportOptions::default() };
        engine.image_import(&Caller::Engine, Box::new(bytes), options).await.unwrap();
        let config =
            ContainerConfig { image: "tiny".into(), cmd: Some(vec!["x".into()]), ..Default::default() };
        let request = CreateRequest { config, ..CreateRequest::default() };
        let made = engine.container_create(&Caller::Engine, Some("one".into()), None, request).await.unwrap();
        engine.close().await;
        made.id
    }

    async fn interrupt(&self, kind: &str, subject: &str) {
        let store = self.store().await;
        let operation = NewOperation {
            kind: kind.into(),
            subject: subject.into(),
            caller: "{}".into(),
            detail: "{}".into(),
            started_ns: 1,
        };
        store
            .write(Durability::Durable, move |tx| {
                Box::pin(async move { operations::begin(tx, &operation).await })
            })
            .await
            .unwrap();
        store.close().await;
    }

    /// Nothing is unfinished any more.
    async fn assert_settled(&self) {
        let store = self.store().await;
        assert_eq!(operations::unfinished(&mut store.read().await.unwrap()).await.unwrap(), []);
        store.close().await;
    }
}

fn make(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    std::fs::write(path.join("leftover"), "x").unwrap();
}

#[tokio::test]
async fn a_creation_without_its_row_is_taken_back() {
    let host = Host::new();
    host.with_container().await;
    let id = "ab".repeat(32);
    let (bundle, writable) =
        (host.path("data/containers").join(&id), host.path("data/store/containers").join(&id));
    make(&bundle);
    make(&writable);
    host.interrupt("container-create", &id).await;
    host.open().await.close().await;
    assert!(!bundle.exists() && !writable.exists());
    host.assert_settled().await;
}

#[tokio::test]
async fn a_removal_that_was_begun_is_finished() {
    let host = Host::new();
    let id = host.with_container().await;
    host.interrupt("container-remove", &id).await;
    let engine = host.open().await;
    assert!(matches!(
        engine.container_inspect(&Caller::Engine, "one", false).await,
        Err(Error::NoSuchContainer(_))
    ));
    engine.close().await;
    assert!(!host.path("data/containers").join(&id).exists());
    assert!(!host.path("data/store/containers").join(&id).exists());
    host.assert_settled().await;
}

#[tokio::test]
async fn a_start_that_was_interrupted_leaves_no_lease_no_directory_and_no_control_group() {
    let host = Host::new();
    let id = host.with_container().await;
    let engine = host.open().await;
    let group = |id: &str| format!("berth-{}/{id}", engine.short_id());
    let groups: Vec<PathBuf> =
        Hierarchies::detect().unwrap().for_containers().map(|hierarchy| hierarchy.dir(group(&id))).collect();
    engine.close().await;
    drop(engine);
    for group in &groups {
        std::fs::create_dir_all(group).unwrap();
    }
    let run_dir = host.path("exec/c").join(&id);
    make(&run_dir);
    let store = host.store().await;
    let lease = IdRangeRow { first: 0x7000_0000, size: 65_536, container_id: id.clone() };
    store
        .write(Durability::Durable, move |tx| Box::pin(async move { id_ranges::insert(tx, &lease).await }))
        .await
        .unwrap();
    store.close().await;
    host.interrupt("container-start", &id).await;

    let engine = host.open().await;
    let state = engine.container_inspect(&Caller::Engine, &id, false).await.unwrap().state;
    assert_eq!(state.status, "created");
    engine.close().await;
    assert!(!run_dir.exists());
    assert!(groups.iter().all(|group| !group.exists()), "{groups:?}");
    let store = host.store().await;
    assert_eq!(id_ranges::all(&mut store.read().await.unwrap()).await.unwrap(), []);
    store.close().await;
    host.assert_settled().await;
}

#[tokio::test]
async fn layers_of_an_image_that_never_got_its_row_are_swept() {
    let host = Host::new();
    host.with_container().await;
    let engine = host.open().await;
    let before = std::fs::read_dir(host.path("data/store/layers")).unwrap().count();
    engine.close().await;
    drop(engine);
    make(&host.path("data/store/tmp/unpack-1"));
    host.interrupt("image-add", "image-1").await;
    host.open().await.close().await;
    assert_eq!(std::fs::read_dir(host.path("data/store/tmp")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(host.path("data/store/layers")).unwrap().count(), before);
    host.assert_settled().await;
}

#[tokio::test]
async fn files_and_groups_without_a_row_are_swept_and_those_with_one_stay() {
    let host = Host::new();
    let id = host.with_container().await;
    let stranger = "cd".repeat(32);
    for place in ["data/containers", "data/store/containers", "exec/c"] {
        make(&host.path(place).join(&stranger));
    }
    host.open().await.close().await;
    for place in ["data/containers", "data/store/containers", "exec/c"] {
        assert!(!host.path(place).join(&stranger).exists(), "{place}");
    }
    assert!(host.path("data/containers").join(&id).exists());
    assert!(host.path("data/store/containers").join(&id).exists());
}

#[tokio::test]
async fn a_container_whose_process_did_not_survive_is_recorded_as_ended() {
    let host = Host::new();
    let id = host.with_container().await;
    let store = host.store().await;
    let subject = id.clone();
    let running = containers::Running {
        pid: 999_999,
        start_time: 1,
        boot_id: "another boot".into(),
        shim_pid: 999_998,
        shim_start_time: 1,
        started_ns: 1,
    };
    store
        .write(Durability::Durable, move |tx| {
            Box::pin(async move { containers::set_running(tx, &subject, &running).await })
        })
        .await
        .unwrap();
    store.close().await;
    let engine = host.open().await;
    let state = engine.container_inspect(&Caller::Engine, &id, false).await.unwrap().state;
    assert_eq!((state.status.as_str(), state.exit_code), ("exited", 137));
    assert!(state.error.contains("berth-shim"), "{}", state.error);
    engine.close().await;
}

#[tokio::test]
async fn a_second_engine_on_the_same_root_is_refused_and_told_who_the_first_is() {
    let host = Host::new();
    let engine = host.open().await;
    let error = Engine::open(host.config()).await.err().unwrap();
    let text = error.to_string();
    assert!(
        text.contains(&format!("process {}", std::process::id())) && text.contains("--data-root"),
        "{text}"
    );
    engine.close().await;
}
