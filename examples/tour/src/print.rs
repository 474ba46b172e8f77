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

/// An error, all of it: it is written for the model, and every word counts.
pub(crate) fn refusal(text: &str) {
    for line in text.lines().flat_map(wrap) {
        println!("      {}", styled("33", &line));
    }
}

/// Breaks a line between words; a longer word gets a line of its own.
fn wrap(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut columns = 0;
    for word in line.split(' ') {
        let width = word.chars().count();
        if columns > 0 && columns + 1 + width > WIDTH {
            lines.push(String::new());
            columns = 0;
        }
        let last = lines.last_mut().expect("there is always a line");
        if columns > 0 {
            last.push(' ');
            columns += 1;
        }
        last.push_str(word);
        columns += width;
    }
    lines
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
    fn a_long_line_is_wrapped_between_words() {
        let word = "w".repeat(WIDTH - 1);
        assert_eq!(wrap("short line"), ["short line"]);
        assert_eq!(wrap(&format!("a {word} b")), ["a", &word, "b"].map(str::to_owned));
        assert_eq!(wrap(&format!("{word}{word} b")), [format!("{word}{word}"), "b".to_owned()]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let line = "é".repeat(WIDTH);
        assert_eq!(cut(&line), line);
        assert_eq!(cut(&format!("{line}é")), format!("{line}…"));
    }
}
