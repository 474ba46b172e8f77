//! What is known of a task.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::calendar::iso8601;
use super::now;
use super::options::TaskOptions;
use crate::input::random_id;
use crate::json::RawJson;

/// What is known of a task. A store keeps it as it is, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskRecord {
    /// Its id, which nobody can guess.
    pub id: String,
    /// The principal whose it is. Nobody else sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How often it has changed.
    pub revision: u64,
    /// How it stands.
    pub status: TaskStatus,
    /// More of how it stands, for people and models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    /// When it began, in milliseconds since 1970.
    pub created_at: u64,
    /// When it last changed, in milliseconds since 1970.
    pub updated_at: u64,
    /// For how many milliseconds from its beginning it is kept; none: for ever.
    pub ttl: Option<u64>,
    /// How many milliseconds clients should let pass between looks.
    pub poll_interval: u64,
    /// In a shared store: until when the process that runs it is believed to live, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<u64>,
    /// What it waits for, by key.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub input_requests: Map<String, Value>,
    /// What it has been given and has not taken yet, by key.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub input_responses: Map<String, Value>,
    /// What came of it, as the call's own answer would have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RawJson>,
    /// Why it failed, as a JSON-RPC error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// It runs.
    Working,
    /// It waits for input.
    InputRequired,
    /// It is done, be the outcome good or bad (`isError`).
    Completed,
    /// It broke off.
    Failed,
    /// Its client has ended it.
    Cancelled,
}

impl TaskStatus {
    /// Whether it stays so.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl TaskRecord {
    pub(super) fn new(owner: Option<&str>, options: &TaskOptions, lease: Option<u64>) -> Self {
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let now = now();
        Self {
            id: random_id(),
            owner: owner.map(str::to_owned),
            revision: 0,
            status: TaskStatus::Working,
            status_message: None,
            created_at: now,
            updated_at: now,
            ttl: options.ttl.map(|ttl| millis(ttl).max(1)),
            poll_interval: millis(options.poll_interval),
            lease,
            input_requests: Map::new(),
            input_responses: Map::new(),
            result: None,
            error: None,
        }
    }

    /// Whether it need not be kept any more, at that time in milliseconds since 1970.
    pub fn has_expired(&self, now: u64) -> bool {
        self.ttl.is_some_and(|ttl| self.created_at.saturating_add(ttl) <= now)
    }

    /// Whether it is not done, and the process that ran it is gone.
    pub(super) fn is_orphan(&self, now: u64) -> bool {
        !self.status.is_final() && self.lease.is_some_and(|lease| lease < now)
    }

    /// Ends it because nobody runs it any more.
    pub(super) fn orphan(&mut self) {
        self.fail(-32603, "the server that ran this task is gone; call the tool again");
    }

    pub(super) fn fail(&mut self, code: i32, message: &str) {
        self.finish(TaskStatus::Failed);
        self.error = Some(json!({"code": code, "message": message}));
    }

    pub(super) fn finish(&mut self, status: TaskStatus) {
        self.status = status;
        self.input_requests.clear();
        self.input_responses.clear();
    }

    /// The members of a task, as `tools/call` answers them.
    pub(crate) fn summary(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("taskId".into(), json!(self.id));
        members.insert("status".into(), json!(self.status));
        if let Some(message) = &self.status_message {
            members.insert("statusMessage".into(), json!(message));
        }
        members.insert("createdAt".into(), json!(iso8601(self.created_at)));
        members.insert("lastUpdatedAt".into(), json!(iso8601(self.updated_at)));
        members.insert("ttlMs".into(), json!(self.ttl));
        members.insert("pollIntervalMs".into(), json!(self.poll_interval));
        members
    }

    /// The members of a task with what came of it, or what it waits for, as `tasks/get` answers them: JSON members without
    /// the braces.
    pub(crate) fn details(&self) -> String {
        let mut members = self.summary();
        if self.status == TaskStatus::InputRequired {
            members.insert("inputRequests".into(), self.input_requests.clone().into());
        }
        if let Some(error) = &self.error {
            members.insert("error".into(), error.clone());
        }
        let text = Value::Object(members).to_string();
        let mut text = text[1..text.len() - 1].to_owned();
        if let Some(result) = &self.result {
            // As it was written: parsing it could lose digits.
            text.push_str(r#","result":"#);
            text.push_str(result.as_str());
        }
        text
    }
}
