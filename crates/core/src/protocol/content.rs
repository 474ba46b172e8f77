//! What the results of tools, the messages of prompts and resources are made of.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytestring::ByteString;
use serde::Serialize;
use serde_json::{Map, Value};

use super::version::ProtocolVersion;

/// One block of unstructured content.
///
/// Blocks that an older client's revision lacks are sent as the nearest thing that it knows: audio before
/// 2025-03-26 and links before 2025-06-18 become text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Plain text.
    Text(TextContent),
    /// An image.
    Image(MediaContent),
    /// Sound; since revision 2025-03-26.
    Audio(MediaContent),
    /// A resource that the client may read; since revision 2025-06-18.
    ResourceLink(ResourceLink),
    /// A resource together with what it holds.
    Resource(EmbeddedResource),
}

impl Content {
    /// A block of text.
    pub fn text(text: impl Into<ByteString>) -> Self {
        Self::Text(TextContent { text: text.into(), annotations: None, meta: None })
    }

    /// An image from its raw bytes, such as `image/png`.
    pub fn image(data: &[u8], mime_type: impl Into<Cow<'static, str>>) -> Self {
        Self::Image(MediaContent::new(data, mime_type))
    }

    /// A sound from its raw bytes, such as `audio/wav`.
    pub fn audio(data: &[u8], mime_type: impl Into<Cow<'static, str>>) -> Self {
        Self::Audio(MediaContent::new(data, mime_type))
    }

    /// A link to a resource.
    pub fn link(uri: impl Into<String>, name: impl Into<String>) -> Self {
        Self::ResourceLink(ResourceLink { uri: uri.into(), name: name.into(), ..ResourceLink::default() })
    }

    /// A text resource, embedded.
    pub fn embedded_text(uri: impl Into<String>, mime_type: &str, text: impl Into<String>) -> Self {
        Self::embedded(ResourceContents::text(uri, text).with_mime_type(mime_type))
    }

    /// A binary resource, embedded.
    pub fn embedded_blob(uri: impl Into<String>, mime_type: &str, data: &[u8]) -> Self {
        Self::embedded(ResourceContents::blob(uri, data).with_mime_type(mime_type))
    }

    /// A resource, embedded.
    pub fn embedded(resource: ResourceContents) -> Self {
        Self::Resource(EmbeddedResource { resource, annotations: None, meta: None })
    }

    /// Says whom the block is for and how much it matters.
    #[must_use]
    pub fn annotated(mut self, annotations: Annotations) -> Self {
        let slot = match &mut self {
            Self::Text(text) => &mut text.annotations,
            Self::Image(media) | Self::Audio(media) => &mut media.annotations,
            Self::ResourceLink(link) => &mut link.annotations,
            Self::Resource(resource) => &mut resource.annotations,
        };
        *slot = Some(annotations);
        self
    }

    /// The text, if the block is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            _ => None,
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// A block of text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TextContent {
    /// The text. Cheap to clone, so that a result may share it with its structured form.
    #[serde(serialize_with = "as_str")]
    pub text: ByteString,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Metadata of the server's own.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
}

fn as_str<S: serde::Serializer>(text: &ByteString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// An image or a sound.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MediaContent {
    /// The bytes, in Base64 (RFC 4648, section 4).
    pub data: String,
    /// The media type, such as `image/png`.
    pub mime_type: Cow<'static, str>,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Metadata of the server's own.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
}

impl MediaContent {
    fn new(data: &[u8], mime_type: impl Into<Cow<'static, str>>) -> Self {
        Self { data: BASE64.encode(data), mime_type: mime_type.into(), annotations: None, meta: None }
    }
}

/// A resource that the client may read. It need not be in the server's resource list.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ResourceLink {
    /// Where the resource is.
    pub uri: String,
    /// Its name, for programs.
    pub name: String,
    /// Its name, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is, for the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Its size in bytes, before any encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Metadata of the server's own.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
}

/// A resource together with what it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EmbeddedResource {
    /// The resource.
    pub resource: ResourceContents,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Metadata of the server's own.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
}

/// What a resource holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ResourceContents {
    /// Where the resource is.
    pub uri: String,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Text or bytes.
    #[serde(flatten)]
    pub body: ResourceBody,
    /// Metadata of the server's own.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Map<String, Value>>,
}

impl ResourceContents {
    /// Text, without a media type.
    pub fn text(uri: impl Into<String>, text: impl Into<String>) -> Self {
        Self { uri: uri.into(), mime_type: None, body: ResourceBody::Text { text: text.into() }, meta: None }
    }

    /// Bytes, without a media type.
    pub fn blob(uri: impl Into<String>, data: &[u8]) -> Self {
        let body = ResourceBody::Blob { blob: BASE64.encode(data) };
        Self { uri: uri.into(), mime_type: None, body, meta: None }
    }

    /// Sets the media type, such as `text/markdown`.
    #[must_use]
    pub fn with_mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// Sets metadata of the server's own; since revision 2025-06-18.
    #[must_use]
    pub fn with_meta(mut self, meta: Map<String, Value>) -> Self {
        self.meta = Some(meta);
        self
    }
}

/// The body of a resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ResourceBody {
    /// Text.
    Text {
        /// The text itself.
        text: String,
    },
    /// Bytes.
    Blob {
        /// The bytes, in Base64 (RFC 4648, section 4).
        blob: String,
    },
}

/// Whom a block is for, and how much it matters.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Annotations {
    /// The intended readers; empty means anyone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<Role>,
    /// From 0, optional, to 1, required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<f64>,
    /// When it last changed, in ISO 8601; since revision 2025-06-18.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

impl Annotations {
    /// For these readers.
    pub fn for_audience(audience: impl IntoIterator<Item = Role>) -> Self {
        Self { audience: audience.into_iter().collect(), ..Self::default() }
    }

    /// Sets how much it matters, from 0 to 1. Values outside are clamped.
    #[must_use]
    pub fn with_priority(mut self, priority: f64) -> Self {
        self.priority = Some(priority.clamp(0.0, 1.0));
        self
    }

    /// Says when it last changed, in ISO 8601, such as `2025-01-12T15:00:58Z`.
    #[must_use]
    pub fn with_last_modified(mut self, time: impl Into<String>) -> Self {
        self.last_modified = Some(time.into());
        self
    }
}

impl Annotations {
    /// As a revision knows them.
    pub(crate) fn for_version(mut self, version: ProtocolVersion) -> Self {
        if version < ProtocolVersion::V2025_06_18 {
            self.last_modified = None;
        }
        self
    }
}

/// A side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}
