//! The clients.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::{Plan, Report, inspector, rmcp};

/// How long a client may take for a whole plan.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client that nobody here wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// The official Rust SDK.
    Rmcp,
    /// The official Python SDK.
    Python,
    /// Its first generation, which most applications still use.
    PythonV1,
    /// The other client of Python.
    FastMcp,
    /// The official TypeScript SDK.
    TypeScript,
    /// Its first generation, `@modelcontextprotocol/sdk`, which most applications still use.
    TypeScriptV1,
    /// The MCP Inspector, from its command line. It keeps the codes of errors to itself, and takes no [`Step`] but a
    /// plain call.
    ///
    /// [`Step`]: crate::Step
    Inspector,
}

impl Client {
    /// Carries the plan out.
    ///
    /// # Panics
    ///
    /// Panics when the client is not installed, or fails where it should not.
    pub async fn carry_out(self, plan: &Plan) -> Report {
        let report = async {
            match self {
                Self::Rmcp => rmcp::carry_out(plan).await,
                Self::Python => script(&python(".venv"), &["python/drive.py", "sdk_v2"], plan).await,
                Self::PythonV1 => script(&python(".venv-v1"), &["python/drive.py", "sdk_v1"], plan).await,
                Self::FastMcp => {
                    script(&python(".venv-fastmcp"), &["python/drive.py", "sdk_fastmcp"], plan).await
                }
                Self::TypeScript => script(&node(), &["typescript/drive.mjs", "v2"], plan).await,
                Self::TypeScriptV1 => script(&node(), &["typescript/drive.mjs", "v1"], plan).await,
                Self::Inspector => inspector::carry_out(plan).await,
            }
        };
        timeout(PATIENCE, report).await.unwrap_or_else(|_| panic!("{self:?} took more than {PATIENCE:?}"))
    }
}

/// Runs a program in `tests/clients` and returns what it writes to standard output.
pub(crate) async fn run(program: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(input).await.expect("the script reads its input");
    drop(stdin);
    let output = child.wait_with_output().await.expect("the script can be waited for");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} failed:\n{errors}");
    output.stdout
}

async fn script(program: &Path, arguments: &[&str], plan: &Plan) -> Report {
    let input = serde_json::to_vec(plan).expect("a plan has a JSON form");
    let output = run(program, arguments, &input).await;
    serde_json::from_slice(&output).unwrap_or_else(|error| {
        panic!("{arguments:?} reported no JSON: {error}\n{}", String::from_utf8_lossy(&output))
    })
}

/// Has the official TypeScript client call tools of a server that needs tokens, and returns what it reports; `step_up.mjs` says
/// what it is told.
///
/// # Panics
///
/// Panics when the client is not installed, or fails.
pub async fn step_up(wanted: &serde_json::Value) -> serde_json::Value {
    let (node, input) = (node(), wanted.to_string());
    let output = timeout(PATIENCE, run(&node, &["typescript/step_up.mjs"], input.as_bytes())).await;
    let output = output.unwrap_or_else(|_| panic!("the client took more than {PATIENCE:?}"));
    serde_json::from_slice(&output).expect("the client reports JSON")
}

pub(crate) fn node() -> PathBuf {
    installed("node_modules");
    "node".into()
}

fn python(venv: &str) -> PathBuf {
    installed(&format!("{venv}/bin/python"))
}

/// The path of something that `cargo xtask test` has installed in `tests/clients`.
///
/// # Panics
///
/// Panics when it is missing. A test that cannot run fails: one that is skipped would be taken for one that passed.
pub fn installed(what: &str) -> PathBuf {
    let path = folder().join(what);
    assert!(
        path.exists(),
        "tests/clients/{what} is missing: `cargo xtask test -p towline-end-to-end` installs what is in there"
    );
    path
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("clients")
}
