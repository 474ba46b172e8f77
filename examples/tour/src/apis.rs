use std::time::Duration;

use serde_json::{Value, json};

use crate::call::Call;

/// A call of an operation of the sample APIs' own document.
fn operation(question: &'static str, name: &str, arguments: &Value) -> Call {
    Call::new(question, "sample_call_operation", json!({ "name": name, "arguments": arguments }))
}

/// What a model would ask of the sample APIs, while some of them fail.
pub(crate) fn tour() -> Vec<Call> {
    let repository = json!({ "owner": "octocat", "repo": "hello-world" });
    let highs = json!({
        "api_name": "weather", "endpoint": "/forecast", "query": { "city": "Berlin", "days": 3 },
        "select": "days[].{date: date, high: high}",
    });
    let search = json!({ "query": "tower layers", "num_results": 2 });
    vec![
        Call::new("What is this repository?", "github_repository_info", repository.clone()),
        Call::new(
            "Which issues are open?",
            "github_list_issues",
            json!({ "owner": "octocat", "repo": "hello-world", "state": "open" }),
        ),
        Call::new("What will the weather be?", "weather_forecast", json!({ "city": "Tokyo", "days": 2 })),
        Call::new("Only how warm it gets in Berlin, please.", "call_rest_api", highs.clone())
            .says("\"miss\""),
        Call::new("The same again. (HTTP allows to keep the answer.)", "call_rest_api", highs)
            .says("\"hit\""),
        Call::new(
            "Tell the others.",
            "send_slack_notification",
            json!({ "channel": "#general", "message": "It will be sunny in Berlin." }),
        ),
        Call::new("Is there more on this?", "search_web", search.clone()),
        Call::new("And again: the second of two that are allowed in 10 s.", "search_web", search.clone()),
        Call::new("A third time. (The limit says when.)", "search_web", search)
            .refused()
            .says("Try again in"),
        Call::new(
            "May I go elsewhere? (No: never out of the API.)",
            "call_rest_api",
            json!({ "api_name": "github", "endpoint": "https://example.com/repos" }),
        )
        .refused()
        .says("Not sent"),
        Call::new(
            "What else is there?",
            "sample_search_operations",
            json!({ "query": "make something fail" }),
        ),
        operation(
            "Let the weather fail, but once.",
            "sample_addFault",
            &json!({ "body": { "prefix": "/weather", "fault": "status", "status": 503, "times": 1 } }),
        ),
        Call::new(
            "It is tried again, so nobody sees it.",
            "weather_forecast",
            json!({ "city": "Sydney", "days": 1 }),
        ),
        operation(
            "Now let GitHub be down.",
            "sample_addFault",
            &json!({ "body": { "prefix": "/github", "fault": "status", "status": 503 } }),
        ),
        Call::new(
            "Three tries, and an error.",
            "github_repository_info",
            json!({ "owner": "octocat", "repo": "spoon-knife" }),
        )
        .refused(),
        Call::new(
            "The circuit opens in the midst of this one.",
            "github_repository_info",
            json!({ "owner": "octocat", "repo": "spoon-knife" }),
        )
        .refused(),
        Call::new(
            "From now on it is not even asked.",
            "github_repository_info",
            json!({ "owner": "octocat", "repo": "spoon-knife" }),
        )
        .refused()
        .says("Try again in"),
        Call::new("The other APIs go on.", "weather_forecast", json!({ "city": "London", "days": 1 })),
        operation("GitHub is up again.", "sample_clearFaults", &json!({})),
        Call::new(
            "After a pause it is asked again.",
            "github_repository_info",
            json!({ "owner": "octocat", "repo": "spoon-knife" }),
        )
        .after(Duration::from_millis(2600)),
    ]
}
