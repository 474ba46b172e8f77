//! Thousands of connections on which nothing is asked.

use std::time::Duration;

use serde_json::json;
use tokio::process::Command;
use tokio::task::block_in_place;
use tokio::time::sleep;
use towline_scratch_postgres::Database;
use towline_soak::{Answer, Caller, Sample, Served, free_address, raise_descriptors};

use crate::load::{Load, Outcomes};
use crate::support::{figure, server, until};

const PATIENCE: Duration = Duration::from_secs(20);
const CROWD: usize = 5000;
/// What both sides need besides the crowd's own.
const OTHERS: usize = 200;

/// As many as this process may have.
fn crowd() -> usize {
    let most = usize::try_from(raise_descriptors().unwrap()).unwrap_or(usize::MAX);
    CROWD.min(most.saturating_sub(OTHERS))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_idle_connections_cost_little_and_slow_down_nobody() {
    let crowd = crowd();
    let address = free_address().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_towline-soak"));
    command.args(["serve", &address.to_string(), "--idle", "120"]);
    let server = Served::start(command, address).await.unwrap();
    let sum = json!({"a": 3, "b": 4});
    let mut first = Caller::new(address, PATIENCE);
    assert!(first.call("add", &sum).await.unwrap().is_good());
    let start = server.sample().unwrap();
    // A second crowd finds what the allocator has kept of the first, and leaves no more.
    let (once, _, _) = gather(&server, crowd).await;
    let (twice, full, calls) = gather(&server, crowd).await;
    assert_eq!(twice.more_than(&once), Vec::<String>::new());
    assert_eq!(twice.descriptors, start.descriptors);
    let each = full.memory_kib.saturating_sub(start.memory_kib) as f64 / crowd as f64;
    assert!(each < 64.0, "{each} KiB for a connection");
    let (p50, p99) = calls.percentiles();
    figure(format_args!(
        "{crowd} idle connections: {each:.1} KiB each; meanwhile {} calls, p50 {:.1} ms, p99 {:.1} ms; memory {} KiB at first, \
         {} KiB when they have gone, {} KiB when as many more have",
        calls.0.len(),
        p50.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
        start.memory_kib,
        once.memory_kib,
        twice.memory_kib,
    ));
}

/// Lets a crowd come, makes calls beside it, and lets it go. Tells what the server has afterwards and had meanwhile, and what
/// came of the calls.
async fn gather(server: &Served, crowd: usize) -> (Sample, Sample, Outcomes) {
    let (address, before) = (server.address(), server.sample().unwrap().descriptors);
    let sum = json!({"a": 3, "b": 4});
    let mut idle = Vec::new();
    for _ in 0..crowd {
        let mut caller = Caller::new(address, PATIENCE);
        assert!(caller.call("add", &sum).await.unwrap().is_good());
        idle.push(caller);
    }
    let full = server.sample().unwrap();
    assert_eq!(full.descriptors, before + crowd);
    let load = Load::start(address, 8, PATIENCE, "add", &sum);
    sleep(Duration::from_secs(3)).await;
    let calls = load.stop().await;
    assert!(calls.answers().all(Answer::is_good), "{}", calls.kinds());
    // Those that were idle are still served.
    for caller in idle.iter_mut().step_by(50) {
        assert!(caller.call("add", &sum).await.unwrap().is_good());
    }
    drop(idle);
    until("they are gone", PATIENCE, async || Ok(server.sample()?.descriptors <= before)).await;
    sleep(Duration::from_secs(1)).await;
    (server.sample().unwrap(), full, calls)
}

/// The cap of a server as it is installed: 1024 connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_over_the_cap_are_refused_and_those_within_are_served() {
    const CAP: usize = 1024;
    let crowd = crowd();
    let database = block_in_place(Database::fresh).unwrap();
    let server = server(&database.url(), "").await;
    let mut within = Vec::new();
    let (mut served, mut refused) = (0, 0);
    for _ in 0..crowd {
        let mut caller = Caller::new(server.address(), PATIENCE);
        match caller.call("server_info", &json!({})).await {
            Ok(answer) if answer.is_good() => served += 1,
            // The refusal has no body, and what was being sent may meet a closed connection.
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => refused += 1,
        }
        within.push(caller);
    }
    assert_eq!((served, refused), (CAP, crowd - CAP));
    for caller in within.iter_mut().take(CAP).step_by(16) {
        assert!(caller.call("server_info", &json!({})).await.unwrap().is_good());
    }
    drop(within);
    let mut next = Caller::new(server.address(), PATIENCE);
    let free = until("there is room again", PATIENCE, async || {
        Ok(next.call("server_info", &json!({})).await.is_ok_and(|answer| answer.is_good()))
    })
    .await;
    figure(format_args!(
        "{crowd} connections at a cap of {CAP}: {served} served, {refused} refused; room again {:.2} s after they went",
        free.as_secs_f64()
    ));
}
