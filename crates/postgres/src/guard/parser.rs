//! Runs PostgreSQL's parser where nothing that it does can hurt.
//!
//! One thread of its own, for two reasons. Deep nesting needs a deep stack, in the C code and again
//! where the tree is decoded, walked and dropped; a thread of the caller's has 2 MiB or less, and
//! overflowing it aborts the process. And the C library takes a pthread key for every thread that
//! ever parses and never gives it back; a process has 1024 of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread;

use pg_query::protobuf::ParseResult;

/// Eight times what is enough for the deepest tree that the C library gives out (10,000 messages, or as far
/// as 2 MiB of its own stack reach). Only what is used is ever backed by memory.
const STACK_BYTES: usize = 256 * 1024 * 1024;

type Job = Box<dyn FnOnce() + Send>;

/// Runs `job` on the parser's thread and waits for it.
///
/// `None` when the job panicked, or when there is no such thread.
pub(super) fn run<T, F>(job: F) -> Option<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    static JOBS: LazyLock<Option<Sender<Job>>> = LazyLock::new(start);
    let (answer, answered) = sync_channel(1);
    let job = Box::new(move || {
        // The caller waits, so it is there to receive.
        let _ = answer.send(job());
    });
    JOBS.as_ref()?.send(job).ok()?;
    answered.recv().ok()
}

fn start() -> Option<Sender<Job>> {
    let (sender, jobs) = channel::<Job>();
    thread::Builder::new()
        .name("sql-guard".into())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            for job in jobs {
                // A job that panics drops its sender, which is how its caller learns of it.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        })
        .inspect_err(|error| tracing::error!(%error, "the SQL guard has no thread to parse on"))
        .ok()?;
    Some(sender)
}

/// Parses statements. Only to be called on the parser's thread.
pub(super) fn parse(sql: &str) -> Result<ParseResult, pg_query::Error> {
    pg_query::parse(sql, pg_query::ParserOptions::DEFAULT).map(|result| result.protobuf)
}
