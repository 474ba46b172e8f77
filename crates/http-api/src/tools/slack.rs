//! `send_slack_notification`.

use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use towline_core::protocol::{ToolAnnotations, ToolDefinition};
use towline_core::{Error, ErrorKind, Tool, ToolCall, ToolResult};

use super::{failure, fit};
use crate::client::{Api, CallOptions};
use crate::egress::BaseUrl;
use crate::request::ApiRequest;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The channel, such as `#alerts`.
    #[schemars(length(min = 1, max = 80))]
    channel: String,
    /// What to say.
    #[schemars(length(min = 1, max = 40_000))]
    message: String,
    /// Another webhook than the configured one, if its host is allowed.
    #[serde(default)]
    webhook_url: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
struct Sent {
    /// Always true: what was not sent is an error.
    sent: bool,
    channel: String,
}

/// The tool `send_slack_notification`.
#[derive(Debug)]
pub(super) struct SendNotification {
    definition: ToolDefinition,
    api: Api,
}

impl SendNotification {
    pub(super) fn new(api: Api) -> Self {
        let mut annotations = ToolAnnotations::default();
        annotations.read_only_hint = Some(false);
        annotations.destructive_hint = Some(false);
        annotations.idempotent_hint = Some(false);
        annotations.open_world_hint = Some(true);
        let mut definition =
            ToolDefinition::new("send_slack_notification", "Sends a message to a channel on Slack.")
                .with_title("Message to Slack")
                .with_input::<Arguments>()
                .with_output::<Sent>()
                .with_annotations(annotations);
        if api.config().webhook_hosts.is_empty()
            && let Some(properties) = definition.input_schema["properties"].as_object_mut()
        {
            properties.remove("webhook_url");
        }
        Self { definition, api }
    }

    /// Where a call's own webhook is, if it may be there.
    fn webhook(&self, url: &str) -> Result<BaseUrl, Error> {
        let refused =
            |problem: &str| Error::new(ErrorKind::InvalidParams, format!("`webhook_url` {problem}."));
        let url = BaseUrl::parse(url).map_err(refused)?;
        if url.scheme() != "https" && url.scheme() != self.api.base().scheme() {
            return Err(refused("must begin with `https://`"));
        }
        let hosts = &self.api.config().webhook_hosts;
        if !hosts.iter().any(|host| host.eq_ignore_ascii_case(url.authority())) {
            return Err(refused(
                "names a host that is not allowed; leave it out to use the configured webhook",
            ));
        }
        Ok(url)
    }
}

#[async_trait]
impl Tool for SendNotification {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let Arguments { channel, message, webhook_url } = call.parse()?;
        let mut options = CallOptions::new();
        if let Some(url) = webhook_url {
            options = options.sent_to(self.webhook(&url)?);
        }
        // The webhook's URL is the whole base URL.
        let mut request = ApiRequest::new(Method::POST, "");
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.body = Some(json!({ "channel": channel, "text": message }).to_string().into());
        let response = self.api.execute_with(request, &options, call.context()).await?;
        if !response.status.is_success() {
            return failure::status(&self.api, &response);
        }
        // Webhooks say `ok`; the API says why not, with status 200.
        #[derive(Deserialize)]
        struct Given {
            ok: bool,
        }
        if serde_json::from_slice::<Given>(&response.body).is_ok_and(|given| !given.ok) {
            let said = fit::sentence(&response, 500).unwrap_or_default();
            return Ok(ToolResult::error(format!("The message was not sent: {said}")));
        }
        ToolResult::json(&Sent { sent: true, channel })
    }
}
