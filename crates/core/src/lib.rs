//! The protocol core of Towline: from bytes to a tool and back, without I/O.
//!
//! ```text
//! bytes > codec::decode > Request > [layers] > Routes > ToolCall > [layers] > Tool::call
//! bytes < codec::encode < Result<Reply, Error> < ..   < Result<ToolResult, Error> < ..
//! ```
//!
//! A server is a [`Router`] with [tower] layers around it; a transport feeds it. Failures stay `Err` until the last
//! byte, so every layer sees what failed. Nothing here opens a socket, reads the environment or needs a runtime.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use towline_core::{Router, Server, tool_fn};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Add { a: i64, b: i64 }
//!
//! let add = tool_fn("add", "Adds two numbers.", async |args: Add| (args.a + args.b).to_string());
//! let server = Server::new(Router::new("calculator", "1.0.0").tool(add));
//! ```
//!
//! [tower]: https://docs.rs/tower

mod answer;
mod arguments;
pub mod codec;
mod completion;
mod context;
mod error;
mod extensions;
mod freshness;
pub mod health;
mod input;
mod json;
mod layered;
mod meta;
mod notifier;
mod operation;
mod principal;
mod prompt;
pub mod protocol;
mod registration;
mod registry;
mod request;
mod resource;
mod router;
mod server;
mod session;
mod sync;
mod task;
mod tool;
mod uri;

pub use answer::{AnswerKind, Failure};
pub use completion::{CompletionCall, CompletionOutput};
pub use context::Context;
pub use error::{BoxError, Error, ErrorKind, Quota};
pub use extensions::Extensions;
pub use input::{AsksInput, Input, StateKey, StateSeal, Supplied, UsedStates, UsedStatesInMemory};
pub use json::RawJson;
pub use layered::Layered;
pub use meta::{ClientInfo, RequestMeta};
pub use notifier::{Notifier, Report};
pub use operation::Operation;
pub use principal::{Carrier, ClientAddr, KnownUntil, Principal};
pub use prompt::{
    FnPrompt, Prompt, PromptCall, PromptExt, PromptFn, PromptOutput, PromptResult, PromptService, PromptSet,
    prompt_fn,
};
pub use registration::RegistrationError;
pub use registry::{Change, Changes, Registry, Subscription};
pub use request::{Reply, Request};
pub use resource::{
    FixedResource, FnResource, Resource, ResourceExt, ResourceFn, ResourceOutput, ResourceRead,
    ResourceResult, ResourceService, ResourceSet, resource_fn,
};
pub use router::{RouteFuture, Router, Routes};
pub use server::{Serve, Server, ServerFuture};
pub use session::{SessionOffer, SessionSupport, SetLevelParams};
pub use task::{TaskOptions, TaskRecord, TaskStatus, TaskStore, TaskTool, Tasks, TasksInMemory};
pub use tool::{
    FnTool, Json, Schema, Tool, ToolCall, ToolExt, ToolFn, ToolOutput, ToolResult, ToolService, ToolSet,
    tool_fn,
};
pub use uri::{UriTemplate, UriTemplateError, UriValue, UriValues};

/// What tool authors need of the crates that appear in this crate's API.
pub use {async_trait::async_trait, schemars, serde_json};
