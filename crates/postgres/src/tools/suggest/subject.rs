//! What a table offers to queries.

use crate::relation::quoted;
use crate::tools::table_schema::{Column, TableSchema};

/// Values that make good groups: more than one, and not more than this.
const MAX_GROUPS: f64 = 100.0;

/// A table, with what its columns are good for.
pub(super) struct Subject<'a> {
    pub(super) schema: &'a TableSchema,
    related: &'a [TableSchema],
    /// Whether columns may be hidden, so that `*` is not allowed.
    hides: bool,
}

impl<'a> Subject<'a> {
    pub(super) fn new(schema: &'a TableSchema, related: &'a [TableSchema], hides: bool) -> Self {
        Self { schema, related, hides }
    }

    /// The table as a statement must spell it.
    pub(super) fn table(&self) -> &'a str {
        &self.schema.table
    }

    /// The list of all columns: `*`, unless that is not allowed or the names are few.
    pub(super) fn all(&self) -> String {
        if self.hides || self.schema.columns.len() <= 8 {
            self.schema.columns.iter().map(|column| column.sql_name.as_str()).collect::<Vec<_>>().join(", ")
        } else {
            "*".to_owned()
        }
    }

    /// The columns of the primary key, or else of a unique constraint.
    pub(super) fn key(&self) -> Vec<&'a Column> {
        let unique = || self.schema.unique_constraints.first();
        let key = self.schema.primary_key.as_ref().or_else(unique);
        key.map(|key| key.columns.iter().filter_map(|name| self.schema.column(name)).collect())
            .unwrap_or_default()
    }

    /// Whether a column is a part of any key, its own or another table's.
    pub(super) fn is_key(&self, column: &Column) -> bool {
        let schema = self.schema;
        let keys = schema.primary_key.iter().chain(&schema.unique_constraints).map(|key| &key.columns);
        let own = keys.chain(schema.foreign_keys.iter().map(|key| &key.columns));
        own.flatten().any(|name| *name == column.name)
            || column.identity.is_some()
            || looks_like_id(&column.name)
    }

    /// Whether no two rows have the same value of this column alone.
    pub(super) fn is_unique(&self, column: &Column) -> bool {
        let keys = self.schema.primary_key.iter().chain(&self.schema.unique_constraints);
        keys.map(|key| &key.columns).any(|columns| matches!(columns.as_slice(), [one] if *one == column.name))
    }

    /// Points in time, the one that says when a row came to be first.
    pub(super) fn times(&self) -> Vec<&'a Column> {
        let mut times: Vec<&Column> = self.schema.columns.iter().filter(|column| is_time(column)).collect();
        let rank = |column: &Column| {
            let said =
                ["created", "placed", "occurred", "ordered", "inserted", "event", "timestamp", "logged"];
            let says = said.iter().any(|word| column.name.to_lowercase().contains(word));
            (!says, column.nullable, type_of(column) == "date")
        };
        times.sort_by_key(|column| rank(column));
        times
    }

    /// Numbers that are measured, not keys.
    pub(super) fn measures(&self) -> Vec<&'a Column> {
        let is_measure = |column: &&Column| is_number(column) && !self.is_key(column);
        let mut measures: Vec<&Column> = self.schema.columns.iter().filter(is_measure).collect();
        let rank = |column: &Column| {
            let said = ["total", "amount", "revenue", "price", "cost", "value", "sum", "quantity"];
            said.iter().position(|word| column.name.to_lowercase().contains(word)).unwrap_or(said.len())
        };
        measures.sort_by_key(|column| rank(column));
        measures
    }

    /// Columns with few values: enums and booleans, and what the statistics say.
    pub(super) fn groups(&self) -> Vec<&'a Column> {
        let is_group = |column: &&Column| {
            let kind = type_of(column);
            if column.facts.is_enum == Some(true) || kind == "bool" {
                return true;
            }
            let groupable = is_text(column) || matches!(kind, "int2" | "int4" | "int8");
            let few = column.facts.n_distinct.is_some_and(|n| n > 1.0 && n <= MAX_GROUPS);
            groupable && few && !self.is_key(column)
        };
        let mut groups: Vec<&Column> = self.schema.columns.iter().filter(is_group).collect();
        let rank = |column: &Column| match type_of(column) {
            _ if column.facts.is_enum == Some(true) => 0,
            "bool" => 2,
            "int2" | "int4" | "int8" => 3,
            _ => 1,
        };
        groups.sort_by_key(|column| rank(column));
        groups
    }

    /// Another table, by its name in SQL; this one for a key to itself.
    pub(super) fn other(&self, sql_name: &str) -> Option<&'a TableSchema> {
        if sql_name == self.schema.table {
            return Some(self.schema);
        }
        self.related.iter().find(|table| table.table == sql_name)
    }
}

/// A column's name as a statement must spell it.
pub(super) fn sql_name(table: &TableSchema, name: &str) -> String {
    table.column(name).map_or_else(|| quoted(name), |column| column.sql_name.clone())
}

/// The columns as a list, each behind `prefix`.
pub(super) fn list(table: &TableSchema, names: &[String], prefix: &str) -> String {
    names.iter().map(|name| format!("{prefix}{}", sql_name(table, name))).collect::<Vec<_>>().join(", ")
}

/// A name for an output column, quoted where needed.
pub(super) fn alias(name: &str, suffix: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let plain =
        !name.is_empty() && name.chars().all(is_plain) && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain { format!("{name}{suffix}") } else { quoted(&format!("{name}{suffix}")) }
}

/// The column that names a row to people.
pub(super) fn label(table: &TableSchema) -> Option<&Column> {
    let said = ["full_name", "name", "title", "label", "email", "slug", "code", "sku"];
    let text = || table.columns.iter().filter(|column| is_text(column));
    let part = |column: &&Column| {
        let name = column.name.to_lowercase();
        !column.nullable && ["name", "title", "label", "email"].iter().any(|word| name.contains(word))
    };
    said.iter()
        .find_map(|word| text().find(|column| column.name.to_lowercase() == *word))
        .or_else(|| text().find(part))
}

/// The name of the type, if it is one of PostgreSQL's own.
pub(super) fn type_of(column: &Column) -> &str {
    column.facts.builtin.as_deref().unwrap_or_default()
}

pub(super) fn is_time(column: &Column) -> bool {
    matches!(type_of(column), "date" | "timestamp" | "timestamptz")
}

pub(super) fn is_number(column: &Column) -> bool {
    matches!(type_of(column), "int2" | "int4" | "int8" | "numeric" | "float4" | "float8")
}

pub(super) fn is_text(column: &Column) -> bool {
    column.facts.category == Some('S')
}

/// What a column is cut to, so that a day or a month is one group.
pub(super) fn truncated(column: &Column, unit: &str) -> String {
    let name = &column.sql_name;
    match type_of(column) {
        "date" => format!("date_trunc('{unit}', {name})::date"),
        _ => format!("date_trunc('{unit}', {name})"),
    }
}

fn looks_like_id(name: &str) -> bool {
    let name = name.to_lowercase();
    name == "id" || name.ends_with("_id") || name.ends_with("uuid")
}
