//! Bringing images in: import, load, and the built-in one.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use berth_api_types::container::{ContainerConfig, EmptyObject, HealthConfig};
use berth_api_types::time::now_ns;
use berth_image::{Digest, ImageConfig, Layer, Reference};
use berth_store::images::ImageRow;
use berth_store::layers::LayerRow;
use berth_store::{Durability, images, layers, operations, tags};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep};
use tokio_util::io::SyncIoBridge;

use crate::blocking::blocking;
use crate::engine::Inner;
use crate::events;
use crate::operations::Operation;
use crate::{Caller, Engine, Error, Result};

/// A client that sends nothing for this long has left.
const SILENCE: Duration = Duration::from_secs(60);

/// A stream of bytes from a client.
pub type Source = Box<dyn AsyncRead + Send + Unpin>;

/// What an import is to be called and how it is to run.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Repository; without one the image has no name.
    pub repo: Option<String>,
    /// Tag, `latest` if absent.
    pub tag: Option<String>,
    /// Commit message.
    pub message: Option<String>,
    /// Dockerfile instructions that shape the configuration.
    pub changes: Vec<String>,
    /// Platform, `os[/arch[/variant]]`.
    pub platform: Option<String>,
}

/// An image that was brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// A name it was given, as people write it; absent for one without.
    pub name: Option<String>,
    /// `sha256:…`.
    pub id: String,
}

/// An image whose layers are in the store and whose row is not.
struct Arrived {
    id: Digest,
    config_bytes: Vec<u8>,
    config: ImageConfig,
    layers: Vec<Layer>,
    tags: Vec<Reference>,
}

impl Engine {
    /// Makes an image of a file system (`POST /images/create?fromSrc=-`). Gives its ID.
    pub async fn image_import(
        &self,
        caller: &Caller,
        source: Source,
        options: ImportOptions,
    ) -> Result<String> {
        let tag = match options.repo.as_deref().filter(|repo| !repo.is_empty()) {
            Some(repo) => Some(super::target(repo, options.tag.as_deref())?),
            None => None,
        };
        let mut import = berth_image::ImportOptions {
            changes: options.changes,
            message: options.message.unwrap_or_default(),
            ..berth_image::ImportOptions::default()
        };
        if let Some(platform) = options.platform.as_deref().filter(|platform| !platform.is_empty()) {
            let mut parts = platform.split('/');
            match parts.next() {
                Some("linux") => {}
                other => return Err(Error::Invalid(format!("operating system is not supported: {other:?}"))),
            }
            import.architecture = parts.next().unwrap_or_default().to_owned();
            import.variant = parts.next().unwrap_or_default().to_owned();
        }
        let loaded = self
            .bring_in(caller, "import", move |engine| {
                let imported = berth_image::import(reader(source), &engine.layers, &import)?;
                Ok(vec![Arrived {
                    id: imported.id,
                    config_bytes: imported.config_bytes,
                    config: imported.config,
                    layers: vec![imported.layer],
                    tags: tag.into_iter().collect(),
                }])
            })
            .await?;
        let missing = || Error::NotFound("the archive held no image".into());
        loaded.into_iter().next().map(|image| image.id).ok_or_else(missing)
    }

    /// Loads every image of an archive (`POST /images/load`).
    pub async fn image_load(&self, caller: &Caller, source: Source) -> Result<Vec<Loaded>> {
        self.bring_in(caller, "load", move |engine| {
            let loaded = berth_image::load(reader(source), &engine.layers)?;
            Ok(loaded
                .into_iter()
                .map(|image| Arrived {
                    id: image.id,
                    config_bytes: image.config_bytes,
                    config: image.config,
                    layers: image.layers,
                    tags: image.tags,
                })
                .collect())
        })
        .await
    }

    /// Makes `busybox:latest` from the host's static busybox.
    pub async fn image_bootstrap(&self, caller: &Caller) -> Result<Loaded> {
        let loaded = self
            .bring_in(caller, "import", |engine| {
                let made = berth_image::bootstrap(None, &engine.layers)?;
                Ok(vec![Arrived {
                    id: made.id,
                    config_bytes: made.config_bytes,
                    config: made.config,
                    layers: vec![made.layer],
                    tags: vec![made.tag],
                }])
            })
            .await?;
        loaded.into_iter().next().ok_or_else(|| Error::NotFound("no image was made".into()))
    }

    /// Unpacks with `unpack`, then makes the rows: all images of an archive appear at once, or none.
    async fn bring_in(
        &self,
        caller: &Caller,
        action: &'static str,
        unpack: impl FnOnce(&Inner) -> Result<Vec<Arrived>> + Send + 'static,
    ) -> Result<Vec<Loaded>> {
        let engine = self.0.clone();
        let caller = caller.clone();
        // A client that leaves ends its stream, and with it the reading; what was begun is finished or undone.
        let work = async move {
            let closed = |_| Error::ShuttingDown;
            let _place = engine.uploads.acquire().await.map_err(closed)?;
            let subject = format!("image-{}", hex::encode(rand::random::<[u8; 8]>()));
            let begin = Operation::ImageAdd.begin(&subject, &caller);
            let operation = engine
                .store
                .write(Durability::CrashSafe, move |tx| {
                    Box::pin(async move { operations::begin(tx, &begin).await })
                })
                .await?;
            let unpacking = engine.clone();
            // No lock: the layers that arrive are leased, and nobody deletes a leased layer.
            let arrived = blocking("unpacking an image", move || {
                let arrived = unpack(&unpacking)?;
                for image in &arrived {
                    unpacking.image_blobs.put(&image.config_bytes)?;
                }
                Ok::<_, Error>(arrived)
            })
            .await;
            let outcome = match arrived {
                Ok(arrived) => commit(&engine, action, arrived, operation).await,
                Err(error) => Err(error),
            };
            if outcome.is_err() {
                let ended = engine.store.write(Durability::CrashSafe, move |tx| {
                    Box::pin(async move { operations::finish(tx, operation).await })
                });
                ended.await?;
            }
            outcome
        };
        tokio::spawn(work).await.map_err(Error::host("bringing an image in"))?
    }
}

fn reader(source: Source) -> impl Read + Send {
    SyncIoBridge::new(Patient { source, silence: Box::pin(tokio::time::sleep(SILENCE)) })
}

/// A client's stream that fails when nothing comes for a while: its reader occupies a thread.
struct Patient {
    source: Source,
    silence: Pin<Box<Sleep>>,
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.source).poll_read(context, buffer) {
            self.silence.as_mut().reset(Instant::now() + SILENCE);
            return Poll::Ready(read);
        }
        ready!(self.silence.as_mut().poll(context));
        let text = format!("the client sent nothing for {} seconds", SILENCE.as_secs());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
    }
}

async fn commit(
    engine: &Arc<Inner>,
    action: &'static str,
    arrived: Vec<Arrived>,
    operation: i64,
) -> Result<Vec<Loaded>> {
    let _no_deletion = engine.layer_use.read().await;
    let fresh: Vec<String> =
        arrived.iter().flat_map(|image| &image.layers).filter(|l| l.fresh).map(|l| l.key.clone()).collect();
    let loaded = arrived
        .iter()
        .map(|image| Loaded { name: image.tags.first().map(Reference::familiar), id: image.id.to_string() })
        .collect();
    let written = engine
        .store
        .write(Durability::Durable, move |tx| {
            Box::pin(async move {
                for image in &arrived {
                    let id = image.id.to_string();
                    for layer in &image.layers {
                        layers::insert(tx, &layer_row(layer)).await?;
                    }
                    let diff_ids: Vec<_> =
                        image.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
                    images::insert(tx, &image_row(image), &diff_ids).await?;
                    for tag in &image.tags {
                        tags::set(tx, &tag.to_string(), &id).await?;
                    }
                    let labels = image.config.config.labels.clone().unwrap_or_default();
                    let named = |name: String| {
                        let mut attributes = labels.clone();
                        attributes.insert("name".into(), name);
                        attributes
                    };
                    for tag in image.tags.iter().filter(|_| action == "import") {
                        events::append(tx, "image", "tag", &id, named(tag.familiar())).await?;
                    }
                    events::append(tx, "image", action, &id, named(id.clone())).await?;
                }
                operations::finish(tx, operation).await?;
                Ok(())
            })
        })
        .await;
    if let Err(error) = written {
        let removing = engine.clone();
        let removed =
            tokio::task::spawn_blocking(move || fresh.iter().try_for_each(|key| removing.layers.remove(key)));
        if !matches!(removed.await, Ok(Ok(()))) {
            tracing::warn!("layers without a row stay until the next start");
        }
        return Err(error.into());
    }
    engine.images.reload(engine).await?;
    Ok(loaded)
}

fn layer_row(layer: &Layer) -> LayerRow {
    LayerRow {
        diff_id: layer.diff_id.to_string(),
        key: layer.key.clone(),
        size: i64::try_from(layer.size).unwrap_or(i64::MAX),
        max_uid: layer.max_uid,
        max_gid: layer.max_gid,
        created_ns: now_ns(),
    }
}

fn image_row(image: &Arrived) -> ImageRow {
    let config = &image.config;
    let created = config.created.as_deref().and_then(berth_api_types::time::parse_rfc3339);
    let comment =
        config.history.last().map(|step| step.comment.clone()).filter(|comment| !comment.is_empty());
    let labels = config.config.labels.clone().unwrap_or_default();
    ImageRow {
        id: image.id.to_string(),
        created_ns: created.unwrap_or(0),
        size: image.layers.iter().map(|layer| i64::try_from(layer.size).unwrap_or(i64::MAX)).sum(),
        architecture: config.architecture.clone(),
        variant: config.variant.clone(),
        os: config.os.clone(),
        author: config.author.clone(),
        comment: comment.unwrap_or_else(|| config.comment.clone()),
        labels: serde_json::to_string(&labels).unwrap_or_else(|_| "{}".into()),
        parent: None,
        loaded_ns: now_ns(),
    }
}

/// The run configuration of an image in the API's shape.
pub fn api_config(image: &ImageConfig) -> ContainerConfig {
    let config = &image.config;
    let set = |names: &Option<std::collections::BTreeSet<String>>| -> Option<BTreeMap<String, EmptyObject>> {
        names.as_ref().map(|names| names.iter().map(|name| (name.clone(), EmptyObject {})).collect())
    };
    ContainerConfig {
        user: config.user.clone(),
        exposed_ports: set(&config.exposed_ports),
        env: config.env.clone(),
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        args_escaped: config.args_escaped,
        volumes: set(&config.volumes),
        working_dir: config.working_dir.clone(),
        labels: config.labels.clone(),
        stop_signal: config.stop_signal.clone(),
        stop_timeout: config.stop_timeout,
        healthcheck: config.healthcheck.as_ref().map(|check| HealthConfig {
            test: check.test.clone(),
            interval: check.interval,
            timeout: check.timeout,
            start_period: check.start_period,
            start_interval: check.start_interval,
            retries: check.retries,
        }),
        shell: config.shell.clone(),
        ..ContainerConfig::default()
    }
}
