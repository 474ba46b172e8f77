//! The clients: what each kind does, and what came of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use towline_soak::{Connection, Error};

use crate::server::{Gauges, STEPS, WATCHED};

/// How long an answer may take, on a machine that is busy with both sides.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many complaints are shown.
const SHOWN: usize = 10;

/// Kinds of clients.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    /// Makes calls of all kinds, and cancels the slow ones by closing the connection.
    Caller,
    /// Opens a stream of much, and never reads.
    Deaf,
    /// Listens to what changes.
    Subscriber,
    /// Is of an older revision, begins a session and leaves without a word.
    Leaver,
}

/// What all clients have counted.
#[derive(Default)]
pub(crate) struct Tally {
    answers: AtomicU64,
    streamed: AtomicU64,
    cancelled: AtomicU64,
    unread: AtomicU64,
    changes: AtomicU64,
    sessions: AtomicU64,
    wrong: AtomicU64,
    complaints: Mutex<Vec<String>>,
}

impl Tally {
    /// In the order of the report's columns.
    pub(crate) fn counts(&self) -> [u64; 7] {
        let all = [
            &self.answers,
            &self.streamed,
            &self.cancelled,
            &self.unread,
            &self.changes,
            &self.sessions,
            &self.wrong,
        ];
        all.map(|count| count.load(Relaxed))
    }

    /// Says what is missing when some kind of client has done nothing, which would show nothing.
    pub(crate) fn is_broad(&self) -> Result<(), String> {
        let counts = self.counts();
        match counts[..6].iter().all(|count| *count > 0) {
            true => Ok(()),
            false => Err(format!("some kind of client has done nothing: {counts:?}")),
        }
    }

    /// What was wrong, if anything was.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = self.wrong.load(Relaxed);
        let total = (wrong > 0).then(|| format!("{wrong} answers were lost or wrong"));
        total.into_iter().chain(complaints.iter().cloned()).collect()
    }

    fn complain(&self, error: &Error) {
        self.wrong.fetch_add(1, Relaxed);
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.len() < SHOWN {
            complaints.push(error.to_string());
        }
    }
}

impl Role {
    /// Six of ten call, and each other kind has its share.
    pub(crate) fn of(number: usize) -> Self {
        match number % 20 {
            0..12 => Self::Caller,
            12..14 => Self::Deaf,
            14..17 => Self::Subscriber,
            _ => Self::Leaver,
        }
    }

    /// Goes on until it is told to stop.
    pub(crate) async fn play(self, address: SocketAddr, tally: Arc<Tally>, mut stop: watch::Receiver<bool>) {
        // Not all at once.
        pause(0..1000, &mut stop).await;
        while !*stop.borrow() {
            let outcome = match self {
                Self::Caller => call(address, &tally, &mut stop).await,
                Self::Deaf => ignore(address, &tally).await,
                Self::Subscriber => listen(address, &tally, &mut stop).await,
                Self::Leaver => leave(address, &tally).await,
            };
            if let Err(error) = outcome {
                tally.complain(&error);
            }
            pause(10..100, &mut stop).await;
        }
    }
}

/// Waits some milliseconds, or until the end.
async fn pause(range: std::ops::Range<u64>, stop: &mut watch::Receiver<bool>) {
    let pause = Duration::from_millis(fastrand::u64(range));
    let _ = timeout(pause, stop.wait_for(|stopped| *stopped)).await;
}

/// Waits for what must come.
async fn due<T>(what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(PATIENCE, what).await.map_err(|_| "an answer did not come")?
}

async fn call(address: SocketAddr, tally: &Tally, stop: &mut watch::Receiver<bool>) -> Result<(), Error> {
    let mut connection = due(Connection::open(address)).await?;
    loop {
        match fastrand::u8(..100) {
            0..70 => {
                let (a, b) = (fastrand::u64(..1000), fastrand::u64(..1000));
                request(&mut connection, "add", &json!({"a": a, "b": b}), a).await?;
                let messages = due(connection.messages()).await?;
                let [answer] = &messages[..] else { return Err(format!("too much: {messages:?}").into()) };
                expect(answer, &json!(a), &answer["result"]["structuredContent"]["sum"], &json!(a + b))?;
                tally.answers.fetch_add(1, Relaxed);
            }
            70..95 => {
                let id = fastrand::u64(1..1000);
                request(&mut connection, "progress", &json!({}), id).await?;
                let messages = due(connection.messages()).await?;
                let steps: Vec<_> =
                    messages.iter().filter_map(|message| message["params"]["progress"].as_f64()).collect();
                let expected: Vec<f64> = (1..=STEPS).map(Into::into).collect();
                let last = messages.last().ok_or("nothing came")?;
                if steps != expected || messages.len() != expected.len() + 1 {
                    return Err(format!("lost or out of order: {messages:?}").into());
                }
                expect(last, &json!(id), &last["result"]["content"][0]["text"], &json!("done"))?;
                tally.streamed.fetch_add(1, Relaxed);
            }
            _ => {
                request(&mut connection, "slow", &json!({}), 1).await?;
                sleep(Duration::from_millis(fastrand::u64(0..200))).await;
                tally.cancelled.fetch_add(1, Relaxed);
                return Ok(());
            }
        }
        pause(100..600, stop).await;
        if *stop.borrow() {
            return Ok(());
        }
    }
}

/// Stays for longer than the server waits for a reader.
async fn ignore(address: SocketAddr, tally: &Tally) -> Result<(), Error> {
    let mut connection = due(Connection::open_narrow(address)).await?;
    request(&mut connection, "feed", &json!({}), 1).await?;
    sleep(Duration::from_secs(8)).await;
    tally.unread.fetch_add(1, Relaxed);
    Ok(())
}

async fn listen(address: SocketAddr, tally: &Tally, stop: &mut watch::Receiver<bool>) -> Result<(), Error> {
    let mut connection = due(Connection::open(address)).await?;
    let params = json!({"notifications": {"resourceSubscriptions": [WATCHED]}});
    connection.ask("subscriptions/listen", None, params, 1).await?;
    let head = due(connection.head()).await?;
    if head.status != 200 {
        return Err(format!("a subscription: {}", head.status).into());
    }
    let mut events = connection.events();
    let mut expected = "notifications/subscriptions/acknowledged";
    loop {
        let event = tokio::select! {
            event = due(events.next()) => event?.ok_or("a subscription ended")?,
            _ = stop.wait_for(|stopped| *stopped) => return Ok(()),
        };
        if event["method"] != expected {
            return Err(format!("{event} in place of {expected}").into());
        }
        expected = "notifications/resources/updated";
        tally.changes.fetch_add(1, Relaxed);
    }
}

/// A whole session but for its end. Half of the clients leave while something is being answered.
async fn leave(address: SocketAddr, tally: &Tally) -> Result<(), Error> {
    const VERSION: &str = "2025-11-25";
    let mut connection = due(Connection::open(address)).await?;
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": VERSION, "capabilities": {"elicitation": {}}, "clientInfo": {"name": "soak", "version": "1"},
    }});
    connection.send("POST", "", &hello.to_string()).await?;
    let head = due(connection.head()).await?;
    let body = due(connection.body(&head)).await?;
    let session = head.session.ok_or_else(|| format!("no session: {}", String::from_utf8_lossy(&body)))?;
    let headers = format!("Mcp-Session-Id: {session}\r\nMCP-Protocol-Version: {VERSION}\r\n");
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    connection.send("POST", &headers, &initialized.to_string()).await?;
    let head = due(connection.head()).await?;
    if head.status != 202 {
        return Err(format!("a notification: {}", head.status).into());
    }
    let call = |id: u64, name, arguments: Value| {
        let params = json!({"name": name, "arguments": arguments, "_meta": {"progressToken": 1}});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
    };
    let (a, b) = (fastrand::u64(1..1000), fastrand::u64(..1000));
    connection.send("POST", &headers, &call(a, "add", json!({"a": a, "b": b}))).await?;
    let messages = due(connection.messages()).await?;
    let answer = messages.last().ok_or("nothing came")?;
    expect(answer, &json!(a), &answer["result"]["structuredContent"]["sum"], &json!(a + b))?;
    tally.answers.fetch_add(1, Relaxed);
    match fastrand::u8(..4) {
        0 => connection.send("POST", &headers, &call(2, "progress", json!({}))).await?,
        1 => connection.send("GET", &headers, "").await?,
        2 => {
            connection.send("POST", &headers, &call(3, "feed", json!({}))).await?;
            due(connection.head()).await?;
        }
        _ => {}
    }
    sleep(Duration::from_millis(fastrand::u64(0..1000))).await;
    tally.sessions.fetch_add(1, Relaxed);
    Ok(())
}

/// What goes on in the server.
pub(crate) async fn gauges(address: SocketAddr) -> Result<Gauges, Error> {
    let mut connection = due(Connection::open(address)).await?;
    request(&mut connection, "gauges", &json!({}), 1).await?;
    let messages = due(connection.messages()).await?;
    let answer = messages.first().ok_or("the server does not say")?;
    Ok(Gauges::deserialize(&answer["result"]["structuredContent"])?)
}

async fn request(connection: &mut Connection, tool: &str, arguments: &Value, id: u64) -> Result<(), Error> {
    let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": 1}});
    connection.ask("tools/call", Some(tool), params, id).await
}

fn expect(answer: &Value, id: &Value, value: &Value, expected: &Value) -> Result<(), Error> {
    if answer["id"] == *id && value == expected {
        return Ok(());
    }
    Err(format!("expected {expected} for {id}: {answer}").into())
}
