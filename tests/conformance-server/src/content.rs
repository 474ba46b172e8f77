use towline::protocol::Content;
use towline::{ToolResult, ToolSet, tool_fn};

use crate::{PNG, WAV};

/// Tools that answer with every kind of content.
///
/// `test_simple_text` has to stay the first of the whole list: the suite calls the first tool there is without
/// arguments, to see which headers are refused.
pub fn content() -> ToolSet {
    ToolSet::new()
        .with(tool_fn(
            "test_simple_text",
            "Answers text.",
            async || "This is a simple text response for testing.",
        ))
        .with(tool_fn("test_image_content", "Answers an image.", async || {
            ToolResult::new([Content::image(PNG, "image/png")])
        }))
        .with(tool_fn("test_audio_content", "Answers a sound.", async || {
            ToolResult::new([Content::audio(WAV, "audio/wav")])
        }))
        .with(tool_fn("test_embedded_resource", "Answers a resource.", async || {
            ToolResult::new([Content::embedded_text(
                "test://embedded-resource",
                "text/plain",
                "This is an embedded resource content.",
            )])
        }))
        .with(tool_fn("test_multiple_content_types", "Answers several kinds of content.", async || {
            ToolResult::new([
                Content::text("Multiple content types test:"),
                Content::image(PNG, "image/png"),
                Content::embedded_text(
                    "test://mixed-content-resource",
                    "application/json",
                    r#"{"test":"data","value":123}"#,
                ),
            ])
        }))
        .with(tool_fn("test_error_handling", "Answers that it failed.", async || {
            ToolResult::error("This tool intentionally returns an error for testing")
        }))
}
