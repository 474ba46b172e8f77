//! Names in the configuration that nothing in the database has.

use super::{Pool, ReadOnly};
use crate::config::DatabaseConfig;
use crate::error::PostgresError;
use crate::guard::HiddenColumn;

/// An entry of a list in the configuration.
pub(super) struct Unresolved {
    pub(super) key: &'static str,
    pub(super) entry: String,
    problem: &'static str,
}

/// Positions, from 1, of the names that nothing has.
const SCHEMAS: &str = "
SELECT given.at
FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS given (name, at)
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = given.name)
ORDER BY 1";

const COLUMNS: &str = "
SELECT given.at
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]))
    WITH ORDINALITY AS given (schema, relation, name, at)
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT a.attisdropped
        AND a.attname = given.name AND c.relname = given.relation
        AND (given.schema IS NULL OR n.nspname = given.schema))
ORDER BY 1";

/// `xmltable` is syntax, and yet it goes by that name.
const FUNCTIONS: &str = "
SELECT given.at
FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS given (name, at)
WHERE given.name <> 'xmltable' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE p.proname = given.name OR n.nspname || '.' || p.proname = given.name)
ORDER BY 1";

/// `MEMBER` is all that every version knows: from 16 on, it may take the option SET as well.
const ROLES: &str = "
SELECT given.at
FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS given (name, at)
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = given.name AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER'))
ORDER BY 1";

const UNBOUND_ROLES: &str = "
SELECT given.at
FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS given (name, at)
JOIN pg_catalog.pg_roles AS r ON r.rolname = given.name
WHERE r.rolsuper OR r.rolbypassrls
ORDER BY 1";

const UNBOUND_LOGIN: &str = "
SELECT r.rolname::text
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = session_user AND (r.rolsuper OR r.rolbypassrls)";

impl Pool {
    /// Looks for what `schemas`, `hidden_columns`, `allowed_functions` and the roles of `principal` name, and returns a text
    /// for each entry that nothing in the database has: most likely it is misspelled, and then a
    /// column that is meant to be hidden is not. So it does for a role for which no policy counts. Empty when every entry is found.
    ///
    /// # Errors
    ///
    /// Any [`PostgresError`] if the database does not answer.
    pub async fn check_names(&self) -> Result<Vec<String>, PostgresError> {
        let session = self.for_program().read_only(self.limits()).await?;
        let found = unresolved(self.config(), &session).await;
        session.finish().await;
        let texts = found?.into_iter().map(|Unresolved { key, entry, problem }| {
            format!("database `{}`: `{entry}` in `{key}` {problem}", self.name())
        });
        Ok(texts.collect())
    }
}

/// The entries that nothing in the database has.
pub(super) async fn unresolved(
    config: &DatabaseConfig,
    session: &ReadOnly,
) -> Result<Vec<Unresolved>, PostgresError> {
    let mut unresolved = Vec::new();
    let mut add = |key, entries: &[String], rows: Vec<tokio_postgres::Row>, problem| {
        for row in rows {
            let at = usize::try_from(row.get::<_, i64>(0)).unwrap_or_default();
            if let Some(entry) = at.checked_sub(1).and_then(|at| entries.get(at)) {
                unresolved.push(Unresolved { key, entry: entry.clone(), problem });
            }
        }
    };
    if !config.schemas.is_empty() {
        let rows = session.rows(SCHEMAS, &[&config.schemas]).await?;
        add("schemas", &config.schemas, rows, "names no schema");
    }
    if !config.hidden_columns.is_empty() {
        // A wrong one made no pool.
        let columns = config.hidden_columns.iter().filter_map(|column| column.parse::<HiddenColumn>().ok());
        let (mut schemas, mut tables, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for HiddenColumn { schema, table, column } in columns {
            schemas.push(schema);
            tables.push(table);
            names.push(column);
        }
        let rows = session.rows(COLUMNS, &[&schemas, &tables, &names]).await?;
        add("hidden_columns", &config.hidden_columns, rows, "names no column, so it hides nothing");
    }
    if !config.allowed_functions.is_empty() {
        let rows = session.rows(FUNCTIONS, &[&config.allowed_functions]).await?;
        add("allowed_functions", &config.allowed_functions, rows, "names no function");
    }
    if let Some(principal) = &config.principal {
        let roles = principal.role_names();
        let rows = session.rows(ROLES, &[&roles]).await?;
        add("principal", &roles, rows, "names no role that the database's user may become");
        let rows = session.rows(UNBOUND_ROLES, &[&roles]).await?;
        add("principal", &roles, rows, "names a role that sees all rows, whatever the policies say");
        // Where callers have no role of their own, their statements run as the login.
        if roles.is_empty() {
            let rows = session.rows(UNBOUND_LOGIN, &[]).await?;
            unresolved.extend(rows.iter().map(|row| Unresolved {
                key: "url",
                entry: row.get(0),
                problem: "sees all rows, whatever the policies say: use another login, or set `principal.roles`",
            }));
        }
    }
    Ok(unresolved)
}
