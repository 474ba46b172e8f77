//! What importing a document takes: time and memory, for each of the documents that the tests use.
#![allow(clippy::print_stdout, missing_docs)] // It prints its own table, and has no API.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use towline_core::{Context, Error, async_trait};
use towline_http_api::openapi::{self, Document, Execute, Mode, OpenApiConfig};
use towline_http_api::{ApiRequest, ApiResponse};

const DOCUMENTS: &[&str] = &[
    "@octokit/openapi/generated/api.github.com.json",
    "@figma/rest-api-spec/openapi/openapi.yaml",
    "@directus/specs/dist/openapi.json",
    "@blockfrost/openapi/openapi.yaml",
    "@readme/oas-examples/3.0/json/star-trek.json",
];

/// An import is done this often; the best counts.
const ROUNDS: usize = 5;

struct Nothing;

#[async_trait]
impl Execute for Nothing {
    async fn execute(&self, _: ApiRequest, _: &Context) -> Result<ApiResponse, Error> {
        Err(Error::internal("nothing is called here"))
    }
}

/// The time of the best round, with what the last one gave.
fn best<T>(mut run: impl FnMut() -> T) -> (Duration, T) {
    let mut time = |_| {
        let start = Instant::now();
        let made = run();
        (start.elapsed(), made)
    };
    let first = time(0);
    (1..ROUNDS).map(&mut time).fold(first, |best, next| if next.0 < best.0 { next } else { best })
}

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/node_modules");
    println!(
        "{:40} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "document", "kB", "parse", "tree", "tools", "kept", "search", "listed"
    );
    println!("{:40} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "", "ms", "MB", "ms", "MB", "ms", "kB");
    for name in DOCUMENTS {
        let Ok(bytes) = fs::read(folder.join(name)) else {
            println!("{name:40} is missing: `npm ci` in tests/clients installs it");
            continue;
        };
        let parse = || Document::parse(&bytes).expect("a document of the tests");
        let (parse_time, document) = best(parse);
        let tree = measure(|| drop(parse())).bytes_max;
        let tools = |mode| {
            let mut config = OpenApiConfig::default();
            config.mode = mode;
            openapi::tools(&document, &config, Arc::new(Nothing))
        };
        let (tools_time, (_, report)) = best(|| tools(Mode::Tools));
        let (search_time, _) = best(|| tools(Mode::Search));
        let mut kept = None;
        let kept_bytes = measure(|| kept = Some(tools(Mode::Tools))).bytes_current;
        println!(
            "{name:40} {:6} {:9.1} {:9.1} {:9.1} {:9.1} {:9.1} {:9}",
            bytes.len() / 1000,
            parse_time.as_secs_f64() * 1e3,
            tree as f64 / 1e6,
            tools_time.as_secs_f64() * 1e3,
            kept_bytes as f64 / 1e6,
            search_time.as_secs_f64() * 1e3,
            report.bytes / 1000,
        );
    }
}
