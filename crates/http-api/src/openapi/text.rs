//! Descriptions for models: without markup, and cut to a length.

/// HTML elements that descriptions use for their look alone. Anything else in angle brackets may be a placeholder.
const INLINE: &[&str] =
    &["a", "b", "code", "em", "font", "i", "img", "small", "span", "strong", "sub", "sup", "u"];

/// As [`INLINE`], of those that separate what stands around them.
const BLOCK: &[&str] = &[
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

/// The text without HTML elements, with runs of white space as one space (or one line break), at most `length`
/// characters.
pub(super) fn clean(text: &str, length: usize) -> String {
    let mut out = String::with_capacity(text.len().min(length * 2));
    let mut rest = text.trim();
    let mut gap = None;
    let mut count = 0;
    while let Some(first) = rest.chars().next() {
        if first == '<'
            && let Some((end, is_block)) = element(rest)
        {
            gap = gap.or(is_block.then_some(' '));
            rest = &rest[end..];
            continue;
        }
        rest = &rest[first.len_utf8()..];
        if first.is_whitespace() {
            gap = if first == '\n' || gap == Some('\n') { Some('\n') } else { Some(' ') };
            continue;
        }
        if first.is_control() {
            continue;
        }
        let needed = 1 + usize::from(gap.is_some() && !out.is_empty());
        if count + needed > length.saturating_sub(1) && !(count + needed == length && rest.is_empty()) {
            out.push('…');
            return out;
        }
        if let Some(gap) = gap.take()
            && !out.is_empty()
        {
            out.push(gap);
            count += 1;
        }
        out.push(first);
        count += 1;
    }
    out
}

/// The length of the tag with which the text begins, and whether its element is a block.
fn element(text: &str) -> Option<(usize, bool)> {
    let inner = text.strip_prefix('<')?;
    let name = inner.strip_prefix('/').unwrap_or(inner);
    let length = name.find(|c: char| !c.is_ascii_alphanumeric())?;
    let is_in = |names: &[&str]| names.iter().any(|known| name[..length].eq_ignore_ascii_case(known));
    let is_block = is_in(BLOCK);
    let follows = name[length..].chars().next()?;
    if !(is_block || is_in(INLINE)) || !(follows == '>' || follows == '/' || follows.is_whitespace()) {
        return None;
    }
    // A tag is short; anything longer is text.
    let end = text.bytes().take(2000).position(|byte| byte == b'>')?;
    Some((end + 1, is_block))
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn markup_goes_and_placeholders_stay() {
        assert_eq!(
            clean("<p>Returns  a\n\n list of <a href=\"x\">pets</a>.</p>", 100),
            "Returns a\nlist of pets."
        );
        assert_eq!(clean("use <owner>/<repo> and a < b", 100), "use <owner>/<repo> and a < b");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde…");
        assert_eq!(clean("éééé", 3), "éé…");
    }
}
