//! What asks the user or the client for input, in every revision.

use std::sync::{Arc, Mutex};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use towline_core::protocol::{
    Elicited, Field, Form, PromptMessage, ProtocolVersion, ResourceContents, Sampling, UrlPrompt,
};
use towline_core::{
    Error, Input, Principal, PromptResult, ResourceResult, Router, Server, StateKey, StateSeal, ToolResult,
    prompt_fn, resource_fn, tool_fn,
};
use towline_transport::memory::{self, Client};
use towline_transport::stdio::Stdio;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Name {
    #[schemars(length(min = 1))]
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Color {
    color: String,
}

fn router() -> Router {
    Router::new("test", "1")
        .tool(tool_fn("two_steps", "Asks twice.", async |_: Nothing, mut input: Input| {
            let Some(name) = input.elicit::<Name>("name", "Your name?") else { return input.ask() };
            let Elicited::Accepted(Name { name }) = name else { return Ok(ToolResult::error("no name")) };
            let Some(color) = input.elicit::<Color>("color", format!("And a color, {name}?")) else {
                return input.ask();
            };
            Ok(ToolResult::text(format!("{name}: {:?}", color.accepted().map(|color| color.color))))
        }))
        .tool(tool_fn("all_at_once", "Asks for everything.", async |_: Nothing, mut input: Input| {
            let name = input.elicit_form("name", &Form::new("Name?").field("name", Field::text().required()));
            let greeting = input.sample("greeting", &Sampling::new(50).user("Greet."));
            let roots = input.roots("roots");
            let (Some(name), Some(greeting), Some(roots)) = (name, greeting, roots) else {
                return input.ask();
            };
            let name = name.accepted().map(|form| form["name"].clone());
            Ok(ToolResult::text(format!("{name:?} {} {}", greeting.text(), roots[0].uri)))
        }))
        .tool(tool_fn("visit", "Sends the user to a page.", async |_: Nothing, mut input: Input| {
            let page = UrlPrompt::new("https://example.com/key", "Give your key there.");
            match input.elicit_url("page", &page) {
                Some(answer) => Ok(ToolResult::text(format!("{answer:?}"))),
                None => input.ask(),
            }
        }))
        .tool(tool_fn("pay", "Pays once.", async |_: Nothing, mut input: Input| {
            input.single_use();
            match input.elicit::<Name>("to", "To whom?") {
                Some(_) => Ok(ToolResult::text("paid")),
                None => input.ask(),
            }
        }))
        .tool(tool_fn("count", "Keeps a state.", async |_: Nothing, mut input: Input| {
            let round = input.state::<u32>().unwrap_or(0);
            if round == 2 {
                return Ok(ToolResult::text("done"));
            }
            input.set_state(&(round + 1));
            input.ask()
        }))
        .resource(resource_fn("vault://{name}", "vault", async |args: Name, mut input: Input| {
            match input.elicit::<Color>("color", "Which color?") {
                Some(Elicited::Accepted(Color { color })) => {
                    let text = format!("{}: {color}", args.name);
                    Ok(ResourceResult::new([ResourceContents::text("vault://x", text)]))
                }
                Some(_) => Err(Error::invalid_params("no color")),
                None => input.ask(),
            }
        }))
        .prompt(prompt_fn("plan", "Plans.", async |_: Nothing, mut input: Input| {
            match input.elicit::<Color>("color", "Which color?") {
                Some(color) => {
                    let text = format!("{:?}", color.accepted().map(|color| color.color));
                    Ok(PromptResult::new([PromptMessage::user(text)]))
                }
                None => input.ask(),
            }
        }))
}

fn capabilities() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}})
}

/// A client whose user fills in every form, and what it was asked.
async fn connect(version: ProtocolVersion) -> (Client, Arc<Mutex<Vec<(String, Value)>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let client = Client::new(Server::new(router()), Stdio::new(), version)
        .capabilities(capabilities())
        .answering(move |method, params| {
            log.lock().unwrap().push((method.to_owned(), params.clone()));
            Ok(match method {
                "elicitation/create" if params["mode"] == "url" => json!({"action": "accept"}),
                "elicitation/create" => {
                    json!({"action": "accept", "content": {"name": "Ada", "color": "red"}})
                }
                "sampling/createMessage" => {
                    json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "Hi"}})
                }
                _ => json!({"roots": [{"uri": "file:///work"}]}),
            })
        });
    let client = if version.is_modern() { client } else { client.shake_hands().await.unwrap() };
    (client, asked)
}

async fn text(client: &mut Client, tool: &str) -> String {
    let result = client.call_tool(tool, json!({})).await.unwrap().result.unwrap();
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn one_tool_serves_clients_of_every_revision() {
    for version in ProtocolVersion::ALL {
        let (mut client, asked) = connect(version).await;
        assert_eq!(text(&mut client, "two_steps").await, "Ada: Some(\"red\")", "{version}");
        assert_eq!(text(&mut client, "all_at_once").await, "Some(String(\"Ada\")) Hi file:///work");
        assert_eq!(text(&mut client, "visit").await, "Accepted(())");
        assert_eq!(text(&mut client, "pay").await, "paid");
        assert_eq!(text(&mut client, "count").await, "done");
        let read = client.call("resources/read", json!({"uri": "vault://x"})).await.unwrap().result.unwrap();
        assert_eq!(read["contents"][0]["text"], "x: red");
        let prompt = client.call("prompts/get", json!({"name": "plan"})).await.unwrap().result.unwrap();
        assert_eq!(prompt["messages"][0]["content"]["text"], "Some(\"red\")");

        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 9, "{asked:?}");
        let (method, form) = &asked[0];
        let schema = json!({
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}},
            "required": ["name"],
        });
        assert_eq!((method.as_str(), &form["message"]), ("elicitation/create", &json!("Your name?")));
        assert_eq!(form["requestedSchema"], schema);
        assert_eq!(asked[1].1["message"], "And a color, Ada?");
        let visit = asked.iter().find(|(_, params)| params["mode"] == "url").unwrap();
        assert_eq!(visit.1["url"], "https://example.com/key");
        assert_eq!(visit.1.get("elicitationId").is_some(), !version.is_modern());
    }
}

/// One exchange, without what would answer by itself.
async fn raw(client: &mut Client, params: Value) -> Result<Value, Value> {
    client.call("tools/call", params).await.unwrap().result
}

fn modern(router: Router) -> Client {
    memory::connect(Server::new(router)).capabilities(capabilities())
}

fn accept(content: &Value) -> Value {
    json!({"action": "accept", "content": content})
}

#[tokio::test]
async fn what_is_missing_is_asked_for_again_and_what_was_given_is_kept() {
    let mut client = modern(router());
    let first = raw(&mut client, json!({"name": "all_at_once"})).await.unwrap();
    assert_eq!(first["resultType"], "input_required");
    assert_eq!(first.get("requestState"), None, "there is nothing to keep");
    let asked = |result: &Value| -> Vec<String> {
        let mut keys: Vec<_> = result["inputRequests"].as_object().unwrap().keys().cloned().collect();
        // Another crate of the same build decides whether a map keeps its order.
        keys.sort();
        keys
    };
    assert_eq!(asked(&first), ["greeting", "name", "roots"]);

    // An answer that is none, one that the form does not allow, and one that nobody asked for.
    let responses = json!({
        "name": accept(&json!({"name": 5})),
        "roots": {"roots": [{"uri": "file:///a"}]},
        "else": {"action": "accept"},
    });
    let second = raw(&mut client, json!({"name": "all_at_once", "inputResponses": responses})).await.unwrap();
    assert_eq!(asked(&second), ["greeting", "name"]);
    let state = second["requestState"].as_str().unwrap();

    let responses = json!({
        "name": accept(&json!({"name": "Ada"})),
        "greeting": {"role": "assistant", "model": "m", "content": [{"type": "text", "text": "Hi"}]},
        "roots": {"roots": [{"uri": "file:///changed"}]},
    });
    let params = json!({"name": "all_at_once", "inputResponses": responses, "requestState": state});
    let third = raw(&mut client, params).await.unwrap();
    assert_eq!(third["content"][0]["text"], "Some(String(\"Ada\")) Hi file:///a");
}

#[tokio::test]
async fn the_user_may_say_no() {
    let mut client = modern(router());
    for action in ["decline", "cancel"] {
        let params = json!({"name": "two_steps", "inputResponses": {"name": {"action": action}}});
        let result = raw(&mut client, params).await.unwrap();
        assert_eq!((&result["isError"], &result["content"][0]["text"]), (&json!(true), &json!("no name")));
    }
}

#[tokio::test]
async fn what_is_no_answer_at_all_is_refused() {
    let mut client = modern(router());
    for (input, told) in [
        (json!({"inputResponses": null}), "`inputResponses` must be an object"),
        (json!({"inputResponses": [1]}), "`inputResponses` must be an object"),
        (json!({"inputResponses": {"name": 12345}}), "the answer to `name` must be an object"),
        (json!({"requestState": 5}), "`requestState` must be text"),
        (json!({"requestState": "c2VjcmV0"}), "`requestState` is not of this request"),
    ] {
        let mut params = json!({"name": "two_steps"});
        params.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
        let error = raw(&mut client, params).await.unwrap_err();
        assert_eq!(error["code"], -32602, "{error}");
        assert!(error["message"].as_str().unwrap().contains(told), "{error}");
    }
}

/// Takes the name of the caller from the request's `_meta`, as a layer for authentication would from a header.
#[derive(Clone)]
struct Caller<S>(S, &'static str);

impl<S: tower::Service<towline_core::Request>> tower::Service<towline_core::Request> for Caller<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: towline_core::Request) -> S::Future {
        request.context_mut().extensions_mut().insert(Principal::new(self.1));
        self.0.call(request)
    }
}

#[tokio::test]
async fn state_is_of_one_caller_and_one_request() {
    let seal = || StateSeal::new(StateKey::from_secret("a secret that all replicas have ..").unwrap());
    let replica = |caller: &'static str| {
        let server = Server::new(router().state_seal(seal()));
        memory::connect(server.layer(tower::layer::layer_fn(move |inner| Caller(inner, caller))))
            .capabilities(capabilities())
    };
    let (mut alice, mut again, mut bob) = (replica("alice"), replica("alice"), replica("bob"));
    let answers = json!({"name": accept(&json!({"name": "Ada"}))});
    let first = raw(&mut alice, json!({"name": "two_steps", "inputResponses": answers})).await.unwrap();
    let state = &first["requestState"];
    let retry = |tool| {
        let answers = json!({"color": accept(&json!({"color": "red"}))});
        json!({"name": tool, "inputResponses": answers, "requestState": state})
    };
    // Any replica will do.
    let done = raw(&mut again, retry("two_steps")).await.unwrap();
    assert_eq!(done["content"][0]["text"], "Ada: Some(\"red\")");
    assert_eq!(raw(&mut bob, retry("two_steps")).await.unwrap_err()["code"], -32602);
    assert_eq!(raw(&mut alice, retry("all_at_once")).await.unwrap_err()["code"], -32602);
    let mut tampered = retry("two_steps");
    tampered["requestState"] = json!(format!("{}-TAMPERED", state.as_str().unwrap()));
    assert_eq!(raw(&mut alice, tampered).await.unwrap_err()["code"], -32602);
}

#[tokio::test]
async fn what_must_not_be_done_twice_is_answered_once() {
    let mut client = modern(router());
    let asked = raw(&mut client, json!({"name": "pay"})).await.unwrap();
    let answers = json!({"to": accept(&json!({"name": "Ada"}))});
    let retry = json!({"name": "pay", "inputResponses": answers, "requestState": asked["requestState"]});
    assert_eq!(raw(&mut client, retry.clone()).await.unwrap()["content"][0]["text"], "paid");
    let error = raw(&mut client, retry).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("has been used already"), "{error}");
}

#[tokio::test]
async fn clients_are_not_asked_for_what_they_cannot_give() {
    let cases = [
        (json!({}), "two_steps", json!({"elicitation": {}})),
        (json!({"elicitation": {"url": {}}}), "two_steps", json!({"elicitation": {"form": {}}})),
        (json!({"elicitation": {}}), "visit", json!({"elicitation": {"url": {}}})),
        (json!({"elicitation": {}}), "all_at_once", json!({"roots": {}, "sampling": {}})),
    ];
    for (declared, tool, required) in cases {
        let mut client = memory::connect(Server::new(router())).capabilities(declared.clone());
        let error = raw(&mut client, json!({"name": tool})).await.unwrap_err();
        assert_eq!(error["code"], -32021, "{error}");
        assert_eq!(error["data"]["requiredCapabilities"], required);

        let old = Client::new(Server::new(router()), Stdio::new(), ProtocolVersion::V2025_11_25);
        let mut old = old.capabilities(declared).shake_hands().await.unwrap();
        let error = raw(&mut old, json!({"name": tool})).await.unwrap_err();
        assert_eq!(error["data"]["requiredCapabilities"], required);
    }
    let mut modern = memory::connect(Server::new(router())).capabilities(json!({"elicitation": {}}));
    assert_eq!(raw(&mut modern, json!({"name": "two_steps"})).await.unwrap()["resultType"], "input_required");
}

#[tokio::test]
async fn an_older_client_that_refuses_has_not_chosen() {
    let client = Client::new(Server::new(router()), Stdio::new(), ProtocolVersion::V2025_06_18);
    let mut client = client.capabilities(capabilities()).shake_hands().await.unwrap();
    let result = raw(&mut client, json!({"name": "two_steps"})).await.unwrap();
    assert_eq!(result["content"][0]["text"], "no name");
    let error = raw(&mut client, json!({"name": "all_at_once"})).await.unwrap_err();
    assert!(error["message"].as_str().unwrap().starts_with("the client refused"), "{error}");
}

#[tokio::test]
async fn a_request_that_is_cancelled_takes_back_what_it_asked() {
    let client = Client::new(Server::new(router()), Stdio::new(), ProtocolVersion::V2025_11_25);
    let mut client = client.capabilities(capabilities()).shake_hands().await.unwrap();
    client
        .send(r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"two_steps"}}"#)
        .await
        .unwrap();
    let asked: Value = serde_json::from_str(&client.receive().await.unwrap().unwrap()).unwrap();
    assert_eq!(asked["method"], "elicitation/create");
    client
        .send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#)
        .await
        .unwrap();
    let told: Value = serde_json::from_str(&client.receive().await.unwrap().unwrap()).unwrap();
    assert_eq!(told["method"], "notifications/cancelled");
    assert_eq!(told["params"]["requestId"], asked["id"]);
}
