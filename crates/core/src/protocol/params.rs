//! The parameters of requests, as a layer or a method of one's own may parse them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The parameters of the lists: `tools/list`, `resources/list`, `resources/templates/list` and `prompts/list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListParams {
    /// Where to go on, from the page before; none for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The parameters of `tools/call`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CallToolParams {
    /// The tool.
    pub name: String,
    /// Its arguments, an object.
    #[serde(default)]
    pub arguments: Option<Map<String, Value>>,
    /// What the client answers to an earlier `input_required`; since revision 2026-07-28.
    #[serde(flatten)]
    pub input: InputParams,
}

/// The parameters of `resources/read`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReadResourceParams {
    /// The resource.
    pub uri: String,
    /// What the client answers to an earlier `input_required`; since revision 2026-07-28.
    #[serde(flatten)]
    pub input: InputParams,
}

/// The parameters of `prompts/get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GetPromptParams {
    /// The prompt.
    pub name: String,
    /// Its arguments: text by name.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// What the client answers to an earlier `input_required`; since revision 2026-07-28.
    #[serde(flatten)]
    pub input: InputParams,
}

/// What a client sends along when it repeats a request that needed input (basic/patterns/mrtr).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InputParams {
    /// The answers, by the keys that the server gave them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_responses: Option<Map<String, Value>>,
    /// The state that the server gave it to send back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_state: Option<String>,
}
