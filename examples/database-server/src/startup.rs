//! A first look at the databases: mistakes in the settings show at once, a database that is down does not stop us.

use std::time::Duration;

use towline::ops::Failure;
use towline::postgres::{Pool, PostgresError};

/// A host that swallows packets must not keep a client waiting for the server itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connects to each database once.
///
/// Credentials that are refused, an unknown database and failed TLS are mistakes to be mended before serving. A
/// database that is merely down is one only for `strict` callers: the server serves, and uses it when it is up.
pub(crate) async fn check(pools: &[Pool], strict: bool) -> Result<(), Failure> {
    for pool in pools {
        let attempt = tokio::time::timeout(PATIENCE, pool.for_program().read_only(pool.limits())).await;
        let error = match attempt {
            Ok(Ok(session)) => {
                session.finish().await;
                tracing::info!(database = pool.name(), "database is up");
                if strict {
                    check_names(pool).await?;
                }
                continue;
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        let advice = advice(pool.name(), error.as_ref());
        let is_down = match &error {
            None => true,
            Some(error) => !is_mistake(error),
        };
        if strict || !is_down {
            return Err(Failure::refused(advice));
        }
        tracing::warn!("{advice}. Serving all the same; the database is used as soon as it is up");
    }
    Ok(())
}

/// A name in the settings that nothing in the database has protects nothing.
async fn check_names(pool: &Pool) -> Result<(), Failure> {
    match pool.check_names().await {
        Ok(unresolved) if unresolved.is_empty() => Ok(()),
        Ok(unresolved) => Err(Failure::settings(unresolved.join("; "))),
        Err(error) => Err(Failure::refused(advice(pool.name(), Some(&error)))),
    }
}

fn is_mistake(error: &PostgresError) -> bool {
    matches!(
        error,
        PostgresError::Authentication { .. }
            | PostgresError::UnknownDatabase { .. }
            | PostgresError::Tls { .. }
            | PostgresError::Settings { .. }
    )
}

/// What happened, and which setting to look at. The host may be shown to an operator; the password never.
fn advice(name: &str, error: Option<&PostgresError>) -> String {
    let what = match error {
        None => format!("database `{name}` did not answer within {} s", PATIENCE.as_secs()),
        Some(error) => error.to_string(),
    };
    let hint = match error {
        Some(PostgresError::Authentication { .. }) => "check user and password in",
        Some(PostgresError::UnknownDatabase { .. }) => "check the database's name at the end of",
        Some(PostgresError::Tls { .. }) => "check sslmode and sslrootcert in",
        Some(PostgresError::Settings { .. }) => "check `set` beside",
        _ => "check that PostgreSQL runs, and host and port in",
    };
    format!("{what}: {hint} its url (databases.{name}.url, or --database-url)")
}
