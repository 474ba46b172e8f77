//! The MCP Inspector's command line: every request is a process of its own, with a connection of its own.

use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::suite::tools;
use crate::{Browse, Browsed, Era, Outcome, Plan, Report, RpcError, Step, Target};

/// Carries out what can be told on a command line: plain calls, and everything of a [`Browse`] but suggestions.
pub(crate) async fn carry_out(plan: &Plan) -> Report {
    let inspector = Inspector::new(plan);
    let tools = inspector.result("tools/list", &[]).await;
    let browsed = match &plan.browse {
        Some(wanted) => Some(inspector.browse(wanted).await),
        None => None,
    };
    let mut calls = vec![];
    for step in &plan.calls {
        calls.push(inspector.call(step).await);
    }
    let server = tools["_meta"].get("io.modelcontextprotocol/serverInfo").cloned();
    Report { server, instructions: None, tools: list(&tools, "tools"), calls, browsed }
}

struct Inspector {
    server: Vec<String>,
    era: &'static str,
    /// What the user has told an Inspector of theirs must not matter.
    home: TempDir,
}

impl Inspector {
    fn new(plan: &Plan) -> Self {
        let server = match &plan.target {
            Target::Url(url) => vec![url.clone()],
            Target::Command(command) => command.clone(),
        };
        let era = match plan.era {
            Era::Modern => "modern",
            Era::Legacy => "legacy",
        };
        Self { server, era, home: TempDir::new().expect("a temporary directory can be made") }
    }

    async fn call(&self, step: &Step) -> Outcome {
        let arguments = step.arguments.as_ref().map_or_else(|| "{}".to_owned(), Value::to_string);
        let options = ["--tool-name", step.tool, "--tool-args-json", &arguments];
        match self.ask("tools/call", &options).await {
            Ok(result) => Outcome {
                content: Some(list(&result, "content")),
                structured: result.get("structuredContent").cloned(),
                is_error: result["isError"] == true,
                ..Outcome::default()
            },
            // It keeps the code to itself.
            Err(message) => Outcome { error: Some(RpcError { code: 0, message }), ..Outcome::default() },
        }
    }

    async fn browse(&self, wanted: &Browse) -> Browsed {
        let mut browsed = Browsed {
            resources: list(&self.result("resources/list", &[]).await, "resources"),
            templates: list(&self.result("resources/templates/list", &[]).await, "resourceTemplates"),
            prompts: list(&self.result("prompts/list", &[]).await, "prompts"),
            ..Browsed::default()
        };
        for uri in &wanted.read {
            browsed.read.push(self.result("resources/read", &["--uri", uri]).await);
        }
        for (name, arguments) in &wanted.get {
            let pairs: Vec<_> = arguments
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
                .collect();
            let mut options = vec!["--prompt-name", name];
            if !pairs.is_empty() {
                options.push("--prompt-args");
                options.extend(pairs.iter().map(String::as_str));
            }
            browsed.got.push(self.result("prompts/get", &options).await);
        }
        browsed
    }

    async fn result(&self, method: &str, options: &[&str]) -> Value {
        let result = self.ask(method, options).await;
        result.unwrap_or_else(|message| panic!("{method} {options:?} failed: {message}"))
    }

    /// Asks once: the result, or what the error says.
    async fn ask(&self, method: &str, options: &[&str]) -> Result<Value, String> {
        let launcher = tools::installed("@modelcontextprotocol/inspector/clients/launcher/build/index.js");
        let output = Command::new(tools::node())
            .arg(launcher)
            .arg("--cli")
            .args(&self.server)
            .args(["--protocol-era", self.era, "--format", "json", "--quiet", "--method", method])
            .args(options)
            .env("HOME", self.home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("Node.js runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        // A result that says that it is a failure comes with an error too.
        if let Ok(mut answer) = serde_json::from_str::<Value>(&stdout) {
            return Ok(answer["result"].take());
        }
        let answer: Value = serde_json::from_str(&stderr)
            .unwrap_or_else(|_| panic!("the Inspector reported nothing to {method}:\n{stdout}{stderr}"));
        Err(answer["error"]["message"].as_str().unwrap_or_default().to_owned())
    }
}

fn list(result: &Value, member: &str) -> Vec<Value> {
    result[member].as_array().cloned().unwrap_or_default()
}
