//! The example of a tool whose upstream fails on demand shows what it promises.

use std::process::Command;

use towline_end_to_end::cargo_build;

#[test]
fn the_example_shows_each_layer_at_work() {
    let output = Command::new(cargo_build("resilient-operation")).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    assert!(output.status.success(), "{text}");
    for (what, part) in [
        ("an answer from the cache", "asked the upstream 0 times; the circuit is closed"),
        ("a retry", "screws: 42 in stock\n    (asked the upstream 2 times"),
        ("a stale answer", r#""stale":true"#),
        ("an open circuit", r#"{"kind":"circuit_open","retryAfterMs":"#),
        ("calls that nobody makes", "asked the upstream 0 times; the circuit is open"),
    ] {
        assert!(text.contains(part), "no sign of {what} in\n{text}");
    }
    assert!(text.trim_end().ends_with("the circuit is closed)"), "{text}");
}
