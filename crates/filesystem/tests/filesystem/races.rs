//! A folder that is swapped for a link while calls go through it.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;

use crate::common::{call, folder, serve_with};

/// Each round swaps a folder for a link that leads out, and back.
const ROUNDS: u64 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_race_with_links_leads_out() {
    let world = folder(&[("in/real/file.txt", "inside"), ("out/file.txt", "OUTSIDE")]);
    let root = world.path().join("in");
    symlink("../out", root.join("link")).unwrap();
    let (swaps, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let swapper = {
        let (root, swaps, is_over) = (root.clone(), Arc::clone(&swaps), Arc::clone(&is_over));
        std::thread::spawn(move || {
            let names = (root.join("real"), root.join("link"), root.join("door"));
            let (real, link, door) = &names;
            for _ in 0..ROUNDS / 2 {
                for thing in [real, link] {
                    fs::rename(thing, door).unwrap();
                    swaps.fetch_add(1, Ordering::Relaxed);
                    std::hint::spin_loop();
                    fs::rename(door, thing).unwrap();
                }
            }
            is_over.store(true, Ordering::Relaxed);
        })
    };
    let config = towline_filesystem::FilesystemConfig::new([towline_filesystem::RootConfig::new(&root)]);
    let mut client = serve_with(&config);
    let (mut read, mut refused, mut n) = (0_u64, 0_u64, 0_u64);
    while !is_over.load(Ordering::Relaxed) {
        n += 1;
        match call(&mut client, "read_text_file", json!({"path": "door/file.txt"})).await {
            Ok((text, _)) => {
                assert_eq!(text, "inside");
                read += 1;
            }
            Err(error) => {
                assert!(!error.contains("OUTSIDE"));
                refused += 1;
            }
        }
        let _ =
            call(&mut client, "write_file", json!({"path": format!("door/new{n}"), "content": "x"})).await;
        let _ = call(&mut client, "list_files", json!({"path": "door"})).await;
    }
    swapper.join().unwrap();
    assert_eq!(swaps.load(Ordering::Relaxed), ROUNDS);
    assert!(read > 0 && refused > 0, "the race was none: {read} read, {refused} refused");
    let outside: Vec<_> = fs::read_dir(world.path().join("out")).unwrap().collect();
    assert_eq!(outside.len(), 1, "{outside:?}");
    assert_eq!(fs::read_to_string(world.path().join("out/file.txt")).unwrap(), "OUTSIDE");
}
