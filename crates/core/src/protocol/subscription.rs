//! Telling clients what changes.
//!
//! Source: basic/patterns/subscriptions.

use serde::{Deserialize, Serialize};

/// What a client wants to be told of; in the acknowledgement, what it will be told of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionFilter {
    /// That the list of tools has changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tools_list_changed: bool,
    /// That the list of prompts has changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prompts_list_changed: bool,
    /// That the lists of resources or templates have changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resources_list_changed: bool,
    /// That these resources have changed, by their URIs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_subscriptions: Vec<String>,
    /// That these tasks have changed, by their ids; of the extension `io.modelcontextprotocol/tasks`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub task_ids: Vec<String>,
}

/// The parameters of `subscriptions/listen`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListenParams {
    /// What the client wants to be told of.
    pub notifications: SubscriptionFilter,
}
