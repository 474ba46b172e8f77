//! A service that is replaced while it is used.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use tower::Service;

/// A service as it is at this moment. A clone is a handle to the same.
///
/// Each call goes to the service that was there when it began, and ends there. Finding it takes no lock.
pub struct Current<S> {
    service: Arc<ArcSwap<S>>,
    /// The one that was found to be ready for the next call.
    ready: Option<S>,
}

impl<S> Current<S> {
    /// This service, for now.
    pub fn new(service: S) -> Self {
        Self { service: Arc::new(ArcSwap::from_pointee(service)), ready: None }
    }

    /// Puts another in its place.
    pub fn replace(&self, service: S) {
        self.service.store(Arc::new(service));
    }
}

impl<S, Req> Service<Req> for Current<S>
where
    S: Service<Req> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.ready.get_or_insert_with(|| S::clone(&self.service.load())).poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> S::Future {
        let ready = self.ready.take();
        ready.unwrap_or_else(|| S::clone(&self.service.load())).call(request)
    }
}

impl<S> Clone for Current<S> {
    /// The clone has yet to become ready.
    fn clone(&self) -> Self {
        Self { service: Arc::clone(&self.service), ready: None }
    }
}

impl<S> fmt::Debug for Current<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};

    use tower::ServiceExt;
    use tower::util::service_fn;

    use super::*;

    type Answers = fn(()) -> Ready<Result<u8, Infallible>>;

    #[tokio::test]
    async fn a_call_goes_to_the_service_that_was_found_ready_for_it() {
        let one: Answers = |()| ready(Ok(1));
        let two: Answers = |()| ready(Ok(2));
        let mut current = Current::new(service_fn(one));
        let other = current.clone();
        current.ready().await.unwrap();
        other.replace(service_fn(two));
        assert_eq!(current.call(()).await, Ok(1), "it was ready before");
        assert_eq!(current.ready().await.unwrap().call(()).await, Ok(2));
        assert_eq!(other.oneshot(()).await, Ok(2));
    }
}
