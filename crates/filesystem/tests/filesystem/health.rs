use std::fs;

use towline_core::health::Health;
use towline_filesystem::{Filesystem, FilesystemConfig, RootConfig, checks};

#[tokio::test]
async fn a_root_is_up_while_it_can_be_read_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (notes, moved) = (folder.path().join("notes"), folder.path().join("moved"));
    fs::create_dir(&notes).unwrap();
    let files = Filesystem::open(&FilesystemConfig::new([RootConfig::new(&notes)])).unwrap();
    let check = checks(&files).next().unwrap();
    assert_eq!((check.name(), check.check().await), ("notes", Health::Up));

    fs::rename(&notes, &moved).unwrap();
    let degraded = |told: &str| Health::Degraded(told.into());
    assert_eq!(check.check().await, degraded("the directory is no longer in its place"));
    fs::create_dir(&notes).unwrap();
    assert_eq!(check.check().await, degraded("another directory is in its place; restart the server"));

    fs::remove_dir(&moved).unwrap();
    assert_eq!(check.check().await, Health::Down("the directory cannot be read".into()));
}
