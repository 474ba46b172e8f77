//! Asking the client's language model. Deprecated since revision 2026-07-28.
//!
//! Source: client/sampling.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::content::{Content, Role};

/// What the client's language model is asked.
///
/// ```
/// use towline_core::protocol::Sampling;
///
/// let sampling = Sampling::new(100).user("What is the capital of France?").system_prompt("Be brief.");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Sampling {
    /// The conversation so far.
    pub messages: Vec<SamplingMessage>,
    /// The most tokens of the answer.
    pub max_tokens: u32,
    /// Which model would be best. The client decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_preferences: Option<ModelPreferences>,
    /// What the model is told beforehand. The client may change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// How free the answer is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Texts at which the answer ends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
    /// Anything for the model's provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// Tools that the model may ask for, as in `tools/list`; since revision 2025-11-25, and only of clients that declare
    /// `sampling.tools`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Whether the model may or must ask for a tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
}

impl Sampling {
    /// Asks for an answer of that many tokens at most.
    pub fn new(max_tokens: u32) -> Self {
        Self {
            messages: Vec::new(),
            max_tokens,
            model_preferences: None,
            system_prompt: None,
            temperature: None,
            stop_sequences: Vec::new(),
            metadata: None,
            tools: Vec::new(),
            tool_choice: None,
        }
    }

    /// Adds what the user says.
    #[must_use]
    pub fn user(mut self, content: impl Into<Content>) -> Self {
        self.messages.push(SamplingMessage { role: Role::User, content: content.into() });
        self
    }

    /// Adds what the model has said.
    #[must_use]
    pub fn assistant(mut self, content: impl Into<Content>) -> Self {
        self.messages.push(SamplingMessage { role: Role::Assistant, content: content.into() });
        self
    }

    /// Tells the model something beforehand.
    #[must_use]
    pub fn system_prompt(mut self, text: impl Into<String>) -> Self {
        self.system_prompt = Some(text.into());
        self
    }

    /// Says how free the answer is.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Says which model would be best.
    #[must_use]
    pub fn model(mut self, preferences: ModelPreferences) -> Self {
        self.model_preferences = Some(preferences);
        self
    }
}

/// A message of a conversation with a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SamplingMessage {
    /// Who says it.
    pub role: Role,
    /// What is said: text, an image or a sound.
    pub content: Content,
}

/// Which model would be best.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelPreferences {
    /// Names, or parts of names, the best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<ModelHint>,
    /// How much the price matters, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_priority: Option<f64>,
    /// How much the speed matters, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_priority: Option<f64>,
    /// How much the ability matters, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intelligence_priority: Option<f64>,
}

/// The name of a model, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelHint {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Whether a model may or must ask for a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum ToolChoice {
    /// It may.
    Auto,
    /// It must.
    Required,
    /// It must not.
    None,
}

/// What the client's model answered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Sampled {
    /// The model that answered.
    pub model: String,
    /// Why it ended, such as `endTurn`, `stopSequence`, `maxTokens` or `toolUse`.
    #[serde(default)]
    pub stop_reason: Option<String>,
    /// What it said.
    #[serde(deserialize_with = "one_or_several")]
    pub content: Vec<SampledContent>,
}

impl Sampled {
    /// The text of the answer; empty if it has none.
    pub fn text(&self) -> String {
        let text = |block: &SampledContent| match block {
            SampledContent::Text { text } => Some(text.clone()),
            _ => None,
        };
        self.content.iter().filter_map(text).collect()
    }
}

/// One block of what a model answered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum SampledContent {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// An image.
    Image {
        /// Its bytes, in Base64.
        data: String,
        /// Its media type.
        mime_type: String,
    },
    /// A sound.
    Audio {
        /// Its bytes, in Base64.
        data: String,
        /// Its media type.
        mime_type: String,
    },
    /// The model asks for a tool.
    ToolUse {
        /// Ties the tool's result to this.
        id: String,
        /// The tool.
        name: String,
        /// Its arguments.
        input: Map<String, Value>,
    },
    /// Something that this crate does not know.
    #[serde(other)]
    Unknown,
}

fn one_or_several<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<SampledContent>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Several(Vec<SampledContent>),
        One(SampledContent),
    }
    Ok(match Form::deserialize(deserializer)? {
        Form::Several(blocks) => blocks,
        Form::One(block) => vec![block],
    })
}
