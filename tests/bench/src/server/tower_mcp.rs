//! The SDK that is made of tower services, as its guide says to use it.

use tokio::net::TcpListener;
use tower_mcp::{CallToolResult, Content, HttpTransport, McpRouter, StdioTransport, ToolBuilder};

use crate::Error;
use crate::workload::{
    ECHO, Echo, NAME, NoArguments, ROWS, Rows, SEARCH, SERVER_VERSION, Search, TOOLS, rows,
};

pub(super) async fn serve_http(listener: TcpListener) -> Result<(), Error> {
    let router = HttpTransport::new(router()).into_router_at("/mcp");
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // It fails only on a connection that is gone.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

pub(super) async fn serve_stdio() -> Result<(), Error> {
    Ok(StdioTransport::new(router()).run().await?)
}

fn router() -> McpRouter {
    let echo = ToolBuilder::new("echo")
        .description(ECHO)
        .handler(async |args: Echo| Ok(CallToolResult::text(args.text)))
        .build();
    let rows = ToolBuilder::new("rows")
        .description(ROWS)
        .output_schema_for::<Rows>()
        .handler(async |_: NoArguments| {
            let rows = serde_json::to_value(rows())?;
            let content = vec![Content::text(rows.to_string())];
            Ok(CallToolResult { content, structured_content: Some(rows), is_error: false, meta: None })
        })
        .build();
    let mut router = McpRouter::new().server_info(NAME, SERVER_VERSION).tool(echo).tool(rows);
    for n in 2..TOOLS {
        let search = ToolBuilder::new(format!("search_orders_{n}"))
            .description(SEARCH)
            .handler(async |args: Search| Ok(CallToolResult::text(args.query)))
            .build();
        router = router.tool(search);
    }
    router
}
