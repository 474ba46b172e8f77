//! What there is to know of a table's definition. `catalog.sql` builds it as JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// The definition of a table or another relation.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct TableSchema {
    /// Its name as a statement must spell it.
    #[serde(default)]
    pub table: String,
    /// Its schema, unquoted.
    pub schema: String,
    /// Its name, unquoted.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// What its owner says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// About how many rows it has, by the server's statistics; absent when they do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_estimate: Option<u64>,
    /// Bytes on disk, with indexes and partitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// When the server last gathered statistics of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analyzed_at: Option<String>,
    /// Whether policies decide which rows a role sees.
    pub row_level_security: bool,
    /// The columns, in order.
    #[serde(deserialize_with = "or_default")]
    pub columns: Vec<Column>,
    /// The primary key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<Key>,
    /// Other keys.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub unique_constraints: Vec<Key>,
    /// Foreign keys of this table to others.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// Foreign keys of other tables to this one.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub referenced_by: Vec<Reference>,
    /// Check and exclusion constraints.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub check_constraints: Vec<Check>,
    /// Indexes.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// Of a partition: the table it is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_of: Option<PartitionOf>,
    /// Of a partitioned table: its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitioning: Option<Partitioning>,
    /// Of a view: its query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_definition: Option<String>,
    /// What this crate's other tools need to know.
    #[serde(flatten, skip_serializing)]
    #[schemars(skip)]
    pub(crate) storage: Storage,
}

/// How a relation's rows are kept.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Storage {
    /// Whether this session sees only the rows that policies let it see.
    pub(crate) policies_apply: bool,
    /// Pages without indexes.
    pub(crate) pages: Option<u64>,
    /// About how many rows these pages have.
    pub(crate) rows_now: Option<u64>,
    /// Whether `TABLESAMPLE` works.
    pub(crate) can_sample: Option<bool>,
}

/// What a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TableKind {
    /// An ordinary table.
    Table,
    /// A table whose rows are in its partitions.
    PartitionedTable,
    /// A part of a partitioned table.
    Partition,
    /// A query that goes by a name.
    View,
    /// A query whose rows are stored.
    MaterializedView,
    /// A table on another server.
    ForeignTable,
}

impl TableKind {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::PartitionedTable => "partitioned table",
            Self::Partition => "partition",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::ForeignTable => "foreign table",
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Column {
    /// Its name, unquoted.
    pub name: String,
    /// Its name as a statement must spell it.
    pub sql_name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Of a domain: the type it is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_type: Option<String>,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// The expression of its default value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The expression that it is computed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// `stored` or `virtual`, if it is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_kind: Option<String>,
    /// `always` or `by default`, if the server numbers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// What its owner says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The values that its enum type has.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub enum_labels: Vec<String>,
    /// What this crate's other tools need to know.
    #[serde(flatten, skip_serializing)]
    #[schemars(skip)]
    pub(crate) facts: Facts,
}

/// What a column's values are like.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Facts {
    /// The name of its base type, if that is one of PostgreSQL's own.
    pub(crate) builtin: Option<String>,
    /// As in `pg_type.typcategory`.
    pub(crate) category: Option<char>,
    pub(crate) is_enum: Option<bool>,
    /// Whether all values have the same size.
    pub(crate) is_fixed: Option<bool>,
    /// Whether values can be sorted and told apart.
    pub(crate) sortable: Option<bool>,
    /// As in `pg_stats.n_distinct`: a number of values, or if negative their share in the rows.
    pub(crate) n_distinct: Option<f64>,
}

/// A primary key or a unique constraint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Key {
    /// The constraint's name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<String>,
}

/// A foreign key to another table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The columns of this table.
    pub columns: Vec<String>,
    /// The other table, as a statement must spell it.
    pub references_table: String,
    /// The columns of the other table.
    pub references_columns: Vec<String>,
    /// What happens here when a referenced key changes: `CASCADE`, `SET NULL`, ..; an error if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_update: Option<String>,
    /// What happens here when a referenced row goes: `CASCADE`, `SET NULL`, ..; an error if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<String>,
    /// Whether the rows from before the constraint were checked.
    pub validated: bool,
}

/// A foreign key of another table to this one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Reference {
    /// The constraint's name.
    pub name: String,
    /// The other table, as a statement must spell it.
    pub table: String,
    /// The columns of the other table.
    pub columns: Vec<String>,
    /// The columns of this table.
    pub references_columns: Vec<String>,
    /// What happens there when a key here changes: `CASCADE`, `SET NULL`, ..; an error if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_update: Option<String>,
    /// What happens there when a row here goes: `CASCADE`, `SET NULL`, ..; an error if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<String>,
    /// Whether the rows from before the constraint were checked.
    pub validated: bool,
}

/// A check or exclusion constraint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Check {
    /// The constraint's name.
    pub name: String,
    /// The constraint in SQL.
    pub definition: String,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Index {
    /// Its name.
    pub name: String,
    /// The index in SQL.
    pub definition: String,
    /// Its kind: `btree`, `gin`, `brin`, ..
    pub method: String,
    /// Whether it allows no value twice.
    pub unique: bool,
    /// Whether it is the primary key's.
    pub primary: bool,
    /// Whether queries may use it.
    pub valid: bool,
    /// What its owner says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The place of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct PartitionOf {
    /// The partitioned table, as a statement must spell it.
    pub table: String,
    /// Which rows are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<String>,
}

/// The parts of a partitioned table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Partitioning {
    /// What decides on a row's partition, such as `RANGE (created_at)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How many partitions there are.
    pub count: u64,
    /// The first 100 of the partitions that may be read by their own names.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub partitions: Vec<Partition>,
}

/// A part of a partitioned table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Partition {
    /// Its name as a statement must spell it.
    pub name: String,
    /// Which rows are in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<String>,
}

impl TableSchema {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// The server's aggregates give `null` for an empty list.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
