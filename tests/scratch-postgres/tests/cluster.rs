//! A cluster serves, obeys, and leaves nothing behind.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use towline_scratch_postgres::{Cluster, Database, Error, Server};

/// Tells the test binary, started again as a child, to own a cluster until it is killed.
const OWN_A_CLUSTER: &str = "SCRATCH_POSTGRES_OWN_A_CLUSTER";

#[test]
fn a_cluster_serves_on_its_port_and_its_socket() {
    let cluster = Cluster::builder().setting("work_mem", "5MB").start().unwrap();

    assert_eq!(cluster.run("postgres", "SHOW work_mem; SHOW fsync").unwrap(), "5MB\noff\n");

    let socket = Server::at(&cluster.socket_url("postgres")).unwrap();
    assert_eq!(socket.run("postgres", "SELECT inet_server_addr() IS NULL").unwrap(), "t\n");
    assert_eq!(cluster.run("postgres", "SELECT inet_server_addr()").unwrap(), "127.0.0.1\n");

    let stranger = Server::at(&cluster.url_as("postgres", "wrong", "postgres")).unwrap();
    let Err(Error::Failed { output, .. }) = stranger.run("postgres", "SELECT 1") else { panic!("served") };
    assert!(output.contains("password authentication failed"), "{output}");
}

#[test]
fn a_failing_statement_ends_the_run_and_says_why() {
    let database = Database::fresh().unwrap();
    let Err(Error::Failed { output, .. }) = database.run("SELECT 1; SELECT nonsense; SELECT 2") else {
        panic!("it ran")
    };
    assert!(output.contains(r#"column "nonsense" does not exist"#), "{output}");
}

#[test]
fn a_fresh_database_is_empty_and_goes_when_dropped() {
    let (one, two) = (Database::fresh().unwrap(), Database::fresh().unwrap());
    one.run("CREATE TABLE t ()").unwrap();
    assert_eq!(two.run("SELECT count(*) FROM pg_class WHERE relname = 't'").unwrap(), "0\n");

    let exists = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", one.name());
    assert_eq!(two.run(&exists).unwrap(), "1\n");
    drop(one);
    assert_eq!(two.run(&exists).unwrap(), "0\n");
}

#[test]
fn a_restart_keeps_port_and_data() {
    let mut cluster = Cluster::start().unwrap();
    let url = cluster.url("postgres");
    cluster.run("postgres", "CREATE TABLE t AS SELECT 7 AS a").unwrap();

    cluster.stop().unwrap();
    cluster.run("postgres", "SELECT 1").unwrap_err();

    cluster.restart().unwrap();
    assert_eq!(cluster.url("postgres"), url);
    assert_eq!(cluster.run("postgres", "SELECT a FROM t").unwrap(), "7\n");
}

#[test]
fn a_paused_server_answers_when_it_is_resumed() {
    let cluster = Cluster::start().unwrap();
    let server: Server = (*cluster).clone();
    let started = Instant::now();
    let open = thread::spawn(move || {
        server.run("postgres", "SELECT pg_sleep(0.3); SELECT 1").unwrap();
        started.elapsed()
    });
    while cluster
        .run("postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(0.3)%'")
        .unwrap()
        != "2\n"
    {}

    cluster.pause().unwrap();
    thread::sleep(Duration::from_secs(1));
    assert!(!open.is_finished(), "the open connection was served");
    cluster.resume().unwrap();
    open.join().unwrap();
}

#[test]
fn a_dropped_cluster_leaves_nothing() {
    for paused in [false, true] {
        let cluster = Cluster::start().unwrap();
        let directory = cluster.directory().to_owned();
        assert!(processes_of(&directory) >= 2, "the server and its watchdog");
        if paused {
            cluster.pause().unwrap();
        }
        drop(cluster);
        assert_gone(&directory, Duration::ZERO);
    }
}

#[test]
fn a_panicking_owner_leaves_nothing() {
    let (send, receive) = std::sync::mpsc::channel::<PathBuf>();
    let owner = thread::spawn(move || {
        let cluster = Cluster::start().unwrap();
        send.send(cluster.directory().to_owned()).unwrap();
        panic!("on purpose");
    });
    assert!(owner.join().is_err());
    assert_gone(&receive.recv().unwrap(), Duration::ZERO);
}

#[test]
fn a_killed_owner_leaves_nothing() {
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "own_a_cluster"])
        .env(OWN_A_CLUSTER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let directory =
        lines.map_while(Result::ok).find_map(|line| line.split_once("directory=").map(|(_, d)| d.to_owned()));
    let directory = PathBuf::from(directory.unwrap());
    assert!(processes_of(&directory) >= 2, "the server and its watchdog");

    owner.kill().unwrap(); // SIGKILL: no code of the owner runs any more
    owner.wait().unwrap();
    assert_gone(&directory, Duration::from_secs(20));
}

/// Not a test by itself: what [`a_killed_owner_leaves_nothing`] kills.
#[test]
fn own_a_cluster() {
    if std::env::var_os(OWN_A_CLUSTER).is_some() {
        let cluster = Cluster::start().unwrap();
        writeln!(std::io::stdout(), "directory={}", cluster.directory().display()).unwrap();
        thread::sleep(Duration::from_secs(60));
    }
}

#[track_caller]
fn assert_gone(directory: &Path, within: Duration) {
    let deadline = Instant::now() + within;
    while directory.exists() || processes_of(directory) > 0 {
        assert!(
            Instant::now() < deadline,
            "{} processes left, directory left: {}",
            processes_of(directory),
            directory.exists()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// How many processes have the directory on their command line.
fn processes_of(directory: &Path) -> usize {
    let needle = directory.to_str().unwrap();
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(needle))
        .count()
}
