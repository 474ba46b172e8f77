//! Whether an answer is one that a server may give to input that is wrong, odd or hostile.

use serde_json::Value;

use crate::answer::{Answer, Outcome};
use crate::failure::Failure;
use crate::leak;

/// Every text in an answer.
fn texts(value: &Value) -> String {
    fn gather<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
        match value {
            Value::String(text) => texts.push(text),
            Value::Array(items) => items.iter().for_each(|item| gather(item, texts)),
            Value::Object(members) => members.values().for_each(|member| gather(member, texts)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    gather(value, &mut all);
    all.join("\n")
}

/// There is an answer, without a stack trace, and an error in it says something.
pub(super) fn survives(answer: &Answer) -> Result<(), Failure> {
    let fail = |reason: String| Err(Failure::new(answer, reason));
    match &answer.outcome {
        Outcome::Silence { waited } => return fail(format!("no answer within {waited:?}: it hangs")),
        Outcome::Loss(why) => return fail(format!("the server did not live through it: {why}")),
        Outcome::Result(_) | Outcome::Refusal(_) => {}
    }
    let texts = texts(&answer.to_json());
    // What was sent may come back: an echo is no leak.
    if leak::has_trace(&texts) {
        return fail("the answer shows a stack trace".into());
    }
    if leak::has_secret(&texts) {
        return fail("the answer shows a file that only a way out of its folder can have read".into());
    }
    if answer.is_error() { leak::judge(&answer.text()).or_else(fail) } else { Ok(()) }
}

/// It is refused.
pub(super) fn refuses(answer: &Answer, errors_in_text: bool) -> Result<(), Failure> {
    survives(answer)?;
    if answer.is_error() || (errors_in_text && reads_as_error(answer)) {
        return Ok(());
    }
    Err(Failure::new(answer, "the input schema refuses this input, and the tool accepted it"))
}

/// Whether a text that claims success tells of a failure.
pub(super) fn reads_as_error(answer: &Answer) -> bool {
    let text = answer.text().to_lowercase();
    text.contains("error") || text.contains("failed")
}
