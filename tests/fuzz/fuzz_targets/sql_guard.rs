//! The SQL guard on text that nobody wrote.
//!
//! It must answer, and what it lets through must be one statement that reads. That is looked up in
//! the parse tree as JSON, by another way than the guard's own.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use serde_json::Value;
use towline_postgres::guard::{Guard, Policy};

static STATEMENTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let texts = [
        include_str!("../../../crates/postgres/tests/corpus/legitimate.txt"),
        include_str!("../../../crates/postgres/tests/corpus/attacks.txt"),
    ];
    let lines = texts.into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.split_once(": ")?.1.replace('↵', "\n"))).collect()
});

static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let mut policy = Policy::default();
    policy.cache_bytes = 0;
    Guard::new(policy)
});

fuzz_target!(|data: &[u8]| {
    let Ok(sql) = std::str::from_utf8(data) else { return };
    if GUARD.check(sql).is_err() {
        return;
    }
    assert!(GUARD.check(&format!("{sql}\n; DROP TABLE x")).is_err(), "a second statement passed");

    let tree = match pg_query::parse(sql, pg_query::ParserOptions::DEFAULT) {
        Ok(tree) => tree,
        // This thread has less stack than the guard's.
        Err(error) if error.to_string().contains("stack depth limit exceeded") => return,
        Err(error) => panic!("it was parsed before: {error}"),
    };
    assert_eq!(tree.protobuf.stmts.len(), 1);
    judge(&serde_json::to_value(&tree.protobuf).expect("a tree is JSON"));
});

/// Panics where a tree has what must never run.
fn judge(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(judge),
        Value::Object(fields) => {
            for (key, value) in fields {
                let statement = key.ends_with("Stmt")
                    && !["SelectStmt", "ExplainStmt", "VariableShowStmt", "RawStmt"].contains(&key.as_str());
                assert!(!statement, "{key} passed");
                let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                assert!(key != "into_clause" || empty, "INTO passed");
                assert!(key != "locking_clause" || empty, "a row lock passed");
                if key == "funcname" {
                    let name = value.to_string();
                    for bad in ["pg_sleep", "pg_read_file", "set_config", "nextval", "pg_advisory_lock"] {
                        assert!(!name.contains(&format!("\"{bad}\"")), "{bad} passed");
                    }
                }
                judge(value);
            }
        }
        _ => {}
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // Random bytes rarely parse, so most inputs start as a statement of the corpora, or two halves.
    let pick = |seed: u32| STATEMENTS[seed as usize % STATEMENTS.len()].as_bytes();
    let text = match seed % 8 {
        0 => pick(seed / 8).to_vec(),
        1 | 2 => {
            let (one, two) = (pick(seed / 8), pick(seed / 7919));
            let cut = |text: &[u8], by: u32| text.len() * (by as usize % 97) / 97;
            [&one[..cut(one, seed / 31)], &two[cut(two, seed / 57)..]].concat()
        }
        _ => return fuzzer_mutate(data, size, max_size),
    };
    let length = text.len().min(max_size);
    data[..length].copy_from_slice(&text[..length]);
    fuzzer_mutate(data, length, max_size)
});
