//! Callers that go on calling, and what came of each call.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use towline_soak::{Answer, Caller};

/// Callers that go on until they are told to stop.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    callers: JoinSet<Vec<Outcome>>,
}

/// What came of one call.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) begun: Instant,
    pub(crate) answer: Result<Answer, String>,
}

impl Load {
    /// Lets so many callers call a tool again and again. Each waits `patience` for an answer.
    pub(crate) fn start(
        address: SocketAddr,
        callers: usize,
        patience: Duration,
        tool: &'static str,
        arguments: &Value,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let (stopped, arguments) = (stopped.clone(), arguments.clone());
            tasks.spawn(async move {
                let mut caller = Caller::new(address, patience);
                let mut outcomes = Vec::new();
                while !*stopped.borrow() {
                    let begun = Instant::now();
                    let answer = caller.call(tool, &arguments).await.map_err(|error| error.to_string());
                    // One that is refused at once waits a little, as models do.
                    let is_bad = !answer.as_ref().is_ok_and(Answer::is_good);
                    outcomes.push(Outcome { begun, answer });
                    if is_bad {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
                outcomes
            });
        }
        Self { stop, callers: tasks }
    }

    /// Stops the callers, and tells what came of all their calls.
    pub(crate) async fn stop(self) -> Outcomes {
        self.stop.send_replace(true);
        let mut all: Vec<Outcome> = self.callers.join_all().await.into_iter().flatten().collect();
        all.sort_by_key(|outcome| outcome.begun);
        Outcomes(all)
    }
}

/// What came of many calls, in the order in which they began.
#[derive(Debug)]
pub(crate) struct Outcomes(pub(crate) Vec<Outcome>);

impl Outcomes {
    /// The answers; a call without one fails the test.
    pub(crate) fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.0.iter().map(|outcome| match &outcome.answer {
            Ok(answer) => answer,
            Err(error) => panic!("a call without an answer: {error}"),
        })
    }

    /// How many answers there were of each kind, in words.
    pub(crate) fn kinds(&self) -> String {
        let mut kinds = BTreeMap::<&str, usize>::new();
        for answer in self.answers() {
            let kind = if answer.is_good() { "good" } else { answer.kind().unwrap_or("unnamed") };
            *kinds.entry(kind).or_default() += 1;
        }
        let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        kinds.join(", ")
    }

    /// How long the slowest answer took.
    pub(crate) fn slowest(&self) -> Duration {
        self.answers().map(|answer| answer.took).max().unwrap_or_default()
    }

    /// How long half of the answers took, and 99 of 100.
    pub(crate) fn percentiles(&self) -> (Duration, Duration) {
        let mut times: Vec<_> = self.answers().map(|answer| answer.took).collect();
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        (at(50), at(99))
    }
}
