//! The API server on sample APIs, asked by clients that nobody here wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sample_apis::{Fault, GITHUB_TOKEN, Options, Rule, SEARCH_KEY, SLACK_WEBHOOK, Upstream};
use serde_json::{Value, json};
use tempfile::TempDir;
use towline_end_to_end::{Client, Era, Outcome, Plan, Process, Schemas, Setup, Step, Wire, cargo_build};

macro_rules! tests {
    ($($name:ident: $client:ident $era:ident $wire:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                ask(Client::$client, Era::$era, Wire::$wire).await;
            }
        )*
    };
}

tests! {
    python_asks_over_http: Python Modern Http;
    python_asks_over_stdio: Python Modern Stdio;
    python_asks_over_http_with_a_handshake: Python Legacy Http;
    typescript_asks_over_stdio: TypeScript Modern Stdio;
    rmcp_asks_over_http: Rmcp Modern Http;
}

/// What must not reach a client, whatever it asks.
const SECRETS: [&str; 4] = [GITHUB_TOKEN, SEARCH_KEY, SLACK_WEBHOOK, "127.0.0.1"];

/// A call, whether it fails, what its text must have, and what its data must be like.
type Question = (Step, bool, &'static str, fn(&Value) -> bool);

fn rest(arguments: &Value) -> Step {
    Step::call("call_rest_api", arguments.clone())
}

fn operation(name: &str, arguments: &Value) -> Step {
    Step::call("sample_call_operation", json!({"name": name, "arguments": arguments}))
}

fn questions() -> Vec<Question> {
    let forecast = json!({
        "api_name": "weather", "endpoint": "/forecast", "query": {"city": "Berlin"}, "select": "days[].high",
    });
    vec![
        (
            Step::call("github_repository_info", json!({"owner": "octocat", "repo": "hello-world"})),
            false,
            "octocat/hello-world",
            |data| data["language"] == "Rust",
        ),
        (
            Step::call("github_repository_info", json!({"owner": "octocat", "repo": "../spoon-knife"})),
            true,
            "Not sent",
            Value::is_null,
        ),
        (
            Step::call("github_repository_info", json!({"owner": "octocat", "repo": "none"})),
            true,
            "404",
            |data| data["status"] == 404,
        ),
        (
            Step::call(
                "github_list_issues",
                json!({"owner": "octocat", "repo": "hello-world", "state": "open"}),
            ),
            false,
            "Typo in the greeting",
            |data| data["issues"].as_array().is_some_and(|issues| issues.len() == 30),
        ),
        (Step::call("weather_forecast", json!({"city": "S\u{e3}o Paulo", "days": 2})), false, "", |data| {
            data["days"].as_array().is_some_and(|days| days.len() == 2)
        }),
        (rest(&forecast), false, "", |data| {
            data["cache"] == "miss" && data["body"].as_array().map(Vec::len) == Some(3)
        }),
        (rest(&forecast), false, "", |data| data["cache"] == "hit" && data["age_seconds"].is_number()),
        (
            Step::call("send_slack_notification", json!({"channel": "#general", "message": "Hello"})),
            false,
            "sent",
            |data| data["sent"] == true,
        ),
        (Step::call("search_web", json!({"query": "a b&c=d", "num_results": 2})), false, "a b&c=d", |data| {
            data["results"].as_array().map(Vec::len) == Some(2)
        }),
        (Step::call("search_web", json!({"query": "x", "num_results": 2})), false, "x", Value::is_object),
        (Step::call("search_web", json!({"query": "x"})), true, "Try again in", Value::is_null),
        (rest(&json!({"api_name": "github", "endpoint": "/../weather"})), true, "Not sent", Value::is_null),
        (
            rest(&json!({"api_name": "github", "endpoint": "https://example.com/"})),
            true,
            "Not sent",
            Value::is_null,
        ),
        (
            rest(
                &json!({"api_name": "github", "endpoint": "/repos", "headers": {"Authorization": "Bearer x"}}),
            ),
            true,
            "authorization",
            Value::is_null,
        ),
        (
            rest(&json!({"api_name": "weather", "endpoint": "/forecast", "method": "POST"})),
            true,
            "POST",
            Value::is_null,
        ),
        (rest(&json!({"api_name": "wether", "endpoint": "/"})), true, "weather", Value::is_null),
        (
            Step::call("sample_search_operations", json!({"query": "list faults"})),
            false,
            "sample_listFaults",
            |data| data["operations"].is_array(),
        ),
        (
            Step::call("sample_describe_operation", json!({"name": "sample_addFault"})),
            false,
            "prefix",
            |data| data["input_schema"]["type"] == "object",
        ),
        (operation("sample_listFaults", &json!({})), false, "faults", |data| data["faults"] == json!([])),
        (operation("sample_addFault", &json!({})), true, "`body` is required", Value::is_null),
        (Step::call("health_check", json!({})), false, "healthy", |data| data["status"] == "healthy"),
        (Step::call("server_info", json!({})), false, "api-server", |data| data["tools_count"] == 12),
        (Step::call("get_metrics", json!({})), false, "search_web", |data| {
            data["tools"]["search_web"]["count"] == 3
        }),
    ]
}

async fn ask(client: Client, era: Era, wire: Wire) {
    let upstream = Upstream::start(Options::default()).await.expect("the sample APIs start");
    let settings = Settings::new(&upstream);
    let setup = settings.set_up(wire).await;
    let questions = questions();
    let calls = questions.iter().map(|(step, ..)| step.clone()).collect();
    let plan = Plan::new(era, setup.target(), calls);
    let report = client.carry_out(&plan).await;

    let asked: Vec<&str> = questions.iter().map(|(step, ..)| step.tool).collect();
    for tool in &report.tools {
        let name = tool["name"].as_str().unwrap_or_default();
        assert!(asked.contains(&name), "nobody asked {name}");
        assert_eq!(tool["outputSchema"].is_object(), name != "sample_call_operation", "{tool}");
    }
    for ((step, is_error, text, data), outcome) in questions.iter().zip(&report.calls) {
        check(step, outcome, *is_error, text, *data);
    }
    assert_eq!(upstream.count("/slack/services"), 1, "a message is sent once");
    assert!(Schemas::load().await.check(&setup.conversations()) > plan.calls.len());
}

fn check(step: &Step, outcome: &Outcome, is_error: bool, part: &str, data: fn(&Value) -> bool) {
    let question = format!("{} {}", step.tool, step.arguments.as_ref().unwrap_or(&Value::Null));
    let text = outcome.text().unwrap_or_else(|| panic!("{question}: {outcome:?}"));
    assert_eq!(outcome.is_error, is_error, "{question}: {text}");
    assert!(text.contains(part), "{question}: no {part:?} in {text}");
    let structured = outcome.structured.as_ref().unwrap_or(&Value::Null);
    assert!(data(structured), "{question}: {structured}");
    for secret in SECRETS {
        assert!(!text.contains(secret), "{question} tells {secret}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sick_api_leaves_the_others_alone_and_is_asked_again() {
    let upstream = Upstream::start(Options::default()).await.expect("the sample APIs start");
    let setup = Settings::new(&upstream).set_up(Wire::Http).await;
    upstream.fault(Rule::new("/github", Fault::status(503)));
    let repository =
        || Step::call("github_repository_info", json!({"owner": "octocat", "repo": "hello-world"}));
    let weather = || Step::call("weather_forecast", json!({"city": "Tokyo", "days": 1}));
    let plan = |calls| Plan::new(Era::Modern, setup.target(), calls);

    let sick = [repository(), repository(), repository(), weather(), Step::call("health_check", json!({}))];
    let report = Client::Python.carry_out(&plan(sick.to_vec())).await;

    let refused = report.calls[2].text().unwrap_or_default();
    assert!(report.calls[2].is_error && refused.contains("Try again in"), "{refused}");
    assert_eq!(
        upstream.count("/github"),
        5,
        "five failures open the circuit, in the midst of the second call"
    );
    assert!(!report.calls[3].is_error, "{report:?}");
    let health = report.calls[4].structured.as_ref().expect("health is data");
    assert_ne!(health["status"], "healthy", "{health}");

    upstream.clear_faults();
    // The circuit stays open for two seconds, give or take a fifth.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let report = Client::Python.carry_out(&plan(vec![repository()])).await;
    assert!(!report.calls[0].is_error, "{report:?}");
}

#[test]
fn a_mistake_is_one_line_that_names_line_and_key_and_no_secret() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("apis.toml");
    for (text, code, parts) in [
        ("", 2, vec!["no API is set", "[apis.NAME]"]),
        ("[apis.a]\nbase_ulr = \"http://hunter2/\"\n", 2, vec!["line 2", "apis.a.base_ulr", "base_url"]),
        ("[apis.a]\nbase_url = \"http://u:hunter2@x/\"\n", 2, vec!["line 2", "apis.a.base_url", "auth"]),
        (
            "[apis.a]\nbase_url = \"http://x\"\nauth = { type = \"bearer\", token_env = \"NOT_SET_ANYWHERE\" }\n",
            2,
            vec!["line 3", "apis.a.auth.token_env", "not set"],
        ),
        (
            "[apis.a]\nbase_url = \"http://x\"\nopenapi = { file = \"/nowhere.json\" }\n",
            2,
            vec!["line 3", "apis.a.openapi.file", "/nowhere.json"],
        ),
        (
            "[apis.a]\nbase_url = \"http://x\"\n[layers.tool.nothing]\ncache = true\n",
            2,
            vec!["layers.tool.nothing"],
        ),
    ] {
        fs::write(&file, text).unwrap();
        let mut command = Command::new(server());
        let ended = Process::start(command.arg("--check-config").arg("--config").arg(&file)).wait();
        assert_eq!(ended.status.code(), Some(code), "{text}: {ended:?}");
        assert_eq!((ended.stdout.as_str(), ended.stderr.lines().count()), ("", 1), "{text}: {ended:?}");
        for part in parts {
            assert!(ended.stderr.contains(part), "{text}: no {part:?} in {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
    }
}

/// The settings that ship with the server, for these sample APIs, with the secrets in the file.
struct Settings(TempDir);

impl Settings {
    fn new(upstream: &Upstream) -> Self {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/api-server/sample.toml");
        let url = upstream.url();
        let text = fs::read_to_string(sample)
            .expect("the sample is there")
            .replace("http://127.0.0.1:9090", &url)
            .replace("token_env = \"SAMPLE_GITHUB_TOKEN\"", &format!("token = \"{GITHUB_TOKEN}\""))
            .replace("key_env = \"SAMPLE_SEARCH_KEY\"", &format!("key = \"{SEARCH_KEY}\""))
            .replace(
                "base_url_env = \"SAMPLE_SLACK_WEBHOOK\"",
                &format!("base_url = \"{url}{SLACK_WEBHOOK}\""),
            );
        let folder = TempDir::new().expect("a temporary directory");
        fs::write(folder.path().join("apis.toml"), text).expect("a file can be written");
        Self(folder)
    }

    async fn set_up(&self, wire: Wire) -> Setup {
        let path = self.0.path().join("apis.toml");
        let arguments = ["--config", path.to_str().expect("a path in UTF-8")];
        Setup::new(wire, Path::new(env!("CARGO_BIN_EXE_tap")), &server(), &arguments).await
    }
}

fn server() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| cargo_build("api-server")).clone()
}
