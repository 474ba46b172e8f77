//! The official Rust SDK.
#![expect(deprecated, reason = "servers must still log for clients that use what is deprecated")]

use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, ClientConfig, CompleteRequestParams, CreateMessageRequestParams,
    CreateMessageResult, ElicitRequestParams, ElicitResult, ElicitationAction, ErrorData,
    GetPromptRequestParams, ListRootsResult, LoggingMessageNotificationParam, ProgressNotificationParam,
    ProtocolVersion, ReadResourceRequestParams, ResourceUpdatedNotificationParam, Root, SamplingMessage,
    SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceError};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::{Answers, Browse, Browsed, Era, Outcome, Plan, Report, RpcError, Step, Target};

pub(crate) async fn carry_out(plan: &Plan) -> Report {
    let heard = Heard { revision: plan.revision, answers: plan.answers.clone(), ..Heard::default() };
    // What an application does that wants the newest revision and takes an older one.
    let lifecycle = match plan.era {
        Era::Modern => ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: Some(ProtocolVersion::V_2025_11_25),
        },
        Era::Legacy => ClientLifecycleMode::Initialize,
    };
    let client = match &plan.target {
        Target::Url(url) => {
            // Whether its HTTP client brings a cryptography of its own depends on who else is built.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let transport = StreamableHttpClientTransport::from_uri(url.as_str());
            heard.clone().serve_with_lifecycle(transport, lifecycle).await
        }
        Target::Command(command) => {
            let mut process = Command::new(&command[0]);
            process.args(&command[1..]);
            // What servers log is looked at elsewhere.
            let (transport, _) =
                TokioChildProcess::builder(process).stderr(Stdio::null()).spawn().expect("the server starts");
            heard.clone().serve_with_lifecycle(transport, lifecycle).await
        }
    };
    let client = client.expect("rmcp connects");
    let peer = client.peer_info().expect("the server says who it is");
    let tools = client.list_all_tools().await.expect("rmcp lists the tools");
    let mut report = Report {
        server: peer.server_info.as_ref().map(to_json),
        instructions: peer.instructions.clone(),
        tools: tools.iter().map(to_json).collect(),
        calls: Vec::new(),
        browsed: None,
    };
    if let Some(browse) = &plan.browse {
        report.browsed = Some(look(&client, browse).await);
    }
    if let Some(level) = plan.level.filter(|_| plan.era == Era::Legacy) {
        let level = serde_json::from_value(level.into()).expect("a level");
        client.set_level(SetLevelRequestParams::new(level)).await.expect("the level is set");
    }
    if let Some(uri) = plan.watch {
        watch(&client, plan.era, uri, &heard).await;
    }
    for step in &plan.calls {
        report.calls.push(call(&client, step, &heard).await);
    }
    client.cancel().await.expect("rmcp disconnects");
    report
}

async fn look(client: &RunningService<RoleClient, Heard>, browse: &Browse) -> Browsed {
    let mut browsed = Browsed {
        resources: client.list_all_resources().await.expect("resources").iter().map(to_json).collect(),
        templates: client
            .list_all_resource_templates()
            .await
            .expect("templates")
            .iter()
            .map(to_json)
            .collect(),
        prompts: client.list_all_prompts().await.expect("prompts").iter().map(to_json).collect(),
        ..Browsed::default()
    };
    for uri in &browse.read {
        let read = client.read_resource(ReadResourceRequestParams::new(*uri)).await;
        browsed.read.push(result_of(read));
    }
    for (name, arguments) in &browse.get {
        let mut params = GetPromptRequestParams::new(*name);
        params.arguments = arguments.as_object().cloned();
        browsed.got.push(result_of(client.get_prompt(params).await));
    }
    for (reference, name, value) in &browse.complete {
        let params = json!({"ref": reference, "argument": {"name": name, "value": value}});
        let params: CompleteRequestParams = serde_json::from_value(params).expect("parameters");
        browsed.completed.push(result_of(client.complete(params).await));
    }
    browsed
}

async fn watch(client: &RunningService<RoleClient, Heard>, era: Era, uri: &str, heard: &Heard) {
    if era == Era::Legacy {
        client.subscribe(SubscribeRequestParams::new(uri)).await.expect("rmcp subscribes");
        return;
    }
    let filter = SubscriptionFilter::builder().tools_list_changed().prompts_list_changed();
    let filter = filter.resource_subscriptions([uri]).build();
    let mut subscription = client.listen(filter).await.expect("rmcp listens");
    let heard = heard.clone();
    tokio::spawn(async move {
        while let Ok(Some(notification)) = subscription.next().await {
            let notification = to_json(&notification);
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let method = text(&notification["method"]).expect("notifications have methods");
            heard.change(&method, text(&notification["params"]["uri"]).as_deref());
        }
    });
}

fn result_of<T: serde::Serialize>(result: Result<T, ServiceError>) -> Value {
    match result {
        Ok(result) => to_json(&result),
        Err(ServiceError::McpError(error)) => {
            json!({"error": {"code": error.code.0, "message": error.message}})
        }
        Err(error) => panic!("{error}"),
    }
}

async fn call(client: &RunningService<RoleClient, Heard>, step: &Step, heard: &Heard) -> Outcome {
    heard.take();
    let mut params = CallToolRequestParams::new(step.tool);
    params.arguments = step.arguments.as_ref().and_then(Value::as_object).cloned();
    if let Some(level) = step.log {
        let meta = json!({ "io.modelcontextprotocol/logLevel": level });
        params.meta = Some(serde_json::from_value(meta).expect("metadata"));
    }
    let mut outcome = Outcome::default();
    // rmcp cancels a request whose future is dropped.
    let patience = step.cancel_after.map_or(Duration::MAX, Duration::from_secs_f64);
    match timeout(patience, client.call_tool(params)).await {
        Err(_) => outcome.cancelled = true,
        Ok(Ok(result)) => {
            outcome.content = Some(result.content.iter().map(to_json).collect());
            outcome.is_error = result.is_error.unwrap_or(false);
            outcome.structured = result.structured_content;
        }
        Ok(Err(ServiceError::McpError(error))) => {
            outcome.error = Some(RpcError { code: error.code.0.into(), message: error.message.to_string() });
        }
        Ok(Err(error)) => panic!("{}: {error}", step.tool),
    }
    // Notifications are handed to tasks of their own, which may come after the answer, and in any order. That the
    // server sends them in theirs is what the clients show that keep it.
    tokio::time::sleep(Duration::from_millis(50)).await;
    heard.hear(step.hears.unwrap_or_default()).await;
    let noted = heard.take();
    outcome.progress = noted.progress;
    outcome.logs = noted.logs;
    outcome.asked = noted.asked;
    outcome.changed = noted.changed;
    let progress = |step: &Value| step["progress"].as_f64().unwrap_or_default();
    outcome.progress.sort_by(|one, other| progress(one).total_cmp(&progress(other)));
    outcome
}

/// What the server said by itself, and what to answer when it asks.
#[derive(Clone, Default)]
struct Heard {
    revision: Option<&'static str>,
    answers: Option<Answers>,
    noted: Arc<Mutex<Noted>>,
}

#[derive(Default)]
struct Noted {
    progress: Vec<Value>,
    logs: Vec<Value>,
    asked: Vec<String>,
    changed: Vec<String>,
}

impl Heard {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().expect("no listener panics")
    }

    fn take(&self) -> Noted {
        std::mem::take(&mut *self.noted())
    }

    fn change(&self, method: &str, uri: Option<&str>) {
        let change = uri.map_or_else(|| method.to_owned(), |uri| format!("{method} {uri}"));
        self.noted().changed.push(change);
    }

    /// Waits until that much has changed.
    async fn hear(&self, count: usize) {
        let enough = async {
            while self.noted().changed.len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(10), enough).await.expect("the changes are told");
    }

    /// Notes that the server has asked, and looks for what to answer.
    fn answer(&self, method: &str) -> Result<&Answers, ErrorData> {
        self.noted().asked.push(method.to_owned());
        self.answers.as_ref().ok_or_else(|| ErrorData::internal_error("nobody is there", None))
    }
}

impl ClientHandler for Heard {
    fn get_info(&self) -> ClientConfig {
        let mut config = ClientConfig::default();
        if self.answers.is_some() {
            let capabilities = json!({"elicitation": {}, "sampling": {}, "roots": {}});
            config.capabilities = serde_json::from_value(capabilities).expect("capabilities");
        }
        match self.revision {
            Some(revision) => config.with_protocol_version(revision_of(revision)),
            None => config,
        }
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let answers = self.answer("elicitation/create")?;
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(answers.form.clone()))
    }

    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let answers = self.answer("sampling/createMessage")?;
        Ok(CreateMessageResult::new(SamplingMessage::assistant_text(answers.text), "m".to_owned()))
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(vec![Root::new(self.answer("roots/list")?.root)]))
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.noted().progress.push(to_json(&params));
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.noted().logs.push(to_json(&params));
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.change("notifications/resources/updated", Some(&params.uri));
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.change("notifications/tools/list_changed", None);
    }

    async fn on_prompt_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.change("notifications/prompts/list_changed", None);
    }
}

fn revision_of(text: &str) -> ProtocolVersion {
    serde_json::from_value(text.into()).expect("a revision is text")
}

fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("protocol types have a JSON form")
}
