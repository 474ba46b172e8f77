//! `api-server` on local sample APIs.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::{ask, build, reachable, serve_on, start};
use crate::connect;
use crate::install::{self, Need};
use crate::process::Interrupt;
use crate::report::{self, Failure};

/// What the sample APIs take as proof of who calls; no secrets, for everyone can read them here.
const SECRETS: [(&str, &str); 2] =
    [("SAMPLE_GITHUB_TOKEN", "sample-github-token"), ("SAMPLE_SEARCH_KEY", "sample-search-key")];
const WEBHOOK: &str = "/slack/services/T0001/B0001/sample-webhook-secret";

pub(super) fn run(address: SocketAddr, once: bool, interrupt: &Interrupt) -> Result<(), Failure> {
    install::ensure(&[Need::Make], interrupt)?;
    let folder = build(&["sample-apis", "api-server", "tour"], interrupt)?;

    let upstream = free_port().map_err(Failure::io("find a free port"))?;
    let title = format!("Starting sample APIs on {upstream}");
    let _upstream = interrupt
        .check(report::step(&title, || start(&folder.join("sample-apis"), upstream, interrupt, |_| {})))?;

    let server = folder.join("api-server");
    let settings = crate::root().join("examples/api-server/sample.toml");
    let environment = environment(upstream);
    let title = format!("Starting api-server on {address}");
    let mut running = interrupt.check(report::step(&title, || {
        start(&server, address, interrupt, |command| {
            command
                .arg("--config")
                .arg(&settings)
                .envs(environment.iter().map(|(name, value)| (name, value)));
        })
    }))?;
    let endpoint = format!("http://{}/mcp", reachable(address));
    ask(&folder, &endpoint, "api", interrupt)?;
    if once {
        return Ok(());
    }

    let settings = settings.display().to_string();
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let arguments = ["--stdio", "--config", &settings];
    report::line(connect::instructions(&endpoint, "apis", &server, &arguments, &environment));
    report::note(format_args!("the sample APIs themselves: curl http://{upstream}/openapi.json"));
    serve_on(&mut running, "api-server", interrupt)?;
    drop(running);
    report::line("");
    report::note("stopped; the server and the sample APIs are gone");
    Ok(())
}

/// The sample APIs listen there a moment later; should another program be quicker, they say so.
fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The settings that differ from the file: where the sample APIs are, and the secrets.
fn environment(upstream: SocketAddr) -> Vec<(String, String)> {
    let below = [("GITHUB", "/github"), ("WEATHER", "/weather"), ("SEARCH", ""), ("SAMPLE", "")];
    let base = |(api, path): (&str, &str)| {
        (format!("TOWLINE__APIS__{api}__BASE_URL"), format!("http://{upstream}{path}"))
    };
    let mut environment: Vec<_> = below.into_iter().map(base).collect();
    environment.extend(SECRETS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment.push(("SAMPLE_SLACK_WEBHOOK".to_owned(), format!("http://{upstream}{WEBHOOK}")));
    environment
}
