//! Whom the statements of a pool run for.

use std::fmt::Write as _;
use std::sync::Arc;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::types::{ToSql, Type};
use towline_core::{Context, Principal};

use super::{Pool, settings_error};
use crate::config::{AnonymousConfig, DatabaseConfig, PrincipalConfig};
use crate::error::{PostgresError, is_lost};

/// Whom the statements of a pool's handle run for.
#[derive(Clone, Default)]
pub(super) enum Who {
    /// Nobody said. Where callers are told apart, nothing is run.
    #[default]
    Unknown,
    /// The program itself, with nothing of a caller.
    Program,
    Caller(Arc<Identity>),
}

/// What PostgreSQL is told of a caller, for one transaction.
pub(crate) struct Identity {
    sql: String,
    /// Names and values of settings, in turn. All of them are bound, none is part of a text.
    values: Vec<String>,
}

impl Pool {
    /// The same pool for what a caller asks for: its statements see what this caller may see, as
    /// [`DatabaseConfig::principal`] says. Without that setting it is just the same pool.
    ///
    /// # Errors
    ///
    /// [`PostgresError::NoPrincipal`] if nobody knows who calls, [`PostgresError::NoRole`] if nothing is for this caller.
    pub fn for_caller(&self, context: &Context) -> Result<Self, PostgresError> {
        let mut pool = self.clone();
        if let Some(settings) = &self.config().principal {
            pool.who = Who::Caller(Arc::new(Identity::of(self.config(), settings, context.principal())?));
        }
        Ok(pool)
    }

    /// The same pool for what the program asks for itself, such as whether the database answers. Nothing of it may reach a
    /// caller where callers are told apart.
    #[must_use]
    pub fn for_program(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), who: Who::Program }
    }

    /// What PostgreSQL is to be told of the caller, if anything.
    pub(crate) fn identity(&self) -> Result<Option<&Identity>, PostgresError> {
        match &self.who {
            Who::Caller(identity) => Ok(Some(identity)),
            Who::Unknown if self.config().principal.is_some() => {
                Err(PostgresError::NoPrincipal { database: self.name().to_owned() })
            }
            Who::Unknown | Who::Program => Ok(None),
        }
    }
}

impl Identity {
    fn of(
        config: &DatabaseConfig,
        settings: &PrincipalConfig,
        principal: Option<&Principal>,
    ) -> Result<Self, PostgresError> {
        let database = || config.name.clone();
        let mut values = Vec::new();
        let role = match (principal, &settings.anonymous) {
            (Some(principal), _) => {
                // The caller learns no more than that it is refused; the operator learns why.
                let no_role = |why: &str| {
                    tracing::info!(
                        database = config.name,
                        principal = principal.id(),
                        "a caller is refused: {why}"
                    );
                    PostgresError::NoRole { database: database() }
                };
                for (name, field) in &settings.settings {
                    // PostgreSQL's text holds no NUL.
                    let value = field.of(principal).filter(|value| !value.contains('\0'));
                    let missing = || no_role(&format!("what the setting `{name}` gets is not known of it"));
                    values.extend([name.clone(), value.ok_or_else(missing)?.into_owned()]);
                }
                match settings.roles.iter().find(|rule| rule.fits(principal)) {
                    Some(rule) => {
                        let none = || no_role(&format!("`{}` makes no role that is allowed", rule.role));
                        Some(rule.role_of(principal).ok_or_else(none)?)
                    }
                    None if settings.roles.is_empty() => None,
                    None => return Err(no_role("no rule of `roles` fits")),
                }
            }
            (None, Some(AnonymousConfig { role, settings })) => {
                values.extend(settings.iter().flat_map(|(name, value)| [name.clone(), value.clone()]));
                role.clone()
            }
            (None, None) => return Err(PostgresError::NoPrincipal { database: database() }),
        };
        // As `SET LOCAL ROLE`, but with a value that is bound.
        values.extend(role.into_iter().flat_map(|role| ["role".to_owned(), role]));

        let mut sql = "SELECT ".to_owned();
        for at in (1..=values.len()).step_by(2) {
            let comma = if at > 1 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(sql, "{comma}pg_catalog.set_config(${at},${},true)", at + 1);
        }
        Ok(Self { sql, values })
    }

    async fn tell(&self, client: &ClientWrapper) -> Result<(), tokio_postgres::Error> {
        let values = self.values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::TEXT));
        let values: Vec<_> = values.collect();
        client.execute_typed(&self.sql, &values).await.map(drop)
    }
}

/// Tells PostgreSQL who calls, where that is to be told, within the transaction that has begun. The first poll sends it. If it
/// fails, the transaction takes no other statement.
///
/// # Errors
///
/// [`PostgresError::Lost`] if the connection is dead, [`PostgresError::RoleRefused`] if the server does not let the caller in.
pub(crate) async fn tell(
    identity: Option<&Identity>,
    client: &ClientWrapper,
    database: &str,
) -> Result<(), PostgresError> {
    let Some(identity) = identity else { return Ok(()) };
    identity.tell(client).await.map_err(|error| {
        if error.as_db_error().is_none() || is_lost(&error) {
            return settings_error(error, database);
        }
        let source = &error as &dyn std::error::Error;
        tracing::warn!(database, error = source, "a caller's role or setting is refused");
        PostgresError::RoleRefused { database: database.to_owned(), source: error.into() }
    })
}
