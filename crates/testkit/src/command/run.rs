//! `towline-test run`.

use std::fs;

use towline_testkit::Suite;

use super::args::Run;
use super::bar::{bar, show};
use super::{Problem, print, write_file};

pub(super) async fn run(args: &Run) -> Result<bool, Problem> {
    let file = args.suite.clone();
    let text = fs::read_to_string(&file).map_err(|error| Problem::File { file: file.clone(), error })?;
    let suite = Suite::from_yaml(&text).map_err(|error| Problem::Suite { file, error })?;
    let timeout = suite.timeout_ms.map(|_| suite.timeout());
    let tester = args.server.connect(timeout).await?;
    let bar = bar();
    let report = suite.run_with(&tester, &|step| show(&bar, step)).await;
    bar.finish_and_clear();
    let report = report?;
    tester.close().await;
    print(&report.to_text());
    if let Some(file) = &args.json {
        write_file(file, &format!("{:#}\n", report.to_json()))?;
    }
    if let Some(file) = &args.junit {
        write_file(file, &report.to_junit())?;
    }
    if let Some(file) = &args.html {
        write_file(file, &report.to_html())?;
    }
    Ok(report.failed() == 0)
}
