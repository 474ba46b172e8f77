//! `filesystem-server` beside the official server for files, call by call: the same arguments to both, on folders that hold
//! the same. Where the two differ on purpose, the case says how.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use towline_end_to_end::cargo_build;

/// A server on pipes, in the words of revision 2025-06-18, which both know.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last_id: u64,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn().expect("the server starts");
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut server = Self { child, input, output, last_id: 0 };
        let info = json!({"name": "files", "version": "1"});
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info});
        server.ask("initialize", &params);
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        server
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input, "{message}").expect("the server reads");
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("the server writes") > 0, "the server ended");
            let message: Value = serde_json::from_str(&line).expect("the server writes JSON");
            if message["id"] == id {
                return message;
            }
        }
    }

    /// Calls a tool: the first block of its answer, or none where it failed.
    fn call(&mut self, tool: &str, arguments: &Value) -> Option<Value> {
        let answer = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        let result = answer.get("result").filter(|result| result["isError"] != true)?;
        Some(result["content"][0].clone())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What both servers have in front of them.
fn world() -> TempDir {
    let world = tempfile::tempdir().unwrap();
    let root = world.path().join("root");
    for (path, content) in [
        ("root/five.txt", "one\ntwo\nthree\nfour\nfive"),
        ("root/ended.txt", "one\ntwo\n"),
        ("root/code.rs", "fn a() {\n    one();\n    two();\n}\n"),
        ("root/win.txt", "a\r\nb\r\n"),
        ("root/twice.txt", "x\nx\n"),
        ("root/empty.txt", ""),
        ("root/ünïcode.txt", "ü"),
        ("root/a/b/deep.txt", "deep"),
        ("root/a/top.md", "# top"),
        ("root/pic.png", "png"),
        ("root/song.mp3", "mp3"),
        ("root/blob.bin", "bin"),
        ("root/.hidden", "hidden"),
        ("secret.txt", "secret"),
    ] {
        let full = world.path().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, content).unwrap();
    }
    symlink("five.txt", root.join("inside")).unwrap();
    symlink("../secret.txt", root.join("outside")).unwrap();
    symlink(root.join("a"), root.join("whole")).unwrap();
    world
}

/// How two answers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Same {
    /// To the letter, but for the path of the root, which only the official server tells.
    Text,
    /// The same lines, in whatever order; the official one has none.
    Lines,
    /// Both work, or both fail; they say it in words of their own.
    Outcome,
    /// Ours works where the other fails.
    OnlyOurs,
    /// Ours refuses what the other does.
    OnlyTheirs,
    /// Both work, and say different things on purpose.
    Differs,
}

fn official() -> PathBuf {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("clients");
    let script = clients.join("node_modules/@modelcontextprotocol/server-filesystem/dist/index.js");
    assert!(
        script.exists(),
        "the official server is missing: `cargo xtask test -p towline-end-to-end` installs it"
    );
    script
}

fn cases() -> Vec<(Same, &'static str, Value)> {
    use Same::{Differs, Lines, OnlyOurs, OnlyTheirs, Outcome, Text};
    let read = |path: &str| json!({"path": path});
    let edit = |path: &str, old: &str, new: &str, dry: bool| json!({"path": path, "edits": [{"oldText": old, "newText": new}], "dryRun": dry});
    vec![
        (Text, "read_text_file", read("five.txt")),
        (Text, "read_text_file", read("ROOT/five.txt")),
        (Text, "read_text_file", read("ROOT/a/../five.txt")),
        (Text, "read_text_file", read("./a//b/./deep.txt")),
        (Text, "read_text_file", read("empty.txt")),
        (Text, "read_text_file", read("ünïcode.txt")),
        (Text, "read_text_file", read("inside")),
        (Text, "read_text_file", read("whole/top.md")),
        (Text, "read_text_file", json!({"path": "five.txt", "head": 2})),
        (Text, "read_text_file", json!({"path": "five.txt", "head": 99})),
        (Text, "read_text_file", json!({"path": "five.txt", "tail": 2})),
        (Text, "read_text_file", json!({"path": "five.txt", "tail": 99})),
        (Text, "read_text_file", json!({"path": "ended.txt", "head": 1})),
        // There, the last line of a file that ends with a line end is the nothing behind it.
        (Differs, "read_text_file", json!({"path": "ended.txt", "tail": 1})),
        (Outcome, "read_text_file", json!({"path": "five.txt", "head": 1, "tail": 1})),
        // There, no lines are all lines.
        (OnlyTheirs, "read_text_file", json!({"path": "five.txt", "head": 0})),
        (Outcome, "read_text_file", read("none.txt")),
        (Outcome, "read_text_file", read("a")),
        (Outcome, "read_text_file", read("../secret.txt")),
        (Outcome, "read_text_file", read("outside")),
        (Outcome, "read_text_file", read("/etc/passwd")),
        (Outcome, "read_text_file", read("ROOT/../secret.txt")),
        (Outcome, "read_text_file", read("C:\\x")),
        (Outcome, "read_text_file", read("five.txt\u{0}")),
        // Hidden names are not there unless the settings say so.
        (OnlyTheirs, "read_text_file", read(".hidden")),
        (Outcome, "read_text_file", json!({})),
        (Text, "read_media_file", read("pic.png")),
        (Text, "read_media_file", read("song.mp3")),
        // Its URI has no path of the machine.
        (Differs, "read_media_file", read("blob.bin")),
        (Outcome, "read_media_file", read("none.png")),
        (Text, "read_multiple_files", json!({"paths": ["five.txt", "a/top.md"]})),
        (Differs, "read_multiple_files", json!({"paths": ["five.txt", "none.txt"]})),
        (Outcome, "read_multiple_files", json!({"paths": []})),
        (Text, "list_directory", read("a/b")),
        (Lines, "list_directory", read("a")),
        // Links are told as links, and hidden names not at all.
        (Differs, "list_directory", read(".")),
        (Outcome, "list_directory", read("five.txt")),
        (Outcome, "list_directory", read("none")),
        (Text, "list_directory_with_sizes", read("a")),
        (Text, "list_directory_with_sizes", json!({"path": "a/b", "sortBy": "size"})),
        (Outcome, "list_directory_with_sizes", json!({"path": "a", "sortBy": "age"})),
        (Text, "directory_tree", read("a/b")),
        (Text, "directory_tree", json!({"path": "ROOT/a", "excludePatterns": ["b"]})),
        (Text, "directory_tree", json!({"path": "ROOT/a", "excludePatterns": ["*.md"]})),
        (Outcome, "directory_tree", read("../")),
        (Lines, "search_files", json!({"path": "a", "pattern": "**/*.txt"})),
        (Lines, "search_files", json!({"path": "ROOT", "pattern": "*.txt"})),
        (Lines, "search_files", json!({"path": ".", "pattern": "**/*.md", "excludePatterns": ["a/**"]})),
        (Lines, "search_files", json!({"path": ".", "pattern": "**/{top,deep}.*"})),
        (Lines, "search_files", json!({"path": ".", "pattern": "nothing"})),
        (Outcome, "search_files", json!({"path": "../", "pattern": "*"})),
        (Outcome, "get_file_info", read("five.txt")),
        (Outcome, "get_file_info", read("none.txt")),
        (Outcome, "list_allowed_directories", json!({})),
        (Outcome, "edit_file", edit("code.rs", "one()", "three()", true)),
        (Outcome, "edit_file", edit("code.rs", "one()", "three()", false)),
        (Text, "read_text_file", read("code.rs")),
        (Outcome, "edit_file", edit("code.rs", "three();\ntwo();", "four();\n  five();", false)),
        (Text, "read_text_file", read("code.rs")),
        (Outcome, "edit_file", edit("code.rs", "nowhere", "x", false)),
        (Outcome, "edit_file", edit("../secret.txt", "secret", "x", false)),
        (Outcome, "edit_file", edit("win.txt", "a\nb", "A\nB", false)),
        // There, all line ends become those of Unix.
        (Differs, "read_text_file", read("win.txt")),
        // There, the first is taken.
        (OnlyTheirs, "edit_file", edit("twice.txt", "x", "y", false)),
        (Outcome, "write_file", json!({"path": "new.txt", "content": "new"})),
        (Text, "read_text_file", read("new.txt")),
        (Outcome, "write_file", json!({"path": "new.txt", "content": "newer"})),
        (Text, "read_text_file", read("new.txt")),
        (Outcome, "write_file", json!({"path": "inside", "content": "through a link"})),
        (Text, "read_text_file", read("five.txt")),
        (Outcome, "write_file", json!({"path": "no/dir/new.txt", "content": ""})),
        (Outcome, "write_file", json!({"path": "a", "content": ""})),
        (Outcome, "write_file", json!({"path": "../secret.txt", "content": "x"})),
        (Outcome, "write_file", json!({"path": "outside", "content": "x"})),
        (Outcome, "create_directory", read("made/of/many")),
        (Text, "list_directory", read("made")),
        (Outcome, "create_directory", read("made/of")),
        (Outcome, "create_directory", read("five.txt/sub")),
        (Outcome, "create_directory", read("../made")),
        (Outcome, "move_file", json!({"source": "new.txt", "destination": "made/moved.txt"})),
        (Text, "read_text_file", read("made/moved.txt")),
        (Outcome, "move_file", json!({"source": "new.txt", "destination": "made/again.txt"})),
        (Outcome, "move_file", json!({"source": "five.txt", "destination": "ended.txt"})),
        (Outcome, "move_file", json!({"source": "made", "destination": "renamed"})),
        (Text, "list_directory", read("renamed/of")),
        (Outcome, "move_file", json!({"source": "five.txt", "destination": "../five.txt"})),
        (OnlyOurs, "list_files", read(".")),
        (OnlyOurs, "grep_files", json!({"path": ".", "pattern": "deep"})),
    ]
}

#[test]
fn both_servers_do_the_same() {
    let (ours, theirs) = (world(), world());
    let root = |world: &TempDir| world.path().join("root").to_str().unwrap().to_owned();
    let mut our_server = Server::start(Command::new(cargo_build("filesystem-server")).args([
        "--stdio",
        "--root",
        &root(&ours),
    ]));
    let mut their_server = Server::start(Command::new("node").arg(official()).arg(root(&theirs)));
    let mut wrong = Vec::new();
    for (same, tool, arguments) in cases() {
        let fill = |world: &TempDir| -> Value {
            serde_json::from_str(&arguments.to_string().replace("ROOT", &root(world))).unwrap()
        };
        let our_answer = our_server.call(tool, &fill(&ours));
        let their_answer = their_server.call(tool, &fill(&theirs));
        let is_as_said = match (same, &our_answer, &their_answer) {
            (Same::Outcome, ours, theirs) => ours.is_some() == theirs.is_some(),
            (Same::OnlyOurs, Some(_), None) | (Same::OnlyTheirs, None, Some(_)) => true,
            (Same::Differs, Some(ours), Some(theirs)) => ours != theirs,
            (Same::Text, Some(ours), Some(theirs)) => ours == theirs,
            (Same::Lines, Some(left), Some(right)) => {
                sorted(left, &root(&ours)) == sorted(right, &root(&theirs))
            }
            _ => false,
        };
        if !is_as_said {
            wrong.push(format!(
                "{tool} {arguments}: {same:?}\n  ours {our_answer:?}\n  theirs {their_answer:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(fs::read_to_string(ours.path().join("secret.txt")).unwrap(), "secret");
}

/// Lines in order, with paths relative to the root.
fn sorted(block: &Value, root: &str) -> Vec<String> {
    let text = block["text"].as_str().unwrap().replace(&format!("{root}/"), "");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
