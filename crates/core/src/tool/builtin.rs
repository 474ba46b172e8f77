//! The tools that any server can have: `health_check` and `server_info`.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use async_trait::async_trait;
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Tool, ToolCall, ToolResult};
use crate::error::Error;
use crate::health::{Health, HealthCheck};
use crate::json::RawJson;
use crate::protocol::{Implementation, ProtocolVersion, ToolAnnotations, ToolDefinition};

/// `health_check`: whether the server and its dependencies are well.
pub(crate) struct HealthTool {
    definition: ToolDefinition,
    server: String,
    checks: Vec<Arc<dyn HealthCheck>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Healthy,
    Degraded,
    Unhealthy,
}

#[derive(Serialize, JsonSchema)]
struct HealthReport {
    /// The worst of the dependencies' states.
    status: Status,
    /// The server's name.
    server: String,
    /// What the server depends on.
    dependencies: Vec<Dependency>,
}

#[derive(Serialize, JsonSchema)]
struct Dependency {
    name: String,
    status: Status,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl HealthTool {
    pub(crate) fn new(server: &Implementation, checks: Vec<Arc<dyn HealthCheck>>) -> Self {
        let description = "Tells whether this server, and what it depends on, is well.";
        let definition = ToolDefinition::new("health_check", description)
            .with_title("Health check")
            .with_output::<HealthReport>()
            .with_annotations(ToolAnnotations::read_only());
        Self { definition, server: server.name.clone(), checks }
    }
}

#[async_trait]
impl Tool for HealthTool {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, _: ToolCall) -> Result<ToolResult, Error> {
        let states = join_all(self.checks.iter().map(|check| check.check())).await;
        let report = |(check, health): (&Arc<dyn HealthCheck>, Health)| {
            let (status, detail) = match health {
                Health::Up => (Status::Healthy, None),
                Health::Degraded(detail) => (Status::Degraded, Some(detail)),
                Health::Down(detail) => (Status::Unhealthy, Some(detail)),
            };
            Dependency { name: check.name().to_owned(), status, detail }
        };
        let dependencies: Vec<Dependency> = self.checks.iter().zip(states).map(report).collect();
        let status = dependencies.iter().map(|dependency| dependency.status).max().unwrap_or(Status::Healthy);
        let report = HealthReport { status, server: self.server.clone(), dependencies };
        Ok(ToolResult::text(report.text()).with_structured(RawJson::from_value(&report)?))
    }
}

impl HealthReport {
    fn text(&self) -> String {
        let word = |status| match status {
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Unhealthy => "unhealthy",
        };
        let mut text = format!("Server {} is {}", self.server, word(self.status));
        for Dependency { name, status, detail } in &self.dependencies {
            text.push_str(&format!("\n- {name}: {}", word(*status)));
            if let Some(detail) = detail {
                text.push_str(&format!(" ({detail})"));
            }
        }
        text
    }
}

/// What `server_info` tells, but for the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerFacts {
    pub(crate) tools: usize,
    pub(crate) resources: usize,
    pub(crate) prompts: usize,
}

/// `server_info`: what this server is.
pub(crate) struct InfoTool {
    definition: ToolDefinition,
    server: Implementation,
    facts: ServerFacts,
    started: Instant,
}

#[derive(Serialize, JsonSchema)]
struct Info<'a> {
    name: &'a str,
    version: &'a str,
    tools_count: usize,
    resources_count: usize,
    prompts_count: usize,
    /// Seconds since the server started.
    uptime_seconds: u64,
    /// The protocol revisions that the server speaks.
    protocol_versions: [&'static str; ProtocolVersion::ALL.len()],
}

impl InfoTool {
    pub(crate) fn new(server: Implementation, facts: ServerFacts) -> Self {
        let description =
            "Tells this server's name and version, how much it offers, and how long it has been up.";
        let definition = ToolDefinition::new("server_info", description)
            .with_title("Server information")
            .with_output::<Info<'_>>()
            .with_annotations(ToolAnnotations::read_only());
        // A server that takes the place of another goes on as it.
        static STARTED: OnceLock<Instant> = OnceLock::new();
        Self { definition, server, facts, started: *STARTED.get_or_init(Instant::now) }
    }
}

#[async_trait]
impl Tool for InfoTool {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, _: ToolCall) -> Result<ToolResult, Error> {
        ToolResult::json(&Info {
            name: &self.server.name,
            version: &self.server.version,
            tools_count: self.facts.tools,
            resources_count: self.facts.resources,
            prompts_count: self.facts.prompts,
            uptime_seconds: self.started.elapsed().as_secs(),
            protocol_versions: ProtocolVersion::ALL.map(ProtocolVersion::as_str),
        })
    }
}
