//! Keeps of an answer what an expression selects (JMESPath).
//!
//! An expression is the model's, so what it may cost is bounded before it runs: the length and depth of its text, and
//! from its syntax how much larger than the answer anything that it makes can become. `[@, @] | [@, @] | ...` doubles
//! with each step, and no limit of the library stops it.

mod growth;

use growth::{Growth, growth};
use jmespath::ast::Ast;
use towline_core::Error;

/// Bytes of an expression at most.
const MOST_BYTES: usize = 1024;

/// Brackets within brackets at most.
const MOST_NESTED: usize = 16;

/// Operators at most.
const MOST_OPERATORS: usize = 160;

/// Levels of the syntax tree at most: each takes kilobytes of the stack when it runs.
const MOST_LEVELS: usize = 64;

/// Values that an answer to select from may hold at most.
const MOST_VALUES: usize = 300_000;

/// An expression that is fit to run.
pub(crate) struct Selection {
    expression: jmespath::Expression<'static>,
    growth: Growth,
}

impl Selection {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for the model.
    pub(crate) fn compile(text: &str) -> Result<Self, Error> {
        check_text(text)?;
        let expression = jmespath::compile(text).map_err(|error| {
            let text = error.to_string();
            // The first line says what is wrong, the others draw it.
            let problem = text.lines().next().unwrap_or_default();
            invalid(format!("no JMESPath expression: {problem}"))
        })?;
        if levels(expression.as_ast()) > MOST_LEVELS {
            return Err(too_complex());
        }
        let growth = growth(expression.as_ast())?;
        Ok(Self { expression, growth })
    }

    /// What it selects of an answer, as JSON.
    ///
    /// # Errors
    ///
    /// When the answer is no JSON or too large to select from, or the expression does not fit it.
    pub(crate) fn apply(&self, body: &str) -> Result<String, Error> {
        // Each value takes far more memory than its text.
        let values = 1 + body.bytes().filter(|byte| b",:[{".contains(byte)).count();
        if values > MOST_VALUES || !self.growth.fits(body.len(), values) {
            return Err(invalid(
                "too much work for an answer of this size: ask the API for less, or select something simpler",
            ));
        }
        let data = jmespath::Variable::from_json(body).map_err(|_| invalid("the answer is no JSON"))?;
        let selected = self.expression.search(data).map_err(|error| {
            let text = error.to_string();
            invalid(format!("it does not fit the answer: {}", text.lines().next().unwrap_or_default()))
        })?;
        serde_json::to_string(&selected).map_err(Error::internal)
    }
}

fn invalid(problem: impl std::fmt::Display) -> Error {
    Error::invalid_params(format!("`select`: {problem}."))
}

fn too_complex() -> Error {
    invalid("the expression is too complex: make it shorter and nest less")
}

/// How deep the syntax tree is.
fn levels(node: &Ast) -> usize {
    let below = match node {
        Ast::Identity { .. }
        | Ast::Field { .. }
        | Ast::Index { .. }
        | Ast::Slice { .. }
        | Ast::Literal { .. } => 0,
        Ast::Flatten { node, .. } | Ast::ObjectValues { node, .. } | Ast::Not { node, .. } => levels(node),
        Ast::Expref { ast, .. } => levels(ast),
        Ast::Subexpr { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::Comparison { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. } => levels(lhs).max(levels(rhs)),
        Ast::Condition { predicate, then, .. } => levels(predicate).max(levels(then)),
        Ast::MultiList { elements, .. } => elements.iter().map(levels).max().unwrap_or(0),
        Ast::MultiHash { elements, .. } => elements.iter().map(|pair| levels(&pair.value)).max().unwrap_or(0),
        Ast::Function { args, .. } => args.iter().map(levels).max().unwrap_or(0),
    };
    below + 1
}

fn check_text(text: &str) -> Result<(), Error> {
    if text.len() > MOST_BYTES {
        return Err(invalid(format!("the expression is too long: at most {MOST_BYTES} bytes")));
    }
    let (mut nested, mut prefixes, mut operators) = (0_usize, 0_usize, 0_usize);
    // Quotes are not told apart: what stands in them counts too, which only a strange expression notices.
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => nested += 1,
            b')' | b']' | b'}' => nested = nested.saturating_sub(1),
            _ => {}
        }
        prefixes = if matches!(byte, b'!' | b'&') { prefixes + 1 } else { 0 };
        operators += usize::from(b"([{.|!&<>=?".contains(&byte));
        if nested + prefixes > MOST_NESTED || operators > MOST_OPERATORS {
            return Err(too_complex());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(expression: &str, body: &str) -> String {
        Selection::compile(expression).unwrap().apply(body).unwrap()
    }

    fn refusal(expression: &str, body: &str) -> String {
        let selected = Selection::compile(expression).and_then(|selection| selection.apply(body));
        selected.unwrap_err().message().to_owned()
    }

    const ISSUES: &str = r#"{"total": 9007199254740993, "items": [
        {"number": 1, "title": "a", "state": "open", "user": {"login": "x"}, "labels": [{"name": "bug"}, {"name": "p1"}]},
        {"number": 2, "title": "b", "state": "closed", "user": {"login": "y"}, "labels": []}]}"#;

    #[test]
    fn what_models_write_works() {
        assert_eq!(select("items[].title", ISSUES), r#"["a","b"]"#);
        assert_eq!(
            select("items[?state=='open'].{n: number, by: user.login}", ISSUES),
            r#"[{"by":"x","n":1}]"#
        );
        assert_eq!(select("items[0].labels[].name | join(', ', @)", ISSUES), r#""bug, p1""#);
        assert_eq!(select("length(items)", ISSUES), "2");
        assert_eq!(select("sort_by(items, &number)[-1].number", ISSUES), "2");
        assert_eq!(select("total", ISSUES), "9007199254740993");
        assert_eq!(select("items[*].[number, title, user.login][] | [0:2]", ISSUES), r#"[1,"a"]"#);
    }

    #[test]
    fn ordinary_expressions_fit_large_answers() {
        let item = r#"{"id":123456,"title":"some title that is long enough","state":"open","user":{"login":"somebody","id":5},"labels":[{"name":"bug"}],"body":"text"}"#;
        let body = format!("{{\"items\":[{}]}}", vec![item; 4000].join(","));
        for expression in [
            "items[].title",
            "items[?state=='open'].{id: id, title: title, by: user.login, labels: labels[].name, body: body}",
            "items[*].[id, title, state]",
            "sort_by(items, &id)[:10].{id: id, title: title}",
            "items[].labels[].name",
        ] {
            let selection = Selection::compile(expression).unwrap();
            assert!(selection.apply(&body).is_ok(), "{expression}: {:?}", selection.growth);
        }
    }

    #[test]
    fn what_grows_without_end_is_refused_before_it_runs() {
        let doubled = ["[@,@]"; 40].join("|");
        let flattened = ["[@,@][]"; 19].join("|");
        let escaped = ["to_string([@])"; 24].join("|");
        for expression in [doubled.as_str(), &flattened, &escaped, "[0]|join(to_string(@), [@,@])"] {
            let selected = Selection::compile(expression).and_then(|selection| selection.apply("[1,2,3]"));
            let error = selected.map(|made| made.len()).unwrap_err();
            let message = error.message();
            assert!(message.contains("too much work") || message.contains("glue"), "{expression}: {message}");
        }
    }

    #[test]
    fn nothing_overflows_the_stack() {
        let deep = [
            "(".repeat(500),
            "!".repeat(500),
            "&".repeat(500),
            "[".repeat(500),
            "a.".repeat(400) + "a",
            "a|".repeat(400) + "a",
            "@".to_owned() + &"[]".repeat(400),
            "a||".repeat(300) + "a",
            "{a:".repeat(300),
        ];
        for expression in deep {
            assert!(Selection::compile(&expression).is_err(), "{expression}");
        }
        // As deep as it may be, on a thread as small as they are.
        let work = || {
            for expression in [
                ["a"; 150].join("."),
                ["a"; 64].join("."),
                ["a"; 60].join("|"),
                format!("{}a{}", "(".repeat(16), ")".repeat(16)),
                format!("{}a", "!".repeat(16)),
                "@".to_owned() + &"[]".repeat(60),
            ] {
                let _ = Selection::compile(&expression).and_then(|selection| selection.apply("[[1]]"));
            }
        };
        std::thread::Builder::new().stack_size(1024 * 1024).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn a_bad_expression_says_what_is_wrong() {
        assert!(refusal("items[", ISSUES).starts_with("`select`: no JMESPath expression"));
        assert!(refusal("sum(items)", ISSUES).contains("does not fit the answer"));
        assert!(refusal("a", "<html>").contains("no JSON"));
        assert!(refusal(&"a".repeat(2000), "{}").contains("too long"));
    }
}
