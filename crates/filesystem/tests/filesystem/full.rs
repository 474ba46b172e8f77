//! A disk that is full.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use towline_filesystem::{FilesystemConfig, RootConfig};

use crate::common::{call, folder, serve_with};

/// Says where the process that this test starts, which is this test again, has its small disk.
const DISK: &str = "TOWLINE_TEST_DISK";

const NAME: &str = "full::a_full_disk_loses_nothing";

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    if let Some(disk) = std::env::var_os(DISK) {
        return fill(Path::new(&disk)).await;
    }
    let disk = folder(&[]);
    // Nobody else sees the disk, and it is gone with the process.
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg(format!("mount -t tmpfs -o size=256k none \"${DISK}\" && exec \"$@\""))
        .arg("sh")
        .arg(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--test-threads=1"])
        .env(DISK, disk.path())
        .output()
        .expect("util-linux is installed");
    let told =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

async fn fill(disk: &Path) {
    let mut client = serve_with(&FilesystemConfig::new([RootConfig::new(disk)]));
    let mut write = async |path: &str, letter: &str, size: usize| {
        let content = letter.repeat(size);
        call(&mut client, "write_file", json!({"path": path, "content": content})).await
    };
    write("kept.txt", "a", 100_000).await.unwrap();
    for path in ["kept.txt", "new.txt"] {
        let refused = write(path, "b", 200_000).await.unwrap_err();
        assert_eq!(
            refused,
            format!("`{path}` cannot be written: no space is left; what was there is unchanged")
        );
    }
    let names: Vec<_> = fs::read_dir(disk).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["kept.txt"], "what could not be written leaves nothing behind");
    assert_eq!(fs::read(disk.join("kept.txt")).unwrap(), b"a".repeat(100_000));
    // There is room for less, and for as much again once there is space.
    write("kept.txt", "c", 90_000).await.unwrap();
    fs::remove_file(disk.join("kept.txt")).unwrap();
    write("new.txt", "b", 200_000).await.unwrap();
    assert_eq!(fs::read(disk.join("new.txt")).unwrap(), b"b".repeat(200_000));
}
