//! Policies at work.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use tokio::time::Instant;
use towline_core::{Error, Operation};

use super::allowance::{Allowance, Verdict};
use super::buckets::Buckets;
use super::config::{RateKey, RateLimitConfig, RatePolicy};
use super::key::{Caller, Keys};
use super::refusal::Refusal;
use super::report::Counts;
use super::turn::{Taken, Turn};

/// As how many calls a call counts, whatever the settings say of its tool.
///
/// A layer that knows what a call will cost attaches it to the extensions of the call's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallCost(pub NonZeroU32);

/// Allowances and what is left of them. A clone is a handle to the same.
///
/// Several services that share one are counted together: hand it to [`RateLimitLayer::shared`]. Registered as a
/// collector, it tells `mcp_ratelimit_decisions_total` and `mcp_ratelimit_keys` by policy.
///
/// [`RateLimitLayer::shared`]: super::RateLimitLayer::shared
#[derive(Clone)]
pub struct RateLimiter(pub(super) Arc<Limits>);

pub(super) struct Limits {
    pub(super) policies: Box<[Policy]>,
    max_wait: Duration,
    /// What counts for the tools that the settings name, for any other tool, and for any other method.
    by_tool: HashMap<Box<str>, Box<[Charge]>, RandomState>,
    of_other_tools: Box<[Charge]>,
    of_other_methods: Box<[Charge]>,
}

pub(super) struct Policy {
    pub(super) name: Arc<str>,
    pub(super) limit: u32,
    pub(super) window: Duration,
    pub(super) allowance: Allowance,
    pub(super) buckets: Buckets,
    pub(super) counts: Counts,
    keys: Keys,
}

/// What a call takes from one policy.
#[derive(Clone, Copy, Debug)]
struct Charge {
    policy: usize,
    cost: NonZeroU32,
}

/// What the limiter says to a call.
pub(super) enum Admission {
    Now,
    /// Its turn is at that time.
    At(Instant, Turn),
    Refused(Error),
}

/// One call that asks.
struct Asking<'a> {
    caller: Caller<'a>,
    now: Instant,
    /// How long it may wait.
    patience: Duration,
    cost: Option<NonZeroU32>,
}

impl RateLimiter {
    /// Full allowances.
    ///
    /// # Panics
    ///
    /// Panics where [`RateLimitConfig::validate`] fails.
    pub fn new(config: &RateLimitConfig) -> Self {
        config.validate().unwrap_or_else(|error| panic!("rate limit: {error}"));
        let policies: Box<[_]> =
            config.policies.iter().map(|policy| Policy::new(policy, config.max_keys)).collect();
        let named = config.policies.iter().flat_map(|policy| policy.tools.iter().chain(policy.costs.keys()));
        let named: BTreeSet<_> = named.collect();
        let charges = |tool: Option<&str>| charges(&config.policies, &policies, tool);
        let by_tool = named.into_iter().map(|tool| (tool.as_str().into(), charges(Some(tool)))).collect();
        // No tool has this name, so none of the settings is about it.
        let (of_other_tools, of_other_methods) = (charges(Some("")), charges(None));
        let max_wait = config.max_wait;
        Self(Arc::new(Limits { by_tool, of_other_tools, of_other_methods, max_wait, policies }))
    }

    /// Takes what a call costs, now or from what is yet to come, or takes nothing.
    pub(super) fn admit(&self, operation: &impl Operation) -> Admission {
        let limits = &*self.0;
        let context = operation.context();
        let asking = Asking {
            caller: Caller::of(operation),
            now: Instant::now(),
            patience: context.remaining().map_or(limits.max_wait, |left| left.min(limits.max_wait)),
            cost: context.extensions().get().map(|CallCost(cost)| *cost),
        };
        let mut taken = Vec::new();
        match limits.take(limits.charges(asking.caller.tool), &asking, None, &mut taken) {
            Ok(Duration::ZERO) => Admission::Now,
            Ok(wait) => Admission::At(asking.now + wait, Turn::new(Arc::clone(&self.0), taken)),
            Err(refusal) => Admission::Refused(refusal.into_error(limits)),
        }
    }
}

impl Limits {
    fn charges(&self, tool: Option<&str>) -> &[Charge] {
        match tool {
            None => &self.of_other_methods,
            Some(tool) => self.by_tool.get(tool).unwrap_or(&self.of_other_tools),
        }
    }

    /// Asks each policy in turn, and takes from all of them on the way back if none refused.
    ///
    /// The buckets that were asked stay locked meanwhile. Policies are always asked in the same order, so no two calls
    /// wait for each other.
    fn take(
        &self,
        charges: &[Charge],
        asking: &Asking<'_>,
        longest: Option<Refusal>,
        taken: &mut Vec<Taken>,
    ) -> Result<Duration, Refusal> {
        let Some((charge, rest)) = charges.split_first() else {
            return match longest {
                Some(refusal) if !refusal.is_within(asking.patience) => Err(refusal),
                waiting => Ok(waiting.map_or(Duration::ZERO, |waiting| waiting.wait())),
            };
        };
        let policy = &self.policies[charge.policy];
        let cost = asking.cost.unwrap_or(charge.cost);
        let now = asking.now;
        let mut bucket = policy.buckets.lock(|| policy.keys.key(&asking.caller), now);
        let before = bucket.full_at();
        let verdict = policy.allowance.ask(before, cost, now);
        let refused = |wait| Refusal::new(charge.policy, cost, policy.allowance.left(before, now), wait);
        let (wait, longest) = match verdict {
            Verdict::Now(_) => (Duration::ZERO, longest),
            Verdict::In(wait) => (wait, Refusal::longer(longest, refused(Some(wait)))),
            Verdict::Never => return Err(refused(None)),
        };
        let until_all_agree = self.take(rest, asking, longest, taken)?;

        let after = match verdict {
            Verdict::Now(after) => after,
            // Each policy is asked for its own earliest time: so its turns follow each other as its quota says.
            _ => match policy.allowance.ask(before, cost, now + wait) {
                Verdict::Now(after) => after,
                _ => before, // not reached: it said that it has enough then
            },
        };
        bucket.set(after);
        policy.counts.count_admitted(!wait.is_zero());
        if !until_all_agree.is_zero() {
            taken.push(Taken { policy: charge.policy, key: bucket.key(), before, after });
        }
        Ok(until_all_agree)
    }
}

impl Policy {
    fn new(policy: &RatePolicy, max_keys: usize) -> Self {
        // All of them are more than zero, as was checked.
        let burst = NonZeroU32::new(policy.most_at_once()).unwrap_or(NonZeroU32::MIN);
        let keys = Keys::new(&policy.key);
        let buckets = if keys.parts().is_empty() { Buckets::one() } else { Buckets::by_key(max_keys) };
        Self {
            name: policy.name.as_str().into(),
            limit: policy.limit,
            window: policy.window,
            allowance: Allowance::new(burst, policy.window / policy.limit),
            counts: Counts::default(),
            buckets,
            keys,
        }
    }
}

/// The policies that count for a call of a tool, or for a request that calls none.
fn charges(settings: &[RatePolicy], policies: &[Policy], tool: Option<&str>) -> Box<[Charge]> {
    let names = |at: usize| tool.is_some_and(|tool| settings[at].tools.contains(tool));
    let applies = |at: usize| {
        let key = policies[at].keys.parts();
        if settings[at].tools.is_empty() {
            let is_replaced =
                (0..settings.len()).any(|other| names(other) && policies[other].keys.parts() == key);
            !is_replaced && (tool.is_some() || !key.contains(&RateKey::Tool))
        } else {
            names(at)
        }
    };
    let charge = |at: usize| {
        let cost = NonZeroU32::new(settings[at].cost_of(tool))?;
        Some(Charge { policy: at, cost })
    };
    (0..settings.len()).filter(|at| applies(*at)).filter_map(charge).collect()
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.policies.iter().map(|policy| &policy.name).collect();
        f.debug_tuple("RateLimiter").field(&names).finish()
    }
}
