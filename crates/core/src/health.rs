//! Whether a server, and what it depends on, is well, and how much of it is in use.

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

/// How many connections there are to something that a server depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connections {
    /// Connections at most.
    pub max: usize,
    /// Connections that are in use.
    pub in_use: usize,
    /// Connections that are open, and that nobody uses.
    pub idle: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

impl Connections {
    /// Of so many at most: those in use, those that are idle, and the callers that wait for one.
    pub fn new(max: usize, in_use: usize, idle: usize, waiting: usize) -> Self {
        Self { max, in_use, idle, waiting }
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.in_use + self.idle
    }
}

/// Connections that a server keeps to something that it depends on, such as a database.
///
/// Operators are shown the name; it is also a label of metrics, so there is one for each pool and not for each caller.
pub trait ConnectionPool: Send + Sync + 'static {
    /// To what they are, in a word or two.
    fn name(&self) -> &str;

    /// How many there are now. It is asked each second, so it must be quick.
    fn connections(&self) -> Connections;
}
