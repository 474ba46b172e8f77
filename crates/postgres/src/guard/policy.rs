//! What the owner of the database allows beyond the guard's own rules.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// What statements may name.
///
/// The default allows every schema, hides no column, and allows the functions that the catalog
/// says cannot write.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Policy {
    /// Longest statement, in bytes. Default: 65536.
    pub max_sql_bytes: usize,
    /// Schemas whose relations may be read; all when absent, which is the default.
    ///
    /// With a list, `pg_catalog` and `information_schema` are closed too unless listed, and so are
    /// functions that describe objects by name (`pg_get_viewdef`, `has_table_privilege`).
    pub schemas: Option<Vec<String>>,
    /// The `search_path` that statements run with. Default: absent, which means unknown.
    ///
    /// When it is known, an unqualified name is judged by these schemas only, and not by every
    /// schema that has such a name. Give it only if the connection really sets it.
    pub search_path: Option<Vec<String>>,
    /// Columns that no statement may read: `table.column` or `schema.table.column`.
    ///
    /// A statement that reads such a table must name its columns: `*`, whole rows, `NATURAL JOIN`
    /// and renaming column lists are refused there. A view or a partition is a relation of its
    /// own: list its columns too. A view or a function that reads a hidden column shows it. This is
    /// a second line of defence; column privileges are the boundary.
    pub hidden_columns: Vec<HiddenColumn>,
    /// Functions allowed whatever the catalog says of them: `function` or `schema.function`.
    pub allow_functions: Vec<String>,
    /// Whether each caller sees rows of their own. Then nothing passes that tells of others: `EXPLAIN`, whose estimates and counts
    /// are of all rows, and what shows others' statements (`pg_stat_activity`, `pg_stat_statements`). Default: false.
    pub separate_callers: bool,
    /// Bytes that remembered verdicts may take. Default: 4 MiB; 0 remembers none.
    pub cache_bytes: u64,
    /// Bytes that one statement's constants may grow to (`repeat('x', 1000000)`). Default: 4 MiB.
    pub max_constant_bytes: u64,
    /// Rows that `generate_series` with constant bounds may give. Default: 10 million.
    pub max_series_rows: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_sql_bytes: 64 * 1024,
            schemas: None,
            search_path: None,
            hidden_columns: Vec::new(),
            allow_functions: Vec::new(),
            separate_callers: false,
            cache_bytes: 4 * 1024 * 1024,
            max_constant_bytes: 4 * 1024 * 1024,
            max_series_rows: 10_000_000,
        }
    }
}

impl Policy {
    /// Lets statements read only these schemas.
    #[must_use]
    pub fn with_schemas<I: IntoIterator<Item: Into<String>>>(mut self, schemas: I) -> Self {
        self.schemas = Some(schemas.into_iter().map(Into::into).collect());
        self
    }

    /// Says which `search_path` statements run with.
    #[must_use]
    pub fn with_search_path<I: IntoIterator<Item: Into<String>>>(mut self, path: I) -> Self {
        self.search_path = Some(path.into_iter().map(Into::into).collect());
        self
    }

    /// Lets nothing pass that tells one caller of others.
    #[must_use]
    pub fn with_separate_callers(mut self) -> Self {
        self.separate_callers = true;
        self
    }

    /// Hides one more column.
    #[must_use]
    pub fn with_hidden_column(mut self, column: HiddenColumn) -> Self {
        self.hidden_columns.push(column);
        self
    }

    /// Allows one more function, written `function` or `schema.function`.
    #[must_use]
    pub fn with_function(mut self, name: impl Into<String>) -> Self {
        self.allow_functions.push(name.into());
        self
    }
}

/// A column that no statement may read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct HiddenColumn {
    /// The table's schema; any schema when absent.
    pub schema: Option<String>,
    /// The table's name, exactly as the catalog has it.
    pub table: String,
    /// The column's name, exactly as the catalog has it.
    pub column: String,
}

/// A text that is not `table.column` or `schema.table.column`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a column: write `table.column` or `schema.table.column`, with double quotes around a name that has a dot"
)]
pub struct InvalidColumn(String);

impl FromStr for HiddenColumn {
    type Err = InvalidColumn;

    fn from_str(text: &str) -> Result<Self, InvalidColumn> {
        let invalid = || InvalidColumn(text.to_owned());
        let mut parts = split_name(text).ok_or_else(invalid)?.into_iter().rev();
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(column), Some(table), schema, None) => Ok(Self { schema, table, column }),
            _ => Err(invalid()),
        }
    }
}

impl TryFrom<String> for HiddenColumn {
    type Error = InvalidColumn;

    fn try_from(text: String) -> Result<Self, InvalidColumn> {
        text.parse()
    }
}

impl fmt::Display for HiddenColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        write!(f, "{}.{}", self.table, self.column)
    }
}

/// The parts of a dotted name; `""` in a quoted part is one `"`. Case is kept.
fn split_name(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let mut part = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let end = rest.find('"')?;
                part.push_str(&rest[..end]);
                rest = &rest[end + 1..];
                let Some(more) = rest.strip_prefix('"') else { break };
                part.push('"');
                rest = more;
            }
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            part.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        if rest.is_empty() {
            return Some(parts);
        }
        rest = rest.strip_prefix('.')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_from_its_dotted_name() {
        let check = |text: &str, want: Option<(Option<&str>, &str, &str)>| {
            let got = text.parse::<HiddenColumn>().ok();
            let want = want.map(|(schema, table, column)| HiddenColumn {
                schema: schema.map(str::to_owned),
                table: table.to_owned(),
                column: column.to_owned(),
            });
            assert_eq!(got, want, "{text}");
        };
        check("t.c", Some((None, "t", "c")));
        check("s.t.c", Some((Some("s"), "t", "c")));
        check(r#""a.b"."say ""x""".c"#, Some((Some("a.b"), r#"say "x""#, "c")));
        for wrong in ["", "c", "a.b.c.d", "t.", ".c", "t..c", r#""t.c"#, r#""t"x.c"#] {
            check(wrong, None);
        }
    }
}
