//! What is deployed is what is there: metrics have the names that dashboards and alerts ask for, and settings are such that
//! the server takes.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use towline_end_to_end::{Process, cargo_build};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/deploy")
}

/// The body of the answer to a GET.
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// The names of metrics in a query.
fn names(query: &str) -> impl Iterator<Item = &str> {
    let parts = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    parts.filter(|part| {
        ["mcp_", "towline_", "process_"].iter().any(|prefix| part.starts_with(prefix))
            && *part != "mcp_method_name"
    })
}

#[test]
fn every_metric_of_dashboard_and_alerts_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = folder.path().join("apis.toml");
    let text =
        format!("[apis.shop]\nbase_url = \"https://shop.example/v1\"\n[admin]\nlisten = \"{admin}\"\n");
    fs::write(&settings, text).unwrap();
    let (server, _) = Process::listen(Command::new(cargo_build("api-server")).arg("--config").arg(&settings));
    let metrics = get(admin, "/metrics");
    drop(server);
    let known: BTreeSet<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, _)| name)
        .collect();
    let is_known = |name: &str| {
        let suffixes = ["", "_total", "_count", "_sum", "_bucket", "_info"];
        suffixes.iter().any(|suffix| name.strip_suffix(suffix).is_some_and(|name| known.contains(name)))
    };

    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(deploy().join("grafana/towline.json")).unwrap()).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            asked.extend(names(target["expr"].as_str().unwrap()).map(str::to_owned));
        }
    }
    let alerts = fs::read_to_string(deploy().join("prometheus/alerts.yml")).unwrap();
    asked.extend(names(&alerts).map(str::to_owned));
    assert!(asked.len() >= 8, "{asked:?}");
    let unknown: Vec<_> = asked.iter().filter(|name| !is_known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {known:?}");
}

/// The settings in the manifests are settings that the server takes.
#[test]
fn the_settings_of_the_manifests_work() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, url) = (folder.path().join("server.toml"), folder.path().join("DATABASE_URL"));
    let database = towline_scratch_postgres::Database::fresh().unwrap();
    fs::write(&url, database.url()).unwrap();
    let text = fs::read_to_string(deploy().join("kubernetes/base/server.toml")).unwrap();
    let text = text.replace("/run/secrets/towline/DATABASE_URL", url.to_str().unwrap());
    assert!(!text.contains("allow_unauthenticated"), "whoever comes through the gateway has a key");
    let keys = folder.path().join("API_KEYS");
    fs::write(&keys, "").unwrap();
    let text = text.replace("/run/secrets/towline/API_KEYS", keys.to_str().unwrap());
    fs::write(&settings, text).unwrap();
    let output = Command::new(cargo_build("database-server"))
        .args(["--check-config", "--config"])
        .arg(&settings)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
