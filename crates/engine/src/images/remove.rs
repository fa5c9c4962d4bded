//! Untagging and deleting images (`DELETE /images/{name}`), and the layers nobody stands on any more.

use std::sync::Arc;

use berth_api_types::filters::Filters;
use berth_api_types::image::{DeleteItem, ImagePruneResponse};
use berth_api_types::time::{now_ns, parse_user};
use berth_image::AnyReference;
use berth_store::{Durability, images, layers, tags};

use super::view::{ImageRecord, familiar};
use crate::blocking::blocking;
use crate::containers::record::Record;
use crate::engine::Inner;
use crate::{Caller, Engine, Error, Result, events};

impl Engine {
    /// Takes a name from an image; the image goes with its last name, unless a container needs it.
    pub async fn image_remove(
        &self,
        _caller: &Caller,
        name: &str,
        force: bool,
        _no_prune: bool,
    ) -> Result<Vec<DeleteItem>> {
        // While this is held no container is made from the image, and none of its layers is added.
        let _nobody_adds = self.0.layer_use.write().await;
        let image = self.0.images.get(name)?;
        let named = match AnyReference::parse(name) {
            Ok(AnyReference::Name(reference)) => Some(reference.or_latest().to_string()),
            _ => None,
        };
        let tag = named.filter(|reference| image.image.tags.contains(reference));
        let users = users(&self.0, image.id());
        let plan = plan(&image, tag.as_deref(), &users, force)?;
        self.carry_out(&image, plan).await
    }

    /// Deletes all images without a name (`dangling=true`, the default) or without a container
    /// (`dangling=false`), as `POST /images/prune` does.
    pub async fn image_prune(&self, _caller: &Caller, filters: &Filters) -> Result<ImagePruneResponse> {
        let invalid = |e: berth_api_types::filters::FilterError| Error::Invalid(e.to_string());
        filters.validate(&["dangling", "label", "label!", "until"]).map_err(invalid)?;
        let dangling = filters.boolean("dangling").map_err(invalid)?.unwrap_or(true);
        let until = match filters.values("until").last() {
            Some(text) => Some(parse_user(text, now_ns()).map_err(|e| Error::Invalid(e.to_string()))?),
            None => None,
        };
        let _nobody_adds = self.0.layer_use.write().await;
        let mut response = ImagePruneResponse { images_deleted: None, space_reclaimed: 0 };
        for image in self.0.images.newest_first() {
            let labels = image.labels();
            let excluded = filters.contains("label!") && filters.labels("label!", Some(&labels));
            let wanted = (!dangling || image.image.tags.is_empty())
                && until.is_none_or(|until| image.image.row.created_ns <= until)
                && filters.labels("label", Some(&labels))
                && !excluded
                && users(&self.0, image.id()).is_empty();
            if wanted {
                let before: i64 = self.unique_size(&image);
                let plan = Plan { untag: image.image.tags.clone(), delete: true };
                response.images_deleted.get_or_insert_default().extend(self.carry_out(&image, plan).await?);
                response.space_reclaimed += before.cast_unsigned();
            }
        }
        let attributes = [("reclaimed".to_owned(), response.space_reclaimed.to_string())].into();
        self.0
            .store
            .write(Durability::CrashSafe, move |tx| {
                Box::pin(async move { events::append(tx, "image", "prune", "", attributes).await })
            })
            .await?;
        Ok(response)
    }

    /// Bytes of layers that only this image has.
    fn unique_size(&self, image: &ImageRecord) -> i64 {
        let others = self.0.images.newest_first();
        image
            .image
            .layers
            .iter()
            .filter(|layer| {
                !others.iter().any(|other| other.id() != image.id() && other.image.layers.contains(layer))
            })
            .filter_map(|layer| self.0.images.layer(layer))
            .map(|layer| layer.size)
            .sum()
    }

    /// The caller keeps others from adding.
    async fn carry_out(&self, image: &Arc<ImageRecord>, plan: Plan) -> Result<Vec<DeleteItem>> {
        let (record, untag) = (image.clone(), plan.untag.clone());
        self.0
            .store
            .write(Durability::Durable, move |tx| {
                Box::pin(async move {
                    for reference in &untag {
                        tags::remove(tx, reference).await?;
                        let attributes = record.event_attributes(record.id());
                        events::append(tx, "image", "untag", record.id(), attributes).await?;
                    }
                    if plan.delete {
                        images::delete(tx, record.id()).await?;
                        let attributes = record.event_attributes(record.id());
                        events::append(tx, "image", "delete", record.id(), attributes).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        self.0.images.reload(&self.0).await?;
        let mut items: Vec<_> = plan
            .untag
            .iter()
            .map(|reference| DeleteItem { untagged: familiar(reference), deleted: String::new() })
            .collect();
        if plan.delete {
            items.push(DeleteItem { untagged: String::new(), deleted: image.id().to_owned() });
            let (blobs, id) = (self.0.image_blobs.clone(), image.id().to_owned());
            blocking("deleting an image", move || {
                let digest: berth_image::Digest = id.parse()?;
                blobs.remove(&digest)
            })
            .await?;
            for diff_id in delete_unused_layers(&self.0).await? {
                items.push(DeleteItem { untagged: String::new(), deleted: diff_id });
            }
            self.0.images.reload(&self.0).await?;
        }
        Ok(items)
    }
}

/// What a removal comes down to.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    untag: Vec<String>,
    delete: bool,
}

/// A container made from an image.
struct User {
    id: String,
    running: bool,
}

fn users(engine: &Inner, image_id: &str) -> Vec<User> {
    engine
        .containers
        .newest_first()
        .into_iter()
        .filter(|(_, record)| record.row.image_id == image_id)
        .map(|(_, record)| User {
            id: record.row.id.chars().take(12).collect(),
            running: record.is_running(),
        })
        .collect()
}

/// Docker's rules: `tag` is the reference the client named, if it named one of the image's.
fn plan(image: &ImageRecord, tag: Option<&str>, users: &[User], force: bool) -> Result<Plan> {
    let short = image.short_id();
    if let Some(tag) = tag {
        if image.image.tags.len() > 1 {
            return Ok(Plan { untag: vec![tag.to_owned()], delete: false });
        }
        if let Some(user) = users.iter().find(|_| !force) {
            return Err(Error::Conflict(format!(
                "conflict: unable to remove repository reference \"{}\" (must force) - container {} is using its referenced image {short}",
                familiar(tag),
                user.id
            )));
        }
        // By force the name goes, but what a container runs on stays.
        let delete = !users.iter().any(|user| user.running);
        return Ok(Plan { untag: vec![tag.to_owned()], delete });
    }
    if image.image.tags.len() > 1 && !force {
        return Err(Error::Conflict(format!(
            "conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories"
        )));
    }
    if let Some(user) = users.iter().find(|user| user.running) {
        return Err(Error::Conflict(format!(
            "conflict: unable to delete {short} (cannot be forced) - image is being used by running container {}",
            user.id
        )));
    }
    if let Some(user) = users.iter().find(|_| !force) {
        return Err(Error::Conflict(format!(
            "conflict: unable to delete {short} (must be forced) - image is being used by stopped container {}",
            user.id
        )));
    }
    Ok(Plan { untag: image.image.tags.clone(), delete: true })
}

/// After a container is gone: deletes layers that only it stood on, where its image is gone already.
pub(crate) async fn collect_layers(engine: &Arc<Inner>, record: &Record) {
    if engine.images.resolve(&record.row.image_id).is_some() {
        return;
    }
    let _nobody_adds = engine.layer_use.write().await;
    let collected = async {
        delete_unused_layers(engine).await?;
        engine.images.reload(engine).await
    };
    if let Err(error) = collected.await {
        tracing::error!(%error, "unused layers were left behind; the next start deletes them");
    }
}

/// Deletes the rows, then the directories, of layers nobody stands on. The caller keeps others from adding.
async fn delete_unused_layers(engine: &Arc<Inner>) -> Result<Vec<String>> {
    let unused = engine
        .store
        .write(Durability::Durable, |tx| {
            Box::pin(async move {
                let unused = layers::unreferenced(tx).await?;
                for layer in &unused {
                    layers::delete(tx, &layer.diff_id).await?;
                }
                Ok(unused)
            })
        })
        .await?;
    let removing = engine.clone();
    blocking("deleting layers", move || {
        for layer in &unused {
            match removing.layers.remove(&layer.key) {
                // Somebody is just bringing it in again; its row will come with that.
                Err(berth_image::Error::LayerInUse(_)) => {}
                other => other?,
            }
        }
        Ok::<_, Error>(unused.into_iter().map(|layer| layer.diff_id).collect())
    })
    .await
}

impl Inner {
    /// Deletes unused layers, and what is in the layer store without a row. For boot, when nobody adds.
    pub async fn sweep_layers(self: &Arc<Self>) -> Result<()> {
        delete_unused_layers(self).await?;
        let rows = layers::all(&mut self.store.read().await?).await?;
        let known = images::all(&mut self.store.read().await?).await?;
        let engine = self.clone();
        blocking("sweeping layers", move || {
            engine.layers.sweep_tmp()?;
            engine.image_blobs.sweep()?;
            for id in engine.image_blobs.list()? {
                if !known.iter().any(|image| image.row.id == id.to_string()) {
                    tracing::info!(%id, "sweeping the configuration of an image without a row");
                    engine.image_blobs.remove(&id)?;
                }
            }
            let listing = engine.layers.list()?;
            for error in listing.broken {
                tracing::error!(%error, "a layer is damaged");
            }
            for key in listing.layers.into_iter().map(|layer| layer.key) {
                if !rows.iter().any(|row| row.key == key) {
                    tracing::info!(key, "sweeping a layer without a row");
                    engine.layers.remove(&key)?;
                }
            }
            Ok::<_, Error>(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use berth_store::images::{Image, ImageRow};

    use super::*;

    fn image(tags: &[&str]) -> ImageRecord {
        let row = ImageRow {
            id: format!("sha256:{}", "ab".repeat(32)),
            created_ns: 0,
            size: 0,
            architecture: String::new(),
            variant: String::new(),
            os: String::new(),
            author: String::new(),
            comment: String::new(),
            labels: "{}".into(),
            parent: None,
            loaded_ns: 0,
        };
        let tags = tags.iter().map(|t| (*t).to_owned()).collect();
        ImageRecord { image: Image { row, layers: vec![], tags }, config: Arc::default() }
    }

    const ONE: &str = "docker.io/library/one:latest";
    const TWO: &str = "docker.io/library/two:latest";

    fn user(running: bool) -> Vec<User> {
        vec![User { id: "0123456789ab".into(), running }]
    }

    #[test]
    fn one_of_several_names_is_taken_even_while_the_image_runs() {
        let plan = plan(&image(&[ONE, TWO]), Some(ONE), &user(true), false).unwrap();
        assert_eq!(plan, Plan { untag: vec![ONE.into()], delete: false });
    }

    #[test]
    fn the_last_name_of_a_used_image_is_kept_unless_forced() {
        let error = plan(&image(&[ONE]), Some(ONE), &user(false), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "conflict: unable to remove repository reference \"one:latest\" (must force) - container 0123456789ab is using its referenced image abababababab"
        );
        let forced = plan(&image(&[ONE]), Some(ONE), &user(true), true).unwrap();
        assert_eq!(forced, Plan { untag: vec![ONE.into()], delete: false });
    }

    #[test]
    fn an_id_with_several_names_needs_force() {
        assert!(plan(&image(&[ONE, TWO]), None, &[], false).is_err());
        let forced = plan(&image(&[ONE, TWO]), None, &[], true).unwrap();
        assert_eq!(forced, Plan { untag: vec![ONE.into(), TWO.into()], delete: true });
    }

    #[test]
    fn a_running_container_keeps_its_image_against_any_force() {
        assert!(plan(&image(&[ONE]), None, &user(true), true).is_err());
    }
}
