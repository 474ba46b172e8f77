use std::num::NonZeroUsize;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{Layer, Service};
use towline_core::protocol::{
    Annotations, CacheScope, CompletionReference, Icon, ProtocolVersion, ResourceDefinition, Role,
};
use towline_core::{
    CompletionCall, Error, FixedResource, Resource, ResourceExt, ResourceSet, Router, resource_fn,
};

use crate::{all, capabilities, connect, connect_legacy, error, result};

#[derive(Deserialize, JsonSchema)]
struct Note {
    folder: Folder,
    number: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Folder {
    Inbox,
    Archive,
}

fn note() -> impl Resource {
    resource_fn("notes://{folder}/{number}", "note", async |note: Note| match note.number {
        9 => Err(Error::internal("password=hunter2")),
        number @ 0..100 => Ok(Some(format!("{:?} {number}", note.folder))),
        _ => Ok(None),
    })
    .complete("number", async |call: CompletionCall| match call.resolved("folder") {
        Some("archive") => vec!["40", "41", "52"],
        _ => vec!["1", "2"],
    })
}

fn router() -> Router {
    let readme = FixedResource::text("docs://readme", "readme", "text/markdown", "# Hello")
        .define(|definition| {
            let annotations = Annotations::for_audience([Role::User])
                .with_priority(0.5)
                .with_last_modified("2026-01-12T15:00:58Z");
            let icon = Icon::new("https://example.com/icon.png");
            definition
                .with_title("Read me")
                .with_description("What this is.")
                .with_annotations(annotations)
                .with_icon(icon)
        })
        .fresh_for(Duration::from_secs(60), CacheScope::Public);
    let logo = FixedResource::blob("docs://logo", "logo", "image/png", &[1, 2, 3]);
    Router::new("test", "1").resource(readme).resource(logo).resource(note())
}

fn read(uri: &str) -> Value {
    json!({"uri": uri})
}

#[tokio::test]
async fn resources_and_templates_are_listed_apart() {
    let mut client = connect(router());
    let discovered = result(&mut client, "server/discover", json!({})).await;
    assert_eq!(discovered["capabilities"], json!({"resources": {}, "completions": {}, "logging": {}}));
    assert_eq!(
        result(&mut client, "resources/list", json!({})).await,
        json!({
            "resources": [
                {
                    "uri": "docs://readme", "name": "readme", "title": "Read me", "description": "What this is.",
                    "mimeType": "text/markdown",
                    "annotations": {"audience": ["user"], "priority": 0.5, "lastModified": "2026-01-12T15:00:58Z"},
                    "size": 7, "icons": [{"src": "https://example.com/icon.png"}],
                },
                {"uri": "docs://logo", "name": "logo", "mimeType": "image/png", "size": 3},
            ],
            "ttlMs": 300_000, "cacheScope": "public",
        })
    );
    assert_eq!(
        result(&mut client, "resources/templates/list", json!({})).await,
        json!({
            "resourceTemplates": [{"uriTemplate": "notes://{folder}/{number}", "name": "note"}],
            "ttlMs": 300_000, "cacheScope": "public",
        })
    );
}

#[tokio::test]
async fn older_clients_are_told_what_they_know() {
    for version in [ProtocolVersion::V2024_11_05, ProtocolVersion::V2025_03_26, ProtocolVersion::V2025_06_18]
    {
        let can = capabilities(router(), version).await;
        let completions = version >= ProtocolVersion::V2025_03_26;
        assert_eq!(can["resources"], json!({}), "{version}");
        assert_eq!(can.get("completions").is_some(), completions, "{version}");
    }
    let mut client = connect_legacy(router(), ProtocolVersion::V2024_11_05).await;
    let listed = result(&mut client, "resources/list", json!({})).await;
    assert_eq!(
        listed["resources"][0],
        json!({
            "uri": "docs://readme", "name": "readme", "description": "What this is.", "mimeType": "text/markdown",
            "annotations": {"audience": ["user"], "priority": 0.5}, "size": 7,
        })
    );
    assert_eq!(listed.get("ttlMs"), None);
    assert_eq!(
        result(&mut client, "resources/read", read("docs://readme")).await,
        json!({"contents": [{"uri": "docs://readme", "mimeType": "text/markdown", "text": "# Hello"}]})
    );
    let missing = error(&mut client, "resources/read", read("docs://none")).await;
    assert_eq!((&missing["code"], &missing["data"]), (&json!(-32002), &json!({"uri": "docs://none"})));
}

#[tokio::test]
async fn text_and_bytes_are_read_with_how_long_they_may_be_kept() {
    let mut client = connect(router());
    assert_eq!(
        result(&mut client, "resources/read", read("docs://readme")).await,
        json!({
            "contents": [{"uri": "docs://readme", "mimeType": "text/markdown", "text": "# Hello"}],
            "ttlMs": 60_000, "cacheScope": "public",
        })
    );
    assert_eq!(
        result(&mut client, "resources/read", read("docs://logo")).await,
        json!({
            "contents": [{"uri": "docs://logo", "mimeType": "image/png", "blob": "AQID"}],
            "ttlMs": 0, "cacheScope": "private",
        })
    );
}

#[tokio::test]
async fn a_template_s_variables_are_typed() {
    let mut client = connect(router());
    let contents = &result(&mut client, "resources/read", read("notes://archive/41")).await["contents"][0];
    assert_eq!(contents["text"], "Archive 41");
    assert_eq!(
        (&contents["uri"], &contents["mimeType"]),
        (&json!("notes://archive/41"), &json!("text/plain"))
    );
    for (uri, told) in [
        ("notes://inbox/100", "resource not found"),
        (
            "notes://inbox/many",
            r#"resource not found. Invalid arguments: `number` must be an integer, got "many""#,
        ),
        ("notes://trash/1", "resource not found. Invalid arguments: `folder` must be one of"),
        ("notes://inbox/1/2", "resource not found"),
        ("notes://inbox/..", "resource not found"),
        ("", "resource not found"),
    ] {
        let error = error(&mut client, "resources/read", read(uri)).await;
        assert_eq!((&error["code"], &error["data"]), (&json!(-32602), &json!({"uri": uri})), "{error}");
        assert!(error["message"].as_str().unwrap().starts_with(told), "{uri}: {error}");
    }
    let failed = error(&mut client, "resources/read", read("notes://inbox/9")).await;
    assert_eq!(failed["code"], -32603);
    assert!(!failed.to_string().contains("hunter2"), "{failed}");
}

#[tokio::test]
async fn what_is_wrong_with_a_read_is_told() {
    let mut client = connect(router());
    let long = "x".repeat(5000);
    for params in [json!({}), json!({"uri": 7}), json!({"uri": null})] {
        let error = error(&mut client, "resources/read", params).await;
        assert_eq!(error["message"], "`uri` is missing: the URI of a resource, as text");
    }
    let error = error(&mut client, "resources/read", read(&long)).await;
    assert_eq!(error["data"]["uri"].as_str().unwrap().len(), 2048);

    let mut client = connect(Router::new("test", "1"));
    for method in ["resources/list", "resources/read", "resources/templates/list", "completion/complete"] {
        assert_eq!(
            crate::error(&mut client, method, read("docs://readme")).await["code"],
            -32601,
            "{method}"
        );
    }
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let files = (0..7).map(|n| FixedResource::text(format!("file:///{n}"), n.to_string(), "text/plain", ""));
    let set = files.fold(ResourceSet::new(), ResourceSet::with);
    let router = || {
        let template = resource_fn("notes://{name}", "note", async || "text");
        Router::new("test", "1")
            .resources(set.clone())
            .resource(template)
            .page_size(NonZeroUsize::new(3).unwrap())
    };
    let mut client = connect(router());
    let pages = all(&mut client, "resources/list", "resources").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    let uris: Vec<_> = pages.concat().iter().map(|one| one["uri"].as_str().unwrap().to_owned()).collect();
    assert_eq!(uris, (0..7).map(|n| format!("file:///{n}")).collect::<Vec<_>>());
    assert_eq!(all(&mut client, "resources/templates/list", "resourceTemplates").await.concat().len(), 1);

    // A cursor is of one list.
    let cursor = result(&mut client, "resources/list", json!({})).await["nextCursor"].take();
    let told = error(&mut client, "resources/templates/list", json!({"cursor": cursor})).await;
    assert_eq!(told["message"], "unknown cursor: begin the list anew, without one");
    // A replica takes it.
    let page = result(&mut connect(router()), "resources/list", json!({"cursor": cursor})).await;
    assert_eq!(page["resources"][0]["uri"], "file:///3");
}

async fn suggested(version: ProtocolVersion, uri: &str, argument: Value, resolved: Value) -> Value {
    let mut client = match version.is_modern() {
        true => connect(router()),
        false => connect_legacy(router(), version).await,
    };
    let reference = serde_json::to_value(CompletionReference::Resource { uri: uri.into() }).unwrap();
    let params = json!({"ref": reference, "argument": argument, "context": {"arguments": resolved}});
    match client.call("completion/complete", params).await.unwrap().result {
        Ok(result) => result["completion"].clone(),
        Err(error) => error["message"].clone(),
    }
}

#[tokio::test]
async fn values_of_variables_are_suggested() {
    let template = "notes://{folder}/{number}";
    for version in [ProtocolVersion::LATEST, ProtocolVersion::V2025_06_18] {
        let number = |typed: &str| json!({"name": "number", "value": typed});
        assert_eq!(
            suggested(version, template, number("4"), json!({"folder": "archive"})).await,
            json!({"values": ["40", "41"], "total": 2, "hasMore": false})
        );
        assert_eq!(
            suggested(version, template, number(""), json!({})).await,
            json!({"values": ["1", "2"], "total": 2, "hasMore": false})
        );
        // An enum's values are known without a function.
        assert_eq!(
            suggested(version, template, json!({"name": "folder", "value": "a"}), json!({})).await["values"],
            json!(["archive"])
        );
        let name = json!({"name": "name", "value": ""});
        assert_eq!(
            suggested(version, template, name, json!({})).await,
            "unknown argument `name`; there are: `folder`, `number`"
        );
        let unknown = suggested(version, "notes://{name}", number(""), json!({})).await;
        assert_eq!(unknown, "resource not found");
    }
}

/// A layer of somebody else's that knows nothing of resources.
#[derive(Clone)]
struct Refuse;

impl<S> Layer<S> for Refuse {
    type Service = Refusing<S>;

    fn layer(&self, inner: S) -> Refusing<S> {
        Refusing(inner)
    }
}

#[derive(Clone)]
struct Refusing<S>(S);

impl<S, Req> Service<Req> for Refusing<S>
where
    S: Service<Req, Error = Error>,
{
    type Response = S::Response;
    type Error = Error;
    type Future = std::future::Ready<Result<S::Response, Error>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, _: Req) -> Self::Future {
        std::future::ready(Err(Error::new(towline_core::ErrorKind::Overloaded, "not now")))
    }
}

#[tokio::test]
async fn layers_go_around_one_resource_or_a_set() {
    let one = FixedResource::text("a://1", "one", "text/plain", "1").layer(Refuse);
    let set = ResourceSet::new().with(note()).layer(Refuse);
    let router = Router::new("test", "1").resource(one).resources(set).resource(FixedResource::text(
        "a://2",
        "two",
        "text/plain",
        "2",
    ));
    let mut client = connect(router);
    for uri in ["a://1", "notes://inbox/1"] {
        assert_eq!(error(&mut client, "resources/read", read(uri)).await["message"], "not now");
    }
    assert_eq!(result(&mut client, "resources/read", read("a://2")).await["contents"][0]["text"], "2");
    // Suggestions for a template survive.
    let params = json!({"ref": {"type": "ref/resource", "uri": "notes://{folder}/{number}"}, "argument": {"name": "number", "value": ""}});
    assert_eq!(
        result(&mut client, "completion/complete", params).await["completion"]["values"],
        json!(["1", "2"])
    );
}

#[test]
fn what_cannot_be_offered_is_refused() {
    let fixed = |uri: &str| FixedResource::text(uri, "x", "text/plain", "");
    let taken = ResourceSet::new().with(fixed("a://b")).try_with(fixed("a://b")).unwrap_err();
    assert_eq!(taken.to_string(), r#"resource "a://b": there is another at that address"#);
    for uri in ["", "no uri", "relative/path", "a b://c"] {
        assert!(ResourceSet::new().try_with(fixed(uri)).is_err(), "{uri:?}");
    }
    let lacking = resource_fn("notes://{folder}", "note", async |note: Note| note.number.to_string());
    let error = ResourceSet::new().try_with(lacking).unwrap_err();
    assert!(error.to_string().contains("wants the variable `number`"), "{error}");
    assert!(ResourceDefinition::template("a://{x}{y}", "x").is_err());
}
