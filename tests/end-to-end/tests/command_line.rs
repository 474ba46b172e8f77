//! What the database server tells people: its command line, its exit codes, and one clear line when something is wrong.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;
use towline_end_to_end::{Ended, Process, cargo_build};
use towline_scratch_postgres::Database;

/// It stands in all that is passed, and must stand in nothing that is written.
const SECRET: &str = "hunter2-secret";

/// The one line of a process that could not start, after its name.
#[track_caller]
fn check(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.status.code(), Some(code), "{ended:?}");
    assert_eq!((ended.stdout.as_str(), ended.stderr.lines().count()), ("", 1), "{ended:?}");
    let line =
        ended.stderr.strip_prefix("database-server: ").expect("the line begins with the program's name");
    for part in parts {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
    check_no_secret(ended);
}

#[track_caller]
fn check_no_secret(ended: &Ended) {
    assert!(!ended.stdout.contains(SECRET) && !ended.stderr.contains(SECRET), "{ended:?}");
}

#[test]
fn a_setting_that_cannot_work_is_named() {
    check(&run(&[]), 2, &["no database is set", "--database-url"]);
    check(&run(&["--database-url", SECRET]), 2, &["url"]);
    check(&run(&["--database-url", &format!("postgres://me:{SECRET}@localhost:no/shop")]), 2, &["url"]);
    check(
        &run(&["--database-url", &format!("mysql://me:{SECRET}@localhost/shop")]),
        2,
        &["url", "postgres://"],
    );
    let url = unreachable();
    let serve = |more: &[&str]| run(&[&["--database-url", &url], more].concat());
    check(&serve(&["--listen", "0.0.0.0:0"]), 2, &["server.listen", "--allow-unauthenticated"]);
    check(&serve(&["--log", "=="]), 2, &["--log"]);
    check(&serve(&["--config", "/nowhere/server.toml"]), 2, &["/nowhere/server.toml"]);
}

#[test]
fn a_mistake_in_the_file_is_named_by_line_and_key() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    let path = file.to_str().unwrap();
    let url = unreachable();
    for (text, parts) in [
        (format!("[databases.shop]\nurl = \"{url}\"\nmax_row = 5\n"), vec!["line 3", "max_row", "max_rows"]),
        (format!("[databases.shop]\nurl = \"{url}\"\nmax_rows = \"{SECRET}\"\n"), vec!["line 3", "max_rows"]),
        (format!("[databases.shop]\nurl = 7\npassword = \"{SECRET}\"\n"), vec!["line", "databases.shop"]),
        (format!("[server]\nport = 1\n[databases.shop]\nurl = \"{url}\"\n"), vec!["line 2", "port"]),
        (format!("[databases.shop\nurl = \"{url}\"\n"), vec!["line 1"]),
        (
            format!("[databases.shop]\nurl = \"{url}\"\n[admin]\ntoken_file = \"/nowhere/token\"\n"),
            vec!["line 4", "admin.token_file", "there is no such file"],
        ),
    ] {
        fs::write(&file, text).unwrap();
        check(&run(&["--config", path, "--check-config"]), 2, &[&[path][..], &parts].concat());
    }
}

#[test]
fn a_database_that_refuses_is_told_apart_from_one_that_is_down() {
    let down = run(&["--database-url", &unreachable(), "--check-config"]);
    check(&down, 1, &["not reachable", "host and port", "--database-url"]);

    let database = Database::fresh().unwrap();
    let role = format!("{}_role", database.name());
    let name = database.name();
    database
        .run(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'right'; REVOKE CONNECT ON DATABASE {name} FROM public"
        ))
        .unwrap();
    let wrong = database.url_as(&role, SECRET);
    for arguments in [&["--stdio"][..], &["--listen", "127.0.0.1:0"], &["--check-config"]] {
        let arguments = [&["--database-url", &wrong], arguments].concat();
        check(&run(&arguments), 1, &["credentials", "password", "--database-url"]);
    }
    check(
        &run(&["--database-url", &database.url_as(&role, "right"), "--check-config"]),
        1,
        &["credentials", "--database-url"],
    );
    let absent = database.server().url("no_such_database");
    check(
        &run(&["--database-url", &absent, "--check-config"]),
        1,
        &["does not exist", "name", "--database-url"],
    );
    database.run(&format!("DROP ROLE {role}")).unwrap();
}

#[test]
fn a_name_that_nothing_has_is_a_mistake() {
    let database = Database::fresh().unwrap();
    database.run("CREATE TABLE customers (id int, email text)").unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    let path = file.to_str().unwrap();
    let checked = |setting: &str| {
        fs::write(&file, format!("[databases.shop]\nurl = \"{}\"\n{setting}\n", database.url())).unwrap();
        run(&["--config", path, "--check-config", "--log", "error"])
    };
    assert!(checked("hidden_columns = [\"customers.email\"]").status.success());
    check(&checked("hidden_columns = [\"customer.email\"]"), 2, &["hidden_columns", "customer.email"]);
    check(&checked("schemas = [\"publik\"]"), 2, &["schemas", "publik"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let database = Database::fresh().unwrap();
    let ended = run(&["--database-url", &database.url(), "--listen", &address, "--log", "error"]);
    check(&ended, 1, &[&address, "--listen"]);
}

#[test]
fn what_works_is_said() {
    let database = Database::fresh().unwrap();
    let ended = run(&["--database-url", &database.url(), "--check-config"]);
    assert!(ended.status.success() && ended.stdout.contains("works"), "{ended:?}");

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    fs::write(&file, format!("[databases.shop]\nurl = \"{}\"\n", database.url())).unwrap();
    let ended = run(&["--config", file.to_str().unwrap(), "--check-config"]);
    assert!(ended.status.success() && ended.stdout.contains("shop"), "{ended:?}");

    let mut server = server();
    let ended = Process::start(server.arg("--check-config").env("DATABASE_URL", database.url())).wait();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn help_names_every_option_and_shows_no_secret() {
    let mut server = server();
    let ended = Process::start(server.arg("--help").env("DATABASE_URL", SECRET)).wait();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    for option in
        ["--database-url", "--listen", "--stdio", "--config", "--check-config", "--log", "DATABASE_URL"]
    {
        assert!(ended.stdout.contains(option), "no {option} in\n{}", ended.stdout);
    }
    assert!(ended.stdout.lines().all(|line| line.chars().count() <= 120), "{}", ended.stdout);
    check_no_secret(&ended);

    let ended = run(&["--version"]);
    assert_eq!(ended.stdout.trim(), concat!("database-server ", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["--no-such-option"]).status.code(), Some(2));
    assert_eq!(run(&["--stdio", "--listen", "127.0.0.1:0"]).status.code(), Some(2));
}

#[test]
fn standard_output_belongs_to_the_protocol() {
    let database = Database::fresh().unwrap();
    let mut server = server();
    let mut server =
        Process::start(server.args(["--stdio", "--log", "trace", "--database-url", &database.url()]));
    let mut stdin = server.stdin().unwrap();
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let query = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"execute_query","arguments":{"query":"SELECT 1"}}}"#;
    writeln!(stdin, "{initialize}\n{initialized}\n{query}\nnonsense").unwrap();
    drop(stdin);
    let ended = server.wait();
    assert!(ended.status.success(), "{ended:?}");
    let messages: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(messages.len(), 3, "{ended:?}");
    assert!(!ended.stderr.is_empty(), "the log is there");
    let password = database.url().split(['@', ':']).nth(2).unwrap().to_owned();
    assert!(!ended.stderr.contains(&password), "{}", ended.stderr);
}

fn run(arguments: &[&str]) -> Ended {
    Process::start(server().args(arguments)).wait()
}

/// The command, with nothing in its environment that configures it.
fn server() -> Command {
    static BUILT: OnceLock<std::path::PathBuf> = OnceLock::new();
    let path: &Path = BUILT.get_or_init(|| cargo_build("database-server"));
    let mut command = Command::new(path);
    for (name, _) in std::env::vars() {
        if name == "DATABASE_URL" || name.starts_with("TOWLINE_") {
            command.env_remove(name);
        }
    }
    command
}

/// The URL of a database whose port nobody listens at.
fn unreachable() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("postgres://me:{SECRET}@{}/shop", listener.local_addr().unwrap())
}
