//! The database server on a real PostgreSQL, asked by clients that nobody here wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;
use towline_end_to_end::{Client, Era, Outcome, Plan, Report, Schemas, Setup, Step, Wire, cargo_build};
use towline_scratch_postgres::{Cluster, Database};

macro_rules! tests {
    ($($name:ident: $test:ident $client:ident $era:ident $wire:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $test(Client::$client, Era::$era, Wire::$wire).await;
            }
        )*
    };
}

tests! {
    rmcp_asks_over_http: ask Rmcp Modern Http;
    rmcp_asks_over_stdio: ask Rmcp Modern Stdio;
    python_asks_over_http: ask Python Modern Http;
    python_asks_over_stdio_with_a_handshake: ask Python Legacy Stdio;
    typescript_asks_over_stdio: ask TypeScript Modern Stdio;
    typescript_v1_asks_over_http: ask TypeScriptV1 Legacy Http;

    rmcp_gives_up_over_http: give_up Rmcp Modern Http;
    python_gives_up_over_http: give_up Python Modern Http;
    python_gives_up_over_stdio: give_up Python Modern Stdio;
    typescript_gives_up_over_http: give_up TypeScript Modern Http;
    typescript_v1_gives_up_over_stdio: give_up TypeScriptV1 Legacy Stdio;
}

/// What a call should bring: what its text and its data must have.
struct Expected {
    is_error: bool,
    text: &'static [&'static str],
    data: fn(&Value) -> bool,
}

fn answer(text: &'static [&'static str], data: fn(&Value) -> bool) -> Expected {
    Expected { is_error: false, text, data }
}

fn refusal(text: &'static [&'static str]) -> Expected {
    Expected { is_error: true, text, data: |data| data.is_null() }
}

fn query(sql: &str, params: &Value) -> Step {
    Step::call("execute_query", json!({"query": sql, "params": params}))
}

fn questions() -> Vec<(Step, Expected)> {
    let exact = "SELECT $1::int8 AS big, 12345678901234567890.10::numeric AS precise, NULL::text AS none, \
                 ''::text AS empty, 'NaN'::float8 AS nan, 19.90::numeric(10,2) AS price, ARRAY[1,NULL]::int4[] AS list, \
                 timestamptz '2024-01-31 13:00+01' AS moment, jsonb '{\"a\": [1]}' AS document";
    vec![
        (
            Step::call("list_tables", json!({})),
            answer(&["orders", "order_totals"], |data| {
                data["total"].as_u64().is_some_and(|total| total >= 8)
            }),
        ),
        (
            Step::call("list_tables", json!({"pattern": "order*"})),
            answer(&["order_items"], |data| data["total"] == 3),
        ),
        (
            Step::call("get_table_schema", json!({"table": "orders"})),
            answer(&["customer_id", "order_status"], |data| {
                data["columns"].as_array().is_some_and(|columns| columns.len() == 11)
            }),
        ),
        (Step::call("get_table_schema", json!({"table": "order"})), refusal(&["order", "orders"])),
        (
            query("SELECT count(*) FROM orders WHERE status::text = $1", &json!(["shipped"])),
            answer(&["count"], |data| data["rows"][0][0].as_u64().is_some_and(|count| count > 0)),
        ),
        (
            query(exact, &json!(["9223372036854775807"])),
            answer(&["9223372036854775807", "12345678901234567890.10"], |data| {
                data["rows"]
                    == json!([[
                        "9223372036854775807", "12345678901234567890.10", null, "", "NaN", 19.9, [1, null],
                        "2024-01-31T12:00:00+00:00", {"a": [1]}
                    ]])
            }),
        ),
        (
            Step::call("execute_query", json!({"query": "SELECT id FROM events", "limit": 5})),
            answer(&[], |data| data["row_count"] == 5 && !data["truncated"].is_null()),
        ),
        (query("DELETE FROM events", &json!([])), refusal(&["DELETE"])),
        (query("SELECT pg_sleep(60)", &json!([])), refusal(&["pg_sleep"])),
        (query("SELECT pg_read_file('/etc/passwd')", &json!([])), refusal(&["pg_read_file"])),
        (query("SELECT 1; SELECT 2", &json!([])), refusal(&["one"])),
        (
            query("SELECT custmer_id FROM orders", &json!([])),
            refusal(&["42703", "custmer_id", "customer_id"]),
        ),
        (query("SELECT * FROM order_item", &json!([])), refusal(&["42P01", "order_item"])),
        (query("SELECT 1 WHERE 1 = $1", &json!([])), refusal(&["parameter"])),
        (Step::call("execute_query", json!({"sql": "SELECT 1"})), refusal(&["query"])),
        (Step::call("execute_query", json!({"query": "SELECT 1", "limit": 0})), refusal(&["limit", "1"])),
        (
            Step::call("analyze_table", json!({"table": "order_items", "columns": ["quantity"]}))
                .with_progress(),
            answer(&["quantity"], |data| {
                data["columns"][0]["name"] == "quantity"
                    && data["row_count"].as_u64().is_some_and(|count| count > 1000)
            }),
        ),
        (
            Step::call("suggest_queries", json!({"table": "orders", "analysis_type": "relationships"})),
            answer(&["SELECT", "customers"], Value::is_object),
        ),
        (
            Step::call("suggest_queries", json!({"table": "orders", "analysis_type": "guesses"})),
            refusal(&["analysis_type", "overview"]),
        ),
        (Step::call("health_check", json!({})), answer(&["healthy"], |data| data["status"] == "healthy")),
        (Step::call("server_info", json!({})), answer(&["database-server"], |data| data["tools_count"] == 8)),
        (
            Step::call("get_metrics", json!({})),
            answer(&["execute_query"], |data| data["tools"]["execute_query"]["count"].as_u64() > Some(0)),
        ),
        // Nothing of all that has changed anything.
        (
            query("SELECT count(*) > 1000 FROM events", &json!([])),
            answer(&["true"], |data| data["rows"] == json!([[true]])),
        ),
    ]
}

async fn ask(client: Client, era: Era, wire: Wire) {
    let config = Config::new(&shop().url(), "");
    let setup = config.set_up(wire).await;
    let questions = questions();
    let calls = questions.iter().map(|(step, _)| step.clone()).collect();
    let plan = Plan::new(era, setup.target(), calls);
    let report = client.carry_out(&plan).await;

    check_tools(&report);
    for ((step, expected), outcome) in questions.iter().zip(&report.calls) {
        let question = format!("{} {}", step.tool, step.arguments.as_ref().unwrap_or(&Value::Null));
        check(&question, outcome, expected);
    }
    let analysis = plan.calls.iter().position(|step| step.progress).expect("one call asks for progress");
    let progress: Vec<f64> =
        report.calls[analysis].progress.iter().filter_map(|step| step["progress"].as_f64()).collect();
    assert!(!progress.is_empty() && progress.is_sorted(), "{progress:?}");
    assert!(Schemas::load().await.check(&setup.conversations()) > plan.calls.len());
}

fn check_tools(report: &Report) {
    let names: Vec<_> = report.tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    let expected = [
        "analyze_table",
        "execute_query",
        "get_metrics",
        "get_table_schema",
        "health_check",
        "list_tables",
        "server_info",
        "suggest_queries",
    ];
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    for tool in &report.tools {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
    }
    assert!(report.instructions.as_ref().is_some_and(|text| text.contains("list_tables")));
}

fn check(question: &str, outcome: &Outcome, expected: &Expected) {
    let text = outcome.text().unwrap_or_else(|| panic!("{question}: {outcome:?}"));
    assert_eq!(outcome.is_error, expected.is_error, "{question}: {text}");
    for part in expected.text {
        assert!(text.contains(part), "{question}: no {part:?} in {text}");
    }
    let data = outcome.structured.as_ref().unwrap_or(&Value::Null);
    assert!((expected.data)(data), "{question}: {data}");
}

/// A client that gives up stops the statement, not only the wait for it.
async fn give_up(client: Client, era: Era, wire: Wire) {
    let database = Database::fresh().expect("a database");
    let config = Config::new(&database.url(), "statement_timeout_ms = 60000");
    let setup = config.set_up(wire).await;
    let endless = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    // Long enough for the statement to be seen on a busy machine.
    let calls = vec![query(endless, &json!([])).cancelled_after(5.0), query("SELECT 7", &json!([]))];
    let plan = Plan::new(era, setup.target(), calls);
    let asking = tokio::spawn(async move { client.carry_out(&plan).await });

    let ran = until(|| active(&database) > 0).await;
    let report = asking.await.expect("the client gets along");
    assert!(ran, "the statement never ran: {report:?}");
    assert!(report.calls[0].cancelled, "{report:?}");
    assert!(report.calls[1].text().is_some_and(|text| text.contains('7')), "{report:?}");
    assert!(until(|| active(&database) == 0).await, "the statement goes on");
}

fn active(database: &Database) -> u32 {
    let sql = "SELECT count(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()";
    database.run(sql).expect("PostgreSQL tells").trim().parse().expect("a number")
}

async fn until(mut holds: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(60) {
        if holds() {
            return true;
        }
        sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_at_first_is_used_once_it_is_up() {
    let mut cluster = Cluster::start().expect("a cluster");
    let config = Config::new(&cluster.url("postgres"), "");
    cluster.stop().expect("the cluster stops");
    let setup = config.set_up(Wire::Http).await;
    let stderr = setup.process().expect("the server runs").stderr();
    assert!(stderr.contains("not reachable") && !stderr.contains(&config.password()), "{stderr}");

    let calls = vec![Step::call("health_check", json!({})), query("SELECT 7", &json!([]))];
    let plan = Plan::new(Era::Modern, setup.target(), calls);
    let report = Client::Rmcp.carry_out(&plan).await;
    let health = report.calls[0].structured.clone().expect("health is data");
    assert_eq!(health["status"], "unhealthy", "{health}");
    let text = report.calls[1].text().unwrap_or_default();
    assert!(report.calls[1].is_error && text.contains("not reachable"), "{text}");
    let port = cluster.port().to_string();
    assert!(
        !format!("{report:?}").contains(&port),
        "nothing tells clients where the database is: {report:?}"
    );

    cluster.restart().expect("the cluster starts again");
    let report = Client::Rmcp.carry_out(&plan).await;
    assert_eq!(report.calls[0].structured.as_ref().expect("health is data")["status"], "healthy");
    assert!(report.calls[1].text().is_some_and(|text| text.contains('7')), "{report:?}");

    // And a database that restarts under load is found again.
    cluster.stop().expect("the cluster stops");
    cluster.restart().expect("the cluster starts again");
    let report = Client::Rmcp.carry_out(&plan).await;
    assert!(report.calls[1].text().is_some_and(|text| text.contains('7')), "{report:?}");
}

/// The shop, loaded once.
fn shop() -> &'static Database {
    static SHOP: OnceLock<Database> = OnceLock::new();
    SHOP.get_or_init(|| Database::with_shop().expect("the shop loads"))
}

/// A configuration file for one database.
struct Config {
    folder: TempDir,
    url: String,
}

impl Config {
    fn new(url: &str, more: &str) -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        let text = format!("[databases.shop]\nurl = \"{url}\"\n{more}\n");
        fs::write(folder.path().join("server.toml"), text).expect("a file can be written");
        Self { folder, url: url.to_owned() }
    }

    async fn set_up(&self, wire: Wire) -> Setup {
        let path = self.folder.path().join("server.toml");
        let arguments = ["--config", path.to_str().expect("a path in UTF-8")];
        Setup::new(wire, Path::new(env!("CARGO_BIN_EXE_tap")), &server(), &arguments).await
    }

    fn password(&self) -> String {
        self.url.split(['@', ':']).nth(2).expect("the URL has a password").to_owned()
    }
}

fn server() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| cargo_build("database-server")).clone()
}
