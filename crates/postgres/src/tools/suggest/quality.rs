//! What may be wrong with the data.

use super::Suggestion;
use super::subject::{Subject, alias, is_text, list, sql_name, type_of};
use crate::tools::table_schema::Column;

/// Columns in one statement at most.
const MAX_COLUMNS: usize = 20;

pub(super) fn suggest(subject: &Subject<'_>) -> Vec<Suggestion> {
    let mut suggestions = Vec::new();
    suggestions.extend(gaps(subject));
    suggestions.extend(duplicates(subject));
    suggestions.extend(orphans(subject));
    suggestions.extend(times(subject));
    suggestions.extend(outliers(subject));
    suggestions.extend(texts(subject));
    suggestions
}

fn gaps(subject: &Subject<'_>) -> Option<Suggestion> {
    let nullable: Vec<&Column> =
        subject.schema.columns.iter().filter(|column| column.nullable).take(MAX_COLUMNS).collect();
    if nullable.is_empty() {
        return None;
    }
    let counts: String = nullable
        .iter()
        .map(|column| {
            format!(",\n       count(*) - count({}) AS {}", column.sql_name, alias(&column.name, "_nulls"))
        })
        .collect();
    let sql = format!("SELECT count(*) AS rows{counts}\nFROM {}", subject.table());
    Some(Suggestion::new("Missing values", format!("{} columns may be NULL", nullable.len()), sql))
}

fn duplicates(subject: &Subject<'_>) -> Vec<Suggestion> {
    let table = subject.table();
    let mut suggestions = Vec::new();
    let grouped = |column: &Column| column.facts.sortable == Some(true);

    // What names a row to people should be there once, and nothing enforces it. Many NULLs make
    // the share of distinct values small.
    let said = ["email", "phone", "code", "sku", "slug", "number", "reference", "name", "title"];
    let is_business_key = |column: &&Column| {
        let says = said.iter().any(|word| column.name.to_lowercase().contains(word));
        let differs = match column.facts.n_distinct {
            Some(share) => share <= if says { -0.2 } else { -0.8 },
            None => says,
        };
        is_text(column) && column.generated_kind.is_none() && !subject.is_unique(column) && differs
    };
    for column in subject.schema.columns.iter().filter(is_business_key).take(2) {
        let name = &column.sql_name;
        suggestions.push(Suggestion::new(
            format!("Duplicates of {}", column.name),
            format!("{name} looks like it should differ, and no constraint says so"),
            format!(
                "SELECT {name}, count(*) AS rows\nFROM {table}\nWHERE {name} IS NOT NULL\nGROUP BY {name}\n\
                 HAVING count(*) > 1\nORDER BY rows DESC\nLIMIT 20"
            ),
        ));
    }
    let unique_text = |column: &&Column| is_text(column) && subject.is_unique(column);
    if let Some(column) = subject.schema.columns.iter().find(unique_text) {
        let name = &column.sql_name;
        suggestions.push(Suggestion::new(
            format!("Values of {} that differ in case or spaces alone", column.name),
            format!("{name} is unique, but only letter by letter"),
            format!(
                "SELECT lower(btrim({name}::text)) AS value, count(*) AS rows\nFROM {table}\n\
                 GROUP BY lower(btrim({name}::text))\nHAVING count(*) > 1\nORDER BY rows DESC\nLIMIT 20"
            ),
        ));
    }
    let key = subject.key();
    let rest: Vec<&Column> = subject
        .schema
        .columns
        .iter()
        .filter(|column| !key.iter().any(|part| part.name == column.name) && column.generated_kind.is_none())
        .collect();
    let all_sortable = rest.iter().all(|column| grouped(column));
    if (2..=MAX_COLUMNS).contains(&rest.len()) && all_sortable {
        let names = rest.iter().map(|column| column.sql_name.as_str()).collect::<Vec<_>>().join(", ");
        let why = if key.is_empty() {
            "the table has no key"
        } else {
            "a generated key hides rows that were entered twice"
        };
        suggestions.push(Suggestion::new(
            "Rows that are the same but for their key",
            why,
            format!("SELECT {names}, count(*) AS rows\nFROM {table}\nGROUP BY {names}\nHAVING count(*) > 1\nORDER BY rows DESC\nLIMIT 20"),
        ));
    }
    suggestions
}

fn orphans(subject: &Subject<'_>) -> Vec<Suggestion> {
    let (table, schema) = (subject.table(), subject.schema);
    let check = |key: &crate::tools::table_schema::ForeignKey| {
        let other = subject.other(&key.references_table)?;
        let pairs: Vec<String> = key
            .columns
            .iter()
            .zip(&key.references_columns)
            .map(|(own, far)| format!("p.{} = t.{}", sql_name(other, far), sql_name(schema, own)))
            .collect();
        let present: Vec<String> =
            key.columns.iter().map(|own| format!("t.{} IS NOT NULL", sql_name(schema, own))).collect();
        let why = if key.validated {
            "the foreign key should keep this at 0"
        } else {
            "the foreign key was never checked for older rows"
        };
        Some(Suggestion::new(
            format!("Rows whose {} does not exist", list(schema, &key.columns, "")),
            why,
            format!(
                "SELECT count(*) AS orphans\nFROM {table} AS t\nWHERE {}\n  AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
                present.join(" AND "),
                key.references_table,
                pairs.join(" AND ")
            ),
        ))
    };
    let mut keys: Vec<_> = schema.foreign_keys.iter().collect();
    keys.sort_by_key(|key| key.validated);
    keys.into_iter().filter_map(check).take(3).collect()
}

fn times(subject: &Subject<'_>) -> Vec<Suggestion> {
    let table = subject.table();
    let Some(time) = subject.times().first().copied() else { return Vec::new() };
    let name = &time.sql_name;
    let now = match type_of(time) {
        "date" => "CURRENT_DATE",
        "timestamp" => "LOCALTIMESTAMP",
        _ => "CURRENT_TIMESTAMP",
    };
    vec![
        Suggestion::new(
            "How fresh the data is",
            format!("{name} says when rows came"),
            format!("SELECT max({name}) AS latest, {now} - max({name}) AS age\nFROM {table}"),
        ),
        Suggestion::new(
            "Times in the future",
            format!("{name} should be in the past"),
            format!("SELECT count(*) AS rows\nFROM {table}\nWHERE {name} > {now}"),
        ),
    ]
}

fn outliers(subject: &Subject<'_>) -> Vec<Suggestion> {
    let table = subject.table();
    let suggest = |column: &&Column| {
        let name = &column.sql_name;
        let mut shown: Vec<&str> = subject.key().iter().map(|part| part.sql_name.as_str()).collect();
        shown.push(name);
        let shown: Vec<String> = shown.into_iter().map(|name| format!("t.{name}")).collect();
        Suggestion::new(
            format!("Outliers of {}", column.name),
            "further from the middle half than 1.5 times its width",
            format!(
                "WITH q AS (\n  SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY {name}) AS low,\n         \
                 percentile_cont(0.75) WITHIN GROUP (ORDER BY {name}) AS high\n  FROM {table}\n)\n\
                 SELECT {}\nFROM {table} AS t CROSS JOIN q\n\
                 WHERE t.{name} < q.low - 1.5 * (q.high - q.low) OR t.{name} > q.high + 1.5 * (q.high - q.low)\n\
                 ORDER BY abs(t.{name} - (q.low + q.high) / 2) DESC\nLIMIT 20",
                shown.join(", ")
            ),
        )
    };
    subject.measures().iter().take(2).map(suggest).collect()
}

fn texts(subject: &Subject<'_>) -> Option<Suggestion> {
    let texts: Vec<&Column> =
        subject.schema.columns.iter().filter(|column| is_text(column)).take(MAX_COLUMNS).collect();
    if texts.is_empty() {
        return None;
    }
    let counts: Vec<String> = texts
        .iter()
        .map(|column| {
            format!(
                "count(*) FILTER (WHERE btrim({}::text) = '') AS {}",
                column.sql_name,
                alias(&column.name, "_empty")
            )
        })
        .collect();
    let sql = format!("SELECT {}\nFROM {}", counts.join(",\n       "), subject.table());
    Some(Suggestion::new("Empty texts", "an empty text is not NULL and hides in counts", sql))
}
