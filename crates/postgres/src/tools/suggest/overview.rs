//! What is in the table.

use super::Suggestion;
use super::subject::{Subject, type_of};
use crate::tools::table_schema::TableKind;
use crate::tools::text::Thousands;

pub(super) fn suggest(subject: &Subject<'_>) -> Vec<Suggestion> {
    let table = subject.table();
    let all = subject.all();
    let mut suggestions = Vec::new();

    let why = match subject.schema.row_estimate {
        Some(rows) => format!("the statistics say about {}; this counts", Thousands(rows)),
        None => "the statistics do not tell".to_owned(),
    };
    suggestions.push(Suggestion::new(
        "Number of rows",
        why,
        format!("SELECT count(*) AS row_count\nFROM {table}"),
    ));
    suggestions.push(Suggestion::new(
        "Some rows",
        "to see what values look like",
        format!("SELECT {all}\nFROM {table}\nLIMIT 10"),
    ));

    let times = subject.times();
    let key = subject.key();
    if let Some(time) = times.first() {
        let name = &time.sql_name;
        let nulls = if time.nullable { " NULLS LAST" } else { "" };
        suggestions.push(Suggestion::new(
            "The latest rows",
            format!("{name} says when"),
            format!("SELECT {all}\nFROM {table}\nORDER BY {name} DESC{nulls}\nLIMIT 5"),
        ));
        suggestions.push(Suggestion::new(
            "The time that the rows span",
            format!("of {name}"),
            format!("SELECT min({name}) AS first, max({name}) AS last, count({name}) AS rows\nFROM {table}"),
        ));
    } else if let [key] = key.as_slice() {
        suggestions.push(Suggestion::new(
            "The rows with the highest keys",
            format!("{} is the key; there is no time to order by", key.sql_name),
            format!("SELECT {all}\nFROM {table}\nORDER BY {} DESC\nLIMIT 5", key.sql_name),
        ));
    }
    if !key.is_empty() {
        let conditions: Vec<String> =
            key.iter().enumerate().map(|(at, column)| format!("{} = ${}", column.sql_name, at + 1)).collect();
        suggestions.push(Suggestion::new(
            "One row by its key",
            "a lookup in the key's index",
            format!("SELECT {all}\nFROM {table}\nWHERE {}", conditions.join(" AND ")),
        ));
    }
    if let Some(group) = subject.groups().first() {
        let name = &group.sql_name;
        let why = if group.enum_labels.is_empty() {
            format!("{name} has few values")
        } else {
            format!("{name} is one of {} labels", group.enum_labels.len())
        };
        suggestions.push(Suggestion::new(
            format!("Rows by {}", group.name),
            why,
            format!("SELECT {name}, count(*) AS rows\nFROM {table}\nGROUP BY {name}\nORDER BY rows DESC"),
        ));
    }
    if let Some(column) = subject.schema.columns.iter().find(|column| type_of(column) == "jsonb") {
        let name = &column.sql_name;
        suggestions.push(Suggestion::new(
            format!("Keys in {}", column.name),
            format!("{name} is jsonb, so its keys are in no schema"),
            format!(
                "SELECT k.key, count(*) AS rows\nFROM {table} AS t\nCROSS JOIN LATERAL jsonb_object_keys(\
                 CASE WHEN jsonb_typeof(t.{name}) = 'object' THEN t.{name} ELSE '{{}}' END) AS k (key)\n\
                 GROUP BY k.key\nORDER BY rows DESC\nLIMIT 50"
            ),
        ));
    }
    if subject.schema.kind == TableKind::PartitionedTable {
        suggestions.push(Suggestion::new(
            "Rows by partition",
            "the table has partitions",
            format!("SELECT tableoid::regclass AS partition, count(*) AS rows\nFROM {table}\nGROUP BY tableoid\nORDER BY rows DESC"),
        ));
    }
    suggestions
}
