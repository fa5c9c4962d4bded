//! Image references: `[domain/]path[:tag][@digest]`.
//!
//! People write `busybox`; registries need `docker.io/library/busybox:latest`. This module holds the rules that lead
//! from one form to the other and back, and the wording of what is refused. A [`Reference`] is always
//! normalised: it has a domain.

mod grammar;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use crate::digest::{Digest, DigestError};

/// The domain that names without one belong to.
pub const DEFAULT_DOMAIN: &str = "docker.io";
/// The tag that is meant when none is given.
pub const DEFAULT_TAG: &str = "latest";
/// Longest repository path, in bytes.
pub const MAX_PATH_LEN: usize = 255;

const LEGACY_DOMAIN: &str = "index.docker.io";
const OFFICIAL_PREFIX: &str = "library/";

/// Why a reference was refused. The wording is what Docker clients match on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// Upper-case letters in the repository path.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// The repository path is longer than [`MAX_PATH_LEN`].
    #[error("repository name must not be more than {MAX_PATH_LEN} characters")]
    TooLong,
    /// 64 hex digits would be confused with an image ID.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    LooksLikeId(String),
    /// The tag does not follow the grammar.
    #[error("invalid tag format")]
    Tag,
    /// The digest is malformed or of an unknown algorithm.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

/// A normalised image name: domain, path, and optionally a tag and a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// What a user may write where an image is meant: an ID or a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnyReference {
    /// A full image ID (`sha256:` and 64 hex digits, or the digits alone).
    Id(Digest),
    /// A name.
    Name(Reference),
}

impl Reference {
    /// Parses and normalises a name as a user may write it. No tag is added: see [`Reference::or_latest`].
    pub fn parse(s: &str) -> Result<Self, ReferenceError> {
        if is_hex64(s) {
            return Err(ReferenceError::LooksLikeId(s.to_owned()));
        }
        let (domain, remainder) = split_domain(s);
        let remote = remainder.split(':').next().unwrap_or_default();
        if remote.chars().any(char::is_uppercase) {
            return Err(ReferenceError::Uppercase(remote.to_owned()));
        }
        let (rest, digest) = match remainder.split_once('@') {
            Some((rest, digest)) if grammar::is_digest(digest) => (rest, Some(digest)),
            Some(_) => return Err(ReferenceError::Format),
            None => (remainder.as_str(), None),
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) if grammar::is_tag(tag) => (path, Some(tag)),
            Some(_) => return Err(ReferenceError::Format),
            None => (rest, None),
        };
        if !grammar::is_domain(domain) || !grammar::is_path(path) {
            return Err(ReferenceError::Format);
        }
        if path.len() > MAX_PATH_LEN {
            return Err(ReferenceError::TooLong);
        }
        Ok(Self {
            domain: domain.to_owned(),
            path: path.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::parse).transpose()?,
        })
    }

    /// The registry's host and port, e.g. `docker.io`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository within the registry, e.g. `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, if one was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was given.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Domain and path without tag and digest: `docker.io/library/busybox`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// [`Reference::name`] as people write it: `busybox`, `user/app`, `host:5000/app`. Parsing it gives the same
    /// repository again: a path that would be read as something else keeps its domain.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        let short = match self.path.strip_prefix(OFFICIAL_PREFIX) {
            Some(short) if !short.contains('/') => short,
            _ => self.path.as_str(),
        };
        let unambiguous = !is_hex64(short) && split_domain(short) == (DEFAULT_DOMAIN, self.path.clone());
        if unambiguous { short.to_owned() } else { self.name() }
    }

    /// The whole reference as people write it: `busybox:latest`.
    pub fn familiar(&self) -> String {
        self.with_suffixes(self.familiar_name())
    }

    /// True when neither tag nor digest was given.
    pub fn is_name_only(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    /// Adds the tag `latest` to a name that has neither tag nor digest.
    #[must_use]
    pub fn or_latest(mut self) -> Self {
        if self.is_name_only() {
            self.tag = Some(DEFAULT_TAG.to_owned());
        }
        self
    }

    /// The same repository with this tag (and no digest).
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        if !grammar::is_tag(tag) {
            return Err(ReferenceError::Tag);
        }
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// The same repository with this digest (and no tag).
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The repository alone.
    #[must_use]
    pub fn without_suffixes(&self) -> Self {
        Self { tag: None, digest: None, ..self.clone() }
    }

    fn with_suffixes(&self, mut name: String) -> String {
        if let Some(tag) = &self.tag {
            name.push(':');
            name.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            name.push('@');
            name.push_str(&digest.to_string());
        }
        name
    }
}

impl fmt::Display for Reference {
    /// The canonical form: `docker.io/library/busybox:latest`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_suffixes(self.name()))
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(s: &str) -> Result<Self, ReferenceError> {
        Self::parse(s)
    }
}

impl AnyReference {
    /// Parses what a user wrote where an image is meant. Short IDs look like names and are returned as such:
    /// trying them as an ID prefix is for whoever knows the images.
    pub fn parse(s: &str) -> Result<Self, ReferenceError> {
        if is_hex64(s) {
            return Ok(Self::Id(Digest::from_hex(s)?));
        }
        match s.parse::<Digest>() {
            Ok(digest) => Ok(Self::Id(digest)),
            Err(_) => Reference::parse(s).map(Self::Name),
        }
    }
}

fn is_hex64(s: &str) -> bool {
    Digest::from_hex(s).is_ok()
}

/// Tells the registry from the path. The first component is a domain only if it cannot be a user's name: it is
/// `localhost`, or it has a dot, a port or an upper-case letter.
fn split_domain(s: &str) -> (&str, String) {
    let Some((first, rest)) = s.split_once('/') else {
        return (DEFAULT_DOMAIN, format!("{OFFICIAL_PREFIX}{s}"));
    };
    let (domain, remainder) = if first == LEGACY_DOMAIN {
        (DEFAULT_DOMAIN, rest)
    } else if first == "localhost" || first.contains(['.', ':']) || first.chars().any(char::is_uppercase) {
        (first, rest)
    } else {
        (DEFAULT_DOMAIN, s)
    };
    if domain == DEFAULT_DOMAIN && !remainder.contains('/') {
        return (domain, format!("{OFFICIAL_PREFIX}{remainder}"));
    }
    (domain, remainder.to_owned())
}
