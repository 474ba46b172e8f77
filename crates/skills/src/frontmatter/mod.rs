//! What the beginning of a `SKILL.md` says of its skill.

mod yaml;

use std::str;

use serde_json::{Map, Value};

/// As long as the YAML may be, in bytes: ten times what the longest descriptions and lists of tools need.
const MAX_BYTES: usize = 64 << 10;

/// Reads the frontmatter of a `SKILL.md` that lies in a folder of that name.
///
/// # Errors
///
/// What is wrong with the file, and where.
///
/// Source: agentskills.io/specification, "Frontmatter".
pub(crate) fn read(content: &[u8], folder: &str) -> Result<Map<String, Value>, String> {
    let text = str::from_utf8(content).map_err(|error| {
        let line = content[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        format!("is not UTF-8 at line {line}")
    })?;
    let members = yaml::parse(cut(text)?)
        .map_err(|problem| format!("has frontmatter that cannot be read: {problem}"))?;
    let name = required(&members, "name")?;
    check_name(name)?;
    if name != folder {
        return Err(format!("has the `name` {name:?}, which must be that of its folder, {folder:?}"));
    }
    check_description(required(&members, "description")?)?;
    Ok(members)
}

/// The YAML with the line `---` before it, so that the parser counts lines as the file has them.
fn cut(text: &str) -> Result<&str, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().filter(|line| line.trim_end_matches(['\r', '\n']) == "---");
    let mut end = first.ok_or("must begin with YAML between two lines `---`")?.len();
    for line in lines {
        if line.strip_prefix("---").is_some_and(|rest| rest.trim_matches([' ', '\t', '\r', '\n']).is_empty())
        {
            return Ok(&text[..end]);
        }
        end += line.len();
        if end > MAX_BYTES {
            return Err(format!("has more than {MAX_BYTES} bytes of frontmatter"));
        }
    }
    Err("has no second line `---`, where its frontmatter ends".into())
}

fn required<'a>(members: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    match members.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("has a `{key}` that is not text; if it looks like a number, quote it")),
        None => Err(format!("has no `{key}` in its frontmatter")),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_good = (1..=64).contains(&name.len())
        && name.chars().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--");
    if is_good {
        return Ok(());
    }
    let shown: String = name.chars().take(80).collect();
    Err(format!(
        "has the `name` {shown:?}; a name is 1 to 64 lower-case letters, digits and single hyphens between them"
    ))
}

fn check_description(description: &str) -> Result<(), String> {
    let length = description.chars().count();
    if description.trim().is_empty() || length > 1024 {
        return Err(format!(
            "has a `description` of {length} characters; it must have 1 to 1024, not all white space"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, expected: Result<(), &str>) {
        let found = read(content.as_bytes(), "a-b");
        match expected {
            Ok(()) => assert!(found.is_ok(), "{content:?}: {found:?}"),
            Err(part) => {
                assert!(
                    found.as_ref().is_err_and(|problem| problem.contains(part)),
                    "{content:?}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn frontmatter_stands_between_two_lines() {
        check("---\nname: a-b\ndescription: d\n---\n# Text", Ok(()));
        check("\u{feff}---\r\nname: a-b\r\ndescription: d\r\n--- \t\r\nText", Ok(()));
        check("---\nname: a-b\ndescription: d\n---", Ok(()));
        check("---\nname: a-b\ndescription: |\n  d\n  --- no end\n---\n---\n", Ok(()));
        for content in [
            "",
            "name: a-b",
            "\n---\nname: a-b\n---",
            "----\nname: a-b\n---",
            "--- name: a-b\n---",
            "--- \nname: a-b\n---",
        ] {
            check(content, Err("must begin with"));
        }
        for content in ["---", "---\nname: a-b\ndescription: d\n", "---\nname: a-b\n ---\n"] {
            check(content, Err("no second line"));
        }
        check("---\n---\n", Err("frontmatter that cannot be read"));
        check(
            &format!("---\nname: a-b\ndescription: d\nx: {}\n---\n", "x".repeat(MAX_BYTES)),
            Err("more than 65536 bytes"),
        );
    }

    #[test]
    fn a_name_is_that_of_its_folder_and_of_few_characters() {
        for name in ["a--b", "-a", "a-", "A-B", "a_b", "é", "''", &"a".repeat(65), "a b", "../x"] {
            check(&format!("---\nname: {name}\ndescription: d\n---\n"), Err("a name is 1 to 64"));
        }
        check("---\nname: a-c\ndescription: d\n---\n", Err("must be that of its folder, \"a-b\""));
        check("---\nname: 12\ndescription: d\n---\n", Err("quote it"));
        check("---\ndescription: d\n---\n", Err("has no `name`"));
    }

    #[test]
    fn a_description_has_1_to_1024_characters() {
        check(&format!("---\nname: a-b\ndescription: {}\n---\n", "é".repeat(1024)), Ok(()));
        check(
            &format!("---\nname: a-b\ndescription: {}\n---\n", "é".repeat(1025)),
            Err("of 1025 characters"),
        );
        for description in ["''", "' '"] {
            check(&format!("---\nname: a-b\ndescription: {description}\n---\n"), Err("white space"));
        }
        check("---\nname: a-b\ndescription:\n---\n", Err("not text"));
        check("---\nname: a-b\n---\n", Err("has no `description`"));
    }

    #[test]
    fn what_is_not_utf_8_is_said_with_its_line() {
        assert_eq!(read(b"---\nname: \xff\n---\n", "a").unwrap_err(), "is not UTF-8 at line 2");
    }

    #[test]
    fn any_piece_repeated_to_the_limit_is_judged_in_little_time() {
        for piece in [
            "? ",
            "- ",
            ": ",
            "[",
            "{",
            "a: ",
            "&a ",
            "*a ",
            "!a ",
            "'",
            "\"",
            "\\",
            "#",
            "|\n",
            ">\n ",
            "a\n",
            "a: b\n",
            "- a\n",
            "? a\n",
            "a: &a\n",
            "\t",
            " ",
            "\n",
            "%a\n",
            "...\n",
            "[a, ",
            "{a: ",
            "a, ",
            "\u{e9}",
            "&a a: *a\n",
            " a:\n",
        ] {
            let content = format!("---\na: {}\n---\n", piece.repeat((MAX_BYTES - 20) / piece.len()));
            let begin = std::time::Instant::now();
            let found = read(content.as_bytes(), "a-b");
            let took = begin.elapsed();
            assert!(found.is_err(), "{piece:?}");
            assert!(took.as_secs() < 5, "{piece:?}: {took:?}");
        }
    }
}
