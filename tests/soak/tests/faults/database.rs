//! PostgreSQL goes away in the middle of calls, in every way that it can, and comes back.

use std::time::{Duration, Instant};

use tokio::task::block_in_place;
use tokio::time::sleep;
use towline_scratch_postgres::Cluster;
use towline_soak::Caller;

use crate::load::{Load, Outcomes};
use crate::support::{figure, server, sleeps, until};

/// Each answer is there after that long, whatever happens, as the settings say.
const BOUND: Duration = Duration::from_secs(4);
/// What a busy machine adds to any time.
const SLACK: Duration = Duration::from_secs(3);
/// Readiness is looked at anew every 2 seconds, and a look takes 4 at most. While all connections are in use, a database counts
/// as busy: those that hang are given up after 4 seconds, and closed after 2 more.
const NOTICED: Duration = Duration::from_secs(12);
/// The longest that a breaker stays open: `max_open_ms`, and its jitter of a fifth.
const REOPENED: Duration = Duration::from_millis(4800);
const SETTINGS: &str = "\n[layers.server]\ntimeout = { timeout_ms = 4000 }\n\
    [layers.upstream.shop]\ncircuit_breaker = { open_ms = 1000, max_open_ms = 4000 }\n";
const CALLERS: usize = 16;

/// How a database fails and comes back.
struct Fault {
    name: &'static str,
    harm: fn(&mut Cluster),
    heal: fn(&mut Cluster),
    /// Whether it is down for long enough to be noticed.
    lasts: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_stops_and_starts_again() {
    survive(Fault {
        name: "stopped",
        harm: |cluster| cluster.stop().unwrap(),
        heal: |cluster| cluster.restart().unwrap(),
        lasts: true,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_restarts() {
    survive(Fault {
        name: "restarted",
        harm: |cluster| cluster.restart().unwrap(),
        heal: |_| {},
        lasts: false,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_freezes() {
    survive(Fault {
        name: "frozen",
        harm: |cluster| cluster.pause().unwrap(),
        heal: |cluster| cluster.resume().unwrap(),
        lasts: true,
    })
    .await;
}

/// It ends the connections that there are, and has none for us.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_is_out_of_connections() {
    survive(Fault {
        name: "out of connections",
        harm: |cluster| {
            let sql = "ALTER ROLE reader CONNECTION LIMIT 0; \
                       SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'";
            cluster.run("postgres", sql).unwrap();
        },
        heal: |cluster| {
            cluster.run("postgres", "ALTER ROLE reader CONNECTION LIMIT -1").unwrap();
        },
        lasts: true,
    })
    .await;
}

async fn survive(fault: Fault) {
    let mut cluster = block_in_place(|| {
        let cluster = Cluster::start().unwrap();
        cluster.run("postgres", "CREATE ROLE reader LOGIN PASSWORD 'hunter2'").unwrap();
        cluster
    });
    let server = server(&cluster.url_as("reader", "hunter2", "postgres"), SETTINGS).await;
    let long = BOUND + SLACK;
    let load =
        Load::start(server.address(), CALLERS, long, "execute_query", &sleeps(Duration::from_millis(100)));
    sleep(Duration::from_secs(1)).await;
    assert!(server.is_ready().await.unwrap());

    let harmed = Instant::now();
    block_in_place(|| (fault.harm)(&mut cluster));
    let noticed = match fault.lasts {
        true => {
            until("not ready", NOTICED + SLACK, async || Ok(!server.is_ready().await?)).await;
            Some(harmed.elapsed())
        }
        false => None,
    };
    block_in_place(|| (fault.heal)(&mut cluster));
    let healed = Instant::now();
    let ready = until("ready again", NOTICED + SLACK, async || server.is_ready().await).await;
    let mut caller = Caller::new(server.address(), long);
    let soon = sleeps(Duration::ZERO);
    until("an answer", REOPENED + SLACK, async || Ok(caller.call("execute_query", &soon).await?.is_good()))
        .await;
    let recovered = healed.elapsed();
    // It is well for good, and for everybody.
    sleep(Duration::from_secs(1)).await;
    let well = Instant::now();
    sleep(Duration::from_secs(1)).await;
    let outcomes = load.stop().await;
    check(&outcomes, harmed, well, cluster.port());

    let noticed = noticed.map_or_else(|| "-".to_owned(), |noticed| format!("{:.1} s", noticed.as_secs_f64()));
    figure(format_args!(
        "PostgreSQL {}: {}; slowest answer {:.2} s; not ready after {noticed}, ready again after {:.1} s, \
         a call succeeds after {:.1} s",
        fault.name,
        outcomes.kinds(),
        outcomes.slowest().as_secs_f64(),
        ready.as_secs_f64(),
        recovered.as_secs_f64(),
    ));
}

/// Every call has an answer in time, that tells a model what is the matter and nobody what is inside.
fn check(outcomes: &Outcomes, harmed: Instant, well: Instant, port: u16) {
    let port = port.to_string();
    for (outcome, answer) in outcomes.0.iter().zip(outcomes.answers()) {
        assert!(answer.took < BOUND + SLACK, "{answer:?}");
        if answer.is_good() {
            assert_eq!(answer.data()["rows"], serde_json::json!([[7]]), "{answer:?}");
            continue;
        }
        let is_meanwhile = outcome.begun + answer.took >= harmed && outcome.begun < well;
        assert!(is_meanwhile, "nothing was the matter: {answer:?}");
        let kinds = ["unavailable", "circuit_open", "timeout", "overloaded", "upstream"];
        assert!(answer.kind().is_some_and(|kind| kinds.contains(&kind)), "{answer:?}");
        let text = answer.message.to_string();
        for inner in ["127.0.0.1", &port, "reader", "hunter2", "os error", "refused (", "FATAL", "/tmp"] {
            assert!(!text.contains(inner), "{inner:?} in {text}");
        }
    }
    assert!(outcomes.answers().filter(|answer| answer.is_good()).count() > CALLERS, "{}", outcomes.kinds());
}
