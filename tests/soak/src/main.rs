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

/// In so many parts comes the load, each followed by a rest.
const PARTS: u32 = 3;
/// The server has let go of everything after that long at the most: its timeouts are a few seconds.
const EXPIRY: Duration = Duration::from_secs(30);
/// How long to look on afterwards, for what goes back late: sessions that nobody ends expire after six seconds.
const SETTLE: Duration = Duration::from_secs(10);

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
    // The first request makes what the server makes once.
    client::gauges(served.address()).await?;
    let start = rest(&served, None).await?;
    report::begin(load);
    report::row("at the start", &start, None);

    let warm_up = (load.duration / 4).min(Duration::from_secs(60));
    let tally = Arc::<Tally>::default();
    phase(&served, load.connections, warm_up, &tally, "warm-up").await?;
    let warm = rest(&served, Some(start.descriptors)).await?;
    report::row("after the warm-up", &warm, Some(&tally));

    // What an allocator keeps of a first load it uses for the next: only what grows from one to the other is lost.
    let (mut first, mut end) = (None, warm);
    for part in 1..=PARTS {
        phase(&served, load.connections, load.duration / PARTS, &tally, &format!("load {part}")).await?;
        end = rest(&served, Some(start.descriptors)).await?;
        report::row(&format!("after load {part}"), &end, Some(&tally));
        first.get_or_insert(end);
    }

    let mut wrong = tally.complaints();
    // Memory is held against that after the first load; descriptors against the start's.
    let first = first.unwrap_or(end);
    wrong.extend(end.more_than(&Sample { descriptors: start.descriptors, ..first }));
    if let Err(missing) = tally.is_broad() {
        wrong.push(missing);
    }
    let left = client::gauges(served.address()).await?;
    if left != "0 running" {
        wrong.push(format!("calls that were abandoned: {left}"));
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
        report::row(&format!("{name}, {} s", begun.elapsed().as_secs()), &served.sample()?, Some(tally));
    }
    stop.send_replace(true);
    while clients.join_next().await.transpose()?.is_some() {}
    Ok(())
}

/// What the server has when nothing goes on.
async fn rest(served: &Served, descriptors: Option<usize>) -> Result<Sample, Error> {
    let begun = Instant::now();
    if let Some(expected) = descriptors {
        while served.sample()?.descriptors > expected && begun.elapsed() < EXPIRY {
            sleep(Duration::from_millis(200)).await;
        }
    }
    sleep(SETTLE).await;
    served.sample()
}
