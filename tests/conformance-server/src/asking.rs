use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use towline::protocol::{Elicited, Field, Form, Sampling};
use towline::{Error, Input, ToolResult, ToolSet, tool_fn};

/// Tools that ask the user or the client's model once, in every form that there is.
pub fn asking() -> ToolSet {
    ToolSet::new()
        .with(tool_fn("test_sampling", "Asks the client's model.", sample))
        .with(tool_fn("test_elicitation", "Asks the user.", async |Said { message }: Said, input: Input| {
            fill(input, &contact(message), "User response: ")
        }))
        .with(tool_fn(
            "test_elicitation_sep1034_defaults",
            "Asks with answers filled in.",
            async |_: Nothing, input: Input| fill(input, &defaults(), "Elicitation completed: "),
        ))
        .with(tool_fn(
            "test_elicitation_sep1330_enums",
            "Asks for choices of every form.",
            async |_: Nothing, input: Input| fill(input, &choices(), "Elicitation completed: "),
        ))
        .with(tool_fn(
            "test_streaming_elicitation",
            "Asks the user, and holds nothing open for the answer.",
            async |_: Nothing, input: Input| fill(input, &Form::new("Go on?"), "Elicitation completed: "),
        ))
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Said {
    /// What the user reads.
    message: String,
}

#[derive(Deserialize, JsonSchema)]
struct Prompt {
    /// What the model reads.
    prompt: String,
}

async fn sample(Prompt { prompt }: Prompt, mut input: Input) -> Result<ToolResult, Error> {
    match input.sample("response", &Sampling::new(100).user(prompt)) {
        Some(response) => Ok(ToolResult::text(format!("LLM response: {}", response.text()))),
        None => input.ask(),
    }
}

/// Says what became of a form, in the words that the suite's servers have in common.
fn fill(mut input: Input, form: &Form, prefix: &str) -> Result<ToolResult, Error> {
    let (action, content) = match input.elicit_form("form", form) {
        Some(Elicited::Accepted(content)) => ("accept", content),
        Some(Elicited::Declined) => ("decline", Map::new()),
        Some(Elicited::Cancelled) => ("cancel", Map::new()),
        None => return input.ask(),
    };
    Ok(ToolResult::text(format!("{prefix}action={action}, content={}", Value::Object(content))))
}

fn contact(message: String) -> Form {
    Form::new(message)
        .field("username", Field::text().description("User's response").required())
        .field("email", Field::text().description("User's email address").required())
}

fn defaults() -> Form {
    Form::new("Is this right?")
        .field("name", Field::text().default("John Doe"))
        .field("age", Field::integer().default(30))
        .field("score", Field::number().default(95.5))
        .field("status", Field::one_of(["active", "inactive", "pending"]).default("active"))
        .field("verified", Field::boolean().default(true))
}

fn choices() -> Form {
    let options = ["option1", "option2", "option3"];
    let named = [("opt1", "Option One"), ("opt2", "Option Two"), ("opt3", "Option Three")];
    let titled = |what: &str| {
        let title = |(value, rank): (&'static str, &str)| (value, format!("{rank} {what}"));
        [("value1", "First"), ("value2", "Second"), ("value3", "Third")].map(title)
    };
    Form::new("Which?")
        .field("untitledSingle", Field::one_of(options))
        .field("titledSingle", Field::one_of_titled(titled("Option")))
        .field("legacyEnum", Field::one_of_named(named))
        .field("untitledMulti", Field::several_of(options))
        .field("titledMulti", Field::several_of_titled(titled("Choice")))
}
