//! A server at standard input and output whose tasks are kept in PostgreSQL: `tasks URL`.

use std::time::Duration;

use towline::postgres::{DatabaseConfig, PostgresTasks};
use towline::{Router, Server, TaskOptions, Tasks, ToolExt, stdio, tool_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: tasks URL")?;
    let store = PostgresTasks::new(&DatabaseConfig::new(url))?.believe_for(Duration::from_secs(1));
    store.create_table().await?;
    let tasks = Tasks::in_store(store);
    let quick = tool_fn("quick", "Is done at once.", async || "done");
    let slow = tool_fn("slow", "Takes long.", async || {
        tokio::time::sleep(Duration::from_secs(600)).await;
        "slept"
    });
    let router = Router::new("tasks", "1.0.0")
        .tasks(&tasks)
        .tool(quick.into_task(&tasks, TaskOptions::new()))
        .tool(slow.into_task(&tasks, TaskOptions::new()));
    stdio::serve(Server::new(router)).await?;
    Ok(())
}
