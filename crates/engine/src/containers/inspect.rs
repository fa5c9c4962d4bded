//! The document of one container (`GET /containers/{id}/json`).

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_api_types::container::{
    ContainerInspect, ContainerState, EndpointSettings, GraphDriver, NetworkSettings,
};
use berth_api_types::time::{rfc3339_nano, rfc3339_nano_or_zero};
use berth_store::containers::Status;

use super::record::Record;
use crate::blocking::blocking;
use crate::engine::Inner;
use crate::{Caller, Engine, Result};

impl Engine {
    /// Everything about a container; with `size` also what it occupies.
    pub async fn container_inspect(
        &self,
        _caller: &Caller,
        name: &str,
        size: bool,
    ) -> Result<ContainerInspect> {
        let container = self.0.containers.resolve(name)?;
        let record = container.record();
        let mut document = document(&self.0, &record);
        if size {
            let rw = size_rw(&self.0, record.id()).await?;
            document.size_rw = Some(rw);
            document.size_root_fs = Some(rw + self.0.images.size_of(&record.row.image_id));
        }
        Ok(document)
    }
}

fn document(engine: &Inner, record: &Record) -> ContainerInspect {
    let row = &record.row;
    let definition = &record.definition;
    let bundle = engine.config.bundle(&row.id);
    // Docker writes these files at the first start, and says so by their paths.
    let file =
        |name: &str| if row.started_ns > 0 { bundle.join(name).display().to_string() } else { String::new() };
    let mut argv = definition.argv().cloned();
    ContainerInspect {
        id: row.id.clone(),
        created: rfc3339_nano(row.created_ns),
        path: argv.next().unwrap_or_default(),
        args: Some(argv.collect()),
        state: state(record),
        image: row.image_id.clone(),
        resolv_conf_path: file("resolv.conf"),
        hostname_path: file("hostname"),
        hosts_path: file("hosts"),
        log_path: match definition.host_config.log_config.r#type.as_str() {
            "none" => String::new(),
            _ => file(&format!("{}-json.log", row.id)),
        },
        name: format!("/{}", row.name),
        restart_count: i64::from(row.restart_count),
        driver: "overlay2".into(),
        platform: "linux".into(),
        mount_label: String::new(),
        process_label: String::new(),
        app_armor_profile: String::new(),
        exec_ids: None,
        host_config: definition.host_config.clone(),
        graph_driver: graph_driver(engine, record),
        size_rw: None,
        size_root_fs: None,
        mounts: Some(definition.mounts.clone()),
        config: definition.config.clone(),
        network_settings: NetworkSettings {
            ports: Some(BTreeMap::new()),
            networks: Some(networks(record)),
            ..NetworkSettings::default()
        },
    }
}

fn state(record: &Record) -> ContainerState {
    let row = &record.row;
    ContainerState {
        status: row.status.as_str().to_owned(),
        running: matches!(row.status, Status::Running | Status::Paused | Status::Restarting),
        paused: row.status == Status::Paused,
        restarting: row.status == Status::Restarting,
        oom_killed: row.oom_killed,
        dead: row.status == Status::Dead,
        pid: row.pid.map_or(0, i64::from),
        exit_code: i64::from(row.exit_code),
        error: row.error.clone(),
        started_at: rfc3339_nano_or_zero((row.started_ns > 0).then_some(row.started_ns)),
        finished_at: rfc3339_nano_or_zero((row.finished_ns > 0).then_some(row.finished_ns)),
        health: None,
    }
}

fn graph_driver(engine: &Inner, record: &Record) -> GraphDriver {
    let writable = engine.config.writable(record.id());
    let layers = engine.config.layer_store().join("layers");
    let lower: Vec<_> =
        record.definition.layers.iter().map(|key| layers.join(key).display().to_string()).collect();
    let data = [
        ("LowerDir", lower.join(":")),
        ("MergedDir", engine.config.run_dir(record.id()).join("root").display().to_string()),
        ("UpperDir", writable.join("u").display().to_string()),
        ("WorkDir", writable.join("w").display().to_string()),
    ];
    GraphDriver {
        data: Some(data.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        name: "overlay2".into(),
    }
}

/// The networks it is in. Without a bridge there are only `none` and `host`; the default network is shown by
/// its name and without an address.
pub fn networks(record: &Record) -> BTreeMap<String, EndpointSettings> {
    let name = match record.definition.host_config.network_mode.as_str() {
        "" | "default" => "bridge",
        other => other,
    };
    BTreeMap::from([(name.to_owned(), EndpointSettings::default())])
}

/// Bytes in a container's writable layer.
pub async fn size_rw(engine: &Arc<Inner>, id: &str) -> Result<i64> {
    let upper = engine.config.writable(id).join("u");
    let sized = blocking("measuring a container", move || match berth_image::store::tree_size(&upper) {
        // Removed since it was looked up.
        Err(_) if !upper.exists() => Ok(0),
        other => other.map(|size| size.bytes),
    })
    .await?;
    Ok(i64::try_from(sized).unwrap_or(i64::MAX))
}
