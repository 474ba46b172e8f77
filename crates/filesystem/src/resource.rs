//! Files as resources.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::Deserialize;
use towline_core::protocol::ResourceContents;
use towline_core::{Error, ResourceRead, ResourceResult, ResourceSet};

use crate::disk::Filesystem;
use crate::error::FilesystemError;
use crate::read;

/// Goes before paths in URIs.
const PREFIX: &str = "file:///";

/// What a path has as it is (RFC 3986, section 3.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The files as resources: the template `file:///{+path}`, whose paths are those that the tools take. A URI says where a
/// file is among what is served, not where on the machine.
pub fn resources(files: &Filesystem) -> ResourceSet {
    ResourceSet::new().with(Files { definition: definition(), files: files.clone() })
}

#[derive(Deserialize, JsonSchema)]
struct Variables {
    /// The file.
    path: String,
}

#[derive(Debug)]
struct Files {
    definition: towline_core::protocol::ResourceDefinition,
    files: Filesystem,
}

fn definition() -> towline_core::protocol::ResourceDefinition {
    towline_core::protocol::ResourceDefinition::template(format!("{PREFIX}{{+path}}"), "file")
        .expect("the template is one")
        .with_title("File")
        .with_description("A file, by its path as the tools take it.")
        .with_input::<Variables>()
}

#[towline_core::async_trait]
impl towline_core::Resource for Files {
    fn definition(&self) -> &towline_core::protocol::ResourceDefinition {
        &self.definition
    }

    async fn read(&self, read: ResourceRead) -> Result<ResourceResult, Error> {
        let Variables { path } = read.parse()?;
        let read_file = move |disk: &crate::disk::Disk, job: &crate::job::Job| {
            let file = read::open(disk, &path)?;
            let shown = file.shown.clone();
            Ok(match file.all(disk.limits.max_media_bytes, job) {
                Ok(bytes) => Some((shown, bytes)),
                Err(FilesystemError::NotFound { .. }) => None,
                Err(error) => return Err(error),
            })
        };
        let uri = read.uri();
        let found = match self.files.run(read_file).await {
            // Which of the reasons it is says nothing to who reads by a URI: there is no such resource.
            Err(error) if error.kind() == towline_core::ErrorKind::InvalidParams => None,
            other => other?,
        };
        let (shown, bytes) = found.ok_or_else(|| Error::resource_not_found(uri))?;
        let mime_type = media_type(&shown);
        let contents = match String::from_utf8(bytes) {
            Ok(text) if mime_type == UNKNOWN => {
                ResourceContents::text(uri, text).with_mime_type("text/plain")
            }
            Ok(text) => ResourceContents::text(uri, text).with_mime_type(mime_type),
            Err(error) => ResourceContents::blob(uri, error.as_bytes()).with_mime_type(mime_type),
        };
        Ok(ResourceResult::new([contents]))
    }
}

/// The URI of a path as callers write it.
pub(crate) fn uri_of(path: &str) -> String {
    format!("{PREFIX}{}", utf8_percent_encode(path, ENCODED))
}

const UNKNOWN: &str = "application/octet-stream";

/// A file's media type, by the end of its name.
pub(crate) fn media_type(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("bmp") => "image/bmp",
        Some("svg") => "image/svg+xml",
        Some("mp3") => "audio/mpeg",
        Some("wav") => "audio/wav",
        Some("ogg") => "audio/ogg",
        Some("flac") => "audio/flac",
        Some("md") => "text/markdown",
        Some("html" | "htm") => "text/html",
        Some("css") => "text/css",
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        Some("pdf") => "application/pdf",
        _ => UNKNOWN,
    }
}
