//! A first suite, from what a server says of itself.

use std::collections::BTreeMap;

use super::{Case, Negative, Performance, Security, Suite, ToolCases};
use crate::input::sample_input;
use crate::tester::{ConnectError, Tester};

pub(super) async fn suite(tester: &Tester) -> Result<Suite, ConnectError> {
    let server = tester.server().await?;
    let mut tools = BTreeMap::new();
    for tool in tester.tools().await? {
        let input = sample_input(&tool.input_schema);
        let mut cases = ToolCases::default();
        // Tools that change something are for whoever knows the server to call.
        if tool.read_only {
            let answer = tester.exchange(&tool.name, &input).await;
            let name = Some("made from the input schema".to_owned());
            let case = Case { name, input: input.clone(), ..Case::default() };
            if !answer.is_answered() || answer.is_error() {
                cases.errors.push(case);
            } else {
                cases.cases.push(case);
                cases.performance.push(Performance { input, iterations: 50, ..Performance::default() });
            }
        }
        tools.insert(tool.name, cases);
    }
    let (negative, security) = (Some(Negative::default()), Some(Security::default()));
    Ok(Suite { name: server.name, tools, negative, security, ..Suite::default() })
}
