//! Relations by the names that callers give them.
//!
//! Callers meet only what the role's grants, the configured schemas and the hidden columns let
//! them see; anything else does not exist for them.

mod name;

use crate::config::DatabaseConfig;
use crate::error::PostgresError;
use crate::pool::ReadOnly;

pub(crate) use name::Name;

const RESOLVE: &str = include_str!("resolve.sql");
const NAMES: &str = include_str!("names.sql");

/// Names proposed for one that is not there, at most.
const MAX_NEAREST: usize = 5;

/// A table, partitioned table, partition, view, materialized view or foreign table that the caller
/// may read at least one column of.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    /// Its name as a statement in this session must spell it: quoted where needed, with its schema
    /// unless the search path finds it.
    pub(crate) sql_name: String,
}

/// Why there is no relation to work on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unresolved {
    /// No relation goes by that name, and what may have been meant.
    #[error("{0}")]
    Unknown(String),
    #[error(transparent)]
    Postgres(#[from] PostgresError),
}

impl Relation {
    /// Whether it is PostgreSQL's own.
    pub(crate) fn is_of_the_system(&self) -> bool {
        matches!(self.schema.as_str(), "pg_catalog" | "information_schema")
    }

    /// Finds what a caller means by `text`, by PostgreSQL's own rules: unquoted names are folded
    /// to lower case, and without a schema the search path decides.
    ///
    /// Where those find nothing, one relation that differs in case alone is taken, and text that is
    /// no valid name, such as `Order Items`, is taken literally: models forget quotes.
    pub(crate) async fn resolve(
        session: &ReadOnly,
        config: &DatabaseConfig,
        text: &str,
    ) -> Result<Self, Unresolved> {
        let name = Name::parse(text);
        if text.contains('\0') || name.name.is_empty() {
            return Err(Unresolved::Unknown(format!("`{}` is not the name of a table", cut(text))));
        }
        let rows = session.rows(RESOLVE, &[&name.schema, &name.name, &config.schemas]).await?;
        let found: Vec<Found> = rows
            .iter()
            .map(|row| Found {
                schema: row.get(1),
                name: row.get(2),
                relation: Self { oid: row.get(0), schema: row.get(1), sql_name: row.get(3) },
            })
            .collect();
        match name.choose(found) {
            Ok(relation) => Ok(relation),
            Err(several) if !several.is_empty() => Err(Unresolved::Unknown(format!(
                "table `{}` does not exist; these differ in case, so put the one you mean in quotes: {}",
                cut(text),
                several.join(", ")
            ))),
            Err(_) => Err(Self::unknown(session, config, text, &name).await?),
        }
    }

    async fn unknown(
        session: &ReadOnly,
        config: &DatabaseConfig,
        text: &str,
        name: &Name,
    ) -> Result<Unresolved, PostgresError> {
        let rows = session.rows(NAMES, &[&config.schemas]).await?;
        let candidates = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2)));
        let nearest = name.nearest(candidates, MAX_NEAREST);
        let mut message = format!("table `{}` does not exist, or is not visible here; ", cut(text));
        match nearest.as_slice() {
            [] if rows.is_empty() => message.push_str("there are no tables"),
            [] => message.push_str("no table has a similar name; list_tables shows all"),
            names => message.push_str(&format!("the nearest names are: {}", names.join(", "))),
        }
        Ok(Unresolved::Unknown(message))
    }
}

/// A relation whose name is the wanted one but for case.
pub(crate) struct Found {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) relation: Relation,
}

/// Text of a caller in a message.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A name in SQL, whatever it holds.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
