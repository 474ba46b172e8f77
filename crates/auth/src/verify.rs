//! What can tell who somebody is.

use async_trait::async_trait;
use towline_core::Principal;

use crate::Grant;

/// Who calls, and what they were granted.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is.
    pub principal: Principal,
    /// What they may do.
    pub grant: Grant,
}

/// Why a token tells nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// It is of another kind; another verifier may know it.
    OtherKind,
    /// It is forged, too old, meant for somebody else, or withdrawn.
    Invalid,
    /// Whether it is good cannot be told now.
    Unavailable,
}

/// Tells who shows a token.
#[async_trait]
pub trait Verify: Send + Sync + 'static {
    /// Who shows this token, which is what follows `Bearer` in the header, unread and of bounded length.
    ///
    /// # Errors
    ///
    /// Why it tells nobody. No part of the token may get into a log.
    async fn verify(&self, token: &str) -> Result<Caller, Rejection>;
}
