//! The files of skills.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use towline_core::FixedResource;

use crate::media::media_type;
use crate::place::Place;

/// The media type of folders.
///
/// Source: SEP-2640, "Directory resources".
pub(crate) const FOLDER_TYPE: &str = "inode/directory";

/// A file of a skill, as it was when the folder was read.
#[derive(Debug)]
pub struct SkillFile {
    uri: Arc<str>,
    name: String,
    description: Option<String>,
    mime_type: &'static str,
    size: u64,
    digest: String,
    resource: FixedResource,
}

impl SkillFile {
    /// A file with that content. What is UTF-8 is served as text, anything else as a blob: both give a client the bytes
    /// that the digest is of.
    pub(crate) fn new(place: &Place, content: Vec<u8>) -> Self {
        let (name, size) = (place.name().to_owned(), content.len() as u64);
        let uri: Arc<str> = place.uri.as_str().into();
        let digest = format!("sha256:{}", Hex(&Sha256::digest(&content)));
        let text = String::from_utf8(content);
        let mime_type = media_type(&name, text.is_ok());
        let resource = match text {
            Ok(text) => FixedResource::text(uri.clone(), &name, mime_type, text),
            Err(error) => FixedResource::blob(uri.clone(), &name, mime_type, error.as_bytes()),
        };
        Self { uri, name, description: None, mime_type, size, digest, resource }
    }

    /// Gives a `SKILL.md` the name and the description of its skill.
    ///
    /// Source: SEP-2640, "Resource Metadata".
    pub(crate) fn of_skill(mut self, name: &str, description: &str) -> Self {
        self.resource = self.resource.define(|mut definition| {
            name.clone_into(&mut definition.name);
            definition.with_description(description)
        });
        Self { name: name.to_owned(), description: Some(description.to_owned()), ..self }
    }

    /// Where clients read it.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Its name; of a `SKILL.md`, that of its skill.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Of a `SKILL.md`, the description of its skill.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Its media type, by its name's extension.
    pub fn mime_type(&self) -> &str {
        self.mime_type
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The SHA-256 digest of its bytes: `sha256:` and 64 lower-case hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    pub(crate) fn resource(&self) -> FixedResource {
        self.resource.clone()
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
