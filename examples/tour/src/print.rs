//! The tour on the terminal.
#![expect(clippy::print_stdout, reason = "this module is the place for it")]

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Columns that a terminal has at least nowadays.
const WIDTH: usize = 116;

pub(crate) fn note(text: &str) {
    println!("    {text}");
}

/// What is asked, the call that asks it, and how long the answer took.
pub(crate) fn question(question: &str, call: &str, took: Duration) {
    println!("\n  {}", styled("1", question));
    println!(
        "    {} {}",
        styled("36", &cut(call)),
        styled("2", &format!("{:.0} ms", took.as_secs_f64() * 1e3))
    );
}

pub(crate) fn sql(sql: &str) {
    for line in sql.lines() {
        println!("    {}", styled("36", &cut(line)));
    }
}

pub(crate) fn tool(name: &str, description: &str) {
    let first = description.split_inclusive(". ").next().unwrap_or_default().trim();
    println!("    {}", cut(&format!("{name:<18} {first}")));
}

/// The answer's first lines, each cut to the terminal's width.
pub(crate) fn answer(text: &str, lines: usize) {
    let total = text.lines().count();
    for line in text.lines().take(lines) {
        println!("      {}", cut(line));
    }
    if total > lines {
        println!("      {}", styled("2", &format!("... {} more lines", total - lines)));
    }
}

pub(crate) fn error(error: &dyn Error) {
    let _ = writeln!(io::stderr(), "error: {error}");
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn styled(code: &str, text: &str) -> String {
    if io::stdout().is_terminal() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let line = "é".repeat(WIDTH);
        assert_eq!(cut(&line), line);
        assert_eq!(cut(&format!("{line}é")), format!("{line}…"));
    }
}
