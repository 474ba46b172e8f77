//! PostgreSQL's values as JSON, and JSON's values as parameters: `VALUES.md` is the policy.

pub(crate) mod decode;
pub(crate) mod encode;
