//! Listing images (`GET /images/json`).

use berth_api_types::filters::Filters;
use berth_api_types::image::ImageSummary;
use berth_api_types::time::{now_ns, parse_user};

use super::view::ImageRecord;
use crate::{Caller, Engine, Error, Result};

const FILTERS: &[&str] = &["before", "dangling", "label", "reference", "since", "until"];

/// Which images to list.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// Also intermediate images; there are none without a builder.
    pub all: bool,
    /// With the bytes shared with other images.
    pub shared_size: bool,
    /// With digests.
    pub digests: bool,
    /// Docker's filters.
    pub filters: Filters,
}

impl Engine {
    /// Lists images, newest first.
    pub async fn image_list(&self, _caller: &Caller, options: ListOptions) -> Result<Vec<ImageSummary>> {
        let filters = &options.filters;
        let invalid = |e: berth_api_types::filters::FilterError| Error::Invalid(e.to_string());
        filters.validate(FILTERS).map_err(invalid)?;
        let dangling = filters.boolean("dangling").map_err(invalid)?;
        let created_of = |key| match filters.values(key).last() {
            Some(name) => self.0.images.get(name).map(|image| Some(image.image.row.created_ns)),
            None => Ok(None),
        };
        let (before, since) = (created_of("before")?, created_of("since")?);
        let until = match filters.values("until").last() {
            Some(text) => Some(parse_user(text, now_ns()).map_err(|e| Error::Invalid(e.to_string()))?),
            None => None,
        };
        let all = self.0.images.newest_first();
        let mut list = Vec::new();
        for image in &all {
            let created = image.image.row.created_ns;
            let labels = image.labels();
            let tags: Vec<String> = image
                .familiar_tags()
                .into_iter()
                .filter(|tag| {
                    filters.values("reference").next().is_none()
                        || filters.values("reference").any(|pattern| reference_matches(pattern, tag))
                })
                .collect();
            let named = filters.values("reference").next().is_none() || !tags.is_empty();
            let fits = dangling.is_none_or(|wanted| image.image.tags.is_empty() == wanted)
                && before.is_none_or(|other| created < other)
                && since.is_none_or(|other| created > other)
                && until.is_none_or(|until| created <= until)
                && filters.labels("label", Some(&labels))
                && named;
            if fits {
                let shared = if options.shared_size { self.shared_size(image, &all) } else { -1 };
                list.push(summary(image, tags, shared));
            }
        }
        Ok(list)
    }

    /// Bytes of an image's layers that other images have too.
    fn shared_size(&self, image: &ImageRecord, all: &[std::sync::Arc<ImageRecord>]) -> i64 {
        image
            .image
            .layers
            .iter()
            .filter(|layer| {
                all.iter().any(|other| other.id() != image.id() && other.image.layers.contains(layer))
            })
            .filter_map(|layer| self.0.images.layer(layer))
            .map(|layer| layer.size)
            .sum()
    }
}

fn summary(image: &ImageRecord, tags: Vec<String>, shared_size: i64) -> ImageSummary {
    let row = &image.image.row;
    let labels = image.labels();
    ImageSummary {
        containers: -1,
        created: row.created_ns.div_euclid(1_000_000_000),
        id: row.id.clone(),
        labels: (!labels.is_empty()).then_some(labels),
        parent_id: row.parent.clone().unwrap_or_default(),
        repo_digests: Some(Vec::new()),
        repo_tags: Some(tags),
        shared_size,
        size: row.size,
        virtual_size: row.size,
    }
}

/// Whether a familiar reference matches a pattern of Go's `path.Match`, with or without its tag.
fn reference_matches(pattern: &str, reference: &str) -> bool {
    let bare =
        reference.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(reference, |(name, _)| name);
    glob(pattern.as_bytes(), reference.as_bytes()) || glob(pattern.as_bytes(), bare.as_bytes())
}

/// `*` (not `/`), `?` (not `/`) and literal bytes. On a mismatch only the last `*` is tried again, so no pattern
/// takes more than quadratic time.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while let Some(&byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') if byte != b'/' => (p, t) = (p + 1, t + 1),
            Some(&wanted) if wanted == byte => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((after, from)) if text.get(from).is_some_and(|skipped| *skipped != b'/') => {
                    retry = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names_with_and_without_tag_but_not_across_slashes() {
        assert!(reference_matches("busybox", "busybox:latest"));
        assert!(reference_matches("busy*", "busybox:latest"));
        assert!(reference_matches("busybox:lat*", "busybox:latest"));
        assert!(reference_matches("foo/*", "foo/bar:v1"));
        assert!(!reference_matches("*", "foo/bar:v1"));
        assert!(reference_matches("localhost:5000/x", "localhost:5000/x:1"));
        assert!(!reference_matches("localhost", "localhost:5000/x"));
        assert!(reference_matches("*/*", "foo/bar:v1") && !reference_matches("f*r", "foo/bar"));
    }

    #[test]
    fn a_pattern_of_many_stars_is_answered_at_once() {
        let pattern = "*a".repeat(40) + "b";
        assert!(!reference_matches(&pattern, &"a".repeat(120)));
    }
}
