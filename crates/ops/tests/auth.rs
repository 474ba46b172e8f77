//! The section `[auth]`, in front of a server that is asked over real bytes, with an authorization server that is asked too.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use towline_core::{Context, Router, Serve, Server, tool_fn};
use towline_ops::{Drain, Failure, Reload, Settings, log_to_stderr, serve};

type Config = towline_ops::Config<Own>;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {}

fn read(text: &str) -> Result<Config, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.toml");
    std::fs::write(&path, text).unwrap();
    Settings::read(Some(&path), [])?.config()
}

/// Answers what it was told of a token, and keeps what it was asked.
async fn issuer(answer: Value) -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let n = stream.read(&mut request).await.unwrap();
            *heard.lock().unwrap() = String::from_utf8_lossy(&request[..n]).into_owned();
            let text = answer.to_string();
            let head =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", text.len());
            stream.write_all((head + &text).as_bytes()).await.unwrap();
        }
    });
    (address, asked)
}

/// Two tools, of which one is for the few.
fn server(config: &Config) -> Result<impl Serve + use<>, Failure> {
    let look = tool_fn("look", "Says who looks.", async |_: Nothing, context: Context| {
        let principal = context.principal().unwrap();
        format!("{} of {}", principal.subject(), principal.claim("tenant").unwrap_or("nowhere"))
    });
    let secret = tool_fn("secret", "Is for the few.", async || "secret");
    Ok(Server::new(Router::new("test", "1").tool(look).tool(secret)).layer(config.auth.scopes()))
}

/// Serves with these settings.
async fn start(config: Config) -> SocketAddr {
    let address = config.server.listen;
    let again = config.clone();
    let reload = Reload::new(log_to_stderr(&config.log).unwrap(), move || Ok(again.clone()), server);
    let first = server(&config).unwrap();
    tokio::spawn(async move { serve(config, first, &Drain::new(), reload).await });
    while TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    address
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Nothing {}

async fn ask(address: SocketAddr, token: &str, method: &str, params: Value) -> (u16, Value) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         mcp-protocol-version: 2025-06-18\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn settings(issuer: SocketAddr, secret: &Path) -> String {
    format!(
        "[server]\nlisten = \"{}\"\n[auth]\nresource = \"https://mcp.example/mcp\"\n\
         [auth.introspection]\nurl = \"http://{issuer}/ask\"\nissuer = \"https://id.example\"\nclient_id = \"me\"\n\
         client_secret_file = {secret:?}\nclaims = [\"tenant\"]\n\
         [auth.scopes]\ntools = {{ secret = [\"few\"] }}\nhide_tools = [\"secret\"]\n",
        free()
    )
}

#[tokio::test]
async fn tokens_are_asked_about_and_hidden_tools_are_unknown() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "pass word\n").unwrap();
    let (issuer, asked) = issuer(json!({
        "active": true, "sub": "ann", "aud": "https://mcp.example/mcp", "exp": now + 60, "tenant": "north", "scope": "",
    }))
    .await;
    let address = start(read(&settings(issuer, &secret)).unwrap()).await;

    let (status, answer) =
        ask(address, "opaque", "tools/call", json!({"name": "look", "arguments": {}})).await;
    assert_eq!((status, &answer["result"]["content"][0]["text"]), (200, &json!("ann of north")), "{answer}");
    let asked = asked.lock().unwrap().clone();
    assert!(
        asked.contains("authorization: Basic bWU6cGFzcyt3b3Jk") && asked.contains("token=opaque&"),
        "{asked}"
    );
    let (_, list) = ask(address, "opaque", "tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 1);
    // Hidden: not 403 and a way to more, although a token can be exchanged for one with more.
    let (status, hidden) =
        ask(address, "opaque", "tools/call", json!({"name": "secret", "arguments": {}})).await;
    assert_eq!((status, &hidden["error"]["message"]), (200, &json!("unknown tool: secret")));
}

#[test]
fn a_mistake_names_its_key_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hunter2").unwrap();
    let good = settings(free(), &secret);
    assert!(read(&good).is_ok());
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let line = |name: &str| good.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let (url, file) = (line("url"), line("client_secret_file"));
    for (change, by, key) in [
        (&*url, "url = \"http://id.example/ask\"", "line 6: auth.introspection.url: must be"),
        (
            &file,
            "client_secret_file = \"/nowhere\"",
            "line 9: auth.introspection.client_secret_file: cannot be read",
        ),
        (
            &file,
            "client_secret_env = \"TOWLINE_NO_SUCH\"",
            "line 9: auth.introspection.client_secret_env: names a variable",
        ),
        (&file, "", "line 5: auth.introspection: lacks the client's secret"),
        (
            &file,
            &format!("{file}\nclient_secret_env = \"HOME\""),
            "line 10: auth.introspection.client_secret_env: stands beside",
        ),
        (
            &file,
            &format!("client_secret_file = {empty:?}"),
            "line 9: auth.introspection.client_secret_file: holds no secret",
        ),
        ("resource = \"https://mcp.example/mcp\"", "", "auth.resource: is missing"),
        (
            "hide_tools = [\"secret\"]",
            "hide_tools = [\"look\"]",
            "line 13: auth.scopes.hide_tools: `look` is for everyone",
        ),
        ("client_id", "clientid", "line 8: auth.introspection.clientid: unknown field"),
    ] {
        assert!(good.contains(change));
        let error = read(&good.replace(change, by)).err().unwrap_or_else(|| panic!("{by}")).to_string();
        assert!(error.contains(key) && !error.contains("hunter2"), "{by}\ngave {error}");
    }
}
