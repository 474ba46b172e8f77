//! One connection.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{ClientConfig, ProtocolVersion};
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::target::{Era, Kind, Reader, Target, Writer};

/// How much of what a program writes to standard error is kept, to tell why it ended.
const KEPT_LINES: usize = 20;
/// How long a program may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// The client's side of the protocol.
#[derive(Clone, Debug)]
pub(crate) struct Client;

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::default()
    }
}

/// A connection to a server, and the program at its other end if that was started for it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: RunningService<RoleClient, Client>,
    pub(crate) program: Option<Program>,
}

impl Link {
    pub(crate) async fn open(target: &Target, era: Era, patience: Duration) -> Result<Self, String> {
        let lifecycle = match era {
            Era::Newest => ClientLifecycleMode::Auto {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
                legacy_version: Some(ProtocolVersion::V_2025_11_25),
            },
            Era::Legacy => ClientLifecycleMode::Initialize,
        };
        // Finding out that a server knows no newer revision may take ten seconds of silence.
        let patience = patience + Duration::from_secs(12);
        let mut program = None;
        let connecting = async {
            match &target.0 {
                Kind::Url { url, headers } => {
                    let headers: HashMap<_, _> = headers.iter().cloned().collect();
                    // The first one to say so decides, which may be the program.
                    let _ = rustls::crypto::ring::default_provider().install_default();
                    let config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                        .max_concurrent_requests(1024)
                        .custom_headers(headers);
                    let transport = StreamableHttpClientTransport::from_config(config);
                    Client.serve_with_lifecycle(transport, lifecycle).await
                }
                Kind::Process { .. } | Kind::Streams(_) => {
                    let (reader, writer, started) = open_streams(target)?;
                    program = started;
                    Client.serve_with_lifecycle((reader, writer), lifecycle).await
                }
            }
            .map_err(|error| chain(&error))
        };
        let connected = match tokio::time::timeout(patience, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(format!("no answer to the handshake within {patience:?}")),
        };
        match connected {
            Ok(client) => Ok(Self { client, program }),
            Err(why) => match program {
                Some(program) => Err(program.why(&why).await),
                None => Err(why),
            },
        }
    }

    pub(crate) async fn close(mut self) {
        let _ = self.client.close_with_timeout(GRACE).await;
        if let Some(program) = self.program {
            program.end().await;
        }
    }
}

/// Streams to a server, for messages of any kind.
pub(crate) fn open_streams(target: &Target) -> Result<(Reader, Writer, Option<Program>), String> {
    match &target.0 {
        Kind::Streams(connect) => {
            let (reader, writer) = connect();
            Ok((reader, writer, None))
        }
        Kind::Process { program, arguments } => {
            let mut child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
            let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
                return Err("the program has no standard input and output".into());
            };
            let program = Program::new(child);
            Ok((Box::new(output), Box::new(input), Some(program)))
        }
        Kind::Url { .. } => Err("a URL has no streams".into()),
    }
}

/// A program that was started, and the last that it wrote to standard error.
#[derive(Debug)]
pub(crate) struct Program {
    child: tokio::sync::Mutex<Child>,
    said: Arc<Mutex<Vec<String>>>,
    listener: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Program {
    fn new(mut child: Child) -> Self {
        let said = Arc::<Mutex<Vec<String>>>::default();
        let listener = child.stderr.take().map(|stderr| {
            let said = said.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).split(b'\n');
                while let Ok(Some(line)) = lines.next_segment().await {
                    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                    if said.len() == KEPT_LINES {
                        said.remove(0);
                    }
                    said.push(String::from_utf8_lossy(&line).into_owned());
                }
            })
        });
        Self { child: child.into(), said, listener: listener.into() }
    }

    /// Adds to a reason how the program ended and what it said last.
    pub(crate) async fn why(&self, reason: &str) -> String {
        let mut why = reason.to_owned();
        let mut child = self.child.lock().await;
        if let Ok(Ok(status)) = tokio::time::timeout(Duration::from_millis(500), child.wait()).await {
            why = format!("{why}; the program ended with {status}");
            // Its last words may still be on their way.
            if let Some(listener) = self.listener.lock().await.take() {
                let _ = tokio::time::timeout(Duration::from_millis(500), listener).await;
            }
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
        match said.is_empty() {
            true => why,
            false => format!("{why}; its standard error ends with:\n{said}"),
        }
    }

    /// Waits for the program, whose input has ended, and ends it if it does not.
    pub(crate) async fn end(self) {
        let mut child = self.child.into_inner();
        if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }
}

/// An error with what caused it: the cause is what helps.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
