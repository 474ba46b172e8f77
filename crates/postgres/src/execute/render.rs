//! Rows as text for a reader without structured content.

use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::rows::{Limit, Rows, Truncated};

/// Characters of one value at most; the structured result has all of it.
const MAX_CELL: usize = 500;

/// Columns are padded to a common width up to here.
const MAX_PAD: usize = 40;

impl Rows {
    /// The rows as an aligned table, with a line about what is missing.
    ///
    /// NULL is `NULL`, an empty string `""`, and a text that reads like one of them is quoted.
    /// A value longer than 500 characters is cut and ends in `…`.
    pub fn to_text(&self) -> String {
        let rows: Vec<Vec<&RawValue>> = serde_json::from_str(self.rows.get()).unwrap_or_default();
        let header: Vec<String> = self.columns.iter().map(|column| one_line(&column.name)).collect();
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|value| cell(value.get())).collect()).collect();
        let widths: Vec<usize> = header
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let widest = cells.iter().filter_map(|row| row.get(at)).map(|cell| width(cell));
                widest.chain([width(name)]).max().unwrap_or(0).min(MAX_PAD)
            })
            .collect();

        let mut text = String::new();
        if !header.is_empty() {
            line(&header, &widths, &mut text);
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&rule.join("-+-"));
            text.push('\n');
        }
        for row in &cells {
            line(row, &widths, &mut text);
        }
        let plural = if self.row_count == 1 { "" } else { "s" };
        // Writing to a String cannot fail.
        let _ = write!(text, "({} row{plural}", self.row_count);
        if let Some(Truncated { reason, limit, hint }) = self.truncated {
            let unit = match reason {
                Limit::Rows => "",
                Limit::Bytes => " bytes",
            };
            let _ = write!(text, "; cut off at {limit}{unit}, there is more: {hint}");
        }
        text.push(')');
        if cells.iter().flatten().any(|cell| cell.ends_with('…')) {
            text.push_str("\n(values that end in … are cut here; the structured result has them whole)");
        }
        text
    }
}

fn line(cells: &[String], widths: &[usize], text: &mut String) {
    let start = text.len();
    for (at, (cell, wanted)) in cells.iter().zip(widths).enumerate() {
        if at > 0 {
            text.push_str(" | ");
        }
        text.push_str(cell);
        text.extend(std::iter::repeat_n(' ', wanted.saturating_sub(width(cell))));
    }
    let end = text[start..].trim_end().len();
    text.truncate(start + end);
    text.push('\n');
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn cell(json: &str) -> String {
    if json == "null" {
        return "NULL".into();
    }
    if !json.starts_with('"') {
        return cut(json);
    }
    let text: String = serde_json::from_str(json).unwrap_or_else(|_| json.to_owned());
    if text.is_empty() || text == "NULL" || text.trim() != text {
        return cut(&format!("\"{}\"", one_line(&text)));
    }
    cut(&one_line(&text))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_CELL) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Keeps a value on its line and its control characters from a terminal.
fn one_line(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}
