//! The protocol's vocabulary: versions, ids, tool definitions and content.

mod content;
mod id;
mod server;
mod tool;
mod version;

pub use content::{
    Annotations, Content, EmbeddedResource, MediaContent, ResourceBody, ResourceContents, ResourceLink, Role,
    TextContent,
};
pub use id::RequestId;
pub use server::{CacheScope, Icon, Implementation, LogLevel, Theme};
pub use tool::{ToolAnnotations, ToolDefinition};
pub use version::ProtocolVersion;
