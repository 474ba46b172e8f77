//! The official conformance suite is run against a server that has what it asks for.
//!
//! The server answers by streams of events, which the suite looks at more closely, and then again as servers do by default:
//! of an answer that is JSON the suite says only that this is allowed, so one check less passes.

use std::process::Command;

use tokio::sync::Mutex;
use towline_end_to_end::{Expected, Findings, Process, Suite, cargo_build};

/// Held during a run: the suite gives the server little time to answer, which several runs would use up.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn revision_2025_11_25() {
    let findings = run(Suite::V0_2, &["--requirements", "2025-11-25"], &[]).await;
    findings.judge(&Expected { passing: 84, open: &[], skipped: &[] });
}

#[tokio::test]
async fn revision_2025_11_25_as_json() {
    let findings = run(Suite::V0_2, &["--requirements", "2025-11-25"], &["--json"]).await;
    findings.judge(&Expected { passing: 83, open: &[], skipped: &[] });
}

/// The suite does not listen for these notifications yet, whatever the server does.
const NOT_LISTENED_FOR: &[&str] = &["tasks-status-notifications"];

#[tokio::test]
async fn revision_2026_07_28() {
    let findings = run(Suite::V0_2, &["--requirements", "2026-07-28"], &[]).await;
    findings.judge(&Expected { passing: 197, open: &[], skipped: NOT_LISTENED_FOR });
}

#[tokio::test]
async fn revision_2026_07_28_as_json() {
    let findings = run(Suite::V0_2, &["--requirements", "2026-07-28"], &["--json"]).await;
    findings.judge(&Expected { passing: 196, open: &[], skipped: NOT_LISTENED_FOR });
}

#[tokio::test]
async fn revision_2025_06_18() {
    let findings = run(Suite::V0_2, &["--suite", "all", "--spec-version", "2025-06-18"], &[]).await;
    findings.judge(&Expected { passing: 56, open: &[], skipped: &[] });
}

#[tokio::test]
async fn skills_are_listed() {
    let findings = run(Suite::V0_2, &["--scenario", "sep-2640-skills-enumeration"], &[]).await;
    findings.judge(&Expected { passing: 32, open: &[], skipped: &[] });
}

#[tokio::test]
async fn skills_are_read() {
    let findings = run(Suite::V0_2, &["--scenario", "sep-2640-skills-manifest"], &[]).await;
    findings.judge(&Expected { passing: 6, open: &[], skipped: &[] });
}

#[tokio::test]
async fn skills_are_in_directories() {
    let findings = run(Suite::V0_2, &["--scenario", "sep-2640-skills-directory"], &[]).await;
    findings.judge(&Expected { passing: 7, open: &[], skipped: &[] });
}

#[tokio::test]
async fn stable_suite() {
    let findings = run(Suite::V0_1, &["--suite", "all"], &[]).await;
    findings.judge(&Expected { passing: 47, open: &[], skipped: &[] });
}

async fn run(suite: Suite, arguments: &[&str], of_server: &'static [&'static str]) -> Findings {
    let _turn = TURN.lock().await;
    let start = move || Process::listen(Command::new(cargo_build("conformance-server")).args(of_server));
    let (_server, address) = tokio::task::spawn_blocking(start).await.expect("the server starts");
    suite.run(&format!("http://{address}/mcp"), arguments).await
}
