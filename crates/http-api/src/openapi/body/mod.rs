//! Bodies: what a document says of them, and how arguments become one.

mod file;
mod multipart;
mod read;
mod write;

use super::encode::Keep;
use super::style::Style;

pub(super) use file::{file_schema, is_binary};
pub(super) use read::{essence, is_json, read, read_v2};
pub(super) use write::missing;

/// Bytes of which nothing more is said: a file may say more of itself.
const OCTETS: &str = "application/octet-stream";

/// What a body is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Form,
    Multipart,
    /// Text that the model writes: plain text, XML, CSV, YAML.
    Text,
    /// Bytes, given in base64.
    Binary,
}

/// The body of an operation.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) kind: Kind,
    pub(super) media_type: String,
    pub(super) required: bool,
    pub(super) description: Option<String>,
    /// The pointer of its schema.
    pub(super) schema: Option<String>,
    pub(super) shape: Shape,
    /// What is known of the fields of a form.
    pub(super) fields: Vec<Field>,
}

/// How the arguments hold the body.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// In one argument.
    Whole { argument: String },
    /// One argument for each of its members.
    Members(Vec<Member>),
}

/// A member of the body that is an argument of its own.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) argument: String,
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) schema: String,
}

/// How a field of a form is written.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) style: Option<(Style, bool)>,
    pub(super) keep: Keep,
    pub(super) content_type: Option<String>,
}
