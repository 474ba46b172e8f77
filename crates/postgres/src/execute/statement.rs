//! The texts that run a caller's statement.

use crate::value::decode::Codec;

/// What kind of statement a text starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A query, which a cursor takes.
    Query,
    /// EXPLAIN or SHOW.
    Report,
}

impl Kind {
    /// `None` for anything that this layer does not run.
    pub(super) fn of(sql: &str) -> Option<Self> {
        let start = skip_blank(sql, "(");
        let word: String = start.chars().take_while(char::is_ascii_alphabetic).collect();
        match word.to_ascii_lowercase().as_str() {
            "select" | "with" | "values" | "table" => Some(Self::Query),
            "explain" | "show" => Some(Self::Report),
            _ => None,
        }
    }
}

const DECLARE: &str = "DECLARE towline NO SCROLL CURSOR FOR";

/// The place in the caller's text of a place in the text that opens the cursor. Statements parse
/// before, so few errors have one.
pub(super) fn position(position: u32) -> Option<u32> {
    let before = u32::try_from(DECLARE.len()).ok()? + 1;
    position.checked_sub(before).filter(|position| *position > 0)
}

/// Opens a cursor. Columns without a codec come as text: the statement goes into a subquery then,
/// and stays one query there, because nothing that parsed as a statement before closes the
/// parenthesis.
pub(super) fn declare(sql: &str, codecs: &[Option<Codec>]) -> String {
    if codecs.iter().all(Option::is_some) {
        return format!("{DECLARE}\n{sql}");
    }
    let mut names = String::new();
    let mut list = String::new();
    for (at, codec) in codecs.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let cast = if codec.is_none() { "::pg_catalog.text" } else { "" };
        names.push_str(&format!("{comma}c{at}"));
        list.push_str(&format!("{comma}q.c{at}{cast}"));
    }
    let query = &sql[..end_of_statement(sql)];
    format!("{DECLARE} SELECT {list} FROM (\n{query}\n) AS q({names})")
}

/// Fetches the next rows. `pg_stat_activity` shows this text, so the statement's beginning is in it.
pub(super) fn fetch(rows: u32, sql: &str) -> String {
    let beginning = &sql[..sql.floor_char_boundary(900)];
    let beginning = beginning.replace("/*", "/ *").replace("*/", "* /");
    format!("FETCH FORWARD {rows} FROM towline /* {beginning} */")
}

/// The text from its first character that is neither blank nor in a comment nor one of `also`.
fn skip_blank<'a>(sql: &'a str, also: &str) -> &'a str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || also.contains(c));
        let len = comment(rest);
        if len == 0 {
            return rest;
        }
        rest = &rest[len..];
    }
}

/// The length of the comment at the start; 0 if there is none.
fn comment(text: &str) -> usize {
    if text.starts_with("--") {
        return text.find(['\n', '\r']).unwrap_or(text.len());
    }
    if !text.starts_with("/*") {
        return 0;
    }
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Where the first `;` is that ends a statement, or the end of the text.
fn end_of_statement(sql: &str) -> usize {
    let bytes = sql.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let skipped = match bytes[at] {
            b';' => return at,
            b'-' | b'/' => comment(&sql[at..]).max(1),
            b'"' => quoted(&bytes[at..], b'"', false),
            b'\'' => {
                let escapes =
                    at > 0 && matches!(bytes[at - 1], b'e' | b'E') && (at < 2 || !is_word(bytes[at - 2]));
                quoted(&bytes[at..], b'\'', escapes)
            }
            b'$' if at == 0 || !is_word(bytes[at - 1]) => dollar_quoted(&sql[at..]).max(1),
            // Not into the middle of a character.
            _ => sql[at..].chars().next().map_or(1, char::len_utf8),
        };
        at += skipped;
    }
    bytes.len()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

/// The length of the quoted text at the start. A doubled quote ends one and starts the next.
fn quoted(text: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' if escapes => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// The length of the dollar-quoted text at the start; 0 if there is none.
fn dollar_quoted(text: &str) -> usize {
    let Some(tag) = text[1..].find('$').map(|len| &text[..len + 2]) else { return 0 };
    let name = &tag[1..tag.len() - 1];
    if name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(is_word) {
        return 0;
    }
    match text[tag.len()..].find(tag) {
        Some(len) => len + 2 * tag.len(),
        None => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_tells_the_kind() {
        for (sql, kind) in [
            ("select 1", Some(Kind::Query)),
            (" \n-- hi\n/* a /* b */ c */ WITH x AS (SELECT 1) TABLE x", Some(Kind::Query)),
            ("((VALUES (1)))", Some(Kind::Query)),
            ("TABLE t", Some(Kind::Query)),
            ("Explain SELECT 1", Some(Kind::Report)),
            ("SHOW ALL", Some(Kind::Report)),
            ("selection", None),
            ("/* SELECT */ DELETE FROM t", None),
            ("-- SELECT", None),
            ("/* SELECT", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(Kind::of(sql), kind, "{sql}");
        }
    }

    #[test]
    fn nothing_leaves_the_comment() {
        for sql in ["SELECT 1", "SELECT '*/ 2'", "/*/", "/**/*/", "*/*/", "*"] {
            let text = fetch(7, sql);
            let start = text.find("/*").unwrap();
            assert_eq!(comment(&text[start..]), text.len() - start, "{text}");
        }
        assert!(fetch(7, &"é".repeat(1000)).len() < 1000);
    }

    #[test]
    fn a_statement_ends_at_its_semicolon() {
        for sql in [
            "SELECT 1",
            "SELECT ';', E'\\';', e';', \";\", $$;$$, $a$;$$;$a$, $1, a$b$c",
            "SELECT 'it''s ;' /* ; /* ; */ ; */ - 1 / 2",
            "SELECT 'é;' -- ; here\n, 1",
        ] {
            assert_eq!(end_of_statement(sql), sql.len(), "{sql}");
            assert_eq!(end_of_statement(&format!("{sql}\n; -- more")), sql.len() + 1, "{sql}");
        }
    }
}
