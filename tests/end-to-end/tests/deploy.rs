//! What is deployed is what is there: metrics have the names that dashboards and alerts ask for, and manifests say what they
//! should.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use towline_end_to_end::{Process, cargo_build};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/deploy")
}

/// The body of the answer to a GET.
fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// The names of metrics in a query.
fn names(query: &str) -> impl Iterator<Item = &str> {
    let parts = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    parts.filter(|part| {
        ["mcp_", "towline_", "process_"].iter().any(|prefix| part.starts_with(prefix))
            && *part != "mcp_method_name"
    })
}

#[test]
fn every_metric_of_dashboard_and_alerts_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = folder.path().join("apis.toml");
    let text =
        format!("[apis.shop]\nbase_url = \"https://shop.example/v1\"\n[admin]\nlisten = \"{admin}\"\n");
    fs::write(&settings, text).unwrap();
    let (server, _) = Process::listen(Command::new(cargo_build("api-server")).arg("--config").arg(&settings));
    let metrics = get(admin, "/metrics");
    drop(server);
    let known: BTreeSet<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, _)| name)
        .collect();
    let is_known = |name: &str| {
        let suffixes = ["", "_total", "_count", "_sum", "_bucket", "_info"];
        suffixes.iter().any(|suffix| name.strip_suffix(suffix).is_some_and(|name| known.contains(name)))
    };

    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(deploy().join("grafana/towline.json")).unwrap()).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            asked.extend(names(target["expr"].as_str().unwrap()).map(str::to_owned));
        }
    }
    let alerts = fs::read_to_string(deploy().join("prometheus/alerts.yml")).unwrap();
    asked.extend(names(&alerts).map(str::to_owned));
    assert!(asked.len() >= 8, "{asked:?}");
    let unknown: Vec<_> = asked.iter().filter(|name| !is_known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {known:?}");
}

/// The manifests that are applied, as kubectl makes them, or where there is none, as they are written.
fn manifests() -> Vec<Value> {
    let production = deploy().join("kubernetes/production");
    let made = Command::new("kubectl").arg("kustomize").arg(&production).output();
    let texts = match made {
        Ok(output) if output.status.success() => vec![String::from_utf8(output.stdout).unwrap()],
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => ["kubernetes/base", "kubernetes/production"]
            .iter()
            .flat_map(|folder| fs::read_dir(deploy().join(folder)).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
            .map(|path| fs::read_to_string(path).unwrap())
            .collect(),
    };
    let documents = texts.iter().flat_map(|text| text.split("\n---\n"));
    documents.map(|document| serde_norway::from_str(document).unwrap()).collect()
}

#[test]
fn pods_may_do_nothing_that_they_need_not() {
    let all = manifests();
    let of = |kind: &'static str| all.iter().filter(move |one| one["kind"] == kind);
    let replicas = of("Deployment").filter_map(|one| one["spec"]["replicas"].as_u64()).max();
    assert_eq!(replicas, Some(3));
    let pods: Vec<_> = of("Deployment")
        .map(|one| &one["spec"]["template"]["spec"])
        .filter(|pod| pod["containers"].is_array())
        .collect();
    assert_eq!(pods.len(), 1);
    let pod = pods[0];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let container = &pod["containers"][0];
    let security = &container["securityContext"];
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["capabilities"]["drop"][0], "ALL");
    assert!(container["resources"]["limits"]["memory"].is_string());
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "admin", "{probe}");
    }
    assert!(container["lifecycle"]["preStop"]["sleep"]["seconds"].is_u64(), "the image has no shell");
    assert!(container.get("env").is_none(), "secrets are files");
    let budget = of("PodDisruptionBudget").next().unwrap();
    assert_eq!(budget["spec"]["minAvailable"], 2);
    let scaler = of("HorizontalPodAutoscaler").next().unwrap();
    assert_eq!(scaler["spec"]["minReplicas"], 3);
    let policy = of("NetworkPolicy").next().unwrap();
    assert_eq!(policy["spec"]["policyTypes"].as_array().unwrap().len(), 2);
    let account = of("ServiceAccount").next().unwrap();
    assert_eq!(account["automountServiceAccountToken"], false);
}

/// The settings in the manifests are settings that the server takes.
#[test]
fn the_settings_of_the_manifests_work() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, url) = (folder.path().join("server.toml"), folder.path().join("DATABASE_URL"));
    let database = towline_scratch_postgres::Database::fresh().unwrap();
    fs::write(&url, database.url()).unwrap();
    let text = fs::read_to_string(deploy().join("kubernetes/base/server.toml")).unwrap();
    let text = text.replace("/run/secrets/towline/DATABASE_URL", url.to_str().unwrap());
    fs::write(&settings, text).unwrap();
    let output = Command::new(cargo_build("database-server"))
        .args(["--check-config", "--config"])
        .arg(&settings)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
