//! What can be set: as editors are told of it, as the examples have it, and as servers show it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use towline_end_to_end::{Ended, Process, cargo_build};

const SERVERS: [&str; 3] = ["database-server", "api-server", "filesystem-server"];
/// Stands in every setting that may hold a secret.
const SECRET: &str = "hunter2-secret";

/// What a server says, with nothing in its environment that configures it but these.
fn run(server: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(cargo_build(server));
    for (name, _) in std::env::vars() {
        if name == "DATABASE_URL" || name.starts_with("TOWLINE_") {
            command.env_remove(name);
        }
    }
    Process::start(command.args(arguments).envs(environment.iter().copied())).wait()
}

fn schema(server: &str) -> Value {
    let ended = run(server, &["config-schema"], &[]);
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    serde_json::from_str(&ended.stdout).expect("it is JSON")
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All settings that somebody may copy: from the guides, from what is deployed, and beside the servers.
fn examples() -> Vec<(String, toml::Table)> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(workspace().join("docs/guides")).unwrap() {
        let path = entry.unwrap().path();
        let guide = fs::read_to_string(&path).unwrap();
        let blocks = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```"));
        texts.extend(blocks.map(|(block, _)| (path.display().to_string(), block.to_owned())));
    }
    let files =
        ["deploy/kubernetes/base/server.toml", "api-server/sample.toml", "filesystem-server/sample.toml"];
    for file in files {
        let path = workspace().join("examples").join(file);
        texts.push((file.to_owned(), fs::read_to_string(path).unwrap()));
    }
    let parsed = texts.into_iter().map(|(name, text)| {
        let table = text.parse().unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        (name, table)
    });
    // A file of API keys is none of settings.
    parsed.filter(|(_, table): &(_, toml::Table)| !table.contains_key("keys")).collect()
}

/// The servers that take these settings.
fn servers_of(settings: &toml::Table) -> Vec<&'static str> {
    let own =
        [("databases", SERVERS[0]), ("apis", SERVERS[1]), ("filesystem", SERVERS[2]), ("watch", SERVERS[2])];
    let found: BTreeSet<_> = own
        .iter()
        .filter(|(section, _)| settings.contains_key(*section))
        .map(|(_, server)| *server)
        .collect();
    if found.is_empty() { SERVERS.to_vec() } else { found.into_iter().collect() }
}

#[test]
fn examples_are_as_the_schema_says() {
    let schemas = SERVERS.map(|server| (server, jsonschema::validator_for(&schema(server)).unwrap()));
    let examples = examples();
    assert!(examples.len() >= 10, "{}", examples.len());
    for (name, settings) in examples {
        for server in servers_of(&settings) {
            let (_, validator) = schemas.iter().find(|(of, _)| *of == server).unwrap();
            let settings = serde_json::to_value(&settings).unwrap();
            if let Err(error) = validator.validate(&settings) {
                panic!("{name}, for {server}: {error} at {}\n{settings:#}", error.instance_path());
            }
        }
    }
}

#[test]
fn what_is_misspelt_is_not_as_the_schema_says() {
    for (server, texts) in [
        (
            "database-server",
            vec![
                "[sever]",
                "[server]\nport = 1",
                "[server.session]",
                "[databases.a]\nmax_row = 1",
                "[databases.a]\nmax_rows = \"1\"",
                "[layers.server]\ntimout = true",
                "[layers.server]\ntimeout = { timeout = 1 }",
                "[layers.server]\ntimeout = 5",
                "[layers.tool.x.cache]\nscope = \"share\"\nttl_ms = 1",
                "[layers.tool.x]\ncache = {}",
                "[auth]\napi_key = \"a\"",
                "[auth.jwt]\nissuer = \"a\"\njwks_url = \"b\"\nalgorithms = [\"HS256\"]",
                "[log]\nformat = \"xml\"",
                "[apis.a]",
            ],
        ),
        (
            "api-server",
            vec![
                "[apis.a]\nbase = \"x\"",
                "[apis.a]\nauth = { type = \"bearr\" }",
                "[apis.a]\nauth = { typ = \"bearer\" }",
                "[apis.a]\nopenapi = { mode = \"all\" }",
                "[apis.a]\nretry = { attempts = 1 }",
                "[databases.a]",
            ],
        ),
        (
            "filesystem-server",
            vec!["[filesystem]\nroot = 1", "[[filesystem.roots]]\nname = \"a\"", "wach = true"],
        ),
    ] {
        let validator = jsonschema::validator_for(&schema(server)).unwrap();
        for text in texts {
            let settings: toml::Table = text.parse().unwrap();
            let settings = serde_json::to_value(settings).unwrap();
            assert!(!validator.is_valid(&settings), "{server} takes {text}");
        }
    }
}

#[test]
fn the_schema_says_what_each_setting_means_and_its_default() {
    for server in SERVERS {
        let schema = schema(server);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        let definitions = schema["$defs"].as_object().unwrap().values().chain([&schema]);
        for properties in definitions.filter_map(|one| one["properties"].as_object()) {
            for (name, property) in properties {
                let text = property["description"].as_str().unwrap_or_default();
                assert!(!text.is_empty() && !text.contains("]("), "{server}: {name}: {property}");
            }
        }
        assert!(!schema.to_string().contains("null"), "TOML has none");
        let sessions = schema["$defs"]["SessionsConfig"]["properties"]["max"].clone();
        assert_eq!((&sessions["default"], &sessions["type"]), (&10_000.into(), &"integer".into()));
    }
}

const DATABASES: &str = r#"
    [databases.a]
    url = "postgres://u:SECRET@h/d"
    set = { "app.key" = "SECRET" }
    [databases.a.principal]
    settings = { "app.user" = "subject" }
    anonymous = { settings = { "app.user" = "SECRET" } }
"#;

const APIS: &str = r#"
    [auth.jwt]
    issuer = "https://id.example.com"
    jwks_url = "https://id.example.com/keys?code=SECRET"
    [auth]
    resource = "https://mcp.example.com/mcp"
    [apis.basic]
    base_url = "https://h/SECRET"
    default_headers = { X-Key = "SECRET" }
    auth = { type = "basic", username = "u", password = "SECRET" }
    proxy = { url = "http://p:1", username = "u", password = "SECRET" }
    [apis.bearer]
    base_url_env = "BASE"
    auth = { type = "bearer", token = "SECRET" }
    [apis.key]
    base_url = "https://h"
    auth = { type = "api_key", query = "q", key = "SECRET" }
    openapi = { endpoint = "/openapi.json?code=SECRET" }
    [apis.oauth]
    base_url = "https://h"
    auth = { type = "oauth2", token_url = "https://h/t", client_id = "c", client_secret = "SECRET", parameters = { p = "SECRET" } }
"#;

/// A server, its file, and its environment.
type Told = (&'static str, String, Vec<(&'static str, String)>);

/// Settings of each server that have a secret in every place that there is for one.
fn secrets() -> [Told; 3] {
    let text = |text: &str| text.replace("SECRET", SECRET);
    let url = ("DATABASE_URL", text("postgres://u:SECRET@h/d"));
    let variable = ("TOWLINE__APIS__BASIC__AUTH__PASSWORD", text("SECRET"));
    [
        (SERVERS[0], text(DATABASES), vec![url]),
        (SERVERS[1], text(APIS), vec![variable]),
        (SERVERS[2], "[[filesystem.roots]]\npath = \".\"\n".into(), vec![]),
    ]
}

/// The names of the settings that the schema says are secrets.
fn secret_keys(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                let secret = properties.iter().filter(|(_, one)| one["writeOnly"] == true);
                found.extend(secret.map(|(name, _)| name.clone()));
            }
            members.values().for_each(|member| secret_keys(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| secret_keys(item, found)),
        _ => {}
    }
}

#[test]
fn what_counts_is_shown_without_secrets() {
    let folder = TempDir::new().unwrap();
    for (server, text, environment) in secrets() {
        let mut keys = BTreeSet::new();
        secret_keys(&schema(server), &mut keys);
        for key in keys {
            assert!(text.contains(&format!("{key} = ")), "{key} of {server} is not tried here");
        }
        let file = folder.path().join(server);
        fs::write(&file, text).unwrap();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let config = file.to_str().unwrap();
        let arguments = ["--config", config, "--print-config", "--listen", "127.0.0.1:7", "--log", "debug"];
        let ended = run(server, &arguments, &environment);
        assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
        assert!(!ended.stdout.contains(SECRET), "{}", ended.stdout);
        let shown: toml::Table = ended.stdout.parse().unwrap();
        assert_eq!(shown["server"]["listen"].as_str(), Some("127.0.0.1:7"));
        assert_eq!(shown["server"]["shutdown_grace_ms"].as_integer(), Some(20_000));
        assert_eq!(shown["layers"]["server"]["timeout"]["timeout_ms"].as_integer(), Some(60_000));
        assert_eq!(shown["log"]["filter"].as_str(), Some("debug"));
        // Nothing is shown that could not be set.
        let validator = jsonschema::validator_for(&schema(server)).unwrap();
        let shown = serde_json::to_value(&shown).unwrap();
        if let Err(error) = validator.validate(&shown) {
            panic!("{server}: {error} at {}", error.instance_path());
        }
    }
}

#[test]
fn a_mistake_is_told_instead_of_what_counts() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    fs::write(&file, "[databases.a]\nurl = \"postgres://u@h/d\"\n[sever]\n").unwrap();
    let ended = run(SERVERS[0], &["--print-config", "--config", file.to_str().unwrap()], &[]);
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("line 3: sever: unknown field `sever`"), "{}", ended.stderr);
    assert!(ended.stderr.contains("`databases`") && ended.stderr.contains("`server`"), "{}", ended.stderr);
}

#[test]
fn a_scope_of_nothing_is_a_warning_or_for_a_check_a_mistake() {
    let folder = TempDir::new().unwrap();
    let (file, keys) = (folder.path().join("server.toml"), folder.path().join("keys.toml"));
    fs::write(&keys, "").unwrap();
    let auth = format!("[auth]\napi_keys = {keys:?}\n[auth.scopes]\ntools = {{ read_fil = [\"files\"] }}\n");
    fs::write(&file, format!("{auth}[[filesystem.roots]]\npath = {:?}\n", folder.path())).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let ended = run(SERVERS[2], &[&config[..], &["--check-config"]].concat(), &[]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("line 4: auth.scopes.tools.read_fil: there is no tool"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("read_text_file"), "what there is, is named: {}", ended.stderr);

    let (server, _) = Process::listen(Command::new(cargo_build(SERVERS[2])).args(config));
    assert!(server.stderr().contains("auth.scopes.tools.read_fil: there is no tool"), "{}", server.stderr());
}
