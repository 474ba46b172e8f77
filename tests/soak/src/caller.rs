//! A client that calls tools one after the other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{Connection, Error};

/// A client of the latest revision that keeps its connection for as long as it lasts.
#[derive(Debug)]
pub struct Caller {
    address: SocketAddr,
    patience: Duration,
    connection: Option<Connection>,
    id: u64,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON-RPC message.
    pub message: Value,
    /// How long it took.
    pub took: Duration,
}

impl Caller {
    /// A client that waits so long for an answer.
    pub fn new(address: SocketAddr, patience: Duration) -> Self {
        Self { address, patience, connection: None, id: 0 }
    }

    /// Calls a tool.
    ///
    /// # Errors
    ///
    /// When no answer comes in time, or it is cut off, or none to what was asked.
    pub async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Answer, Error> {
        let begun = Instant::now();
        let answered = timeout(self.patience, self.exchange(tool, arguments)).await;
        let (status, message) =
            answered.map_err(|_| format!("no answer within {:?}", self.patience)).and_then(|outcome| {
                outcome.map_err(|error| {
                    // What is left of it may hold anything.
                    self.connection = None;
                    error.to_string()
                })
            })?;
        Ok(Answer { status, message, took: begun.elapsed() })
    }

    async fn exchange(&mut self, tool: &str, arguments: &Value) -> Result<(u16, Value), Error> {
        self.id += 1;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let params = json!({"name": tool, "arguments": arguments});
        connection.ask("tools/call", Some(tool), params, self.id).await?;
        let head = connection.head().await?;
        let message: Value = serde_json::from_slice(&connection.body(&head).await?)?;
        if message["id"] != self.id {
            return Err(format!("{message} in answer to {}", self.id).into());
        }
        self.connection = Some(connection);
        Ok((head.status, message))
    }
}

impl Answer {
    /// Whether the tool did what was asked.
    pub fn is_good(&self) -> bool {
        self.status == 200 && self.message["result"].is_object() && self.message["result"]["isError"] != true
    }

    /// What kind of failure it was, as models and programs read it.
    pub fn kind(&self) -> Option<&str> {
        let result = &self.message["result"]["_meta"]["dev.towline/error"]["kind"];
        result.as_str().or_else(|| self.message["error"]["data"]["kind"].as_str())
    }

    /// The structured result.
    pub fn data(&self) -> &Value {
        &self.message["result"]["structuredContent"]
    }
}
