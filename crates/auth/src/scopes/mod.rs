//! The layer around the server: may they do that?

mod layer;
mod list;
mod policy;

pub use self::layer::{ScopeFuture, ScopeLayer, Scoped};
pub use self::policy::ScopePolicy;
