//! What a suite comes to on a server with these tools.

use serde_json::Value;

use super::hostile::{self, Canary};
use super::{Case, Suite, negative};
use crate::expectation::Expectation;
use crate::input::sample_input;
use crate::measure::{Load, Thresholds};
use crate::raw::{Frame, frames};
use crate::report::Kind;
use crate::tester::ToolInfo;

/// One thing to try.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) tool: String,
    pub(super) name: String,
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    /// Calls a tool and holds the answer against what is expected; an error has to be one.
    Call { input: Value, error: bool, expectations: Vec<Expectation> },
    /// Calls a tool with input that its schema refuses.
    Refused { input: Value },
    /// Calls a tool with odd input.
    Survived { input: Value },
    /// Sends bytes.
    Frame(Frame),
    /// Calls a tool again and again.
    Measured { input: Value, load: Load, thresholds: Thresholds },
    /// Fails: the suite names a tool that the server has not.
    Missing,
}

impl Job {
    /// How many calls it makes.
    pub(super) fn weight(&self) -> usize {
        match &self.work {
            Work::Measured { load, .. } => load.iterations + load.warm_up,
            _ => 1,
        }
    }
}

/// What to try, and what is left out and why.
pub(super) fn plan(suite: &Suite, tools: &[ToolInfo], canary: Option<&Canary>) -> (Vec<Job>, Vec<String>) {
    let (mut jobs, mut notes) = (Vec::new(), Vec::new());
    let job = |kind, tool: &str, name: String, work| Job { kind, tool: tool.to_owned(), name, work };
    let call = |case: &Case, error| Work::Call {
        input: case.input.clone(),
        error,
        expectations: case.expectations().unwrap_or_default(),
    };
    for (tool, cases) in &suite.tools {
        if !tools.iter().any(|known| known.name == *tool) {
            jobs.push(job(Kind::Execution, tool, "the tool is there".into(), Work::Missing));
            continue;
        }
        for (index, case) in cases.cases.iter().enumerate() {
            jobs.push(job(Kind::Execution, tool, case.named(index), call(case, false)));
        }
        for (index, case) in cases.errors.iter().enumerate() {
            jobs.push(job(Kind::Errors, tool, case.named(index), call(case, true)));
        }
        for performance in &cases.performance {
            let (load, input) = (performance.load(), performance.input.clone());
            let name = format!("{} calls, {} at once", load.iterations, load.concurrency);
            let work = Work::Measured { input, load, thresholds: performance.thresholds.clone() };
            jobs.push(job(Kind::Performance, tool, name, work));
        }
    }
    for tool in tools {
        let own = suite.tools.get(&tool.name);
        let base = own
            .and_then(|own| own.cases.first())
            .map_or_else(|| sample_input(&tool.input_schema), |case| case.input.clone());
        let may_be_called =
            tool.read_only || own.is_some_and(|own| !own.cases.is_empty() || !own.errors.is_empty());
        let schema = jsonschema::validator_for(&tool.input_schema);
        let negative = suite.negative.as_ref().filter(|negative| !negative.exclude.contains(&tool.name));
        if let Some((_, Err(error))) = negative.map(|negative| (negative, &schema)) {
            notes.push(format!(
                "{}: its input schema is none, so nothing is made from it: {error}",
                tool.name
            ));
        }
        let mut left_out = 0;
        if let (Some(_), Ok(schema)) = (negative, &schema) {
            for (name, input) in negative::inputs(&tool.input_schema, &base) {
                let work = match schema.is_valid(&input) {
                    false => Work::Refused { input },
                    true if may_be_called => Work::Survived { input },
                    true => {
                        left_out += 1;
                        continue;
                    }
                };
                jobs.push(job(Kind::Negative, &tool.name, name, work));
            }
        }
        let security = suite.security.as_ref().filter(|security| !security.exclude.contains(&tool.name));
        if let Some(security) = security {
            let inputs = hostile::inputs(&tool.input_schema, &base, security.oversize_bytes, canary);
            if may_be_called {
                let job = |(name, input)| job(Kind::Security, &tool.name, name, Work::Survived { input });
                jobs.extend(inputs.into_iter().map(job));
            } else {
                left_out += inputs.len();
            }
        }
        if left_out > 0 {
            notes.push(format!(
                "{}: left out what its schema allows ({left_out}), since it does not say that it changes nothing \
                 (readOnlyHint) and the suite has no case for it",
                tool.name
            ));
        }
    }
    if let Some(security) = suite.security.as_ref().filter(|security| security.frames) {
        for frame in frames(security.oversize_bytes) {
            jobs.push(job(Kind::Security, "messages", frame.name.to_owned(), Work::Frame(frame)));
        }
    }
    (jobs, notes)
}
