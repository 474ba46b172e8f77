//! What attackers write into arguments.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::negative::Input;
use crate::input::{kind, plain, resolve};

const STRINGS: [(&str, &str); 16] = [
    ("path traversal", "../../../../../../../../etc/passwd"),
    ("path traversal, absolute", "/etc/passwd"),
    ("path traversal, percent-encoded", "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd"),
    ("path traversal, doubly encoded", "%252e%252e%252f%252e%252e%252f%252e%252e%252fetc%252fpasswd"),
    ("path traversal, backslashes", "..\\..\\..\\..\\windows\\win.ini"),
    ("path traversal, nested", "....//....//....//....//....//etc/passwd"),
    ("path traversal, NUL", "../../../../../../etc/passwd\0.txt"),
    ("path traversal, file URL", "file:///etc/passwd"),
    ("path traversal, processes", "/proc/self/environ"),
    ("SQL, always true", "' OR '1'='1' --"),
    ("SQL, second statement", "x'; DROP TABLE users; --"),
    ("SQL, union", "' UNION SELECT usename, passwd FROM pg_shadow --"),
    ("SQL, sleep", "1' AND (SELECT 1 FROM pg_sleep(0)) IS NOT NULL --"),
    ("inner address, metadata", "http://169.254.169.254/latest/meta-data/"),
    ("inner address, IPv6", "http://[::ffff:127.0.0.1]:1/"),
    ("inner address, octal", "http://0177.0.0.1:1/"),
];

/// What to write into each text of a tool's arguments.
pub(super) fn inputs(schema: &Value, base: &Value, oversize: usize, canary: Option<&Canary>) -> Vec<Input> {
    let mut inputs = Vec::new();
    for (member, property) in schema["properties"].as_object().into_iter().flatten() {
        let own = plain(schema, resolve(schema, property));
        if kind(own) != "string" || own.get("enum").is_some() {
            continue;
        }
        let mut with = |what: &str, text: String| {
            let mut changed = base.clone();
            changed[member] = json!(text);
            inputs.push((format!("{member}: {what}"), changed));
        };
        for (what, text) in STRINGS {
            with(what, text.to_owned());
        }
        if let Some(canary) = canary {
            with("inner address, this machine", canary.url.clone());
        }
        with("oversized", "A".repeat(oversize));
    }
    inputs
}

/// A port of this machine to which no server has a reason to connect.
#[derive(Debug)]
pub(super) struct Canary {
    url: String,
    visits: Arc<AtomicUsize>,
    listener: JoinHandle<()>,
}

impl Canary {
    pub(super) async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/towline-canary", listener.local_addr()?);
        let visits = Arc::<AtomicUsize>::default();
        let counted = visits.clone();
        let listener = tokio::spawn(async move {
            while let Ok((visitor, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                drop(visitor);
            }
        });
        Ok(Self { url, visits, listener })
    }

    pub(super) fn visits(&self) -> usize {
        self.visits.load(Ordering::Relaxed)
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
