//! Loads a server for long, and holds what it has left over against what it began with.
//!
//! `cargo xtask soak` runs it. The server is this same program in a process of its own, told `serve ADDRESS`; or, told
//! `database`, it is `database-server`, at half of what it can answer.

mod args;
mod client;
mod report;
mod server;
mod steady;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use towline_soak::{Error, Sample, Served, free_address, raise_descriptors};

use crate::args::{Command, Load};
use crate::client::{Role, Tally};
use crate::server::Gauges;

/// That of the servers that ship.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// In so many parts comes the load, each followed by a rest.
const PARTS: u32 = 3;
/// The server has let go of everything after that long at the most: its timeouts are a few seconds.
const EXPIRY: Duration = Duration::from_secs(30);
/// How long to look on afterwards, for what goes back late: sessions that nobody ends expire after six seconds.
const SETTLE: Duration = Duration::from_secs(10);
/// How much more than at the start may be allocated: what threads keep for later, and tables that have grown.
const HEAP_TOLERANCE_KIB: usize = 8 * 1024;

fn main() -> ExitCode {
    let outcome = args::parse().and_then(|command| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        match command {
            Command::Serve { address, idle } => {
                runtime.block_on(server::serve(address, idle)).map_err(Into::into)
            }
            Command::Load(load) => runtime.block_on(run(&load)),
            Command::Steady(steady) => runtime.block_on(steady::run(&steady)),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::failure(&*error);
            ExitCode::FAILURE
        }
    }
}

async fn run(load: &Load) -> Result<(), Error> {
    raise_descriptors()?;
    let address = free_address()?;
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command.args(["serve", &address.to_string()]);
    let served = Served::start(command, address).await?;
    let tally = Arc::<Tally>::default();
    // The first request makes what the server makes once.
    client::gauges(served.address()).await?;
    report::begin(load);
    let start = rest(&served, None).await?;
    report::row("at the start", &start.sample, Some(start.gauges.heap_kib), &tally);

    let warm_up = (load.duration / 4).min(Duration::from_secs(60));
    phase(&served, load.connections, warm_up, &tally, "warm-up").await?;
    let warm = rest(&served, Some(&start)).await?;
    report::row("after the warm-up", &warm.sample, Some(warm.gauges.heap_kib), &tally);

    let mut end = warm;
    for part in 1..=PARTS {
        phase(&served, load.connections, load.duration / PARTS, &tally, &format!("load {part}")).await?;
        end = rest(&served, Some(&start)).await?;
        report::row(&format!("after load {part}"), &end.sample, Some(end.gauges.heap_kib), &tally);
    }

    let mut wrong = tally.complaints();
    // What an allocator keeps of a first load it uses for the next: only what grows from one to the other is lost.
    wrong.extend(end.sample.more_than(&Sample { descriptors: start.sample.descriptors, ..warm.sample }));
    let heap = (end.gauges.heap_kib, start.gauges.heap_kib + HEAP_TOLERANCE_KIB);
    if heap.0 > heap.1 {
        wrong.push(format!("allocated and not freed: {} KiB, at most {} KiB expected", heap.0, heap.1));
    }
    if let Err(missing) = tally.is_broad() {
        wrong.push(missing);
    }
    if end.gauges.running > 0 {
        wrong.push(format!("{} calls that were abandoned still run", end.gauges.running));
    }
    served.stop().await?;
    report::end(&wrong)
}

/// Runs all clients for that long. Those that never read are let go last, so that the server gives them up by itself.
async fn phase(
    served: &Served,
    connections: usize,
    duration: Duration,
    tally: &Arc<Tally>,
    name: &str,
) -> Result<(), Error> {
    let (stop, stopped) = watch::channel(false);
    let mut clients = JoinSet::new();
    for number in 0..connections {
        let role = Role::of(number);
        clients.spawn(role.play(served.address(), Arc::clone(tally), stopped.clone()));
    }
    let begun = Instant::now();
    let pause = (duration / 8).clamp(Duration::from_secs(1), Duration::from_secs(60));
    while begun.elapsed() < duration {
        sleep(pause.min(duration.saturating_sub(begun.elapsed()))).await;
        report::row(&format!("{name}, {} s", begun.elapsed().as_secs()), &served.sample()?, None, tally);
    }
    stop.send_replace(true);
    while clients.join_next().await.transpose()?.is_some() {}
    Ok(())
}

/// What the server has when nothing goes on.
#[derive(Clone, Copy)]
struct Rest {
    sample: Sample,
    gauges: Gauges,
}

/// Waits until nothing goes on any more, with as many descriptors as at the start.
async fn rest(served: &Served, start: Option<&Rest>) -> Result<Rest, Error> {
    let begun = Instant::now();
    if let Some(start) = start {
        while served.sample()?.descriptors > start.sample.descriptors && begun.elapsed() < EXPIRY {
            sleep(Duration::from_millis(200)).await;
        }
    }
    sleep(SETTLE).await;
    let sample = served.sample()?;
    Ok(Rest { sample, gauges: client::gauges(served.address()).await? })
}
