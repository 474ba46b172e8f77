use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use towline_core::protocol::{Content, Icon, PromptMessage, ProtocolVersion};
use towline_core::{Error, PromptResult, PromptSet, Router, prompt_fn};

use crate::{all, capabilities, connect, connect_legacy, error, result};

#[derive(Deserialize, JsonSchema)]
struct Review {
    /// What to review.
    code: String,
    style: Style,
    /// At most as many remarks.
    #[schemars(range(min = 1, max = 10))]
    remarks: Option<u8>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Style {
    Kind,
    Strict,
}

fn router() -> Router {
    let review = prompt_fn("review", "Asks for a code review.", async |args: Review| {
        let ask = format!("Review, {:?}, {} remarks:\n{}", args.style, args.remarks.unwrap_or(5), args.code);
        let picture = PromptMessage::user(Content::image(&[1, 2, 3], "image/png"));
        let link = Content::embedded_text("docs://style", "text/plain", "Be brief.");
        let answer = PromptMessage::assistant("I will.");
        PromptResult::new([PromptMessage::user(ask), picture, PromptMessage::user(link), answer])
            .with_description("A code review")
    })
    .define(|definition| definition.with_title("Review").with_icon(Icon::new("https://example.com/i.png")));
    let hello = prompt_fn("hello", "Says hello.", async || "Hello!");
    let fails = prompt_fn("fails", "Fails.", async || Err::<String, _>(Error::internal("password=hunter2")));
    Router::new("test", "1").prompt(review).prompt(hello).prompt(fails)
}

#[tokio::test]
async fn prompts_are_listed_with_their_arguments() {
    let mut client = connect(router());
    let listed = result(&mut client, "prompts/list", json!({})).await;
    assert_eq!(
        listed,
        json!({
            "prompts": [
                {
                    "name": "review", "title": "Review", "description": "Asks for a code review.",
                    "arguments": [
                        {"name": "code", "description": "What to review.", "required": true},
                        {"name": "style", "required": true},
                        {"name": "remarks", "description": "At most as many remarks.", "required": false},
                    ],
                    "icons": [{"src": "https://example.com/i.png"}],
                },
                {"name": "hello", "description": "Says hello."},
                {"name": "fails", "description": "Fails."},
            ],
            "ttlMs": 300_000, "cacheScope": "public",
        })
    );
    assert_eq!(all(&mut client, "prompts/list", "prompts").await.concat().len(), 3);

    let can = capabilities(router(), ProtocolVersion::V2025_03_26).await;
    assert_eq!(can, json!({"prompts": {}, "completions": {}, "logging": {}}));
    let mut old = connect_legacy(router(), ProtocolVersion::V2025_03_26).await;
    let first = &result(&mut old, "prompts/list", json!({})).await["prompts"][0];
    assert_eq!((first.get("title"), first.get("icons")), (None, None));
}

fn get(name: &str, arguments: &Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

#[tokio::test]
async fn a_prompt_is_made_of_its_arguments() {
    let expected = json!({
        "description": "A code review",
        "messages": [
            {"role": "user", "content": {"type": "text", "text": "Review, Strict, 3 remarks:\nfn f() {}"}},
            {"role": "user", "content": {"type": "image", "data": "AQID", "mimeType": "image/png"}},
            {
                "role": "user",
                "content": {
                    "type": "resource",
                    "resource": {"uri": "docs://style", "mimeType": "text/plain", "text": "Be brief."},
                },
            },
            {"role": "assistant", "content": {"type": "text", "text": "I will."}},
        ],
    });
    let arguments = json!({"code": "fn f() {}", "style": "strict", "remarks": "3"});
    let mut client = connect(router());
    assert_eq!(result(&mut client, "prompts/get", get("review", &arguments)).await, expected);
    for version in [ProtocolVersion::V2024_11_05, ProtocolVersion::V2025_11_25] {
        let mut client = connect_legacy(router(), version).await;
        assert_eq!(result(&mut client, "prompts/get", get("review", &arguments)).await, expected);
    }
    let hello = result(&mut client, "prompts/get", json!({"name": "hello"})).await;
    assert_eq!(hello["messages"][0]["content"]["text"], "Hello!");
}

#[tokio::test]
async fn what_is_wrong_with_arguments_is_told() {
    let mut client = connect(router());
    for (params, told) in [
        (json!({}), "`name` is missing: the name of a prompt, as text"),
        (get("nothing", &json!({})), "unknown prompt: nothing"),
        (get("review", &json!({"style": "kind"})), "Invalid arguments: `code` is required."),
        (get("review", &json!({"code": "x", "style": "rude"})), "Invalid arguments: `style` must be one of"),
        (
            get("review", &json!({"code": "x", "style": "kind", "remarks": "11"})),
            "Invalid arguments: `remarks` must be at most 10",
        ),
        (
            get("review", &json!({"code": "x", "style": "kind", "remarks": 3})),
            "`remarks` must be text, as all arguments of prompts",
        ),
        (get("review", &json!([])), "`arguments` must be an object"),
    ] {
        let error = error(&mut client, "prompts/get", params).await;
        assert_eq!(error["code"], -32602, "{error}");
        assert!(error["message"].as_str().unwrap().starts_with(told), "{told}: {error}");
    }
    let failed = error(&mut client, "prompts/get", get("fails", &json!({}))).await;
    assert!(failed["code"] == -32603 && !failed.to_string().contains("hunter2"), "{failed}");
}

#[tokio::test]
async fn values_of_arguments_are_suggested() {
    let mut client = connect(router());
    let ask = |prompt: &str, argument: &str, typed: &str| json!({"ref": {"type": "ref/prompt", "name": prompt}, "argument": {"name": argument, "value": typed}});
    let suggested = result(&mut client, "completion/complete", ask("review", "style", "S")).await;
    assert_eq!(suggested, json!({"completion": {"values": ["strict"], "total": 1, "hasMore": false}}));
    let none = result(&mut client, "completion/complete", ask("review", "code", "")).await;
    assert_eq!(none["completion"]["values"], json!([]));
    for (params, told) in [
        (ask("review", "nothing", ""), "unknown argument `nothing`; there are: `code`, `style`, `remarks`"),
        (ask("nothing", "code", ""), "unknown prompt: nothing"),
        (json!({"ref": {"type": "ref/else"}}), "invalid parameters"),
    ] {
        let error = error(&mut client, "completion/complete", params).await;
        assert_eq!(error["code"], -32602, "{error}");
        assert!(error["message"].as_str().unwrap().starts_with(told), "{told}: {error}");
    }
}

#[test]
fn what_cannot_be_offered_is_refused() {
    let one = || prompt_fn("one", "", async || "");
    let taken = PromptSet::new().with(one()).try_with(one()).unwrap_err();
    assert_eq!(taken.to_string(), r#"prompt "one": there is another of that name"#);
    assert!(PromptSet::new().try_with(prompt_fn("", "", async || "")).is_err());
}
