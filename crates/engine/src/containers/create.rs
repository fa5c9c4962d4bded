//! Creating a container (`POST /containers/create`).

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_api_types::container::{CreateRequest, CreateResponse, HostConfig};
use berth_api_types::time::now_ns;
use berth_store::containers::ContainerRow;
use berth_store::{Durability, containers, operations};

use super::names;
use super::record::{Definition, Record};
use crate::blocking::blocking;
use crate::engine::Inner;
use crate::events;
use crate::images::ImageRecord;
use crate::operations::Operation;
use crate::spec;
use crate::{Caller, Config, DefaultUserns, Engine, Error, Result, files};

/// Random names are tried this often before giving up.
const NAME_TRIES: u32 = 12;

impl Engine {
    /// Makes a container from an image. Nothing runs yet; nothing is left when it fails.
    pub async fn container_create(
        &self,
        caller: &Caller,
        name: Option<String>,
        platform: Option<String>,
        request: CreateRequest,
    ) -> Result<CreateResponse> {
        let name = name.filter(|name| !name.is_empty()).map(|name| names::validate(&name)).transpose()?;
        if let Some(platform) = platform.filter(|platform| !platform.is_empty()) {
            check_platform(&request.config.image, &platform)?;
        }
        let image = self.0.images.get(&request.config.image)?;
        let image_ref = request.config.image.clone();
        let id = names::new_id();
        let (definition, warnings) = define(&self.0, &id, &image, request)?;
        for warning in &warnings {
            tracing::debug!(id, warning, "at creation");
        }
        let spec = serde_json::to_string(&definition).map_err(Error::host("encoding a container"))?;
        let mut row =
            ContainerRow::new(id.clone(), String::new(), image.id().to_owned(), image_ref, now_ns(), spec);
        row.auto_remove = definition.host_config.auto_remove;
        make(&self.0, caller, name, row, definition).await?;
        Ok(CreateResponse { id, warnings })
    }
}

/// Only what this host runs.
fn check_platform(image: &str, platform: &str) -> Result<()> {
    let mut parts = platform.split('/');
    let (first, arch) = (parts.next().unwrap_or_default(), parts.next());
    let ours = [crate::system::go_arch(), std::env::consts::ARCH];
    // `linux`, `linux/amd64` or `amd64`.
    let fits = match arch {
        Some(arch) => first == "linux" && ours.contains(&arch),
        None => first == "linux" || ours.contains(&first),
    };
    if fits {
        return Ok(());
    }
    Err(Error::NotFound(format!(
        "image with reference {image} was found but does not match the specified platform: wanted {platform}, actual: linux/{}",
        crate::system::go_arch()
    )))
}

/// The complete definition: the request, the image and the defaults put together and checked.
fn define(
    engine: &Inner,
    id: &str,
    image: &ImageRecord,
    request: CreateRequest,
) -> Result<(Definition, Vec<String>)> {
    let mut host: HostConfig = request.host_config.unwrap_or_default();
    if engine.config.default_userns == DefaultUserns::Host && host.userns_mode.is_empty() {
        host.userns_mode = "host".into();
    }
    let published =
        host.port_bindings.iter().flatten().any(|(_, hosts)| hosts.as_ref().is_some_and(|h| !h.is_empty()));
    if (published || host.publish_all_ports) && host.network_mode != "host" {
        return Err(Error::NotImplemented("publishing ports is not available yet".into()));
    }
    if engine.host_facts.cgroup == spec::CgroupVersion::V1 {
        host.oom_kill_disable.get_or_insert(false);
    }
    let validated = spec::validate(request.config, host, &engine.host_facts)?;
    let validated = validated.with_image(&crate::images::api_config(&image.config));
    let mut config = validated.config().clone();
    if config.entrypoint.iter().chain(&config.cmd).all(Vec::is_empty) {
        return Err(Error::Invalid("no command specified".into()));
    }
    config.labels.get_or_insert_default();
    if config.hostname.is_empty() {
        config.hostname = id.get(..12).unwrap_or(id).to_owned();
    }
    let host_config = validated.host().clone();
    let warnings = validated.warnings().to_vec();
    let layers = image
        .image
        .layers
        .iter()
        .rev()
        .map(|diff_id| {
            let missing =
                || Error::NotFound(format!("layer {diff_id} of image {} is missing", image.short_id()));
            engine.images.layer(diff_id).map(|layer| layer.key).ok_or_else(missing)
        })
        .collect::<Result<Vec<_>>>()?;
    let mounts = super::mounts::mount_points(&validated);
    let networking = request.networking_config;
    Ok((Definition { config, host_config, networking, mounts, layers }, warnings))
}

/// A working directory that is a file in the image is told at once. What a symbolic link leads to is left to
/// the start, which sees the whole file system as the container does. Blocks.
fn check_working_dir(engine: &Inner, directory: &str, layers: &[String]) -> Result<()> {
    let store = engine.config.layer_store().join("layers");
    // Layers in which everything so far was a real directory: a link in one of them must not be followed.
    let mut open: Vec<PathBuf> = layers.iter().map(|layer| store.join(layer)).collect();
    let mut path = PathBuf::new();
    for part in directory.split('/').filter(|part| !part.is_empty()) {
        path.push(part);
        let mut uppermost = None;
        let mut below = Vec::new();
        for layer in &open {
            let entry = layer.join(part);
            let Ok(meta) = fs::symlink_metadata(&entry) else { continue };
            uppermost.get_or_insert(meta.file_type());
            // What is not a directory hides what is below it, and so does an opaque one.
            if !meta.is_dir() {
                break;
            }
            let opaque = is_opaque(&entry);
            below.push(entry);
            if opaque {
                break;
            }
        }
        match uppermost {
            Some(kind) if kind.is_dir() => open = below,
            Some(kind) if kind.is_file() => {
                let text = format!("/{} is not a directory", path.display());
                let source = io::Error::new(io::ErrorKind::NotADirectory, text);
                return Err(Error::Host { action: "Cannot mkdir".into(), source });
            }
            // Missing (or deleted by a layer) it will be made; anything else is the start's business.
            _ => return Ok(()),
        }
    }
    Ok(())
}

fn is_opaque(directory: &Path) -> bool {
    let mut value = [0; 1];
    matches!(rustix::fs::lgetxattr(directory, "trusted.overlay.opaque", &mut value[..]), Ok(1) if value == *b"y")
}

async fn make(
    engine: &Arc<Inner>,
    caller: &Caller,
    name: Option<String>,
    mut row: ContainerRow,
    Definition { config, layers, .. }: Definition,
) -> Result<()> {
    let working_dir = config.working_dir;
    // While this is held no layer goes away under the new container.
    let _layers_stay = engine.layer_use.read().await;
    // It may have gone before that.
    engine.images.get(&row.image_id)?;
    if let Some(holder) = name.as_deref().and_then(|name| engine.containers.holder(name)) {
        return Err(Error::NameTaken { name: name.unwrap_or_default(), holder });
    }
    let id = row.id.clone();
    let begin = Operation::Create.begin(&id, caller);
    engine
        .store
        .write(Durability::CrashSafe, move |tx| Box::pin(async move { operations::begin(tx, &begin).await }))
        .await?;
    let made = async {
        for attempt in 0.. {
            row.name = name.clone().unwrap_or_else(|| names::random(attempt));
            let (making, row_made, layers, working_dir) =
                (engine.clone(), row.clone(), layers.clone(), working_dir.clone());
            blocking("making a container", move || {
                check_working_dir(&making, &working_dir, &layers)?;
                directories(&making, &row_made.id, &layers)?;
                write_rebuild(&making.config, &row_made)
            })
            .await?;
            match commit(engine, row.clone()).await {
                Err(Error::NameTaken { .. }) if name.is_none() && attempt < NAME_TRIES => {}
                other => return other,
            }
        }
        Ok(())
    };
    if let Err(error) = made.await {
        take_back(engine, &id).await;
        return Err(error);
    }
    Ok(())
}

/// The bundle and the writable layer.
fn directories(engine: &Inner, id: &str, layers: &[String]) -> Result<()> {
    files::make_dir(&engine.config.bundle(id), 0o710)?;
    let writable = engine.config.writable(id);
    files::make_dir(&writable, 0o755)?;
    files::make_dir(&writable.join("w"), 0o700)?;
    let upper = writable.join("u");
    files::make_dir(&upper, 0o755)?;
    // The root directory of the container is this one, whatever the layers say: it has to look like theirs.
    for key in layers {
        if let Some(root) = engine.layers.get(key)?.root {
            let failed =
                |source| Error::File { action: "making the root directory", path: upper.clone(), source };
            std::os::unix::fs::chown(&upper, Some(root.uid), Some(root.gid)).map_err(failed)?;
            fs::set_permissions(&upper, fs::Permissions::from_mode(root.mode)).map_err(failed)?;
            break;
        }
    }
    Ok(())
}

/// Writes down, in the bundle, all from which a lost row could be made again.
pub fn write_rebuild(config: &Config, row: &ContainerRow) -> Result<()> {
    let bundle = config.bundle(&row.id);
    let rebuild = serde_json::json!({
        "id": row.id,
        "name": row.name,
        "image": row.image_id,
        "imageRef": row.image_ref,
        "createdNs": row.created_ns,
        "autoRemove": row.auto_remove,
        "definition": serde_json::value::RawValue::from_string(row.spec.clone())
            .map_err(|e| Error::file("encoding", &bundle)(e.into()))?,
    });
    files::replace(&bundle.join("berth.json"), rebuild.to_string().as_bytes())
}

async fn commit(engine: &Arc<Inner>, row: ContainerRow) -> Result<()> {
    let record = Record::decode(row.clone())?;
    let attributes = record.event_attributes();
    let launching = engine.clone();
    engine
        .store
        .write(Durability::Durable, move |tx| {
            Box::pin(async move {
                containers::insert(tx, &row).await?;
                events::append(tx, "container", "create", &row.id, attributes).await?;
                operations::finish_of(tx, &row.id).await?;
                tx.on_commit(move || drop(super::launch(&launching, record, None)));
                Ok(())
            })
        })
        .await?;
    Ok(())
}

async fn take_back(engine: &Arc<Inner>, id: &str) {
    for step in Operation::Create.steps().iter().rev() {
        if let Err(error) = step.undo(engine, id).await {
            tracing::error!(id, %error, "a failed creation left something behind; the next start sweeps it");
            return;
        }
    }
    let subject = id.to_owned();
    let ended = engine
        .store
        .write(Durability::CrashSafe, move |tx| {
            Box::pin(async move { operations::finish_of(tx, &subject).await })
        })
        .await;
    if let Err(error) = ended {
        tracing::error!(id, %error, "a failed creation is still on record; the next start clears it");
    }
}
