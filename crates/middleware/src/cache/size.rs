//! How many bytes an answer takes.

use std::io::{self, Write};

use serde::Serialize;
use towline_core::protocol::Content;
use towline_core::{RawJson, ToolResult};

/// What an entry takes beside its key and its answer's text, about.
pub(super) const OVERHEAD: usize = 256;

/// The bytes of the answer's text and data.
pub(super) fn of(result: &ToolResult) -> usize {
    let structured = result.structured().map(RawJson::as_str);
    // Text and data may be the same bytes.
    let is_shared = |text: &str| structured.is_some_and(|json| std::ptr::eq(json, text));
    let content =
        result.content().iter().map(|content| match content {
            Content::Text(text) if text.annotations.is_none() && text.meta.is_none() => {
                if is_shared(&text.text) { 0 } else { text.text.len() }
            }
            other => serialized(other),
        });
    let meta = result.meta().map_or(0, serialized);
    content.map(|bytes| bytes + 64).sum::<usize>() + structured.map_or(0, str::len) + meta
}

fn serialized(value: &impl Serialize) -> usize {
    let mut count = Count(0);
    // What has no JSON form is not kept.
    serde_json::to_writer(&mut count, value).map_or(usize::MAX / 4, |()| count.0)
}

struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_text_and_data_at_once_counts_once() {
        let data = "x".repeat(1000);
        let both = of(&ToolResult::json(&data).unwrap());
        assert!((1000..1100).contains(&both), "{both}");
        let apart = ToolResult::text(data.clone()).with_structured(RawJson::from_value(&data).unwrap());
        assert!(of(&apart) > 2000);
    }

    #[test]
    fn images_and_metadata_count() {
        let image = ToolResult::new([Content::image(&[7; 3000], "image/png")]);
        assert!(of(&image) > 4000);
        let meta = serde_json::Map::from_iter([("com.example/big".to_owned(), "x".repeat(1000).into())]);
        assert!(of(&ToolResult::text("").with_meta(meta)) > 1000);
    }
}
