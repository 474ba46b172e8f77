use schemars::JsonSchema;
use serde::Deserialize;
use towline::protocol::{Elicited, PromptMessage, Sampling};
use towline::{Error, Input, Prompt, PromptResult, ToolResult, ToolSet, prompt_fn, tool_fn};

use crate::asking::Nothing;

type Result = std::result::Result<ToolResult, Error>;

/// Tools that need input before they are done: of one kind or several, at once or in turn, with a state or without.
pub fn rounds() -> ToolSet {
    ToolSet::new()
        .with(tool_fn("test_input_required_result_elicitation", "Asks for a name.", name))
        .with(tool_fn("test_input_required_result_sampling", "Asks the client's model.", capital))
        .with(tool_fn("test_input_required_result_list_roots", "Asks for the client's folders.", roots))
        .with(tool_fn("test_input_required_result_request_state", "Asks, and keeps a state.", state))
        .with(tool_fn("test_input_required_result_multiple_inputs", "Asks for three things.", several))
        .with(tool_fn("test_input_required_result_multi_round", "Asks twice.", two_rounds))
        .with(tool_fn("test_input_required_result_tampered_state", "Notices changes of its state.", state))
        .with(tool_fn("test_input_required_result_capabilities", "Asks for what the client can.", able))
}

/// A prompt that needs input before it is done.
pub(crate) fn prompt() -> impl Prompt {
    prompt_fn(
        "test_input_required_result_prompt",
        "Asks for a context.",
        async |_: Nothing, mut input: Input| {
            let Some(answer) = input.elicit("user_context", "What context should the prompt use?") else {
                return input.ask();
            };
            let context = match answer {
                Elicited::Accepted(Context { context }) => context,
                Elicited::Declined | Elicited::Cancelled => "none".to_owned(),
            };
            Ok(PromptResult::new([PromptMessage::user(format!("The context is {context}."))]))
        },
    )
}

#[derive(Deserialize, JsonSchema)]
struct Name {
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Color {
    color: String,
}

#[derive(Deserialize, JsonSchema)]
struct Confirmed {
    ok: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Context {
    context: String,
}

fn refused() -> Result {
    Ok(ToolResult::error("The user did not answer."))
}

async fn name(_: Nothing, mut input: Input) -> Result {
    match input.elicit("user_name", "What is your name?") {
        Some(Elicited::Accepted(Name { name })) => Ok(ToolResult::text(format!("Hello, {name}!"))),
        Some(_) => refused(),
        None => input.ask(),
    }
}

async fn capital(_: Nothing, mut input: Input) -> Result {
    match input.sample("capital_question", &Sampling::new(100).user("What is the capital of France?")) {
        Some(answer) => Ok(ToolResult::text(answer.text())),
        None => input.ask(),
    }
}

async fn roots(_: Nothing, mut input: Input) -> Result {
    let Some(roots) = input.roots("client_roots") else { return input.ask() };
    let uris: Vec<_> = roots.into_iter().map(|root| root.uri).collect();
    Ok(ToolResult::text(format!("The client's roots: {}", uris.join(", "))))
}

async fn state(_: Nothing, mut input: Input) -> Result {
    const KEPT: &str = "kept";
    input.set_state(&KEPT);
    match input.elicit("confirm", "Go on?") {
        Some(Elicited::Accepted(Confirmed { ok })) => {
            // Whoever answers in the first call has been given no state to send back.
            let state =
                if input.state::<String>().as_deref() == Some(KEPT) { "state-ok" } else { "no state" };
            Ok(ToolResult::text(format!("{state}, confirmed: {ok}")))
        }
        Some(_) => refused(),
        None => input.ask(),
    }
}

async fn several(_: Nothing, mut input: Input) -> Result {
    input.set_state(&"asked for three things");
    let name = input.elicit("user_name", "What is your name?");
    let greeting = input.sample("greeting", &Sampling::new(50).user("Generate a greeting"));
    let roots = input.roots("client_roots");
    let (Some(name), Some(greeting), Some(roots)) = (name, greeting, roots) else { return input.ask() };
    let name = name.accepted().map_or_else(|| "nobody".to_owned(), |Name { name }| name);
    Ok(ToolResult::text(format!("{}, {name}! There are {} roots.", greeting.text(), roots.len())))
}

async fn two_rounds(_: Nothing, mut input: Input) -> Result {
    input.set_state(&1);
    let Some(name) = input.elicit("step1", "Step 1: What is your name?") else { return input.ask() };
    let Elicited::Accepted(Name { name }) = name else { return refused() };
    input.set_state(&2);
    let Some(color) = input.elicit("step2", "Step 2: What is your favorite color?") else {
        return input.ask();
    };
    let Elicited::Accepted(Color { color }) = color else { return refused() };
    Ok(ToolResult::text(format!("{name} likes {color}.")))
}

async fn able(_: Nothing, mut input: Input) -> Result {
    let mut said = Vec::new();
    let mut is_asking = false;
    if input.context().client_supports("sampling") {
        match input.sample("greeting", &Sampling::new(50).user("Generate a greeting")) {
            Some(greeting) => said.push(greeting.text()),
            None => is_asking = true,
        }
    }
    if input.context().client_supports("elicitation") {
        match input.elicit("user_name", "What is your name?") {
            Some(Elicited::Accepted(Name { name })) => said.push(name),
            Some(_) => said.push("nobody".to_owned()),
            None => is_asking = true,
        }
    }
    if is_asking { input.ask() } else { Ok(ToolResult::text(said.join(", "))) }
}
