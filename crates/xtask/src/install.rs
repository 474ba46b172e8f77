use std::env;
use std::fs;
use std::io::{IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;
use towline_scratch_postgres::Binaries;

use crate::process::{Interrupt, exists};
use crate::report::{self, Failure};

/// Something a chore needs that cargo does not bring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Need {
    /// PostgreSQL's server and client programs.
    Postgres,
    /// libclang with its headers, to build the binding to PostgreSQL's parser.
    Libclang,
    /// make, which builds the servers' allocator.
    Make,
    /// Python with `venv`, for what the tests take from Python's registry.
    Python,
    /// Node.js with npm, for what the tests take from npm.
    Node,
    /// Chromium and its driver, for the test of the dashboard.
    Chromium,
}

impl Need {
    fn is_met(self) -> bool {
        match self {
            Self::Postgres => Binaries::find().is_ok(),
            Self::Libclang => has_libclang(),
            Self::Make => exists("make"),
            Self::Python => succeeds("python3", &["-c", "import venv, ensurepip"]),
            Self::Node => exists("node") && exists("npm"),
            Self::Chromium => exists("chromium") && exists("chromedriver"),
        }
    }

    fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgresql"],
            Self::Libclang => &["libclang-dev"],
            Self::Make => &["make"],
            Self::Python => &["python3-venv"],
            Self::Node => &["nodejs", "npm"],
            Self::Chromium => &["chromium", "chromium-driver"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL's programs",
            Self::Libclang => "libclang (to build the binding to PostgreSQL's parser)",
            Self::Make => "make",
            Self::Python => "Python 3 with venv",
            Self::Node => "Node.js with npm",
            Self::Chromium => "Chromium with its driver",
        }
    }
}

/// Installs what is missing, or says what to install.
pub(crate) fn ensure(needs: &[Need], interrupt: &Interrupt) -> Result<(), Failure> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|need| need.name()).collect::<Vec<_>>().join(", ");
    let packages = packages(&missing);
    let by_hand = format!("sudo apt-get install {}", packages.join(" "));
    if !exists("apt-get") {
        return Err(Failure::Message(format!(
            "missing: {names}; install that with your package manager (on Debian it is `{by_hand}`) and start again"
        )));
    }

    let root = geteuid().is_root();
    let may_ask = stdin().is_terminal();
    if !root && !(exists("sudo") && (may_ask || succeeds("sudo", &["-n", "true"]))) {
        return Err(Failure::Message(format!("missing: {names}; run `{by_hand}` and start again")));
    }
    report::title(format!("Installing {} with apt-get", packages.join(" ")));
    if missing.contains(&Need::Postgres) {
        report::note(
            "Debian may start a server of its own with it, on port 5432; nothing here uses that one",
        );
    }
    interrupt.run(apt_get(root).arg("update").arg("-qq"))?;
    interrupt.run(apt_get(root).args(["install", "-y", "-qq", "--no-install-recommends"]).args(&packages))?;

    match missing.into_iter().find(|need| !need.is_met()) {
        None => Ok(()),
        Some(need) => Err(Failure::Message(format!("{} cannot be found even after installing", need.name()))),
    }
}

fn packages(missing: &[Need]) -> Vec<&'static str> {
    missing.iter().flat_map(|need| need.debian_packages()).copied().collect()
}

fn apt_get(root: bool) -> Command {
    // `env` because sudo drops the environment
    let mut command = Command::new(if root { "env" } else { "sudo" });
    if !root {
        command.arg("env");
    }
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"]);
    command
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let quiet = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

fn has_libclang() -> bool {
    if env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let mut directories: Vec<PathBuf> = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/Library/Developer/CommandLineTools/usr/lib",
        "/Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib",
        "/opt/homebrew/opt/llvm/lib",
        "/usr/local/opt/llvm/lib",
    ]
    .map(PathBuf::from)
    .into();
    for parent in ["/usr/lib", "/usr/local"] {
        directories.extend(
            entries(Path::new(parent))
                .filter(|path| name(path).starts_with("llvm"))
                .map(|path| path.join("lib")),
        );
    }
    directories.iter().any(|directory| holds_libclang(directory))
}

/// The library with its development name: the runtime alone comes without the headers that bindgen needs.
fn holds_libclang(directory: &Path) -> bool {
    entries(directory).any(|path| {
        let name = name(&path);
        let stem = name.strip_suffix(".so").or_else(|| name.strip_suffix(".dylib"));
        stem.and_then(|stem| stem.strip_prefix("libclang"))
            .is_some_and(|version| version.chars().all(|c| c == '-' || c == '.' || c.is_ascii_digit()))
    })
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, expected: bool) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(file), "").unwrap();
        assert_eq!(holds_libclang(directory.path()), expected, "{file}");
    }

    #[test]
    fn only_libclang_for_development_counts() {
        check("libclang.so", true);
        check("libclang-14.so", true);
        check("libclang-16.0.6.so", true);
        check("libclang.dylib", true);
        check("libclang-14.so.1", false);
        check("libclang-cpp.so", false);
        check("libclangAST.a", false);
    }

    #[test]
    fn packages_are_those_of_what_is_missing() {
        assert_eq!(packages(&[Need::Libclang, Need::Node]), ["libclang-dev", "nodejs", "npm"]);
    }
}
