//! What all tests need.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;
use towline_end_to_end::cargo_build;
use towline_soak::{DatabaseServer, Error, Sample};

/// How often to look.
const POLL: Duration = Duration::from_millis(20);

/// `database-server`, built as the tests are.
pub(crate) fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| cargo_build("database-server"))
}

/// A server whose callers may let PostgreSQL sleep. `settings` are of the database, then of everything else.
pub(crate) async fn server(url: &str, settings: &str) -> DatabaseServer {
    let settings = format!("allowed_functions = [\"pg_sleep\"]\n{settings}");
    DatabaseServer::start(program(), url, &settings).await.unwrap()
}

/// The arguments of a query that takes so long.
pub(crate) fn sleeps(duration: Duration) -> Value {
    json!({"query": "SELECT 7 AS seven FROM pg_sleep($1)", "params": [duration.as_secs_f64()]})
}

/// Looks until it is so, and tells how long that took.
pub(crate) async fn until(
    what: &str,
    bound: Duration,
    mut holds: impl AsyncFnMut() -> Result<bool, Error>,
) -> Duration {
    let begun = Instant::now();
    while !holds().await.unwrap() {
        assert!(begun.elapsed() < bound, "not within {bound:?}: {what}");
        sleep(POLL).await;
    }
    begun.elapsed()
}

/// What the server has when its connections no longer come and go.
pub(crate) async fn at_rest(server: &DatabaseServer) -> Sample {
    let mut last = usize::MAX;
    until("nothing changes any more", Duration::from_secs(20), async || {
        // A statement that was cancelled has its connection for two more seconds at most.
        sleep(Duration::from_millis(2500)).await;
        let now = server.sample()?.descriptors;
        Ok(std::mem::replace(&mut last, now) == now)
    })
    .await;
    server.sample().unwrap()
}

/// Prints what was measured.
#[expect(clippy::print_stdout, reason = "this is what one runs the tests with `--nocapture` for")]
pub(crate) fn figure(text: fmt::Arguments<'_>) {
    println!("{text}");
}

/// How many times the usual load there is.
pub(crate) fn scale() -> usize {
    let wish = std::env::var("TOWLINE_FAULTS_SCALE").ok();
    wish.map_or(1, |wish| wish.parse().expect("TOWLINE_FAULTS_SCALE is a whole number"))
}
