//! A process that is killed while it writes.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::common::{call, config, folder, serve, serve_with};

/// Says where the process that this test starts, which is this test again, has its root.
const ROOT: &str = "TOWLINE_TEST_ROOT";

/// As often is a writing process killed; each is in the middle of a thousand writes.
const KILLS: u64 = 25;

const SIZE: usize = 200_000;

#[tokio::test]
async fn a_killed_writer_leaves_no_torn_file() {
    if let Some(root) = std::env::var_os(ROOT) {
        return write_until_killed(Path::new(&root)).await;
    }
    let root = folder(&[("file.txt", &"a".repeat(SIZE))]);
    let mut seen = std::collections::HashSet::new();
    for n in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["torn::a_killed_writer_leaves_no_torn_file", "--exact", "--test-threads=1"])
            .env(ROOT, root.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = root.path().join("begun");
        while !begun.exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(500 + n * 7300));
        child.kill().unwrap();
        child.wait().unwrap();
        fs::remove_file(begun).unwrap();
        let content = fs::read(root.path().join("file.txt")).unwrap();
        assert_eq!(content.len(), SIZE);
        assert!(content.iter().all(|byte| *byte == content[0]), "torn");
        seen.insert(content[0]);
    }
    assert!(seen.len() > 1, "the writers wrote nothing: {seen:?}");
    // What they left is hidden, and in nobody's way.
    let mut all = config(&root);
    all.show_hidden = true;
    let (listed, _) = call(&mut serve_with(&all), "list_files", json!({"path": "."})).await.unwrap();
    assert_eq!(listed, "Contents of .:\n[FILE] file.txt");
}

async fn write_until_killed(root: &Path) {
    let config = towline_filesystem::FilesystemConfig::new([towline_filesystem::RootConfig::new(root)]);
    let mut client = serve_with(&config);
    for n in 0..1000_usize {
        let letter = char::from(b'a' + u8::try_from(n % 26).unwrap());
        let content = letter.to_string().repeat(SIZE);
        call(&mut client, "write_file", json!({"path": "file.txt", "content": content})).await.unwrap();
        if n == 0 {
            fs::File::create(root.join("begun")).unwrap().write_all(b"").unwrap();
        }
    }
}

#[tokio::test]
async fn no_reader_sees_half_a_write() {
    let root = folder(&[("file.txt", &"a".repeat(SIZE))]);
    let path = root.path().join("file.txt");
    let is_over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reader = {
        let is_over = std::sync::Arc::clone(&is_over);
        std::thread::spawn(move || {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                let content = fs::read(&path).unwrap();
                assert_eq!(content.len(), SIZE);
                assert!(content.iter().all(|byte| *byte == content[0]), "torn");
            }
        })
    };
    let mut client = serve(&root);
    for n in 0..100_u8 {
        let content = char::from(b'a' + n % 26).to_string().repeat(SIZE);
        call(&mut client, "write_file", json!({"path": "file.txt", "content": content})).await.unwrap();
    }
    is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    reader.join().unwrap();
}
