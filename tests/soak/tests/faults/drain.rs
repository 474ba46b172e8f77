//! A server that is asked to end under load.

use std::time::{Duration, Instant};

use tokio::task::block_in_place;
use tokio::time::sleep;
use towline_scratch_postgres::Database;
use towline_soak::{Answer, Caller};

use crate::load::Load;
use crate::support::{figure, server, sleeps, until};

const PATIENCE: Duration = Duration::from_secs(15);
const CALLERS: usize = 24;
/// It writes down each call that it answers.
const SETTINGS: &str = "pool_max_size = 32\n\n[server]\nshutdown_delay_ms = 1000\nshutdown_grace_ms = 10000\n\
    [layers.server]\naudit = true\n";

/// Each request that was taken is answered to the end: the server has written down as many calls as clients have answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_lost_when_a_server_ends_under_load() {
    let database = block_in_place(Database::fresh).unwrap();
    let mut server = server(&database.url(), SETTINGS).await;
    let load = Load::start(
        server.address(),
        CALLERS,
        PATIENCE,
        "execute_query",
        &sleeps(Duration::from_millis(200)),
    );
    let address = server.address();
    let mut long = Caller::new(address, PATIENCE);
    let audited = |log: &str| log.lines().filter(|line| line.contains("decision=")).count();
    until("they call", PATIENCE, async || Ok(audited(&server.log()?) > 3 * CALLERS)).await;
    // One that takes longer than the delay.
    let long = tokio::spawn(async move { long.call("execute_query", &sleeps(Duration::from_secs(3))).await });
    sleep(Duration::from_millis(500)).await;

    server.process().terminate().unwrap();
    let asked = Instant::now();
    until("not ready", Duration::from_millis(900), async || Ok(!server.is_ready().await?)).await;
    let unready = asked.elapsed();
    let status = server.process().ended().await.unwrap();
    let ended = asked.elapsed();
    assert!(status.success(), "{status}");
    let long = long.await.unwrap().unwrap();
    assert!(long.is_good(), "{long:?}");
    let outcomes = load.stop().await;
    let log = server.log().unwrap();
    assert!(!log.contains("cut off"), "{log}");

    let taken = audited(&log);
    let answered =
        outcomes.0.iter().filter(|outcome| outcome.answer.as_ref().is_ok_and(Answer::is_good)).count();
    let bad =
        outcomes.0.iter().filter_map(|outcome| outcome.answer.as_ref().ok()).find(|answer| !answer.is_good());
    assert!(bad.is_none(), "{bad:?}");
    assert_eq!(taken, answered + 1, "{log}");
    // It went on answering while it was no longer ready, and has not waited for its whole grace.
    let late = outcomes.0.iter().filter(|outcome| outcome.begun > asked && outcome.answer.is_ok()).count();
    assert!(late > 0);
    assert!(ended < Duration::from_secs(8), "{ended:?}");
    figure(format_args!(
        "SIGTERM with {CALLERS} callers: not ready after {:.0} ms; {taken} calls taken, {} answered, {late} of them after the signal; \
         it ended with 0 after {:.1} s",
        unready.as_secs_f64() * 1e3,
        answered + 1,
        ended.as_secs_f64(),
    ));
}
