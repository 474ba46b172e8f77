//! What changes while the server runs, and who is told.

use serde_json::{Value, json};
use towline_core::protocol::{LogLevel, ProtocolVersion};
use towline_core::{Context, FixedResource, RegistrationError, Registry, Router, Server, prompt_fn, tool_fn};
use towline_transport::memory::{self, Client};
use towline_transport::stdio::Stdio;

use super::{capabilities, result};

fn router() -> (Router, Registry) {
    let mut router = Router::new("test", "1")
        .tool(tool_fn("ping", "Answers.", async || "pong"))
        .tool(tool_fn("talk", "Logs.", async |_: Nothing, context: Context| {
            context.log(LogLevel::Info, None, &"hello").await;
            context.log(LogLevel::Debug, None, &"details").await;
            "talked"
        }))
        .resource(FixedResource::text("note://1", "one", "text/plain", "1"))
        .resource(FixedResource::text("note://2", "two", "text/plain", "2"));
    let registry = router.registry();
    (router, registry)
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

async fn listen(client: &mut Client, id: u32, filter: Value) -> Value {
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"subscriptions/listen","params":{{{META},"notifications":{filter}}}}}"#
    );
    client.send(&line).await.unwrap();
    next(client).await
}

async fn next(client: &mut Client) -> Value {
    let line = tokio::time::timeout(std::time::Duration::from_secs(5), client.receive());
    serde_json::from_str(&line.await.expect("something comes").unwrap().unwrap()).unwrap()
}

async fn tools(client: &mut Client) -> Vec<String> {
    let list = result(client, "tools/list", json!({})).await;
    list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn tools_resources_and_prompts_come_and_go() {
    let (router, registry) = router();
    let early = registry.add_tool(tool_fn("early", "Too early.", async || ""));
    assert!(early.unwrap_err().to_string().ends_with("there is no server of this router yet"));
    let mut client = memory::connect(Server::new(router));
    assert_eq!(tools(&mut client).await, ["ping", "talk"]);

    registry.add_tool(tool_fn("new", "Is new.", async || "new")).unwrap();
    assert_eq!(tools(&mut client).await, ["ping", "talk", "new"]);
    assert_eq!(result(&mut client, "tools/call", json!({"name": "new"})).await["content"][0]["text"], "new");
    let taken: RegistrationError = registry.add_tool(tool_fn("new", "Is not.", async || "")).unwrap_err();
    assert_eq!(taken.to_string(), r#"tool "new": there is another of that name"#);
    assert!(registry.remove_tool("ping") && !registry.remove_tool("ping"));
    assert_eq!(tools(&mut client).await, ["talk", "new"]);
    assert_eq!(result(&mut client, "tools/call", json!({"name": "new"})).await["content"][0]["text"], "new");
    let gone = client.call("tools/call", json!({"name": "ping"})).await.unwrap().result.unwrap_err();
    assert_eq!(gone["message"], "unknown tool: ping");

    assert!(registry.remove_resource("note://1"));
    registry.add_resource(FixedResource::text("note://3", "three", "text/plain", "3")).unwrap();
    for (uri, text) in [("note://2", "2"), ("note://3", "3")] {
        let read = result(&mut client, "resources/read", json!({"uri": uri})).await;
        assert_eq!(read["contents"][0]["text"], text);
    }
    assert!(client.call("resources/read", json!({"uri": "note://1"})).await.unwrap().result.is_err());
    registry.add_prompt(prompt_fn("hello", "Greets.", async || "Hello!")).unwrap();
    let got = result(&mut client, "prompts/get", json!({"name": "hello"})).await;
    assert_eq!(got["messages"][0]["content"]["text"], "Hello!");
    assert!(registry.remove_prompt("hello"));
}

#[tokio::test]
async fn a_client_is_told_of_what_it_asked_for() {
    let (router, registry) = router();
    let mut client = memory::connect(Server::new(router));
    let told = result(&mut client, "server/discover", json!({})).await["capabilities"].take();
    assert_eq!(told["tools"], json!({"listChanged": true}));
    assert_eq!(told["resources"], json!({"listChanged": true, "subscribe": true}));

    let filter = json!({"toolsListChanged": true, "resourceSubscriptions": ["note://1", "note://9"]});
    let acknowledged = listen(&mut client, 7, filter).await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    // A resource that is not there is none that can change.
    let honoured = json!({"toolsListChanged": true, "resourceSubscriptions": ["note://1"]});
    assert_eq!(acknowledged["params"]["notifications"], honoured);
    assert_eq!(acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);

    registry.prompts_changed();
    registry.resource_updated("note://2");
    registry.resource_updated("note://1");
    registry.add_tool(tool_fn("new", "Is new.", async || "")).unwrap();
    let updated = next(&mut client).await;
    let params = json!({"_meta": {"io.modelcontextprotocol/subscriptionId": 7}, "uri": "note://1"});
    assert_eq!(
        (&updated["method"], &updated["params"]),
        (&json!("notifications/resources/updated"), &params)
    );
    let changed = next(&mut client).await;
    assert_eq!(changed["method"], "notifications/tools/list_changed");
    assert_eq!(changed["params"], json!({"_meta": {"io.modelcontextprotocol/subscriptionId": 7}}));

    client
        .send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#)
        .await
        .unwrap();
    assert_eq!(tools(&mut client).await.len(), 3);
    registry.tools_changed();
    assert_eq!(tools(&mut client).await.len(), 3, "nothing else comes");
}

#[tokio::test]
async fn a_subscription_holds_up_nothing_and_ends_with_its_completion() {
    let (router, _registry) = router();
    let options = Stdio::new().max_in_flight(2.try_into().unwrap());
    let mut client = Client::new(Server::new(router), options, ProtocolVersion::LATEST);
    for id in [101, 102, 103] {
        let acknowledged = listen(&mut client, id, json!({"promptsListChanged": true})).await;
        assert_eq!(acknowledged["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
    }
    assert_eq!(
        result(&mut client, "tools/call", json!({"name": "ping"})).await["content"][0]["text"],
        "pong"
    );
    let mut ended = Vec::new();
    for line in client.close().await.unwrap() {
        let end: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(end["result"]["resultType"], "complete");
        assert_eq!(end["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], end["id"]);
        ended.push(end["id"].as_u64().unwrap());
    }
    ended.sort_unstable();
    assert_eq!(ended, [101, 102, 103]);
}

#[tokio::test]
async fn a_server_that_never_changes_has_no_subscriptions() {
    let mut client = memory::connect(Server::new(Router::new("test", "1")));
    let refused = listen(&mut client, 1, json!({"toolsListChanged": true})).await;
    assert_eq!(refused["error"]["code"], -32601);
}

#[tokio::test]
async fn older_clients_are_told_in_their_own_words() {
    for version in ProtocolVersion::ALL.into_iter().filter(|version| !version.is_modern()) {
        let told = capabilities(router().0, version).await;
        assert_eq!(told["tools"], json!({"listChanged": true}), "{version}");
        assert_eq!(told["resources"], json!({"listChanged": true, "subscribe": true}));
        assert_eq!(told["logging"], json!({}));

        let (router, registry) = router();
        let mut client = memory::connect_legacy(Server::new(router), version).await.unwrap();
        assert_eq!(result(&mut client, "resources/subscribe", json!({"uri": "note://1"})).await, json!({}));
        registry.resource_updated("note://2");
        registry.resource_updated("note://1");
        registry.prompts_changed();
        let updated = next(&mut client).await;
        assert_eq!(
            (&updated["method"], &updated["params"]),
            (&json!("notifications/resources/updated"), &json!({"uri": "note://1"}))
        );
        assert_eq!(
            next(&mut client).await,
            json!({"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"})
        );

        assert_eq!(result(&mut client, "resources/unsubscribe", json!({"uri": "note://1"})).await, json!({}));
        registry.resource_updated("note://1");
        registry.tools_changed();
        assert_eq!(next(&mut client).await["method"], "notifications/tools/list_changed");
        let unknown = client.call("resources/subscribe", json!({"uri": "note://9"})).await.unwrap();
        assert_eq!(unknown.result.unwrap_err()["code"], -32002);
    }
}

#[tokio::test]
async fn older_clients_say_once_which_log_messages_they_want() {
    let (router, _registry) = router();
    let mut client = memory::connect_legacy(Server::new(router), ProtocolVersion::V2025_06_18).await.unwrap();
    let logged = async |client: &mut Client| {
        let answer = client.call("tools/call", json!({"name": "talk"})).await.unwrap();
        let data = answer.notifications.iter().map(|message| message["params"]["data"].clone());
        data.collect::<Vec<_>>()
    };
    assert!(logged(&mut client).await.is_empty());
    assert_eq!(result(&mut client, "logging/setLevel", json!({"level": "info"})).await, json!({}));
    assert_eq!(logged(&mut client).await, ["hello"]);
    assert_eq!(result(&mut client, "logging/setLevel", json!({"level": "debug"})).await, json!({}));
    assert_eq!(logged(&mut client).await, ["hello", "details"]);
    let bad = client.call("logging/setLevel", json!({"level": "loud"})).await.unwrap();
    assert_eq!(bad.result.unwrap_err()["code"], -32602);
}

#[tokio::test]
async fn a_server_that_takes_the_place_of_another_tells_its_subscribers() {
    let (router, registry) = router();
    let mut client = memory::connect(Server::new(router));
    let acknowledged = listen(&mut client, 1, json!({"resourceSubscriptions": ["note://1"]})).await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");

    let next_router = Router::new("test", "1")
        .with_registry(&registry)
        .tool(tool_fn("other", "Is another.", async || "other"))
        .resource(FixedResource::text("note://1", "one", "text/plain", "1"));
    let mut other = memory::connect(Server::new(next_router));
    registry.resource_updated("note://1");
    assert_eq!(next(&mut client).await["method"], "notifications/resources/updated");
    assert_eq!(tools(&mut other).await, ["other"]);
    let line =
        format!(r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{{META},"name":"other"}}}}"#);
    client.send(&line).await.unwrap();
    assert_eq!(next(&mut client).await["result"]["content"][0]["text"], "other");
}
