//! OpenAPI documents as tools: one per operation, or three over all of them.
//!
//! A [`Document`] is read as plain JSON, whatever its version: 2.0, 3.0, 3.1 or 3.2, in JSON or YAML. Each of its
//! operations becomes a tool whose arguments are what the operation takes, and whose calls become
//! [`ApiRequest`]s; who carries them out is the caller's choice ([`Execute`]). What cannot be mapped is reported
//! ([`Report`]) operation by operation, and the rest is served.
//!
//! Nothing outside the document is ever read: a `$ref` that leaves it is reported. Servers and credentials are the
//! configuration's; [`Document::security_schemes`] tells which ones the API asks for.

mod argument;
mod body;
mod config;
mod document;
mod encode;
mod find;
mod glob;
mod name;
mod node;
mod operation;
mod output;
mod parameter;
mod parse;
mod plan;
mod report;
mod response;
mod schema;
mod search;
mod style;
mod text;
mod tools;
mod yaml;

use async_trait::async_trait;
use http::Method;
use towline_core::{Context, Error};

pub use config::{Mode, OpenApiConfig, Override, Selector};
pub use document::{Document, DocumentError, SecurityKind, SecurityScheme};
pub use operation::{Operation, Skipped};
pub use report::{Report, Warning};
pub use tools::tools;

use crate::request::{ApiRequest, ApiResponse};

/// Carries out requests to the API that a document describes.
#[async_trait]
pub trait Execute: Send + Sync + 'static {
    /// Sends the request and gives the answer, whatever its status.
    ///
    /// # Errors
    ///
    /// When there is no answer, or the request is not allowed.
    async fn execute(&self, request: ApiRequest, context: &Context) -> Result<ApiResponse, Error>;

    /// Whether it carries out requests of that method at all: operations of others become no tools. Default: any.
    fn allows(&self, method: &Method) -> bool {
        let _ = method;
        true
    }
}
