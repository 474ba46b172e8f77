//! Joins along foreign keys.

use super::Suggestion;
use super::subject::{Subject, alias, label, list, sql_name};
use crate::tools::table_schema::{ForeignKey, Reference, TableSchema};

pub(super) fn suggest(subject: &Subject<'_>) -> Vec<Suggestion> {
    let keys = &subject.schema.foreign_keys;
    let mut suggestions = Vec::new();
    for key in keys.iter().take(super::MAX_RELATED) {
        if key.references_table == subject.schema.table {
            suggestions.extend(hierarchy(subject, key));
        } else {
            suggestions.extend(parents(subject, key));
        }
    }
    for key in subject.schema.referenced_by.iter().take(super::MAX_RELATED) {
        if key.table != subject.schema.table {
            suggestions.extend(children(subject, key));
        }
    }
    let others: Vec<&ForeignKey> =
        keys.iter().filter(|key| key.references_table != subject.schema.table).collect();
    if let [one, two, ..] = others.as_slice() {
        suggestions.extend(pairs(subject, one, two));
    }
    suggestions
}

/// Rows by what they refer to.
fn parents(subject: &Subject<'_>, key: &ForeignKey) -> Option<Suggestion> {
    let other = subject.other(&key.references_table)?;
    let columns = describing(other, &key.references_columns, "p.");
    Some(Suggestion::new(
        format!("Rows by {}", other.name),
        format!("{} refers to {}", list(subject.schema, &key.columns, ""), key.references_table),
        format!(
            "SELECT {columns}, count(*) AS rows\nFROM {} AS t\nJOIN {} AS p ON {}\nGROUP BY {columns}\nORDER BY rows DESC\nLIMIT 10",
            subject.table(),
            key.references_table,
            on(subject.schema, "t", &key.columns, other, "p", &key.references_columns),
        ),
    ))
}

/// What refers to the rows, and rows that nothing refers to.
fn children(subject: &Subject<'_>, key: &Reference) -> Vec<Suggestion> {
    let Some(other) = subject.other(&key.table) else { return Vec::new() };
    let Some(first) = key.columns.first() else { return Vec::new() };
    let columns = describing(subject.schema, &key.references_columns, "t.");
    let join = on(other, "c", &key.columns, subject.schema, "t", &key.references_columns);
    let (table, child, first) = (subject.table(), &key.table, sql_name(other, first));
    let refers = format!("{child} refers to it by {}", list(other, &key.columns, ""));
    vec![
        Suggestion::new(
            format!("Number of {} for each row", other.name),
            refers.clone(),
            format!(
                "SELECT {columns}, count(c.{first}) AS {}\nFROM {table} AS t\nLEFT JOIN {child} AS c ON {join}\n\
                 GROUP BY {columns}\nORDER BY count(c.{first}) DESC\nLIMIT 10",
                alias(&other.name, "_count")
            ),
        ),
        Suggestion::new(
            format!("Rows without any {}", other.name),
            refers,
            format!(
                "SELECT {columns}\nFROM {table} AS t\nWHERE NOT EXISTS (SELECT FROM {child} AS c WHERE {join})\nLIMIT 20"
            ),
        ),
    ]
}

/// How deep a table that refers to itself goes.
fn hierarchy(subject: &Subject<'_>, key: &ForeignKey) -> Option<Suggestion> {
    let schema = subject.schema;
    let ([parent], [id]) = (key.columns.as_slice(), key.references_columns.as_slice()) else { return None };
    let (table, parent, id) = (subject.table(), sql_name(schema, parent), sql_name(schema, id));
    Some(Suggestion::new(
        format!("Levels along {parent}"),
        format!("{parent} refers to the same table"),
        format!(
            "WITH RECURSIVE tree (node, level) AS (\n  SELECT {id}, 1 FROM {table} WHERE {parent} IS NULL\n  UNION ALL\n  \
             SELECT t.{id}, tree.level + 1 FROM {table} AS t JOIN tree ON t.{parent} = tree.node WHERE tree.level < 50\n)\n\
             SELECT level, count(*) AS rows\nFROM tree\nGROUP BY level\nORDER BY level"
        ),
    ))
}

/// Which rows of two other tables this one brings together.
fn pairs(subject: &Subject<'_>, one: &ForeignKey, two: &ForeignKey) -> Option<Suggestion> {
    let (first, second) = (subject.other(&one.references_table)?, subject.other(&two.references_table)?);
    let columns = format!(
        "{}, {}",
        describing(first, &one.references_columns, "a."),
        describing(second, &two.references_columns, "b.")
    );
    Some(Suggestion::new(
        format!("{} and {} together", first.name, second.name),
        "the table refers to both",
        format!(
            "SELECT {columns}, count(*) AS rows\nFROM {} AS t\nJOIN {} AS a ON {}\nJOIN {} AS b ON {}\nGROUP BY {columns}\n\
             ORDER BY rows DESC\nLIMIT 20",
            subject.table(),
            one.references_table,
            on(subject.schema, "t", &one.columns, first, "a", &one.references_columns),
            two.references_table,
            on(subject.schema, "t", &two.columns, second, "b", &two.references_columns),
        ),
    ))
}

/// The columns that tell a row of a table to people: its key, and its name if it has one.
fn describing(table: &TableSchema, key: &[String], prefix: &str) -> String {
    let mut columns = list(table, key, prefix);
    if let Some(label) = label(table).filter(|label| !key.contains(&label.name)) {
        columns.push_str(&format!(", {prefix}{}", label.sql_name));
    }
    columns
}

fn on(
    left: &TableSchema,
    left_alias: &str,
    left_columns: &[String],
    right: &TableSchema,
    right_alias: &str,
    right_columns: &[String],
) -> String {
    let pairs: Vec<String> = left_columns
        .iter()
        .zip(right_columns)
        .map(|(l, r)| format!("{left_alias}.{} = {right_alias}.{}", sql_name(left, l), sql_name(right, r)))
        .collect();
    pairs.join(" AND ")
}
