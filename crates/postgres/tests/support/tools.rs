//! Calls tools as a client would: arguments and results are held against their schemas.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part of it.

use serde_json::{Value, json};
use tower::ServiceExt;
use towline_core::protocol::ProtocolVersion;
use towline_core::{Error, Notifier, Principal, Report, Request, Router, Server, ToolSet};
use towline_postgres::{DatabaseConfig, Pool, tools};

pub struct Caller {
    server: Server,
}

/// An answer of a tool.
#[derive(Debug)]
pub struct Answer {
    pub text: String,
    pub data: Value,
    pub is_error: bool,
}

impl Caller {
    pub fn new(url: impl Into<String>) -> Self {
        Self::with(DatabaseConfig::new(url))
    }

    pub fn with(config: DatabaseConfig) -> Self {
        Self::on([Pool::new(config).unwrap()])
    }

    pub fn on(pools: impl IntoIterator<Item = Pool>) -> Self {
        Self::of(tools(pools))
    }

    pub fn of(tools: ToolSet) -> Self {
        Self { server: Server::new(Router::new("test", "1.0.0").tools(tools)) }
    }

    async fn request(&self, request: Request) -> Result<Value, Error> {
        let reply = self.server.clone().oneshot(request).await?;
        Ok(serde_json::from_slice(reply.as_bytes()).unwrap())
    }

    pub async fn list(&self) -> Value {
        self.request(Request::new("tools/list", &json!({})).unwrap()).await.unwrap()
    }

    pub async fn try_call(&self, tool: &str, arguments: Value) -> Result<Answer, Error> {
        self.try_call_as(None, tool, arguments).await
    }

    /// A call that is made for somebody.
    pub async fn try_call_as(
        &self,
        who: Option<&Principal>,
        tool: &str,
        arguments: Value,
    ) -> Result<Answer, Error> {
        let params = json!({"name": tool, "arguments": arguments});
        let mut request = Request::new("tools/call", &params).unwrap();
        if let Some(who) = who {
            request.context_mut().extensions_mut().insert(who.clone());
        }
        let reply = self.request(request).await?;
        Ok(Answer {
            text: reply["content"][0]["text"].as_str().unwrap().to_owned(),
            data: reply["structuredContent"].clone(),
            is_error: reply["isError"] == json!(true),
        })
    }

    /// The answer, which is no error.
    pub async fn call(&self, tool: &str, arguments: Value) -> Answer {
        let answer = self.try_call(tool, arguments).await.unwrap();
        assert!(!answer.is_error, "{}", answer.text);
        answer
    }

    /// The text of an answer that is an error.
    pub async fn refusal(&self, tool: &str, arguments: Value) -> String {
        match self.try_call(tool, arguments).await {
            Ok(answer) => {
                assert!(answer.is_error, "{}", answer.text);
                answer.text
            }
            Err(error) => error.to_string(),
        }
    }

    /// The messages of the progress that a call told of.
    pub async fn progress_of(&self, tool: &str, arguments: Value) -> Vec<Value> {
        let (notifier, mut inbox) = Notifier::channel(1000);
        let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": 1}});
        let mut request = Request::new("tools/call", &params).unwrap();
        request.context_mut().set_version(ProtocolVersion::LATEST);
        request.context_mut().set_notifier(notifier);
        self.request(request).await.unwrap();
        let mut messages = Vec::new();
        while let Ok(Report::Message(message)) = inbox.try_recv() {
            messages.push(serde_json::from_slice::<Value>(&message).unwrap()["params"].clone());
        }
        messages
    }
}
