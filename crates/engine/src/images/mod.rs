//! Images: bringing them in, naming them, showing them, taking them away.

mod add;
mod list;
mod remove;
mod show;
mod view;

pub(crate) use add::api_config;
pub use add::{ImportOptions, Loaded, Source};
pub use list::ListOptions;
pub(crate) use remove::collect_layers;
pub(crate) use view::{ImageRecord, ImageView};

use berth_image::{AnyReference, Reference};
use berth_store::{Durability, tags};

use crate::{Caller, Engine, Error, Result, events};

impl Engine {
    /// Gives an image one more name (`POST /images/{name}/tag`).
    pub async fn image_tag(&self, _caller: &Caller, name: &str, repo: &str, tag: Option<&str>) -> Result<()> {
        let image = self.0.images.get(name)?;
        let reference = target(repo, tag)?;
        let (id, normal, familiar) = (image.id().to_owned(), reference.to_string(), reference.familiar());
        self.0
            .store
            .write(Durability::Durable, move |tx| {
                Box::pin(async move {
                    tags::set(tx, &normal, &id).await?;
                    events::append(tx, "image", "tag", &id, image.event_attributes(&familiar)).await
                })
            })
            .await?;
        self.0.images.reload(&self.0).await
    }
}

/// The reference that `repo` and `tag` make, `latest` where there is none.
pub(crate) fn target(repo: &str, tag: Option<&str>) -> Result<Reference> {
    let reference = match AnyReference::parse(repo).map_err(berth_image::Error::from)? {
        AnyReference::Name(reference) => reference,
        AnyReference::Id(_) => {
            return Err(Error::Invalid(format!("refusing to create a tag with a digest reference: {repo}")));
        }
    };
    if reference.digest().is_some() {
        return Err(Error::Invalid("refusing to create a tag with a digest reference".into()));
    }
    match tag.filter(|tag| !tag.is_empty()) {
        Some(tag) => Ok(reference.with_tag(tag).map_err(berth_image::Error::from)?),
        None => Ok(reference.or_latest()),
    }
}
