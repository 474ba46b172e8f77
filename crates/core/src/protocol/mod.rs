//! The protocol's vocabulary: versions, ids, what tools, resources and prompts tell of themselves, and content.
//!
//! | message | what it asks | what it answers |
//! |---|---|---|
//! | `server/discover`, `initialize` | | [`Implementation`], and what the [router](crate::Router) offers |
//! | `tools/list` | [`ListParams`] | [`ToolDefinition`]s |
//! | `tools/call` | [`CallToolParams`] | [`ToolResult`](crate::ToolResult) |
//! | `resources/list`, `resources/templates/list` | [`ListParams`] | [`ResourceDefinition`]s |
//! | `resources/read` | [`ReadResourceParams`] | [`ResourceResult`](crate::ResourceResult) |
//! | `prompts/list` | [`ListParams`] | [`PromptDefinition`]s |
//! | `prompts/get` | [`GetPromptParams`] | [`PromptResult`](crate::PromptResult) |
//! | `completion/complete` | [`CompleteParams`] | [`Completion`] |
//! | `elicitation/create` | [`Form`], [`UrlPrompt`] | [`ElicitResult`] |
//! | `sampling/createMessage` | [`Sampling`] | [`Sampled`] |
//! | `roots/list` | | [`ListRootsResult`] |
//! | `subscriptions/listen` | [`ListenParams`] | [`SubscriptionFilter`], acknowledged |
//! | `tasks/get`, `tasks/update`, `tasks/cancel` | | [`TaskRecord`](crate::TaskRecord) |
//!
//! | notification | what makes it |
//! |---|---|
//! | `notifications/progress`, `notifications/message` | [`Context::progress`](crate::Context::progress), [`Context::log`](crate::Context::log) with a [`LogLevel`] |
//! | `notifications/*/list_changed`, `notifications/resources/updated` | [`Registry`](crate::Registry) and [`Changes`](crate::Changes) |
//! | `notifications/tasks` | a [`TaskRecord`](crate::TaskRecord) that changes |
//! | `notifications/cancelled` | the client; the call's future is dropped |
//!
//! A member that these types do not name is not lost where the specification wants it kept: `_meta` and extensions' settings
//! go through as they are, and [`Request::params`](crate::Request::params) is the text that the client sent.

mod completion;
mod content;
mod elicitation;
mod id;
mod params;
mod prompt;
mod resource;
mod roots;
mod sampling;
mod server;
mod subscription;
mod tool;
mod version;

pub use completion::{
    CompleteParams, Completion, CompletionArgument, CompletionContext, CompletionReference,
};
pub use content::{
    Annotations, Content, EmbeddedResource, MediaContent, ResourceBody, ResourceContents, ResourceLink, Role,
    TextContent,
};
pub use elicitation::{ElicitAction, ElicitResult, Elicited, Field, Form, UrlPrompt};
pub use id::RequestId;
pub use params::{CallToolParams, GetPromptParams, InputParams, ListParams, ReadResourceParams};
pub use prompt::{PromptArgument, PromptDefinition, PromptMessage};
pub use resource::{ResourceAddress, ResourceDefinition};
pub use roots::{ListRootsResult, Root};
pub use sampling::{
    ModelHint, ModelPreferences, Sampled, SampledContent, Sampling, SamplingMessage, ToolChoice,
};
pub use server::{CacheScope, Icon, Implementation, LogLevel, Theme};
pub use subscription::{ListenParams, SubscriptionFilter};
pub use tool::{ToolAnnotations, ToolDefinition};
pub use version::ProtocolVersion;
