//! The tools beside those of the official server for files, over standard input and output, in one run.
//!
//! Both serve the same folders, and are asked in turn. `cargo xtask test -p towline-end-to-end` installs the official one.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use towline_core::{Router, Server};
use towline_filesystem::{Filesystem, FilesystemConfig, RootConfig};

const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("serve"), Some(root)) => serve(Path::new(&root)),
        // Run as a test, it only says that it starts.
        (Some("--test"), _) => Ok(()),
        _ => compare(),
    }
}

fn serve(root: &Path) -> Result<(), Box<dyn Error>> {
    let mut config = FilesystemConfig::new([RootConfig::new(root)]);
    // One page, as the official server has no pages.
    config.limits.page_size = 1_000_000.try_into()?;
    let files = Filesystem::open(&config)?;
    let router = Router::new("bench", "1").tools(towline_filesystem::tools(&files));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(runtime.block_on(towline_transport::stdio::serve(Server::new(router)))?)
}

fn compare() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    for (name, count) in [("many", 10_000), ("some", 100)] {
        fs::create_dir(root.join(name))?;
        for n in 0..count {
            fs::write(root.join(format!("{name}/file-{n:05}.txt")), "content\n")?;
        }
    }
    fs::write(root.join("text.txt"), "a line of text, as long as lines are\n".repeat(28_000))?;
    // A source tree: this workspace's own crates, as they are.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for part in ["crates", "examples", "tests/bench", "tests/end-to-end", "docs"] {
        copy(&workspace.join(part), &root.join("source").join(part))?;
    }
    let official =
        workspace.join("tests/clients/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js");
    if !official.exists() {
        return Err(
            "the official server is missing: `cargo xtask test -p towline-end-to-end` installs it".into()
        );
    }
    let mut ours = Peer::start(Command::new(std::env::current_exe()?).arg("serve").arg(root))?;
    let mut theirs = Peer::start(Command::new("node").arg(official).arg(root))?;
    println!("median of {ROUNDS} calls, in turn              Towline   official");
    for (what, tool, arguments) in [
        ("list 10,000 entries", "list_directory", json!({"path": "many"})),
        ("list 10,000 entries with sizes", "list_directory_with_sizes", json!({"path": "many"})),
        ("read 1 MB of text", "read_text_file", json!({"path": "text.txt"})),
        ("read 10 lines at its end", "read_text_file", json!({"path": "text.txt", "tail": 10})),
        ("read 8 bytes", "read_text_file", json!({"path": "some/file-00000.txt"})),
        ("search a source tree, **/*.rs", "search_files", json!({"path": "source", "pattern": "**/*.rs"})),
        ("search 10,000 entries", "search_files", json!({"path": ".", "pattern": "**/*99.txt"})),
        ("write 8 bytes (ours is flushed)", "write_file", json!({"path": "new.txt", "content": "content\n"})),
    ] {
        row(what, &mut [&mut ours, &mut theirs], tool, &arguments)?;
    }
    // The official server does not look into files.
    let arguments = json!({"path": "source", "pattern": "fn [a-z_]+_are_"});
    row("grep the source tree", &mut [&mut ours], "grep_files", &arguments)
}

fn row(what: &str, peers: &mut [&mut Peer], tool: &str, arguments: &Value) -> Result<(), Box<dyn Error>> {
    let mut times = vec![Vec::new(); peers.len()];
    for _ in 0..ROUNDS {
        for (peer, times) in peers.iter_mut().zip(&mut times) {
            times.push(peer.call(tool, arguments)?);
        }
    }
    let medians = times.iter_mut().map(|times| {
        times.sort_unstable();
        format!("{:8.2} ms", times[times.len() / 2].as_secs_f64() * 1e3)
    });
    println!("{what:36} {}", medians.collect::<Vec<_>>().join(" "));
    Ok(())
}

/// Copies what of a folder is text of programs.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != "node_modules" {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// A server on pipes.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last_id: u64,
}

impl Peer {
    fn start(command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn()?;
        let input = child.stdin.take().ok_or("stdin is piped")?;
        let output = BufReader::with_capacity(1 << 20, child.stdout.take().ok_or("stdout is piped")?);
        let mut peer = Self { child, input, output, last_id: 0 };
        let info = json!({"name": "bench", "version": "1"});
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info});
        peer.ask("initialize", &params)?;
        writeln!(peer.input, "{}", json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(peer)
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<String, Box<dyn Error>> {
        self.last_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        writeln!(self.input, "{request}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }

    /// How long a call took, which must have worked.
    fn call(&mut self, tool: &str, arguments: &Value) -> Result<Duration, Box<dyn Error>> {
        let begun = Instant::now();
        let answer = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))?;
        let time = begun.elapsed();
        let answer: Value = serde_json::from_str(&answer)?;
        match (&answer["result"], answer["result"]["isError"] == true) {
            (Value::Object(_), false) => Ok(time),
            _ => Err(format!("{tool} failed: {answer}").into()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
