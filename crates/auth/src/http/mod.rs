//! The layer around the HTTP service: who calls?

mod body;
mod challenge;
mod failures;
mod layer;
mod resource;

pub use self::body::AuthBody;
pub(crate) use self::challenge::StepUp;
pub use self::layer::{Auth, AuthFuture, AuthLayer};
pub use self::resource::{InvalidResource, ProtectedResource};
