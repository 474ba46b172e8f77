//! The admin listener, over real bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use towline_core::health::{ConnectionPool, Connections, Health, HealthCheck};
use towline_core::{Error, ErrorKind, Router, Server, ToolSet, tool_fn};
use towline_middleware::circuit_breaker::State;
use towline_middleware::{CircuitBreakerConfig, Stack, StackConfig};
use towline_ops::{Admin, AdminConfig, Drain, Settings, Source};
use towline_transport::memory;

/// Something that is down when it is told to be, and counts how often it is asked.
#[derive(Clone, Default)]
struct Shop {
    is_down: Arc<std::sync::atomic::AtomicBool>,
    asked: Arc<AtomicUsize>,
    /// What is asked to end while this is being asked, if it is told so.
    drain: Drain,
    ends: Arc<std::sync::atomic::AtomicBool>,
}

#[async_trait]
impl HealthCheck for Shop {
    fn name(&self) -> &str {
        "shop"
    }

    async fn check(&self) -> Health {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.ends.load(Ordering::SeqCst) {
            self.drain.begin();
        }
        match self.is_down.load(Ordering::SeqCst) {
            true => Health::Down("the shop is closed".into()),
            false => Health::Up,
        }
    }
}

/// Eight connections at most, of which as many are in use as the shop was asked.
impl ConnectionPool for Shop {
    fn name(&self) -> &str {
        "shop"
    }

    fn connections(&self) -> Connections {
        Connections::new(8, self.asked.load(Ordering::SeqCst), 2, 3)
    }
}

struct Running {
    address: SocketAddr,
    stack: Stack,
    shop: Shop,
    drain: Drain,
}

async fn start(settings: &str) -> Running {
    let stack = Stack::new(StackConfig::default()).unwrap();
    stack.breakers().register("shop", CircuitBreakerConfig::default());
    let shop = Shop::default();
    let drain = shop.drain.clone();
    let config: AdminConfig = toml::from_str(settings).unwrap();
    let checks = [Arc::new(shop.clone()) as Arc<dyn HealthCheck>];
    let admin = Admin::new(&config, &source(), ("test", "1.2.3"), &stack, checks, &drain).unwrap();
    let admin = admin.pools([Arc::new(shop.clone()) as Arc<dyn ConnectionPool>]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(admin.serve(listener));
    Running { address, stack, shop, drain }
}

fn source() -> Source {
    Settings::read(None, []).unwrap().parse::<toml::Table>().unwrap().1
}

/// Status, head and body of the answer to a request.
async fn send(address: SocketAddr, request: &str, headers: &str, body: &str) -> (u16, String, String) {
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let text = format!(
        "{request} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
}

async fn get(running: &Running, path: &str) -> (u16, Value) {
    let (status, _, body) = send(running.address, &format!("GET {path}"), "", "").await;
    (status, serde_json::from_str(&body).unwrap_or_default())
}

#[tokio::test]
async fn a_server_is_ready_while_what_it_requires_answers_and_it_is_not_going_down() {
    let running = start("").await;
    for path in ["/livez", "/health"] {
        assert_eq!(get(&running, path).await, (200, json!({"status": "ok"})));
    }
    for path in ["/readyz", "/ready"] {
        assert_eq!(get(&running, path).await, (200, json!({"status": "ready"})));
    }
    assert_eq!(running.shop.asked.load(Ordering::SeqCst), 1, "probes do not wear out what they ask about");
    let (_, told) = get(&running, "/readyz?verbose").await;
    assert_eq!(told["checks"], json!([{"name": "shop", "state": "up", "message": ""}]));
    running.drain.begin();
    assert_eq!(get(&running, "/readyz").await, (503, json!({"status": "draining"})));
    assert_eq!(get(&running, "/livez").await.0, 200);

    let running = start("").await;
    running.shop.is_down.store(true, Ordering::SeqCst);
    assert_eq!(get(&running, "/readyz").await, (503, json!({"status": "not ready"})));
    let (_, told) = get(&running, "/readyz?verbose").await;
    assert_eq!(told["checks"][0]["message"], "the shop is closed");

    // A probe that has waited for an answer tells what is then.
    let running = start("").await;
    running.shop.ends.store(true, Ordering::SeqCst);
    assert_eq!(get(&running, "/readyz").await, (503, json!({"status": "draining"})));
}

#[tokio::test]
async fn figures_are_those_of_the_layers() {
    let running = start("").await;
    let fails = tool_fn("<img onerror=x>".replace(['<', '>', ' ', '='], "_"), "Fails.", async || {
        Err::<String, _>(Error::new(ErrorKind::Unavailable, "It is down."))
    });
    let tools = ToolSet::new().with(tool_fn("ping", "Answers.", async || "pong")).with(fails);
    let router = running.stack.tools(Router::new("test", "1"), tools).unwrap();
    let mut client = memory::connect(Server::new(router).layer(running.stack.server()));
    for tool in ["ping", "ping", "_img_onerror_x_"] {
        client.call_tool(tool, json!({})).await.unwrap();
    }
    let (status, stats) = get(&running, "/admin/stats").await;
    assert_eq!((status, &stats["name"], &stats["version"]), (200, &json!("test"), &json!("1.2.3")));
    assert_eq!(stats["metrics"]["tools"]["ping"]["count"], 2);
    assert_eq!(stats["metrics"]["recentErrors"][0]["message"], "It is down.");
    assert_eq!(stats["breakers"][0]["state"], "closed");
    let (_, histogram) = get(&running, "/admin/tools/ping").await;
    let counts =
        histogram["buckets"].as_array().unwrap().iter().map(|class| class["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 2);
    assert_eq!(get(&running, "/admin/tools/none").await.0, 404);
    let (status, head, body) = send(running.address, "GET /metrics", "", "").await;
    assert!(status == 200 && head.contains("application/openmetrics-text"), "{head}");
    assert!(body.ends_with("# EOF\n") && body.contains("gen_ai_tool_name=\"ping\""), "{body}");
}

#[tokio::test]
async fn connections_are_counted_when_they_are_looked_at() {
    let running = start("").await;
    running.shop.asked.store(5, Ordering::SeqCst);
    let (_, stats) = get(&running, "/admin/stats").await;
    // The check of this moment asked once more.
    let pool = json!({"name": "shop", "max": 8, "open": 8, "inUse": 6, "idle": 2, "waiting": 3});
    assert_eq!(stats["pools"], json!([pool]));
    let (_, _, body) = send(running.address, "GET /metrics", "", "").await;
    let name = "db_client_connection_pool_name=\"shop\"";
    for line in [
        format!("db_client_connection_count{{{name},db_client_connection_state=\"used\"}} 6"),
        format!("db_client_connection_count{{{name},db_client_connection_state=\"idle\"}} 2"),
        format!("db_client_connection_max{{{name}}} 8"),
        format!("db_client_connection_pending_requests{{{name}}} 3"),
    ] {
        assert!(body.lines().any(|own| own == line), "{line}\n{body}");
    }
}

#[tokio::test]
async fn an_operator_opens_closes_and_resets_breakers() {
    let running = start("").await;
    let breaker = running.stack.breakers().get("shop").unwrap();
    let json_type = "Content-Type: application/json\r\n";
    for (body, state, mode) in [
        (r#"{"mode":"forced_open"}"#, State::Open, "forced_open"),
        (r#"{"mode":"forced_closed"}"#, State::Closed, "forced_closed"),
        (r#"{"reset":true}"#, State::Closed, "auto"),
    ] {
        let (status, _, answer) = send(running.address, "POST /admin/breakers/shop", json_type, body).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((status, breaker.snapshot().state, breaker.mode().name()), (200, state, mode));
        assert_eq!(answer["breakers"][0]["mode"], mode);
    }
    let status =
        async |path: &str, headers: &str, body: &str| send(running.address, path, headers, body).await.0;
    assert_eq!(status("POST /admin/breakers/none", json_type, "{}").await, 404);
    assert_eq!(status("POST /admin/breakers/shop", json_type, r#"{"mode":"sideways"}"#).await, 422);
    // What a form or a page elsewhere could send.
    assert_eq!(
        status("POST /admin/breakers/shop", "Content-Type: text/plain\r\n", r#"{"mode":"forced_open"}"#)
            .await,
        415
    );
    let elsewhere = format!("{json_type}Origin: https://evil.test\r\n");
    assert_eq!(status("POST /admin/breakers/shop", &elsewhere, r#"{"mode":"forced_open"}"#).await, 403);
    assert_eq!(breaker.mode().name(), "auto");
    let own = format!("{json_type}Origin: http://{}\r\n", running.address);
    assert_eq!(status("POST /admin/breakers/shop", &own, r#"{"reset":true}"#).await, 200);
}

#[tokio::test]
async fn what_operators_see_is_not_for_everyone() {
    let running = start("").await;
    let status = async |running: &Running, path: &str, headers: &str| {
        send(running.address, &format!("GET {path}"), headers, "").await.0
    };
    // A name that an attacker makes point here.
    for path in ["/", "/admin/stats", "/admin/events", "/admin/tools/x"] {
        assert_eq!(status(&running, path, "Host: evil.test\r\n").await, 403, "{path}");
    }
    assert_eq!(status(&running, "/readyz", "Host: 10.1.2.3\r\n").await, 200);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "correct horse battery\n").unwrap();
    let guarded = start(&format!("token_file = {:?}", file.display().to_string())).await;
    let (refused, head, _) = send(guarded.address, "GET /", "", "").await;
    assert!(refused == 401 && head.to_lowercase().contains("www-authenticate: basic"), "{head}");
    assert_eq!(status(&guarded, "/admin/stats", "Authorization: Bearer wrong\r\n").await, 401);
    assert_eq!(
        status(&guarded, "/admin/stats", "Authorization: Bearer correct horse battery\r\n").await,
        200
    );
    assert_eq!(status(&guarded, "/livez", "").await, 200);

    std::fs::write(&file, "short").unwrap();
    let config: AdminConfig =
        toml::from_str(&format!("token_file = {:?}", file.display().to_string())).unwrap();
    let stack = Stack::new(StackConfig::default()).unwrap();
    let error =
        Admin::new(&config, &source(), ("t", "1"), &stack, [], &Drain::new()).unwrap_err().to_string();
    assert!(error.contains("admin.token_file") && !error.contains("short"), "{error}");
}
