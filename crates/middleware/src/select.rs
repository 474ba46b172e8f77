//! Which guard a request has, where not all have the same.

/// Which guard a request has. A closure from `&Req` to `Option<G>` says so; a guard by itself guards all.
///
/// The closure finds a guard that is there and never makes one: callers choose the names in requests.
pub trait Select<Req, G> {
    /// The request's guard. One that has none is let through.
    fn select(&self, request: &Req) -> Option<G>;
}

impl<F, Req, G> Select<Req, G> for F
where
    F: Fn(&Req) -> Option<G>,
{
    fn select(&self, request: &Req) -> Option<G> {
        self(request)
    }
}

/// What is wrapped gets a guard of its own, made with these settings.
#[derive(Clone, Debug)]
pub struct Own<Config>(pub(crate) Config);

/// What is wrapped shares what is there.
#[derive(Clone, Debug)]
pub struct Given<B>(pub(crate) B);
