use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// What the suite found: its checks, by scenario.
#[derive(Clone, Debug, Default)]
pub struct Findings(BTreeMap<String, Vec<Check>>);

/// What it should find.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// How many checks succeed in the scenarios that are not open. Fewer would mean that the suite has not tried
    /// everything.
    pub passing: usize,
    /// Scenarios that the server cannot pass yet.
    pub open: &'a [&'a str],
    /// Checks that the suite skips whatever the server does.
    pub skipped: &'a [&'a str],
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    id: String,
    status: Status,
    error_message: Option<String>,
    #[serde(default)]
    description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Failure,
    Warning,
    Skipped,
    Info,
}

impl Findings {
    /// Reads what the suite has written to a folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut findings = Self::default();
        for entry in fs::read_dir(folder).expect("the suite's results can be listed") {
            let entry = entry.expect("the suite's results can be listed");
            let name = entry.file_name().into_string().expect("the suite's names are UTF-8");
            let checks = fs::read_to_string(entry.path().join("checks.json")).expect("a result has checks");
            findings.add(scenario(&name), &checks);
        }
        findings
    }

    /// Whether it found nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, scenario: &str, checks: &str) {
        let checks: Vec<Check> = serde_json::from_str(checks)
            .unwrap_or_else(|error| panic!("the checks of {scenario} are something else: {error}"));
        self.0.entry(scenario.to_owned()).or_default().extend(checks);
    }

    /// Holds the findings against what is expected.
    ///
    /// A check that failed, warned or was skipped is an objection, also where the suite does not score it. It is one
    /// as well that there is nothing to object to in an open scenario: so the list shrinks as the server grows.
    ///
    /// # Panics
    ///
    /// Panics when there are objections, with all of them.
    #[track_caller]
    pub fn judge(&self, expected: &Expected<'_>) {
        let objections = self.objections(expected);
        let passing = self.passing(&[]);
        assert!(objections.is_empty(), "{passing} checks passed, but:\n{}", objections.join("\n"));
        let (count, open) = (self.0.len() - expected.open.len(), expected.open);
        eprintln!("{} checks passed in {count} scenarios; open: {open:?}", expected.passing);
    }

    fn objections(&self, expected: &Expected<'_>) -> Vec<String> {
        let mut objections = vec![];
        for (scenario, checks) in &self.0 {
            let found = complaints(checks, expected.skipped);
            if !expected.open.contains(&scenario.as_str()) {
                objections.extend(found.iter().map(|complaint| format!("{scenario}: {complaint}")));
            } else if found.is_empty() {
                objections.push(format!("{scenario}: it passes, so it is not open"));
            }
        }
        for scenario in expected.open.iter().filter(|scenario| !self.0.contains_key(**scenario)) {
            objections.push(format!("{scenario}: it was not tried, so it is not open"));
        }
        let passing = self.passing(expected.open);
        if passing != expected.passing {
            objections.push(format!(
                "{passing} checks passed in scenarios that are not open, not {}",
                expected.passing
            ));
        }
        objections
    }

    fn passing(&self, open: &[&str]) -> usize {
        let settled = self.0.iter().filter(|(scenario, _)| !open.contains(&scenario.as_str()));
        settled.flat_map(|(_, checks)| checks).filter(|check| check.status == Status::Success).count()
    }
}

/// What there is to object to in a scenario.
fn complaints(checks: &[Check], skipped: &[&str]) -> Vec<String> {
    if checks.iter().all(|check| check.status == Status::Info) {
        return vec!["nothing was checked".to_owned()];
    }
    let bad = checks.iter().filter(|check| match check.status {
        Status::Failure | Status::Warning => true,
        Status::Skipped => !skipped.contains(&check.id.as_str()),
        Status::Success | Status::Info => false,
    });
    bad.map(|check| {
        let message = check.error_message.as_deref().unwrap_or(&check.description);
        format!("{:?}: {}: {message}", check.status, check.id)
    })
    .collect()
}

/// The scenario of a folder that the suite has named `server-SCENARIO-TIME`.
fn scenario(folder: &str) -> &str {
    const TIME: &str = "-2026-11-22T10-00-00-000Z";
    let scenario = folder.strip_prefix("server-").unwrap_or(folder);
    scenario.split_at_checked(scenario.len().saturating_sub(TIME.len())).map_or(folder, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"[{"id":"a","status":"SUCCESS"},{"id":"b","status":"SUCCESS"},
        {"id":"c","status":"INFO"},{"id":"d","status":"SKIPPED"}]"#;
    const BAD: &str = r#"[{"id":"a","status":"SUCCESS"},{"id":"b","status":"FAILURE","errorMessage":"no"}]"#;

    #[track_caller]
    fn check(scenarios: &[(&str, &str)], passing: usize, open: &[&str], expected: &[&str]) {
        let mut findings = Findings::default();
        for (scenario, checks) in scenarios {
            findings.add(scenario, checks);
        }
        assert_eq!(findings.objections(&Expected { passing, open, skipped: &["d"] }), expected);
    }

    #[test]
    fn a_failure_is_told_unless_it_is_known() {
        let scenarios = [("good", GOOD), ("bad", BAD)];
        check(&scenarios, 2, &["bad"], &[]);
        check(&scenarios, 3, &[], &["bad: Failure: b: no"]);
    }

    #[test]
    fn a_warning_counts_and_so_does_a_skipped_check() {
        let warned =
            r#"[{"id":"a","status":"WARNING","description":"It should."},{"id":"b","status":"SKIPPED"}]"#;
        let expected = ["x: Warning: a: It should.", "x: Skipped: b: "];
        check(&[("x", warned)], 0, &[], &expected);
    }

    #[test]
    fn a_scenario_without_a_check_has_not_passed() {
        check(&[("x", r#"[{"id":"a","status":"INFO"}]"#)], 0, &[], &["x: nothing was checked"]);
        check(&[("x", "[]")], 0, &[], &["x: nothing was checked"]);
    }

    #[test]
    fn what_passes_or_is_gone_is_not_open() {
        check(&[("good", GOOD)], 0, &["good"], &["good: it passes, so it is not open"]);
        check(&[("good", GOOD)], 2, &["gone"], &["gone: it was not tried, so it is not open"]);
    }

    #[test]
    fn a_check_too_few_is_noticed() {
        check(&[("good", GOOD)], 3, &[], &["2 checks passed in scenarios that are not open, not 3"]);
    }

    #[test]
    fn a_scenario_is_named_before_the_time() {
        assert_eq!(scenario("server-sep-2164-not-found-2026-11-22T10-00-00-000Z"), "sep-2164-not-found");
    }
}
