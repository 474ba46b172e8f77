//! The database server tells callers apart: keys that its own command makes, and tokens for which the official client asks.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use towline_end_to_end::{Issuer, Process, cargo_build, step_up};
use towline_scratch_postgres::Database;

fn program() -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(BUILT.get_or_init(|| cargo_build("database-server")));
    for (name, _) in std::env::vars() {
        if name == "DATABASE_URL" || name.starts_with("TOWLINE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Orders of two regions, of which a session sees those of the region that it is told.
fn orders() -> (Database, String) {
    let database = Database::fresh().unwrap();
    let reader = format!("{}_reader", database.name());
    let sql = format!(
        "CREATE ROLE {reader} LOGIN PASSWORD 'x';
         CREATE TABLE orders (id int PRIMARY KEY, region text NOT NULL);
         INSERT INTO orders VALUES (1, 'north'), (2, 'north'), (3, 'south');
         ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
         CREATE POLICY region ON orders USING (region = current_setting('app.region'));
         GRANT SELECT ON orders TO {reader}"
    );
    database.run(&sql).unwrap();
    let url = database.url_as(&reader, "x");
    (database, url)
}

/// A server whose address is known before it runs.
fn serve(folder: &TempDir, address: SocketAddr, settings: &str) -> Process {
    let file = folder.path().join("server.toml");
    fs::write(&file, settings).unwrap();
    let mut command = program();
    command.arg("--config").arg(file).arg("--listen").arg(address.to_string());
    let server = Process::start(&mut command);
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{}", server.stderr());
        sleep(Duration::from_millis(10));
    }
    server
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Status and body of the answer to a call.
fn call(address: SocketAddr, token: &str, tool: &str, arguments: &Value) -> (u16, Value) {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n\
         Mcp-Name: {tool}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

/// What `api-key` writes: the key, and the entry for the file.
fn make_key(arguments: &[&str]) -> (String, String) {
    let output = program().arg("api-key").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let (key, entry) = stdout.split_once("\n\n").unwrap();
    assert!(!entry.contains(key) && !stderr.contains(key), "it is shown once");
    (key.to_owned(), entry.to_owned())
}

#[test]
fn keys_that_the_command_makes_let_each_holder_see_rows_of_their_own() {
    let (_database, url) = orders();
    let folder = TempDir::new().unwrap();
    let of = |id: &str, region: &str, scopes: &str| {
        let claim = format!("region={region}");
        make_key(&["--id", id, "--scopes", scopes, "--expires", "90d", "--claim", &claim])
    };
    let (ann, bob) = (of("ann", "north", "db:read,db:list"), of("bob", "south", "db:read"));
    let keys = folder.path().join("keys.toml");
    fs::write(&keys, format!("{}\n{}", ann.1, bob.1)).unwrap();
    let address = free();
    let settings = format!(
        "[auth]\napi_keys = {keys:?}\nscopes = {{ tools = {{ execute_query = [\"db:read\"], list_tables = [\"db:list\"] }}, deny_unnamed = true }}\n\
         [databases.shop]\nurl = \"{url}\"\npool_max_size = 1\n\
         principal.settings = {{ \"app.region\" = \"claims.region\" }}\n\
         [layers.tool.execute_query]\ncache = {{ ttl_ms = 600000, scope = \"shared\" }}\n"
    );
    let server = serve(&folder, address, &settings);
    let rows = |key: &str| {
        let (status, answer) =
            call(address, key, "execute_query", &json!({"query": "SELECT id FROM orders ORDER BY 1"}));
        assert_eq!(status, 200, "{answer}");
        answer["result"]["structuredContent"]["rows"].clone()
    };
    for _ in 0..3 {
        assert_eq!(rows(&ann.0), json!([[1], [2]]));
        assert_eq!(rows(&bob.0), json!([[3]]));
    }
    let (_, listed) = call(address, &ann.0, "list_tables", &json!({}));
    assert_eq!(listed["result"]["structuredContent"]["total"], 1);
    let (_, unknown) = call(address, &bob.0, "list_tables", &json!({}));
    assert_eq!(unknown["error"]["message"], "unknown tool: list_tables");
    for sql in ["SET app.region = 'north'", "SELECT set_config('app.region', 'north', true), id FROM orders"]
    {
        let (_, refused) = call(address, &bob.0, "execute_query", &json!({"query": sql}));
        assert_eq!(refused["result"]["isError"], true, "{refused}");
        assert_eq!(rows(&bob.0), json!([[3]]));
    }
    let foreign = make_key(&["--id", "ann"]);
    assert_eq!(call(address, &foreign.0, "list_tables", &json!({})).0, 401);
    assert!(!server.stderr().contains(&ann.0), "no log has a key");

    let wrong = program().args(["api-key", "--id", "a b"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(wrong.stdout.is_empty());
}

/// The client connects with no token, gets one for what everything needs, and asks for more when a tool needs more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_gets_a_token_for_more_when_a_tool_needs_more() {
    let (_database, url) = orders();
    let issuer = Issuer::start().await;
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "pass\n").unwrap();
    for era in ["auto", "legacy"] {
        let address = free();
        let this = format!("http://{address}/mcp");
        let settings = format!(
            "[auth]\nresource = \"{this}\"\n\
             [auth.introspection]\nurl = \"{id}/introspect\"\nissuer = \"{id}\"\nclient_id = \"me\"\n\
             client_secret_file = {secret:?}\nclaims = [\"tenant\"]\n\
             [auth.scopes]\neverything = [\"mcp\"]\nhide_tools = [\"analyze_table\"]\n\
             tools = {{ execute_query = [\"db:query\"], analyze_table = [\"db:admin\"] }}\n\
             [databases.shop]\nurl = \"{url}\"\nprincipal.settings = {{ \"app.region\" = \"claims.tenant\" }}\n",
            id = issuer.url()
        );
        let _server = serve(&folder, address, &settings);
        let before = issuer.grants().len();
        let query = json!({"name": "execute_query", "arguments": {"query": "SELECT count(*) FROM orders"}});
        let wanted = json!({
            "url": this, "issuer": issuer.url(), "client_id": "me", "client_secret": "pass", "era": era,
            "calls": [{"name": "list_tables", "arguments": {}}, query],
        });
        let report = step_up(&wanted).await;
        assert_eq!(report["results"][0]["structured"]["total"], 1, "{report}");
        assert_eq!(
            report["results"][1]["structured"]["rows"],
            json!([[2]]),
            "the rows of its tenant: {report}"
        );

        let grants = issuer.grants().split_off(before);
        let scopes: Vec<Vec<&str>> = grants
            .iter()
            .map(|grant| {
                let mut scopes: Vec<&str> = grant.scopes.split(' ').collect();
                scopes.sort_unstable();
                scopes
            })
            .collect();
        assert_eq!(scopes, [vec!["mcp"], vec!["db:query", "mcp"]]);
        assert!(grants.iter().all(|grant| grant.resource == this), "{grants:?}");

        let refusals: Vec<&Value> =
            report["exchanges"].as_array().unwrap().iter().filter(|one| one["status"] == 403).collect();
        assert_eq!(refusals.len(), 1, "{report}");
        let challenge = refusals[0]["challenge"].as_str().unwrap();
        assert!(
            challenge.contains("insufficient_scope") && challenge.contains("scope=\"db:query mcp\""),
            "{challenge}"
        );
        // What is hidden is in no list, although the client could ask for its scope.
        let has = |list: &str, tool: &str| report[list].as_array().unwrap().iter().any(|name| name == tool);
        assert!(has("before", "list_tables") && !has("before", "execute_query"), "{report}");
        assert!(!has("before", "analyze_table") && !has("after", "analyze_table"), "{report}");
        // A client of the latest revision keeps the list for a while.
        assert_eq!(has("after", "execute_query"), era == "legacy", "{report}");
    }
}
