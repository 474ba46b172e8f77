use schemars::JsonSchema;
use serde::Deserialize;
use towline::protocol::{Content, PromptMessage, ResourceContents};
use towline::{PromptSet, prompt_fn};

use crate::{PNG, rounds};

/// Prompts of every kind.
pub fn prompts() -> PromptSet {
    let simple =
        prompt_fn("test_simple_prompt", "Says a sentence.", async || "This is a simple prompt for testing.");
    let arguments = prompt_fn("test_prompt_with_arguments", "Says what it is given.", async |args: Pair| {
        format!("Prompt with arguments: arg1='{}', arg2='{}'", args.arg1, args.arg2)
    })
    .define(|definition| definition.with_title("Arguments"))
    .complete("arg1", async |_| vec!["test1", "test2", "other"]);
    let embedded = prompt_fn("test_prompt_with_embedded_resource", "Has a resource.", async |args: Uri| {
        let resource = ResourceContents::text(args.uri, "Embedded resource content for testing.");
        [
            PromptMessage::user(Content::embedded(resource.with_mime_type("text/plain"))),
            PromptMessage::user("Please process the embedded resource above."),
        ]
    });
    let image = prompt_fn("test_prompt_with_image", "Has a picture.", async || {
        [
            PromptMessage::user(Content::image(PNG, "image/png")),
            PromptMessage::user("Please analyze the image above."),
        ]
    });
    PromptSet::new().with(simple).with(arguments).with(embedded).with(image).with(rounds::prompt())
}

#[derive(Deserialize, JsonSchema)]
struct Pair {
    /// The first.
    arg1: String,
    /// The second.
    arg2: String,
}

#[derive(Deserialize, JsonSchema)]
struct Uri {
    /// Where the resource is said to be.
    #[serde(rename = "resourceUri")]
    uri: String,
}
