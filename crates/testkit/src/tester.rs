//! A client with expectations.

use std::sync::Arc;
use std::time::Duration;

use rmcp::ServiceError;
use rmcp::model::CallToolRequestParams;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use towline_core::Serve;

use crate::answer::{Answer, Outcome};
use crate::call::Call;
use crate::link::{Link, chain};
use crate::target::{Era, Target};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect: {0}")]
pub struct ConnectError(pub(crate) String);

/// Who the server says it is.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The protocol revision that is spoken.
    pub revision: String,
}

/// A tool that a server offers.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ToolInfo {
    /// Its name.
    pub name: String,
    /// What it says that it does.
    pub description: String,
    /// The JSON schema of its arguments.
    pub input_schema: Value,
    /// Whether it says that it changes nothing.
    pub read_only: bool,
}

/// A client that tests a server.
///
/// A call that is not answered in time is given up. If the connection is lost, the next call makes another.
#[derive(Debug)]
pub struct Tester {
    target: Target,
    era: Era,
    patience: Duration,
    link: Mutex<Option<Arc<Link>>>,
}

impl Tester {
    /// Tests a server in this process, with all its layers.
    ///
    /// # Errors
    ///
    /// When it does not answer as a server does.
    pub async fn in_process<S: Serve>(server: S) -> Result<Self, ConnectError> {
        Self::connect(Target::in_process(server), Era::Newest).await
    }

    /// Tests a server.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, or does not answer as a server does.
    pub async fn connect(target: Target, era: Era) -> Result<Self, ConnectError> {
        let tester = Self::new(target, era);
        tester.link().await?;
        Ok(tester)
    }

    /// Tests a server to which it will connect with the first call.
    pub fn new(target: Target, era: Era) -> Self {
        Self { target, era, patience: Duration::from_secs(10), link: Mutex::new(None) }
    }

    /// Waits that long for each answer. Default: 10 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// What is tested.
    pub fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn waits(&self) -> Duration {
        self.patience
    }

    /// A call to a tool, sent when it is awaited.
    #[track_caller]
    pub fn call(&self, tool: &str) -> Call<'_> {
        Call::new(self, tool)
    }

    /// Who the server is.
    ///
    /// # Errors
    ///
    /// When there is no connection.
    pub async fn server(&self) -> Result<ServerInfo, ConnectError> {
        let link = self.link().await?;
        let Some(info) = link.client.peer().peer_info() else { return Ok(ServerInfo::default()) };
        let info = serde_json::to_value(&*info).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let server = &info["serverInfo"];
        let revision = text(&info["protocolVersion"]);
        Ok(ServerInfo { name: text(&server["name"]), version: text(&server["version"]), revision })
    }

    /// The tools that the server offers.
    ///
    /// # Errors
    ///
    /// When it does not tell.
    pub async fn tools(&self) -> Result<Vec<ToolInfo>, ConnectError> {
        let link = self.link().await?;
        let listed = timeout(self.patience, link.client.list_all_tools()).await;
        let listed = listed.map_err(|_| ConnectError("the tools are not listed in time".into()))?;
        let tools = listed.map_err(|error| ConnectError(chain(&error)))?;
        let tools = tools.into_iter().map(|tool| ToolInfo {
            name: tool.name.into_owned(),
            description: tool.description.unwrap_or_default().into_owned(),
            read_only: tool.annotations.and_then(|hints| hints.read_only_hint).unwrap_or(false),
            input_schema: Value::Object((*tool.input_schema).clone()),
        });
        Ok(tools.collect())
    }

    /// Calls a tool and tells what came of it, whatever that is.
    pub async fn exchange(&self, tool: &str, arguments: &Value) -> Answer {
        let request = json!({"name": tool, "arguments": arguments});
        let started = Instant::now();
        let outcome = self.attempt(tool, arguments).await;
        Answer { request, outcome, duration: started.elapsed() }
    }

    async fn attempt(&self, tool: &str, arguments: &Value) -> Outcome {
        let link = match self.link().await {
            Ok(link) => link,
            Err(ConnectError(why)) => return Outcome::Loss(why),
        };
        let mut params = CallToolRequestParams::new(tool.to_owned());
        params.arguments = arguments.as_object().cloned();
        // A request whose future is dropped is cancelled.
        let answered = match timeout(self.patience, link.client.call_tool(params)).await {
            Ok(answered) => answered,
            Err(_) => return Outcome::Silence { waited: self.patience },
        };
        match answered {
            Ok(result) => Outcome::Result(serde_json::to_value(&result).unwrap_or_default()),
            Err(ServiceError::McpError(error)) => {
                Outcome::Refusal(serde_json::to_value(&error).unwrap_or_default())
            }
            Err(error) => {
                let why = match &link.program {
                    Some(program) => program.why(&chain(&error)).await,
                    None => chain(&error),
                };
                Outcome::Loss(why)
            }
        }
    }

    async fn link(&self) -> Result<Arc<Link>, ConnectError> {
        let mut link = self.link.lock().await;
        if let Some(open) = link.as_ref().filter(|open| !open.client.peer().is_transport_closed()) {
            return Ok(open.clone());
        }
        let opened = Link::open(&self.target, self.era, self.patience).await.map_err(ConnectError)?;
        let opened = Arc::new(opened);
        *link = Some(opened.clone());
        Ok(opened)
    }

    /// Leaves the connection, and what hangs on it, behind; the next call makes another.
    pub async fn disconnect(&self) {
        self.link.lock().await.take();
    }

    /// Ends the connection, and the program that was started for it.
    pub async fn close(self) {
        if let Some(link) = self.link.into_inner().and_then(Arc::into_inner) {
            link.close().await;
        }
    }
}
