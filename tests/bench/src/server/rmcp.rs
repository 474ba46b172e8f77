//! The official SDK, tuned: no sessions, JSON instead of event streams, and a handler written by hand that shares
//! everything that does not change.

use std::sync::{Arc, LazyLock};

use rmcp::handler::server::tool::{parse_json_object, schema_for_type};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler, ServiceExt as _};
use tokio::net::TcpListener;

use crate::Error;
use crate::workload::{ECHO, Echo, NAME, NoArguments, ROWS, SEARCH, SERVER_VERSION, Search, TOOLS, rows};

pub(super) async fn serve_http(listener: TcpListener) -> Result<(), Error> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_sse_keep_alive(None);
    let service: StreamableHttpService<Handler, LocalSessionManager> =
        StreamableHttpService::new(|| Ok(Handler), Arc::default(), config);
    let router = axum::Router::new().route_service("/mcp", service);
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // It fails only on a connection that is gone.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

pub(super) async fn serve_stdio() -> Result<(), Error> {
    Handler.serve(rmcp::transport::stdio_pipes()).await?.waiting().await?;
    Ok(())
}

#[derive(Clone, Copy, Debug)]
struct Handler;

static LIST: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    let mut tools = vec![
        Tool::new("echo", ECHO, schema_for_type::<Echo>()),
        Tool::new("rows", ROWS, schema_for_type::<NoArguments>())
            .with_raw_output_schema(schema_for_type::<crate::workload::Rows>()),
    ];
    let search = schema_for_type::<Search>();
    tools.extend((2..TOOLS).map(|n| Tool::new(format!("search_orders_{n}"), SEARCH, Arc::clone(&search))));
    tools
});

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(NAME, SERVER_VERSION))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(LIST.clone()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let result = match &*request.name {
            "echo" => {
                let echo: Echo = parse_json_object(arguments)?;
                CallToolResult::success(vec![ContentBlock::text(echo.text)])
            }
            "rows" => {
                let NoArguments {} = parse_json_object(arguments)?;
                let rows = serde_json::to_value(rows())
                    .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
                CallToolResult::structured(rows)
            }
            _ => return Err(ErrorData::invalid_params("unknown tool", None)),
        };
        Ok(result.into())
    }
}
