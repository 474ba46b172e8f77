//! Holds the OpenAPI document to what is served, and what is served to the document.

mod client;

use std::collections::BTreeSet;

use base64::Engine as _;
use client::{Reply, call, get};
use jsonschema::Draft;
use sample_apis::{
    CLIENT_ID, CLIENT_SECRET, GITHUB_TOKEN, Options, SEARCH_KEY, SLACK_TOKEN, Upstream, routes,
};
use serde_json::{Value, json};

#[tokio::test]
async fn every_route_is_documented_and_everything_documented_is_a_route() {
    let api = Api::start().await;
    let documented: BTreeSet<_> = api
        .operations()
        .iter()
        .map(|operation| (operation.method.to_uppercase(), operation.path.to_owned()))
        .collect();
    let served: BTreeSet<_> = routes().map(|(method, path)| (method.to_string(), path.to_owned())).collect();
    assert_eq!(documented, served);
}

#[tokio::test]
async fn the_document_names_the_origin_that_it_was_asked_at() {
    let api = Api::start().await;
    let document = call(&api.url, "GET", "/openapi.json", &[("host", "api.test:1")], "").await.json();
    assert_eq!(document["servers"], json!([{ "url": "http://api.test:1" }]));
    let flow = &document["components"]["securitySchemes"]["reports"]["flows"]["clientCredentials"];
    assert_eq!(flow["tokenUrl"], "http://api.test:1/oauth/token");
    assert!(!document.to_string().contains("sample-apis.invalid"));
}

#[tokio::test]
async fn every_operation_answers_as_documented_with_each_status_and_in_no_other_way() {
    let api = Api::start().await;
    let mut seen = BTreeSet::new();
    let mut expected = BTreeSet::new();
    for operation in api.operations() {
        let id = operation.definition["operationId"].as_str().unwrap();
        let responses = operation.definition["responses"].as_object().unwrap();
        expected.extend(responses.keys().map(|status| (id.to_owned(), status.clone())));
        // The examples, with each kind of credentials and of body.
        for asked in api.examples(&operation).await {
            let status = api.answers(&operation, &asked, None).await;
            seen.insert((id.to_owned(), status));
        }
        let asked = api.examples(&operation).await.swap_remove(0);
        for (_, status, spoil) in FAILURES.iter().filter(|(operation, _, _)| *operation == id) {
            let status = api.answers(&operation, &spoil(asked.clone()), Some(*status)).await;
            seen.insert((id.to_owned(), status));
        }
    }
    assert_eq!(seen, expected);
}

type Spoil = fn(Asked) -> Asked;

/// How to spoil the example of an operation so that it answers in each of the other ways.
const FAILURES: &[(&str, u16, Spoil)] = &[
    ("getRepository", 304, known),
    ("getRepository", 404, |asked| asked.path("{repo}", "none")),
    ("listIssues", 304, known),
    ("listIssues", 404, |asked| asked.path("{owner}", "nobody")),
    ("listIssues", 422, |asked| asked.query("state", "half")),
    ("createIssue", 400, |asked| asked.body("{")),
    ("createIssue", 401, stranger),
    ("createIssue", 404, |asked| asked.path("{repo}", "none")),
    ("createIssue", 422, |asked| asked.body("{}")),
    ("getForecast", 304, known),
    ("getForecast", 400, |asked| asked.query("days", "0")),
    ("getForecast", 404, |asked| asked.query("city", "Atlantis")),
    ("sendToWebhook", 400, |asked| asked.body("{")),
    ("sendToWebhook", 400, |asked| asked.body("{}")),
    ("sendToWebhook", 404, |asked| asked.path("{secret}", "guessed")),
    ("sendToWebhook", 404, |asked| asked.body(r#"{"text":"x","channel":"elsewhere"}"#)),
    ("postMessage", 200, |asked| asked.body("{")),
    ("postMessage", 200, |asked| asked.body("{}")),
    ("postMessage", 200, |asked| asked.body(r#"{"text":"x"}"#)),
    ("postMessage", 401, stranger),
    ("search", 400, |asked| asked.query("cursor", "guessed")),
    ("search", 401, stranger),
    ("getToken", 400, |asked| asked.body(CLIENT)),
    ("getToken", 400, |asked| asked.body(&format!("{CLIENT}&grant_type=password"))),
    ("getToken", 400, |asked| asked.body(&format!("{CLIENT}&grant_type=client_credentials&scope=all"))),
    ("getToken", 401, |asked| asked.body("grant_type=client_credentials&client_id=x&client_secret=y")),
    ("getReport", 401, stranger),
    ("addFault", 400, |asked| asked.body("{}")),
];

const CLIENT: &str = "client_id=sample-client&client_secret=sample-client-secret";

fn known(mut asked: Asked) -> Asked {
    asked.headers.push(("if-none-match".into(), "*".into()));
    asked
}

fn stranger(mut asked: Asked) -> Asked {
    asked.headers.retain(|(name, _)| name == "content-type");
    asked
}

#[tokio::test]
async fn every_fault_of_the_document_is_taken_and_listed_as_documented() {
    let api = Api::start().await;
    let schema = json!({ "$ref": "#/components/schemas/Fault" });
    let names = &api.document["components"]["schemas"]["Fault"]["properties"]["fault"]["enum"];
    let mut expected: BTreeSet<&str> =
        names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for settings in [
        json!({ "fault": "slow", "delay_ms": 1 }),
        json!({ "fault": "slow_body", "delay_ms": 1, "pieces": 3 }),
        json!({ "fault": "status", "status": 429, "retry_after": { "seconds": 3 } }),
        json!({ "fault": "status", "status": 429, "retry_after": { "date_in": 3 }, "headers": { "a": "b" }, "body": "" }),
        json!({ "fault": "headers", "headers": { "vary": "*" } }),
        json!({ "fault": "content_type" }),
        json!({ "fault": "content_type", "content_type": "text/csv", "body": "a,b" }),
        json!({ "fault": "cut", "at": "chunks" }),
        json!({ "fault": "endless", "delay_ms": 1, "piece": 1 }),
        json!({ "fault": "redirect", "to": "loop", "status": 308 }),
        json!({ "fault": "redirect", "to": { "location": "//elsewhere" } }),
        json!({ "fault": "gzip_bomb", "bytes": 5 }),
        json!({ "fault": "malformed", "part": "chunk" }),
        json!({ "fault": "raw", "text": "" }),
        json!({ "fault": "huge_headers", "bytes": 5 }),
        json!({ "fault": "hang", "times": 3, "every": 2 }),
    ] {
        let mut given = settings.clone();
        given["prefix"] = "/x".into();
        api.fits(&schema, &given, "the fault as it is given");
        let reply = call(&api.url, "POST", "/faults", &[], &given.to_string()).await;
        assert_eq!(reply.status, 201, "{given}: {}", reply.text());
        let listed = &reply.json()["faults"][0];
        api.fits(&schema, listed, "the fault as it is listed");
        for (name, value) in given.as_object().unwrap() {
            assert_eq!(&listed[name], value, "{given}");
        }
        expected.remove(settings["fault"].as_str().unwrap());
        call(&api.url, "DELETE", "/faults", &[], "").await;
    }
    assert_eq!(expected, BTreeSet::new(), "faults that nobody tried");
    let body =
        &api.document["paths"]["/faults"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let refuse = json!({ "fault": "refuse", "for_ms": 1 });
    api.fits(body, &refuse, "the refusal of connections");
    assert_eq!(call(&api.url, "POST", "/faults", &[], &refuse.to_string()).await.status, 201);
}

struct Api {
    _upstream: Upstream,
    url: String,
    document: Value,
}

struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    /// Of the path and of the operation.
    parameters: Vec<&'a Value>,
    definition: &'a Value,
}

#[derive(Clone, Debug, Default)]
struct Asked {
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: String,
}

impl Asked {
    fn path(mut self, name: &str, value: &str) -> Self {
        replace(&mut self.path, name, value);
        self
    }

    fn query(mut self, name: &str, value: &str) -> Self {
        replace(&mut self.query, name, value);
        self
    }

    fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }
}

fn replace(pairs: &mut [(String, String)], name: &str, value: &str) {
    pairs.iter_mut().find(|(key, _)| key == name).unwrap().1 = value.to_owned();
}

impl Api {
    async fn start() -> Self {
        let upstream = Upstream::start(Options::default()).await.unwrap();
        let url = upstream.url();
        let document = get(&url, "/openapi.json").await.json();
        Self { _upstream: upstream, url, document }
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        for (path, item) in self.document["paths"].as_object().unwrap() {
            let shared = item["parameters"].as_array();
            for (method, definition) in
                item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters")
            {
                let own = definition["parameters"].as_array();
                let parameters = shared.into_iter().chain(own).flatten().collect();
                operations.push(Operation { method, path, parameters, definition });
            }
        }
        operations
    }

    /// The request of the examples, once with each kind of credentials and of body.
    async fn examples(&self, operation: &Operation<'_>) -> Vec<Asked> {
        let mut asked = Asked::default();
        for parameter in &operation.parameters {
            let (name, example) = (parameter["name"].as_str().unwrap(), &parameter["example"]);
            self.fits(&parameter["schema"], example, name);
            let value = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            match parameter["in"].as_str().unwrap() {
                "path" => asked.path.push((format!("{{{name}}}"), value)),
                "query" => asked.query.push((name.to_owned(), value)),
                other => panic!("{other}"),
            }
        }
        let mut bodies = Vec::new();
        for (content_type, media) in
            operation.definition["requestBody"]["content"].as_object().into_iter().flatten()
        {
            let Some(example) = media.get("example") else { continue };
            self.fits(&media["schema"], example, content_type);
            let mut asked = asked.clone();
            asked.headers.push(("content-type".into(), content_type.clone()));
            asked.body = match content_type.as_str() {
                "application/json" => example.to_string(),
                _ => {
                    let fields = example.as_object().unwrap().iter();
                    form(fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
                }
            };
            bodies.push(asked);
        }
        if bodies.is_empty() {
            bodies.push(asked);
        }
        let alternatives = operation.definition["security"].as_array().cloned().unwrap_or(vec![json!({})]);
        let mut all = Vec::new();
        for alternative in alternatives {
            for mut asked in bodies.clone() {
                for scheme in alternative.as_object().unwrap().keys() {
                    self.authorize(&mut asked, scheme).await;
                }
                all.push(asked);
            }
        }
        all
    }

    async fn authorize(&self, asked: &mut Asked, scheme: &str) {
        let definition = &self.document["components"]["securitySchemes"][scheme];
        let secret = match scheme {
            "githubToken" => GITHUB_TOKEN.to_owned(),
            "slackToken" => SLACK_TOKEN.to_owned(),
            "searchKey" | "searchKeyInQuery" => SEARCH_KEY.to_owned(),
            "client" => {
                base64::engine::general_purpose::STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"))
            }
            "reports" => {
                let url = definition["flows"]["clientCredentials"]["tokenUrl"].as_str().unwrap();
                let path = url.strip_prefix("http://sample.test").unwrap();
                let form_type = [("content-type", "application/x-www-form-urlencoded")];
                let body = format!("{CLIENT}&grant_type=client_credentials");
                let reply = call(&self.url, "POST", path, &form_type, &body).await;
                reply.json()["access_token"].as_str().unwrap().to_owned()
            }
            other => panic!("{other}"),
        };
        let text = |key: &str| definition[key].as_str().unwrap_or_default();
        match (text("type"), text("scheme"), text("in")) {
            ("http", "basic", _) => asked.headers.push(("authorization".into(), format!("Basic {secret}"))),
            ("http", "bearer", _) | ("oauth2", ..) => {
                asked.headers.push(("authorization".into(), format!("Bearer {secret}")));
            }
            ("apiKey", _, "header") => asked.headers.push((text("name").to_lowercase(), secret)),
            ("apiKey", _, "query") => asked.query.push((text("name").to_owned(), secret)),
            other => panic!("{other:?}"),
        }
    }

    /// Sends the request, and holds its answer to the document. Success is expected if nothing else is.
    async fn answers(&self, operation: &Operation<'_>, asked: &Asked, expected: Option<u16>) -> String {
        let mut path = operation.path.to_owned();
        for (name, value) in &asked.path {
            path = path.replace(name, value);
        }
        if !asked.query.is_empty() {
            let pairs = asked.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            path = format!("{path}?{}", form(pairs));
        }
        let headers: Vec<_> =
            asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let reply = call(&self.url, &operation.method.to_uppercase(), &path, &headers, &asked.body).await;
        let what = format!("{} {path} {asked:?} gave {} {:?}", operation.method, reply.status, reply.body);
        match expected {
            Some(expected) => assert_eq!(reply.status, expected, "{what}"),
            None => assert!(reply.status.is_success(), "{what}"),
        }
        let status = reply.status.as_str().to_owned();
        let response = &operation.definition["responses"][&status];
        assert!(response.is_object(), "not documented: {what}");
        self.is_as_documented(response, &reply, &what);
        status
    }

    fn is_as_documented(&self, response: &Value, reply: &Reply, what: &str) {
        for (name, reference) in response["headers"].as_object().into_iter().flatten() {
            let definition = self.document.pointer(&reference["$ref"].as_str().unwrap()[1..]).unwrap();
            assert!(
                !definition["required"].as_bool().unwrap() || reply.headers.contains_key(name),
                "{name}: {what}"
            );
        }
        for name in ["etag", "link", "location", "www-authenticate"] {
            let is_documented = response["headers"].as_object().is_some_and(|headers| {
                headers.keys().any(|documented| documented.eq_ignore_ascii_case(name))
            });
            assert!(is_documented || !reply.headers.contains_key(name), "{name} is not documented: {what}");
        }
        let Some(content) = response.get("content") else {
            return assert!(reply.body.is_empty(), "{what}");
        };
        let essence = reply.header("content-type").unwrap().split(';').next().unwrap();
        let schema = &content[essence]["schema"];
        assert!(schema.is_object(), "{essence}: {what}");
        let body = if essence == "application/json" { reply.json() } else { reply.text().into() };
        self.fits(schema, &body, what);
    }

    fn fits(&self, schema: &Value, value: &Value, what: &str) {
        let mut schema = schema.clone();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("components".into(), self.document["components"].clone());
        }
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&schema)
            .unwrap();
        let errors: Vec<_> = validator
            .iter_errors(value)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:?}: {what}");
    }
}

fn form<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
