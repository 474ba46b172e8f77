//! `call_rest_api`: any call of a configured API.

mod answer;
mod arguments;
mod run;

use async_trait::async_trait;
use http::Method;
use serde_json::json;
use towline_core::protocol::{ToolAnnotations, ToolDefinition};
use towline_core::{Error, Tool, ToolCall, ToolResult};

pub(super) use answer::RestAnswer;
use arguments::Arguments;

use crate::client::Apis;

/// The tool `call_rest_api`.
#[derive(Debug)]
pub(super) struct CallRestApi {
    definition: ToolDefinition,
    apis: Apis,
}

impl CallRestApi {
    pub(super) fn new(apis: Apis) -> Self {
        let mut description =
            "Calls a configured HTTP API and returns status, headers and body. Long bodies are \
            cut, and the result says so: keep answers short with `select`, `query` and small pages."
                .to_owned();
        for api in apis.iter() {
            let what = api.config().description.as_deref().unwrap_or("no description");
            let methods: Vec<&str> = api.config().allowed_methods.iter().map(Method::as_str).collect();
            description.push_str(&format!("\n- `{}`: {what} ({})", api.name(), methods.join(", ")));
        }
        let only_reads =
            apis.iter().flat_map(|api| &api.config().allowed_methods).all(|method: &Method| method.is_safe());
        let annotations = if only_reads {
            super::reads_the_world()
        } else {
            let mut annotations = ToolAnnotations::default();
            annotations.read_only_hint = Some(false);
            annotations.destructive_hint = Some(true);
            annotations.open_world_hint = Some(true);
            annotations
        };
        let mut definition = ToolDefinition::new("call_rest_api", description)
            .with_title("Call an API")
            .with_input::<Arguments>()
            .with_output::<RestAnswer>()
            .with_annotations(annotations);
        let properties = &mut definition.input_schema["properties"];
        properties["api_name"]["enum"] = apis.iter().map(|api| json!(api.name())).collect();
        let most = apis.iter().map(|api| api.config().pagination.max_pages).max().unwrap_or(1);
        properties["pages"]["maximum"] = json!(most);
        Self { definition, apis }
    }
}

#[async_trait]
impl Tool for CallRestApi {
    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn call(&self, call: ToolCall) -> Result<ToolResult, Error> {
        let arguments: Arguments = call.parse()?;
        let api = self.apis.get(&arguments.api_name).ok_or_else(|| {
            let names: Vec<&str> = self.apis.iter().map(crate::Api::name).collect();
            Error::invalid_params(format!("`api_name` must be one of {}.", names.join(", ")))
        })?;
        run::run(api, arguments, call.context()).await
    }
}
