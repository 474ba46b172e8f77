//! A pool as something that a server depends on.

use async_trait::async_trait;
use towline_core::health::{ConnectionPool, Connections, Health, HealthCheck};

use super::{Pool, PoolStatus};

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

impl ConnectionPool for Pool {
    fn name(&self) -> &str {
        Pool::name(self)
    }

    fn connections(&self) -> Connections {
        let PoolStatus { max_size, open, idle, waiting } = self.status();
        // They are counted one after the other, so more may seem idle than open.
        Connections::new(max_size, open.saturating_sub(idle), idle, waiting)
    }
}
