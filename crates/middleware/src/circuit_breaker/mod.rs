//! Refuses calls of what keeps failing, until it is well.
//!
//! Calls of something that is down cost time, hold connections, and keep it down. A breaker sees them fail,
//! opens, and answers at once, with how long to wait, which a model can plan with. After a while it lets a
//! few calls through to find out whether to close.
//!
//! ```text
//!            too many failed or slow               the time open is over
//!   closed ---------------------------> open ----------------------------> half-open
//!     ^                                  ^                                  |     |
//!     |                                  +-- probes failed, slow or hung ---+     |
//!     +---------------------------- enough probes succeeded ----------------------+
//! ```
//!
//! # What counts
//!
//! A [`Classify`](crate::Classify) judges each answer. A success or a failure counts; what is
//! [ignored](crate::Outcome::Ignored) stands in no rate, as a caller's mistakes say nothing of what is
//! called. A call that is dropped, as when the client goes away, says nothing either; one that panics has
//! failed. Either may be slow, which counts as a share of its own: what hangs seldom says that it fails.
//!
//! # When it opens
//!
//! The window is the last while, kept in ten slices, or the last so many calls. Once there are
//! [`min_calls`](CircuitBreakerConfig::min_calls) in it, each answer is followed by a look at two shares:
//! those that failed and those that were slow. A third rule counts failures in a row. Memory and the cost of
//! a call do not grow with the traffic.
//!
//! # How long it is open
//!
//! `min(max_open, open * 2^n) * (1 ± jitter)`, where `n` counts how often it has opened before without having
//! stayed closed for [`max_open`](CircuitBreakerConfig::max_open) since. The jitter keeps replicas from
//! trying again all at once.
//!
//! # How it closes
//!
//! When half-open it lets [`probes`](CircuitBreakerConfig::probes) calls through and refuses the rest. It
//! closes when [`probe_successes`](CircuitBreakerConfig::probe_successes) of them have succeeded and were not
//! slow, and opens again when those that are left are too few for that. A probe that is ignored or dropped
//! makes room for another. If probes are out for [`half_open`](CircuitBreakerConfig::half_open) without a
//! verdict, it opens again too: one that hangs must not keep it half-open for ever.
//!
//! An answer counts only in the state in which its call was let through: what was under way when it opened
//! neither closes nor opens anything later.
//!
//! No task runs for a breaker: steps that time makes due are taken when somebody next asks it, as if each had
//! been taken at its time.
//!
//! # Which calls share one
//!
//! Those that need the same upstream. A [`CircuitBreakerRegistry`] holds breakers by name. Names are
//! registered when the server is built, so nobody can make more of them from outside. Each replica has its
//! own breakers: shared ones would depend on what they are shared through, and one sick replica would open
//! them all.
//!
//! # Sources
//!
//! - The window, the two rates, the least number of calls, bounded probes with a limit on their duration,
//!   ignored outcomes and the modes: [resilience4j](https://resilience4j.readme.io/docs/circuitbreaker).
//! - A time open that grows and falls again, and its jitter: [Envoy's outlier
//!   detection](https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier).
//! - Ten slices of time: [failsafe-go](https://failsafe-go.dev/circuit-breaker/).

mod breaker;
mod config;
mod layer;
mod machine;
mod permit;
mod registry;
mod state;
mod window;

pub use breaker::{CircuitBreaker, Event, Snapshot};
pub use config::{CircuitBreakerConfig, Mode};
pub use layer::{CircuitBreakerLayer, CircuitBreakerService, ResponseFuture};
pub use permit::{Permit, Rejected};
pub use registry::CircuitBreakerRegistry;
pub use state::{Reason, State};
