//! A pool as something that a server depends on.

use async_trait::async_trait;
use towline_core::health::{Health, HealthCheck};

use super::Pool;

#[async_trait]
impl HealthCheck for Pool {
    fn name(&self) -> &str {
        Pool::name(self)
    }

    async fn check(&self) -> Health {
        let health = self.health().await;
        match health.problem {
            None => Health::Up,
            Some(problem) if health.is_busy => Health::Degraded(problem),
            Some(problem) => Health::Down(problem),
        }
    }
}
