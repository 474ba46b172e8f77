//! Long jobs: tools that run as tasks.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;
use towline::protocol::Elicited;
use towline::{Error, Input, TaskOptions, Tasks, ToolExt, ToolResult, ToolSet, tool_fn};

#[derive(Deserialize, JsonSchema)]
struct Greet {
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct SlowCompute {
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    label: String,
}

#[derive(Deserialize, JsonSchema)]
struct Delete {
    filename: String,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Confirm {
    confirm: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Name {
    name: String,
}

/// Tools that run as tasks, and one that never does.
pub fn tasks(tasks: &Tasks) -> ToolSet {
    let options = || TaskOptions::new().poll_interval(Duration::from_millis(100));
    let greet = tool_fn("greet", "Greets at once.", async |args: Greet| format!("Hello, {}!", args.name));
    let slow = tool_fn("slow_compute", "Takes its time.", async |args: SlowCompute| {
        sleep(Duration::try_from_secs_f64(args.seconds).unwrap_or_default()).await;
        format!("Computed {}.", args.label)
    });
    let failing = tool_fn("failing_job", "Has a bad outcome.", async || {
        sleep(Duration::from_secs(1)).await;
        ToolResult::error("The job failed.")
    });
    let broken = tool_fn("protocol_error_job", "Breaks off.", async || {
        Err::<String, _>(Error::internal("the job is broken"))
    });
    let delete =
        tool_fn("confirm_delete", "Asks before it deletes.", async |args: Delete, mut input: Input| {
            match input.elicit::<Confirm>("confirm", format!("Delete {}?", args.filename)) {
                None => input.ask(),
                Some(Elicited::Accepted(Confirm { confirm: true })) => {
                    Ok(ToolResult::text(format!("Deleted {}.", args.filename)))
                }
                Some(_) => Ok(ToolResult::text("Nothing was deleted.")),
            }
        });
    let multi = tool_fn("multi_input", "Asks two things at once.", async |_: Nothing, mut input: Input| {
        let first = input.elicit::<Name>("first", "The first name?");
        let second = input.elicit::<Name>("second", "The second name?");
        let (Some(first), Some(second)) = (first, second) else { return input.ask() };
        let name = |answer: Elicited<Name>| answer.accepted().map_or_else(String::new, |form| form.name);
        Ok(ToolResult::text(format!("{} and {}", name(first), name(second))))
    });
    ToolSet::new()
        .with(greet)
        .with(slow.into_task(tasks, options()))
        .with(failing.into_task(tasks, options().required()))
        .with(broken.into_task(tasks, options()))
        .with(delete.into_task(tasks, options()))
        .with(multi.into_task(tasks, options()))
        .with(asks_then_begins(tasks))
}

/// Asks who it is for, and then begins the task.
fn asks_then_begins(tasks: &Tasks) -> impl towline::Tool + use<> {
    let tasks = tasks.clone();
    tool_fn("test_tool_with_task", "Asks, then runs as a task.", move |_: Nothing, mut input: Input| {
        let tasks = tasks.clone();
        async move {
            let Some(answer) = input.elicit::<Name>("user_name", "What is your name?") else {
                return input.ask();
            };
            let name = answer.accepted().map_or_else(String::new, |form| form.name);
            let work = move |_: Input| {
                let text = format!("Hello, {name}!");
                async move { text }
            };
            tasks.run(input.context().clone(), &TaskOptions::new(), work).await
        }
    })
}
