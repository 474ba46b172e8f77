//! What no answer may show: the server's insides.

use std::sync::LazyLock;

use regex::RegexSet;

/// Stack traces of the languages that servers are written in.
static TRACES: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new([
        r"Traceback \(most recent call last\)",                   // Python
        r#"(?m)^\s*File "[^"\n]+", line \d+"#,                    // Python
        r"(?m)^\s*at .+\((?:file:|node:)?[^()\n]+:\d+:\d+\)",     // JavaScript
        r"(?m)^\s*at (?:file:|node:|/)[^\s()]+:\d+:\d+",          // JavaScript
        r"(?m)^\s*at [\w$.<>]+\([\w$]+\.(?:java|kt|scala):\d+\)", // the JVM
        r"(?m)^\s*at .+ in .+:line \d+",                          // .NET
        r"thread '.+' (?:\(\d+\) )?panicked at",                  // Rust
        r"stack backtrace:",                                      // Rust
        r"goroutine \d+ \[",                                      // Go
        r"(?m)^\s*from .+\.rb:\d+:in ",                           // Ruby
        r"(?m)^#\d+ .+\.php\(\d+\)",                              // PHP
    ])
    .expect("the patterns are valid")
});

/// What is in files that are on every machine, and in no answer of a server that keeps to its folder.
static SECRETS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new([
        r"root:[^:\n]*:0:0:",                        // /etc/passwd
        r"\[boot loader\]|; for 16-bit app support", // Windows
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    ])
    .expect("the patterns are valid")
});

/// Whether a text shows a stack trace.
pub(crate) fn has_trace(text: &str) -> bool {
    TRACES.is_match(text)
}

/// Whether a text shows a file that only an escape from its folder can have read.
pub(crate) fn has_secret(text: &str) -> bool {
    SECRETS.is_match(text)
}

/// Whether the message of an error helps whoever reads it.
pub(crate) fn judge(message: &str) -> Result<(), String> {
    if has_trace(message) {
        return Err("the error shows a stack trace".into());
    }
    let bare = message.trim().trim_end_matches('.').to_lowercase();
    if bare.is_empty() {
        return Err("the error says nothing".into());
    }
    if matches!(
        bare.as_str(),
        "error" | "internal error" | "internal server error" | "unknown error" | "[object object]"
    ) {
        return Err("the error does not say what is wrong".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_of_many_languages_are_known() {
        for trace in [
            "Traceback (most recent call last):\n  File \"/a.py\", line 3, in f",
            "TypeError: x\n    at Object.run (/srv/index.js:3:7)",
            "    at file:///srv/dist/index.js:10:11",
            "\tat com.shop.Tool.run(Tool.java:17)",
            "thread 'main' panicked at src/main.rs:1:2:",
            "goroutine 1 [running]:",
        ] {
            assert!(has_trace(trace), "{trace}");
        }
        for message in ["at most 5 (was: 7)", "no file \"a\" at line 3", "look at (docs)"] {
            assert!(!has_trace(message), "{message}");
        }
    }

    #[test]
    fn an_error_must_say_something() {
        assert!(judge("`days` must be at least 1").is_ok());
        for message in ["", " ", "Internal error", "[object Object]"] {
            assert!(judge(message).is_err(), "{message}");
        }
    }
}
