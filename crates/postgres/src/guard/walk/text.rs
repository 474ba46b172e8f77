//! What the guard says.

use super::super::refusal::{Refusal, RefusalKind};
use super::super::rules::Why;

const WHAT_RUNS: &str = "only one statement that reads may run: SELECT, VALUES, TABLE, WITH ... SELECT, EXPLAIN of those, or SHOW";

pub(super) fn empty() -> Refusal {
    let text = format!("there is no statement, only white space or comments; {WHAT_RUNS}");
    Refusal::new(RefusalKind::Empty, text)
}

pub(super) fn several(count: usize, location: i32) -> Refusal {
    let text = format!(
        "there are {count} statements, and one may run at a time: send them one by one, or join \
         them with UNION ALL or WITH"
    );
    Refusal::new(RefusalKind::SeveralStatements, text).at(location)
}

/// What the parser did not take.
pub(in super::super) fn unparsed(error: &pg_query::Error, sql: &str) -> Refusal {
    let pg_query::Error::Parse(message) = error else {
        return Refusal::new(
            RefusalKind::TooDeep,
            "the statement could not be read: write it with less nesting",
        );
    };
    let deep = ["memory exhausted", "stack depth limit exceeded", "nested too deeply"];
    if deep.iter().any(|part| message.contains(part)) {
        let text = "the statement is nested too deeply: write it with fewer levels, for instance \
                    with IN, ANY or a VALUES list instead of long chains of operators";
        return Refusal::new(RefusalKind::TooDeep, text);
    }
    if message.contains("open pipe") {
        return Refusal::new(RefusalKind::Internal, "the statement could not be checked: try again");
    }
    let place = place(message, sql);
    let mut text = format!("not valid SQL: {message} (SQLSTATE {}", RefusalKind::SYNTAX_ERROR);
    if let Some(place) = place {
        // In characters from 1, as PostgreSQL counts.
        text.push_str(&format!(", at character {}", sql[..place].chars().count() + 1));
    }
    text.push(')');
    let place = place.and_then(|place| i32::try_from(place).ok()).unwrap_or(-1);
    Refusal::new(RefusalKind::Syntax, text).at(place)
}

/// Where the parser stopped, in bytes. It quotes what it read there, which is a place if the
/// statement has it once.
fn place(message: &str, sql: &str) -> Option<usize> {
    if message.ends_with("at end of input") {
        return Some(sql.len());
    }
    let near = message.split_once("at or near \"")?.1.strip_suffix('"')?;
    let mut places = sql.match_indices(near);
    let (place, _) = places.next().filter(|_| !near.is_empty())?;
    places.next().is_none().then_some(place)
}

/// A kind of node that no reading statement has.
pub(super) fn unlisted(kind: &'static str, inside: bool) -> Refusal {
    match kind {
        "IntoClause" => {
            let text = "SELECT INTO creates a table, and nothing may be written: leave INTO out";
            return Refusal::new(RefusalKind::Clause, text);
        }
        "LockingClause" => {
            let text = "FOR UPDATE and FOR SHARE lock rows, and nothing may be written: leave the \
                        clause out";
            return Refusal::new(RefusalKind::Clause, text);
        }
        _ => {}
    }
    let Some(statement) = kind.strip_suffix("Stmt") else {
        let text = format!("{} is not allowed in a query that reads", words(kind));
        return Refusal::new(RefusalKind::Unsupported, text);
    };
    let statement = match statement {
        "" => "this statement".to_owned(),
        "Transaction" => "transaction control (BEGIN, COMMIT, ROLLBACK, SAVEPOINT)".to_owned(),
        "VariableSet" => "SET and RESET".to_owned(),
        "Vacuum" => "VACUUM and ANALYZE".to_owned(),
        "Create" => "CREATE TABLE".to_owned(),
        "View" => "CREATE VIEW".to_owned(),
        "Index" => "CREATE INDEX".to_owned(),
        "Rule" => "CREATE RULE".to_owned(),
        "Rename" => "ALTER ... RENAME".to_owned(),
        "CheckPoint" => "CHECKPOINT".to_owned(),
        other => words(other),
    };
    let (kind, place) =
        if inside { (RefusalKind::Clause, " inside a query") } else { (RefusalKind::Statement, "") };
    Refusal::new(kind, format!("{statement} is not allowed{place}: {WHAT_RUNS}"))
}

/// `CreateTableAs` as `CREATE TABLE AS`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_uppercase());
    }
    words
}

pub(super) fn not_a_query() -> Refusal {
    let text = "only a SELECT, VALUES or TABLE may stand inside WITH, EXPLAIN or a subquery: \
                nothing may be written";
    Refusal::new(RefusalKind::Clause, text)
}

pub(super) fn unsupported() -> Refusal {
    let text = "this kind of expression is not known here: write the query in another way";
    Refusal::new(RefusalKind::Unsupported, text)
}

pub(super) fn too_many_dots() -> Refusal {
    Refusal::new(RefusalKind::Syntax, "a name has too many parts: at most schema.table.column")
}

pub(super) fn explain_option(name: &str, location: i32) -> Refusal {
    let text = format!("EXPLAIN has no option {name} here");
    Refusal::new(RefusalKind::Unsupported, text).at(location)
}

pub(super) fn explain_tells_of_others() -> Refusal {
    let text =
        "EXPLAIN is not allowed here: its estimates and counts tell of rows that this caller may not see";
    Refusal::new(RefusalKind::Statement, text)
}

/// Why a function, an operator or a cast is refused. `what` names it, with its kind.
pub(super) fn call(what: &str, name: &str, why: &Why) -> String {
    match why {
        Why::Volatile => {
            let instead = instead(name);
            format!(
                "{what} is not allowed: it is volatile, which means that it may change data or \
                 settings, wait, or reach outside the query{instead}"
            )
        }
        Why::Denied(reason) => {
            let instead = instead(name);
            format!("{what} is not allowed: it {reason}{instead}")
        }
        Why::SecurityDefiner => format!(
            "{what} is not allowed: it runs with the rights of its owner (SECURITY DEFINER). The \
             server's operator can allow it by name"
        ),
        Why::RunsText => format!(
            "{what} is not allowed: it runs SQL that is built from text, or changes settings. The \
             server's operator can allow it by name"
        ),
        Why::Language(language) => format!(
            "{what} is not allowed: it is written in {language}, which PostgreSQL cannot keep from \
             writing. The server's operator can allow it by name"
        ),
        Why::Shadowed(schema) => format!(
            "{what} is ambiguous: {schema}.{name} has the same name and is not allowed. If the \
             built-in one is meant, write pg_catalog.{name}"
        ),
        Why::Schema => format!("{what} is not allowed: it is outside the schemas that may be read"),
        Why::Describes => format!(
            "{what} is not allowed: it describes objects of any schema, and only some schemas may \
             be read"
        ),
    }
}

fn instead(name: &str) -> &'static str {
    match name {
        "nextval" | "currval" | "lastval" | "setval" => {
            ". To see where a sequence stands, select last_value from it"
        }
        "set_config" => ". To read a setting, use current_setting or SHOW",
        "txid_current" | "pg_current_xact_id" => ". Use pg_current_snapshot()",
        "query_to_xml" | "table_to_xml" | "query_to_xml_and_xmlschema" | "table_to_xml_and_xmlschema" => {
            ". Write the query itself, with xmlelement and xmlforest"
        }
        "xpath" | "xpath_exists" | "xmlexists" | "xpath_string" | "xpath_nodeset" | "xpath_list"
        | "xpath_number" | "xpath_bool" => {
            ". Select the xml value itself and read it on your side; the server's operator can allow the \
             function by name"
        }
        "ts_stat" => ". Use unnest(tsvector) in a query instead",
        "crosstab" | "crosstab2" | "crosstab3" | "crosstab4" => {
            ". Use aggregates with FILTER, one for each column"
        }
        _ => "",
    }
}

pub(super) fn unknown_function(name: &str, knows_server: bool) -> String {
    if knows_server {
        format!("no function {name} is known: check the name and its schema")
    } else {
        format!("{name} is not a built-in function, and only those are allowed")
    }
}
