//! Settings that are read again while requests run: real processes, real signals.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use towline::auth::ApiKey;
use towline_end_to_end::{Process, cargo_build};

const PATIENCE: Duration = Duration::from_secs(30);

/// An API that answers each request with its path, and `/slow` after a second.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                if head.starts_with(b"GET /slow") {
                    thread::sleep(Duration::from_secs(1));
                }
                // Who asked may be gone.
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
                );
            });
        }
    });
    address
}

/// A server of one API, whose settings are written anew.
struct Server {
    process: Process,
    address: SocketAddr,
    file: PathBuf,
    fixed: String,
    reloads: usize,
    _folder: TempDir,
}

impl Server {
    fn start(upstream: SocketAddr, more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("apis.toml");
        let fixed =
            format!("[apis.shop]\nbase_url = \"http://{upstream}\"\nallowed_networks = [\"127.0.0.1/32\"]\n");
        fs::write(&file, format!("{fixed}{more}")).unwrap();
        let mut command = Command::new(cargo_build("api-server"));
        let (process, address) = Process::listen(command.arg("--config").arg(&file));
        Self { process, address, file, fixed, reloads: 0, _folder: folder }
    }

    /// Writes other settings and waits until they are read: the log since.
    fn reload(&mut self, more: &str) -> String {
        fs::write(&self.file, format!("{}{more}", self.fixed)).unwrap();
        let before = self.process.stderr().len();
        self.process.hang_up();
        self.reloads += 1;
        let started = Instant::now();
        loop {
            let log = self.process.stderr();
            let ends = ["the settings are read again", "the settings stay as they are"];
            // A warning follows at once.
            if ends.iter().map(|end| log.matches(end).count()).sum::<usize>() >= self.reloads {
                thread::sleep(Duration::from_millis(20));
                return self.process.stderr()[before..].to_owned();
            }
            assert!(started.elapsed() < PATIENCE, "not read again:\n{log}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Status and body of the answer to a call of the API.
fn call(address: SocketAddr, endpoint: &str, key: Option<&str>) -> (u16, Value) {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let arguments = json!({"api_name": "shop", "endpoint": endpoint});
    let params = json!({"name": "call_rest_api", "arguments": arguments, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let authorization = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
    let mut stream = TcpStream::connect(address).expect("the server takes connections");
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n{authorization}\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
         mcp-method: tools/call\r\nmcp-name: call_rest_api\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the server reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("text");
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("cut off: {response:?}"));
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

fn is_good(answer: &(u16, Value)) -> bool {
    answer.0 == 200 && answer.1["result"]["isError"] != true && answer.1["result"].is_object()
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn limit(calls: u32) -> String {
    format!(
        "[layers.server]\nrate_limit = {{ policies = [{{ name = \"all\", key = [\"server\"], limit = {calls}, window_ms = 3600000 }}] }}\n"
    )
}

#[test]
fn requests_go_on_while_settings_are_read_again() {
    let mut server = Server::start(upstream(), "");
    let address = server.address;
    let is_over = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let (is_over, count) = (Arc::clone(&is_over), Arc::clone(&count));
            thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let answer = call(address, "/a", None);
                    assert!(is_good(&answer), "{answer:?}");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let settings =
        [limit(1_000_000), limit(2_000_000), "[layers.server]\nbulkhead = false\n".into(), String::new()];
    for round in 0..12 {
        let before = count.load(Ordering::Relaxed);
        let log = server.reload(&settings[round % settings.len()]);
        assert!(log.contains("the settings are read again"), "{log}");
        let started = Instant::now();
        while count.load(Ordering::Relaxed) < before + 5 && started.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.join().expect("no request failed");
    }
    assert!(count.load(Ordering::Relaxed) > 60);
}

#[test]
fn a_call_ends_as_it_began_and_later_ones_find_what_is_new() {
    let mut server = Server::start(upstream(), "");
    let address = server.address;
    let slow = thread::spawn(move || call(address, "/slow", None));
    thread::sleep(Duration::from_millis(300));
    server.reload("[layers.server]\ntimeout = { timeout_ms = 200 }\n");
    let refused = call(address, "/slow", None);
    assert!(!is_good(&refused) && refused.1.to_string().contains("timeout"), "{refused:?}");
    let old = slow.join().unwrap();
    assert!(is_good(&old), "{old:?}");
}

#[test]
fn limits_change_and_a_mistake_changes_nothing() {
    let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let own = format!("[admin]\nlisten = \"{admin}\"\n");
    let mut server = Server::start(upstream(), &own);
    let address = server.address;
    for _ in 0..5 {
        assert!(is_good(&call(address, "/a", None)));
    }
    server.reload(&format!("{own}{}", limit(2)));
    let statuses = |count| (0..count).map(|_| call(address, "/a", None).0).collect::<Vec<_>>();
    assert_eq!(statuses(3), [200, 200, 429]);
    let stats: Value = serde_json::from_str(&get(admin, "/admin/stats")).unwrap();
    assert_eq!(stats["metrics"]["tools"]["call_rest_api"]["count"], 8, "counting goes on: {stats}");
    assert_eq!((&stats["limits"][0]["policy"], &stats["limits"][0]["refused"]), (&"all".into(), &1.into()));

    // With the same limit, what is used up stays so.
    server.reload(&format!("{own}{}[layers.tools]\nretry = true\n", limit(2)));
    assert_eq!(statuses(1), [429]);
    for (broken, told) in [
        (format!("{own}{}", limit(0)), "line 7: layers.server.rate_limit.policies[0].limit: must be"),
        (format!("{own}[layers.server]\ntimout = 1\n"), "line 7: layers.server.timout: unknown field"),
        (format!("{own}[layers.tool.none]\nretry = false\n"), "line 6: layers.tool.none: there is none"),
        ("[layers".into(), "line 4: not TOML"),
        (format!("{own}[apis.other]\nbase_url = \"ftp://x\"\n"), "apis.other.base_url"),
    ] {
        let log = server.reload(&broken);
        assert!(log.contains("ERROR") && log.contains("the settings stay as they are"), "{log}");
        assert!(log.contains("apis.toml") && log.contains(told), "no {told} in {log}");
        assert_eq!(statuses(1), [429], "{broken}");
    }

    let moved = "[admin]\nlisten = \"127.0.0.1:1\"\n[server]\nlisten = \"127.0.0.1:2\"\n[layers.cache]\nmax_entries = 5\n\
                 [apis.other]\nbase_url = \"https://other.example\"\n";
    let log = server.reload(moved);
    let warning =
        log.lines().find(|line| line.contains("WARN")).unwrap_or_else(|| panic!("no warning in {log}"));
    for key in ["admin.listen", "apis.other.base_url", "layers.cache.max_entries"] {
        assert!(warning.contains(key), "{warning}");
    }
    // The command line says where it listens, whatever the file says.
    assert!(!warning.contains("server.listen"), "{warning}");
    assert_eq!(statuses(3), [200, 200, 200], "there is no limit any more");
    assert!(get(admin, "/livez").contains("ok"));
}

#[test]
fn keys_and_scopes_change_and_who_may_come_in_stays_guarded() {
    let folder = TempDir::new().unwrap();
    let keys = folder.path().join("keys.toml");
    let (one, two) = (ApiKey::generate("one").unwrap(), ApiKey::generate("two").unwrap());
    fs::write(&keys, one.entry()).unwrap();
    let auth = |keys: &Path| format!("[auth]\napi_keys = {keys:?}\n");
    let mut server = Server::start(upstream(), &auth(&keys));
    let address = server.address;
    let status = |key: Option<&ApiKey>| call(address, "/a", key.map(ApiKey::expose)).0;
    assert_eq!([status(None), status(Some(&one)), status(Some(&two))], [401, 200, 401]);

    // Another file, at another place.
    let others = folder.path().join("others.toml");
    fs::write(&others, two.entry()).unwrap();
    server.reload(&auth(&others));
    assert_eq!([status(None), status(Some(&one)), status(Some(&two))], [401, 401, 200]);

    // The same file with other content counts at once.
    fs::write(&others, one.entry()).unwrap();
    server.reload(&auth(&others));
    assert_eq!([status(Some(&one)), status(Some(&two))], [200, 401]);

    let scopes = "[auth.scopes]\ntools = { call_rest_api = [\"apis\"] }\n";
    server.reload(&format!("{}{scopes}", auth(&others)));
    let hidden = call(address, "/a", Some(one.expose()));
    assert!(hidden.1["error"].is_object(), "{hidden:?}");

    // What is malformed is not taken, and what is missing opens nothing.
    fs::write(&others, "[keys.a]\n").unwrap();
    let log = server.reload(&auth(&others));
    assert!(log.contains("auth.api_keys") && log.contains("the settings stay as they are"), "{log}");
    assert!(call(address, "/a", Some(one.expose())).1["error"].is_object());
    let log = server.reload("");
    assert!(log.contains("need a restart") && log.contains("auth"), "{log}");
    assert_eq!(status(None), 401);
    assert!(call(address, "/a", Some(one.expose())).1["error"].is_object(), "the scopes are still asked for");
}

/// The breaker of a database that is down stays open, since nobody has changed its settings.
#[test]
fn what_a_breaker_has_seen_stays() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    let settings = format!(
        "[databases.shop]\nurl = \"postgres://me@{nobody}/shop\"\n[layers.tools]\nretry = false\n\
         [layers.upstream.shop]\ncircuit_breaker = {{ consecutive_failures = 1, open_ms = 60000 }}\n"
    );
    fs::write(&file, &settings).unwrap();
    let mut command = Command::new(cargo_build("database-server"));
    command.env_remove("DATABASE_URL").arg("--stdio").arg("--config").arg(&file);
    let mut server = Process::start(&mut command);
    let mut stdin = server.stdin().unwrap();
    let mut ask = |server: &Process, id: usize| {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({"name": "list_tables", "arguments": {}, "_meta": meta});
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        writeln!(stdin, "{request}").unwrap();
        server.lines(id)[id - 1].clone()
    };
    assert!(ask(&server, 1).contains("unavailable"), "{}", server.stdout());
    for round in 1..=2 {
        fs::write(&file, format!("{settings}[layers.server]\nbulkhead = {{ max_concurrent = {round} }}\n"))
            .unwrap();
        server.hang_up();
        let started = Instant::now();
        while server.stderr().matches("the settings are read again").count() < round {
            assert!(started.elapsed() < PATIENCE, "{}", server.stderr());
            thread::sleep(Duration::from_millis(5));
        }
        assert!(ask(&server, round + 1).contains("circuit_open"), "{}", server.stdout());
    }
}

#[test]
fn a_subscription_goes_on() {
    let folder = TempDir::new().unwrap();
    let (root, file) = (folder.path().join("root"), folder.path().join("files.toml"));
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a.txt"), "one").unwrap();
    let settings = format!("[[filesystem.roots]]\npath = {root:?}\n");
    fs::write(&file, &settings).unwrap();
    let mut server = Process::start(
        Command::new(cargo_build("filesystem-server")).arg("--stdio").arg("--config").arg(&file),
    );
    let mut stdin = server.stdin().unwrap();
    let mut send = |id: u32, method: &str, mut params: Value| {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        writeln!(stdin, "{}", json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .unwrap();
    };
    send(1, "subscriptions/listen", json!({"notifications": {"resourceSubscriptions": ["file:///a.txt"]}}));
    assert!(server.lines(1)[0].contains("acknowledged"), "{:?}", server.stdout());

    fs::write(&file, format!("{settings}[layers.server]\naudit = true\n")).unwrap();
    server.hang_up();
    let started = Instant::now();
    while !server.stderr().contains("the settings are read again") {
        assert!(started.elapsed() < PATIENCE, "{}", server.stderr());
        thread::sleep(Duration::from_millis(5));
    }
    fs::write(root.join("a.txt"), "two").unwrap();
    let lines = server.lines(2);
    assert!(lines[1].contains("notifications/resources/updated"), "{lines:?}");
    send(2, "tools/call", json!({"name": "read_text_file", "arguments": {"path": "a.txt"}}));
    let started = Instant::now();
    while !server.stdout().contains("\"two\"") {
        assert!(started.elapsed() < PATIENCE, "{}", server.stdout());
        thread::sleep(Duration::from_millis(5));
    }
    assert!(server.stderr().contains("decision"), "the call is audited: {}", server.stderr());
}
