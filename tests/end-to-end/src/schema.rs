//! The protocol's JSON schemas, as the official conformance suite has them.

use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::{Conversation, Suite, client};

/// The schemas of all revisions that the conformance suite knows.
#[derive(Debug)]
pub struct Schemas(HashMap<String, Value>);

impl Schemas {
    /// Takes them from the installed conformance suite.
    ///
    /// # Panics
    ///
    /// Panics when it is not installed.
    pub async fn load() -> Self {
        let suite = Suite::V0_2.bundle();
        let suite = suite.to_str().expect("the workspace's path is UTF-8");
        let output = client::run(&client::node(), &["typescript/schemas.mjs", suite], b"").await;
        Self(serde_json::from_slice(&output).expect("the script writes JSON"))
    }

    /// Holds each message of a server against the schema of the revision that it is in, and returns how many there were.
    ///
    /// # Panics
    ///
    /// Panics at the first message that is not what the schema says, and at an answer to nothing.
    pub fn check(&self, conversations: &[Conversation]) -> usize {
        let agreed = conversations.iter().find_map(Conversation::agreed);
        let mut checker = Checker { schemas: self, validators: HashMap::new() };
        let mut count = 0;
        // A stream that belongs to no request may have the answers to any.
        let anywhere = conversations.iter().flat_map(|conversation| conversation.client.iter().cloned());
        let anywhere = Conversation { client: anywhere.collect(), server: vec![] };
        for conversation in conversations {
            let asked = if conversation.client.is_empty() { &anywhere } else { conversation };
            let requests = Requests::of(asked, agreed.as_deref());
            for text in &conversation.server {
                let message: Value = serde_json::from_str(text)
                    .unwrap_or_else(|error| panic!("the server wrote no JSON ({error}): {text}"));
                checker.check(&message, &requests);
                count += 1;
            }
        }
        count
    }
}

/// What a client asked, for the answers to be understood.
struct Requests {
    /// Method and revision, by id.
    by_id: HashMap<String, (String, String)>,
    /// The revision of what has no id.
    revision: String,
}

impl Requests {
    fn of(conversation: &Conversation, agreed: Option<&str>) -> Self {
        let mut by_id = HashMap::new();
        let mut revision = agreed.unwrap_or_default().to_owned();
        for text in &conversation.client {
            // What is not JSON is there to be refused.
            let Ok(message) = serde_json::from_str::<Value>(text) else { continue };
            if let Some(own) = message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str()
            {
                own.clone_into(&mut revision);
            }
            if let (Some(id), Some(method)) = (message.get("id"), message["method"].as_str()) {
                by_id.insert(id.to_string(), (method.to_owned(), revision.clone()));
            }
        }
        Self { by_id, revision }
    }
}

struct Checker<'a> {
    schemas: &'a Schemas,
    validators: HashMap<(String, &'static str), Validator>,
}

impl Checker<'_> {
    fn check(&mut self, message: &Value, requests: &Requests) {
        let id = message.get("id").filter(|id| !id.is_null());
        if let Some(method) = message["method"].as_str() {
            self.hold(&requests.revision, "JSONRPCMessage", message);
            let definition = if id.is_some() { request(method) } else { notification(method) };
            self.hold(&requests.revision, definition, message);
            return;
        }
        let Some(id) = id else {
            self.hold(&requests.revision, "JSONRPCMessage", message);
            return;
        };
        let (method, revision) = requests
            .by_id
            .get(&id.to_string())
            .unwrap_or_else(|| panic!("nobody asked for the answer {message}"));
        self.hold(revision, "JSONRPCMessage", message);
        if let Some(result) = message.get("result") {
            let is_complete = result["resultType"] != "input_required";
            let definition = if is_complete { result_of(method) } else { "InputRequiredResult" };
            self.hold(revision, definition, result);
        }
    }

    fn hold(&mut self, revision: &str, definition: &'static str, value: &Value) {
        let key = (revision.to_owned(), definition);
        let validator =
            self.validators.entry(key).or_insert_with(|| compile(self.schemas, revision, definition));
        if let Err(error) = validator.validate(value) {
            panic!("no {definition} of {revision}: {error} at {}\n{value}", error.instance_path());
        }
    }
}

fn compile(schemas: &Schemas, revision: &str, definition: &str) -> Validator {
    let mut schema = schemas.0.get(revision).cloned().unwrap_or_else(|| panic!("no schema of {revision}"));
    let keyword = if schema.get("$defs").is_some() { "$defs" } else { "definitions" };
    let named = &schema[keyword][definition];
    assert!(named.is_object(), "revision {revision} defines no {definition}");
    schema["$ref"] = json!(format!("#/{keyword}/{definition}"));
    jsonschema::options().should_validate_formats(true).build(&schema).expect("the schema is one")
}

fn result_of(method: &str) -> &'static str {
    match method {
        "initialize" => "InitializeResult",
        "server/discover" => "DiscoverResult",
        "tools/list" => "ListToolsResult",
        "tools/call" => "CallToolResult",
        "resources/list" => "ListResourcesResult",
        "resources/templates/list" => "ListResourceTemplatesResult",
        "resources/read" => "ReadResourceResult",
        "prompts/list" => "ListPromptsResult",
        "prompts/get" => "GetPromptResult",
        "completion/complete" => "CompleteResult",
        "subscriptions/listen" => "SubscriptionsListenResult",
        "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => "EmptyResult",
        other => panic!("what is the result of {other}?"),
    }
}

/// What servers of older revisions ask their clients. In the latest one the same stands in results.
fn request(method: &str) -> &'static str {
    match method {
        "elicitation/create" => "ElicitRequest",
        "sampling/createMessage" => "CreateMessageRequest",
        "roots/list" => "ListRootsRequest",
        other => panic!("the server asked for {other}"),
    }
}

fn notification(method: &str) -> &'static str {
    match method {
        "notifications/progress" => "ProgressNotification",
        "notifications/message" => "LoggingMessageNotification",
        "notifications/cancelled" => "CancelledNotification",
        "notifications/tools/list_changed" => "ToolListChangedNotification",
        "notifications/prompts/list_changed" => "PromptListChangedNotification",
        "notifications/resources/list_changed" => "ResourceListChangedNotification",
        "notifications/resources/updated" => "ResourceUpdatedNotification",
        "notifications/subscriptions/acknowledged" => "SubscriptionsAcknowledgedNotification",
        other => panic!("the server sent {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{
        "io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;

    async fn check(answer: &str) -> usize {
        check_all(&[REQUEST], &[answer]).await
    }

    async fn check_all(client: &[&str], server: &[&str]) -> usize {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let conversation = Conversation { client: texts(client), server: texts(server) };
        Schemas::load().await.check(&[conversation])
    }

    const HANDSHAKE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    const AGREED: &str = r#"{"jsonrpc":"2.0","id":1,"result":{
        "protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#;

    #[tokio::test]
    async fn a_server_s_own_requests_are_held_against_the_schema_too() {
        // Its ids are its own: it is no answer to the handshake.
        let asked = r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{
            "message":"How much?","requestedSchema":{"type":"object","properties":{
                "price":{"type":"number","default":95.5}}}}}"#;
        assert_eq!(check_all(&[HANDSHAKE], &[AGREED, asked]).await, 2);
    }

    #[tokio::test]
    #[should_panic(expected = "no ElicitRequest of 2025-11-25")]
    async fn a_form_that_no_client_could_show_is_found() {
        let asked = r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{
            "message":"Where?","requestedSchema":{"type":"object","properties":{"place":{"type":"object"}}}}}"#;
        check_all(&[HANDSHAKE], &[AGREED, asked]).await;
    }

    #[tokio::test]
    #[should_panic(expected = "defines no SubscriptionsAcknowledgedNotification")]
    async fn a_notification_that_the_revision_does_not_know_is_found() {
        let told = r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}"#;
        check_all(&[HANDSHAKE], &[AGREED, told]).await;
    }

    #[tokio::test]
    #[should_panic(expected = "no InputRequiredResult of 2026-07-28")]
    async fn a_question_in_a_result_that_is_none_is_found() {
        let call = REQUEST.replace("tools/list", "tools/call");
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{
            "resultType":"input_required","inputRequests":{"name":{"method":"elicitation/ask","params":{}}}}}"#;
        check_all(&[&call], &[answer]).await;
    }

    #[tokio::test]
    async fn an_answer_that_fits_is_counted() {
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{
            "resultType":"complete","tools":[],"ttlMs":0,"cacheScope":"public"}}"#;
        assert_eq!(check(answer).await, 1);
    }

    #[tokio::test]
    #[should_panic(expected = "no ListToolsResult of 2026-07-28")]
    async fn an_answer_that_lacks_something_is_found() {
        check(r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","tools":[]}}"#).await;
    }

    #[tokio::test]
    #[should_panic(expected = "nobody asked")]
    async fn an_answer_to_nothing_is_found() {
        check(r#"{"jsonrpc":"2.0","id":2,"result":{}}"#).await;
    }
}
