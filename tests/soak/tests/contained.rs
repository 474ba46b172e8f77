//! The server as a container has it: a static binary that is alone in its root but for certificates and a source of random
//! numbers, which nobody may write to, run by a user who is nobody.
//!
//! It is linked statically with glibc, which any toolchain can; the image links musl (examples/deploy/Dockerfile). With
//! `TOWLINE_TEST_SERVER=target/x86_64-unknown-linux-musl/release/database-server` the test runs that binary.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tempfile::{NamedTempFile, TempDir};
use tokio::process::Command;
use tokio::task::block_in_place;
use towline_end_to_end::{cargo_build, cargo_build_static};
use towline_scratch_postgres::Database;
use towline_soak::{Caller, Served, free_address, get};

const PATIENCE: Duration = Duration::from_secs(20);
const NOBODY: &str = "65532";
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";
/// Every container has them.
const RANDOM: [&str; 2] = ["dev/random", "dev/urandom"];

/// Lays the namespace out, and becomes the server in it. Its first argument is the root.
const CONTAIN: &str = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro,nosuid,nodev \"$1\" && \
    mount --bind /dev/random \"$1/dev/random\" && mount --bind /dev/urandom \"$1/dev/urandom\" && cd / && \
    exec setpriv --no-new-privs chroot --userspec=65532:65532 --groups= \"$@\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_binary_serves_alone_in_a_root_that_is_read_only() {
    assert!(
        rustix::process::geteuid().is_root(),
        "namespaces need root: run this as root, or leave it out with `--skip`"
    );
    let root = block_in_place(image);
    let database = block_in_place(Database::fresh).unwrap();
    let (address, admin) = (free_address().unwrap(), free_address().unwrap());
    let log = NamedTempFile::new().unwrap();
    let contained = |argument: &str| {
        let mut command = contained(root.path(), &database.url(), address, admin, argument);
        command.stdout(Stdio::null()).stderr(log.reopen().unwrap());
        command
    };

    let started = Served::start(contained("--log=info"), address).await;
    let mut server = started.unwrap_or_else(|error| panic!("{error}\n{}", fs::read_to_string(&log).unwrap()));
    let of_process = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", server.id())).unwrap();
    let status = of_process("status");
    let status: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(":\t")).collect();
    let fourfold = [NOBODY; 4].join("\t");
    assert_eq!((status["Uid"], status["Gid"]), (&*fourfold, &*fourfold));
    assert_eq!(
        (status["CapEff"], status["CapPrm"], status["NoNewPrivs"]),
        ("0000000000000000", "0000000000000000", "1")
    );
    assert_eq!(status["Groups"].trim(), "");
    let mounts = of_process("mountinfo");
    let of_root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap_or(&mounts);
    assert!(
        of_root.split(' ').nth(5).is_some_and(|options| options.split(',').any(|it| it == "ro")),
        "{mounts}"
    );
    assert_eq!(files(&format!("/proc/{}/root", server.id())), [RANDOM[0], RANDOM[1], CERTIFICATES, "server"]);

    let mut caller = Caller::new(address, PATIENCE);
    let answer = caller.call("execute_query", &json!({"query": "SELECT 7"})).await.unwrap();
    assert_eq!(answer.data()["rows"], json!([[7]]), "{answer:?}");
    assert_eq!(get(admin, "/readyz").await.unwrap().0, 200);
    let healthcheck = contained("healthcheck").status().await.unwrap();
    assert_eq!(healthcheck.code(), Some(0));

    server.terminate().unwrap();
    assert_eq!(server.ended().await.unwrap().code(), Some(0));
    let healthcheck = contained("healthcheck").status().await.unwrap();
    assert_eq!(healthcheck.code(), Some(1));
}

/// The server, told everything by its environment.
fn contained(root: &Path, url: &str, address: SocketAddr, admin: SocketAddr, argument: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", CONTAIN, "sh"]).arg(root).args(["/server", argument]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DATABASE_URL", url);
    command.env("TOWLINE__SERVER__LISTEN", address.to_string());
    command.env("TOWLINE__ADMIN__LISTEN", admin.to_string());
    command
}

/// A root with the server and certificates.
fn image() -> TempDir {
    let root = TempDir::with_prefix_in("towline-image-", "/tmp").unwrap();
    let server = root.path().join("server");
    match std::env::var_os("TOWLINE_TEST_SERVER").map(PathBuf::from) {
        // Tests run in their package's folder, and whoever names a file means it from the workspace's.
        Some(path) => drop(fs::copy(Path::new("../..").join(path), &server).unwrap()),
        None => {
            fs::copy(cargo_build_static("database-server"), &server).unwrap();
            // It stands where the other one stood, which others run.
            cargo_build("database-server");
        }
    }
    assert!(is_static(&fs::read(&server).unwrap()), "it needs a loader");
    for empty in [CERTIFICATES, RANDOM[0], RANDOM[1]] {
        let file = root.path().join(empty);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }
    for (path, mode) in [(root.path(), 0o755), (&*server, 0o555)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    root
}

/// Whether a 64-bit ELF file names no loader: none of its program headers is `PT_INTERP`.
fn is_static(elf: &[u8]) -> bool {
    let number = |at: usize, bytes: usize| {
        elf[at..at + bytes].iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    assert_eq!(elf[..5], *b"\x7fELF\x02");
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).all(|entry| number(table + entry * size, 4) != 3)
}

/// All files below a folder, by their paths.
fn files(folder: &str) -> Vec<String> {
    let (mut found, mut left) = (Vec::new(), vec![PathBuf::from(folder)]);
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => left.push(path),
                false => found.push(path.strip_prefix(folder).unwrap().display().to_string()),
            }
        }
    }
    found.sort();
    found
}
