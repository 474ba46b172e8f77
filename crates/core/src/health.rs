//! Whether a server, and what it depends on, is well.

use async_trait::async_trait;

/// How something that a server depends on is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Up,
    /// It works, but not as it should. The text tells a client what that means for it.
    Degraded(String),
    /// It does not work. The text tells a client what that means for it.
    Down(String),
}

/// Something that a server depends on, such as a database.
///
/// The name and the texts of [`Health`] reach clients: no host, no path, no inner error.
#[async_trait]
pub trait HealthCheck: Send + Sync + 'static {
    /// What is checked, in a word or two.
    fn name(&self) -> &str;

    /// Checks it. It must come to an answer by itself within a few seconds.
    async fn check(&self) -> Health;
}
