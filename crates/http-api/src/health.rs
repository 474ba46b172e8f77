//! Whether an API is well, as far as its calls have shown.

use async_trait::async_trait;
use towline_core::health::{Health, HealthCheck};
use towline_middleware::circuit_breaker::State;

use crate::client::Api;

#[async_trait]
impl HealthCheck for Api {
    fn name(&self) -> &str {
        Api::name(self)
    }

    /// What the breaker thinks of it. Nothing is sent: a check that anyone may ask for must cost the API nothing.
    async fn check(&self) -> Health {
        match self.breaker().state() {
            State::Closed => Health::Up,
            State::HalfOpen => {
                Health::Degraded("It has failed, and a few calls find out whether it works again.".into())
            }
            State::Open => Health::Down("It keeps failing, so calls are refused for a while.".into()),
        }
    }
}
