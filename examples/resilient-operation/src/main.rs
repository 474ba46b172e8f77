//! A tool whose upstream fails on demand, behind retries, a circuit breaker and a cache, and what a client sees of it.

mod upstream;

use std::error::Error as StdError;
use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;
use towline::middleware::Stack;
use towline::{Error, ErrorKind, Operation, Router, Serve, Server, Tool, ToolSet, memory, tool_fn};

use upstream::Upstream;

const LAYERS: &str = include_str!("../layers.toml");

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// What to look up in the stock list.
    #[schemars(length(min = 1, max = 40))]
    item: String,
}

fn resilient_operation(address: SocketAddr) -> impl Tool {
    let look_up = move |Arguments { item }| async move {
        upstream::ask(address, &item).await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "The stock list does not answer.").with_source(error)
        })
    };
    tool_fn("resilient_operation", "Looks an item up in the stock list.", look_up).read_only()
}

fn server(upstream: &Upstream) -> Result<(impl Serve, Stack), Box<dyn StdError>> {
    let stock = |_: &dyn Operation| Some("stock".into());
    let stack = Stack::new(toml::from_str(LAYERS)?)?.upstreams(["stock"], stock)?;
    let tools = ToolSet::new().with(resilient_operation(upstream.address));
    let router = stack.tools(Router::new("stock", "1.0.0"), tools)?;
    Ok((Server::new(router).layer(stack.server()), stack))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let upstream = Upstream::start().await?;
    let (server, stack) = server(&upstream)?;
    let mut show = Show { client: memory::connect(server), upstream: upstream.clone(), stack };

    show.title("The upstream is well.")?;
    show.call("nails").await?;
    show.call("nails").await?;

    show.title("It cuts one request off: a retry hides that.")?;
    upstream.fail(1);
    show.call("screws").await?;

    show.title("It is down. What is known is given, and marked as stale.")?;
    upstream.fail(u32::MAX);
    sleep(Duration::from_millis(250)).await;
    show.call("nails").await?;

    show.title("What is not known fails; after five failures in a row nobody asks any more.")?;
    show.call("bolts").await?;
    show.call("bolts").await?;

    show.title("It is back. After the open time one call is let through to see, and the circuit closes.")?;
    upstream.fail(0);
    sleep(Duration::from_millis(350)).await;
    show.call("bolts").await?;
    show.call("washers").await?;
    Ok(())
}

/// Calls the tool and prints what the client sees.
struct Show {
    client: memory::Client,
    upstream: Upstream,
    stack: Stack,
}

impl Show {
    fn title(&self, text: &str) -> std::io::Result<()> {
        writeln!(stdout(), "\n{text}")
    }

    async fn call(&mut self, item: &str) -> Result<(), Box<dyn StdError>> {
        let before = self.upstream.requests();
        let answer = self.client.call_tool("resilient_operation", json!({"item": item})).await?;
        let result = answer.result.map_err(|error| error.to_string())?;
        let asked = self.upstream.requests() - before;
        let meta = |key: &str| result["_meta"].get(key).map(|facts| format!(" {facts}")).unwrap_or_default();
        let state = self.stack.breakers().get("stock").map(|breaker| breaker.state());
        writeln!(
            stdout(),
            "  {} {item}: {}{}{}\n    (asked the upstream {asked} times; the circuit is {})",
            if result["isError"] == true { "error" } else { "ok   " },
            result["content"][0]["text"].as_str().unwrap_or_default(),
            meta("dev.towline/cache"),
            meta("dev.towline/error"),
            state.map_or("?", |state| state.name()),
        )?;
        Ok(())
    }
}
