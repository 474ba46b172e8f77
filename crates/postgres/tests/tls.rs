//! Each `sslmode` protects what libpq says it protects.

mod support;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use support::{pool, query, scalar};
use towline_postgres::PostgresError;
use towline_scratch_postgres::Cluster;

fn openssl(directory: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .current_dir(directory)
        .args(arguments.split(' '))
        .output()
        .expect("the openssl command is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A private authority, a certificate of it for `localhost` only, and another authority.
fn certificates() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for name in ["ca", "other"] {
        openssl(
            path,
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
            ),
        );
    }
    openssl(
        path,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
    );
    std::fs::write(path.join("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
    openssl(
        path,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
    directory
}

/// Puts files where the server, which runs under another user, may read them.
fn install(cluster: &Cluster, from: &Path, certificate: &str, key: &str) {
    let data = cluster.directory().join("data");
    let owner = std::fs::metadata(&data).unwrap();
    for (name, target) in [(certificate, "server.crt"), (key, "server.key")] {
        let target = data.join(target);
        std::fs::copy(from.join(name), &target).unwrap();
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&target, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    cluster.run("postgres", "ALTER SYSTEM SET ssl = on").unwrap();
    cluster.run("postgres", "SELECT pg_reload_conf()").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
}

struct Case {
    host: &'static str,
    mode: &'static str,
    root: Option<&'static str>,
    /// Whether the connection uses TLS, or `None` when there must be none at all.
    tls: Option<bool>,
}

async fn check(cluster: &Cluster, directory: &Path, case: &Case) {
    let root: Option<PathBuf> = case.root.map(|root| directory.join(root));
    let root = root.map(|root| format!("&sslrootcert={}", root.display())).unwrap_or_default();
    let url = cluster.url("postgres").replace("127.0.0.1", case.host);
    let url = format!("{url}?sslmode={}{root}", case.mode);
    let name = format!("{} {} {:?}", case.host, case.mode, case.root);
    let pool = pool(url);
    match case.tls {
        Some(tls) => {
            let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            assert_eq!(scalar(&pool, sql).await, json!(tls), "{name}");
        }
        None => {
            let error = query(&pool, "SELECT 1").await.expect_err(&name);
            assert!(matches!(error, PostgresError::Tls { .. }), "{name}: {error:?}");
        }
    }
}

#[tokio::test]
async fn each_sslmode_protects_what_it_promises() {
    let directory = certificates();
    let cluster = Cluster::start().unwrap();
    let case = |host, mode, root, tls| Case { host, mode, root, tls };

    for case in [
        case("localhost", "disable", None, Some(false)),
        case("localhost", "prefer", None, Some(false)),
        case("localhost", "require", None, None),
        case("localhost", "verify-full", Some("ca.pem"), None),
    ] {
        check(&cluster, directory.path(), &case).await; // a server without TLS
    }

    install(&cluster, directory.path(), "server.pem", "server.key");
    for case in [
        case("localhost", "disable", None, Some(false)),
        case("localhost", "prefer", None, Some(true)),
        case("127.0.0.1", "require", None, Some(true)),
        case("localhost", "require", Some("other.pem"), None),
        case("localhost", "verify-ca", Some("ca.pem"), Some(true)),
        case("127.0.0.1", "verify-ca", Some("ca.pem"), Some(true)),
        case("localhost", "verify-ca", Some("other.pem"), None),
        case("localhost", "verify-full", Some("ca.pem"), Some(true)),
        case("127.0.0.1", "verify-full", Some("ca.pem"), None),
        case("localhost", "verify-full", Some("other.pem"), None),
    ] {
        check(&cluster, directory.path(), &case).await;
    }

    // A server that signed for itself, as many do: its own certificate is the root.
    openssl(
        directory.path(),
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout self.key -out self.pem",
    );
    install(&cluster, directory.path(), "self.pem", "self.key");
    for case in [
        case("localhost", "verify-full", Some("self.pem"), Some(true)),
        case("127.0.0.1", "verify-full", Some("self.pem"), None),
        case("localhost", "verify-full", Some("ca.pem"), None),
    ] {
        check(&cluster, directory.path(), &case).await;
    }

    // A cancel request goes over TLS, too.
    let url = format!("{}?sslmode=require", cluster.url("postgres"));
    let pool = pool(url);
    scalar(&pool, "SELECT 1").await;
    let call = query(&pool, "SELECT pg_sleep(20)");
    assert!(tokio::time::timeout(std::time::Duration::from_millis(300), call).await.is_err());
    let sql =
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
    let mut left = 20;
    while cluster.run("postgres", sql).unwrap().trim() != "0" {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        left -= 1;
        assert!(left > 0, "the statement still runs");
    }
}

#[test]
fn a_root_certificate_that_is_none_is_a_configuration_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("not.pem");
    std::fs::write(&path, "hello").unwrap();
    for path in [path.display().to_string(), "/no/such/file.pem".into()] {
        let url = format!("postgres://u@h/db?sslmode=verify-full&sslrootcert={path}");
        let config = towline_postgres::DatabaseConfig::new(url);
        let error = towline_postgres::Pool::new(config).unwrap_err();
        assert_eq!(error.key(), "ssl_root_cert");
    }
}
