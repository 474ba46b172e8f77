//! The official conformance suite is run against a server that has what it asks for.
//!
//! What the server cannot pass yet is listed with each run as open, and the number is of the checks that pass elsewhere.
//! It may be one less than that of a server which answers every request by a stream of events: the suite has a check for
//! such streams, and says of a server that answers a list as JSON only that this is allowed.

use std::process::Command;

use tokio::sync::Mutex;
use towline_end_to_end::{Expected, Findings, Process, Suite, cargo_build};

/// Held during a run: the suite gives the server little time to answer, which several runs would use up.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn revision_2025_11_25() {
    let findings = run(Suite::V0_2, &["--requirements", "2025-11-25"]).await;
    findings.judge(&Expected { passing: 83, open: &[], skipped: &[] });
}

#[tokio::test]
async fn revision_2026_07_28() {
    let findings = run(Suite::V0_2, &["--requirements", "2026-07-28"]).await;
    findings.judge(&Expected {
        passing: 152,
        open: &[
            "tasks-capability-negotiation",
            "tasks-dispatch-and-envelope",
            "tasks-lifecycle",
            "tasks-mrtr-composition",
            "tasks-mrtr-input",
            "tasks-request-headers",
            "tasks-request-state-removal",
            "tasks-required-task-error",
            "tasks-wire-fields",
        ],
        // The suite does not listen for these notifications yet, whatever the server does.
        skipped: &["tasks-status-notifications"],
    });
}

#[tokio::test]
async fn revision_2025_06_18() {
    let findings = run(Suite::V0_2, &["--suite", "all", "--spec-version", "2025-06-18"]).await;
    findings.judge(&Expected { passing: 56, open: &[], skipped: &[] });
}

#[tokio::test]
async fn skills_are_listed() {
    let findings = run(Suite::V0_2, &["--scenario", "sep-2640-skills-enumeration"]).await;
    findings.judge(&Expected { passing: 32, open: &[], skipped: &[] });
}

#[tokio::test]
async fn skills_are_read() {
    let findings = run(Suite::V0_2, &["--scenario", "sep-2640-skills-manifest"]).await;
    findings.judge(&Expected { passing: 6, open: &[], skipped: &[] });
}

#[tokio::test]
async fn skills_are_in_directories() {
    let findings = run(Suite::V0_2, &["--scenario", "sep-2640-skills-directory"]).await;
    findings.judge(&Expected { passing: 7, open: &[], skipped: &[] });
}

#[tokio::test]
async fn stable_suite() {
    let findings = run(Suite::V0_1, &["--suite", "all"]).await;
    findings.judge(&Expected { passing: 46, open: &[], skipped: &[] });
}

async fn run(suite: Suite, arguments: &[&str]) -> Findings {
    let _turn = TURN.lock().await;
    let start = || Process::listen(&mut Command::new(cargo_build("conformance-server")));
    let (_server, address) = tokio::task::spawn_blocking(start).await.expect("the server starts");
    suite.run(&format!("http://{address}/mcp"), arguments).await
}
