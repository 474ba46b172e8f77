//! Runs a suite.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::time::Instant;

use super::Suite;
use super::hostile::Canary;
use super::judge::{reads_as_error, refuses, survives};
use super::plan::{Job, Work, plan};
use crate::answer::{Answer, Outcome};
use crate::expectation::Expectation;
use crate::failure::Failure;
use crate::measure::{Measurement, millis};
use crate::raw::Sender;
use crate::report::{Report, TestResult};
use crate::tester::{ConnectError, Tester};

/// How far a suite is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// So many calls will be made.
    Planned(usize),
    /// This is tried now: a tool, and a name.
    Begins(&'a str, &'a str),
    /// A call was made.
    Called,
}

impl Suite {
    /// Tries everything on a server.
    ///
    /// # Errors
    ///
    /// When there is no connection to begin with. A server that breaks later fails its tests.
    pub async fn run(&self, tester: &Tester) -> Result<Report, ConnectError> {
        self.run_with(tester, &|_| ()).await
    }

    /// Like [`run`](Self::run), and tells how far it is.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run).
    pub async fn run_with(&self, tester: &Tester, tell: &dyn Fn(Step<'_>)) -> Result<Report, ConnectError> {
        let (started, clock) = (SystemTime::now(), Instant::now());
        let (server, tools) = (tester.server().await?, tester.tools().await?);
        let canary = match self.security {
            // Without a port to listen on, there is one attack less.
            Some(_) => Canary::listen().await.ok(),
            None => None,
        };
        let (jobs, notes) = plan(self, &tools, canary.as_ref());
        tell(Step::Planned(jobs.iter().map(Job::weight).sum()));
        let mut results = Vec::with_capacity(jobs.len());
        let mut sender = Sender::new(tester.target(), tester.waits());
        for job in jobs {
            tell(Step::Begins(&job.tool, &job.name));
            let began = Instant::now();
            let visits = canary.as_ref().map_or(0, Canary::visits);
            let (mut failure, measurement) = self.attempt(tester, &mut sender, &job, tell).await;
            if let (None, Some(canary), Work::Survived { input }) = (&failure, &canary, &job.work)
                && canary.visits() > visits
            {
                let answer = Answer {
                    request: input.clone(),
                    outcome: Outcome::Loss("(not looked at)".into()),
                    duration: Duration::ZERO,
                };
                let reason = "the server connected to an address of its own machine that an argument named";
                failure = Some(Failure::new(&answer, reason));
            }
            let duration_ms = millis(began.elapsed());
            let Job { kind, tool, name, .. } = job;
            results.push(TestResult { kind, tool, name, duration_ms, failure, measurement });
        }
        let suite = self.name.clone();
        Ok(Report { suite, server, started, duration: clock.elapsed(), results, notes })
    }

    async fn attempt(
        &self,
        tester: &Tester,
        sender: &mut Sender<'_>,
        job: &Job,
        tell: &dyn Fn(Step<'_>),
    ) -> (Option<Failure>, Option<Measurement>) {
        let called = |checked: Result<(), Failure>| {
            tell(Step::Called);
            (checked.err(), None)
        };
        match &job.work {
            Work::Call { input, error, expectations } => {
                let answer = exchange(tester, &job.tool, input).await;
                called(self.check(&answer, *error, expectations))
            }
            Work::Refused { input } => {
                let answer = exchange(tester, &job.tool, input).await;
                called(refuses(&answer, self.errors_in_text))
            }
            Work::Survived { input } => called(survives(&exchange(tester, &job.tool, input).await)),
            Work::Frame(frame) => called(sender.send(frame).await),
            Work::Missing => {
                let answer = tester.exchange(&job.tool, &serde_json::json!({})).await;
                called(Err(Failure::new(&answer, "the server has no tool of that name")))
            }
            Work::Measured { input, load, thresholds } => {
                let measured = tester.measure(&job.tool, input, *load, || tell(Step::Called)).await;
                let exceeded = measured.exceeded(thresholds);
                let failure = (!exceeded.is_empty()).then(|| {
                    let answer = Answer {
                        request: input.clone(),
                        outcome: Outcome::Result(serde_json::to_value(&measured).unwrap_or_default()),
                        duration: Duration::ZERO,
                    };
                    Failure::new(&answer, exceeded.join("; "))
                });
                (failure, Some(measured))
            }
        }
    }

    fn check(&self, answer: &Answer, error: bool, expectations: &[Expectation]) -> Result<(), Failure> {
        if error {
            survives(answer)?;
        }
        match error {
            true if self.errors_in_text && reads_as_error(answer) => {}
            true => Expectation::Error.check(answer)?,
            false => Expectation::Success.check(answer)?,
        }
        expectations.iter().try_for_each(|expectation| expectation.check(answer))
    }
}

/// Calls a tool. A server that hangs is left behind with its connection, so that only what made it hang fails.
async fn exchange(tester: &Tester, tool: &str, input: &Value) -> Answer {
    let answer = tester.exchange(tool, input).await;
    if let Outcome::Silence { .. } = answer.outcome {
        tester.disconnect().await;
    }
    answer
}
