//! The settings of a rate limit.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, as_millis, millis, not_zero};

/// No window may be longer, and no bucket may take longer to fill. Far below what the clocks can count.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How often callers may call: policies, all of which must allow a call.
///
/// ```toml
/// max_wait_ms = 0
///
/// [[policies]]
/// name = "principal"
/// limit = 60
/// burst = 20
/// costs = { execute_query = 5 }
///
/// [[policies]]
/// name = "server"
/// key = ["server"]
/// limit = 1000
/// window_ms = 1000
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RateLimitConfig {
    /// What is allowed. Default: one policy named `principal`, 60 calls a minute for each principal, 20 at once.
    pub policies: Vec<RatePolicy>,
    /// How long a call may wait for its turn before it is refused; `max_wait_ms` in files. Zero refuses at once.
    /// Default: 0.
    #[serde(rename = "max_wait_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub max_wait: Duration,
    /// How many keys are told apart, for each policy. Callers beyond that share one allowance until those that hold
    /// a key have theirs back in full. Default: 100 000, which is some 10 MB.
    pub max_keys: usize,
}

/// One allowance: so many calls in a window, for each key.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RatePolicy {
    /// What refusals, header fields and metrics call it: printable ASCII without `"` and `\`.
    pub name: String,
    /// How many calls a window has room for.
    pub limit: u32,
    /// The window; `window_ms` in files. Default: 60 s.
    #[serde(
        rename = "window_ms",
        deserialize_with = "millis",
        default = "minute",
        serialize_with = "as_millis"
    )]
    #[schemars(with = "u64")]
    pub window: Duration,
    /// How many calls may come at once; after them one more every `window / limit`. Default: `limit`.
    #[serde(default)]
    pub burst: Option<u32>,
    /// As how many calls a call counts. Default: 1.
    #[serde(default = "one")]
    pub cost: u32,
    /// As how many calls a call of these tools counts; 0 leaves a tool out of the policy. Default: none.
    #[serde(default)]
    pub costs: BTreeMap<String, u32>,
    /// What has an allowance of its own. Default: `["principal"]`.
    #[serde(default = "principal")]
    pub key: Vec<RateKey>,
    /// The tools that it is about. For these, it replaces the policies with the same key that name no tools.
    /// Default: everything.
    #[serde(default)]
    pub tools: BTreeSet<String>,
}

/// What tells calls apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RateKey {
    /// Nothing: one allowance for all.
    Server,
    /// The tool that is called. A policy with this key is about calls of tools only.
    Tool,
    /// Who calls. Callers without a principal are told apart by their address, and share one allowance if that is
    /// not known either.
    Principal,
    /// The address from which the client is connected: a single one of IPv4, a network of 64 bits of IPv6.
    Client,
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        Self {
            policies: vec![RatePolicy::new("principal", 60, minute()).burst(20)],
            max_wait: Duration::ZERO,
            max_keys: 100_000,
        }
    }
}

impl RateLimitConfig {
    /// These policies, and the defaults of all else.
    pub fn new(policies: impl IntoIterator<Item = RatePolicy>) -> Self {
        Self { policies: policies.into_iter().collect(), ..Self::default() }
    }

    /// Lets a call wait so long for its turn.
    #[must_use]
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.max_wait = max_wait;
        self
    }

    /// Tells so many keys apart, for each policy.
    #[must_use]
    pub fn max_keys(mut self, max_keys: usize) -> Self {
        self.max_keys = max_keys;
        self
    }

    /// Whether it can work.
    ///
    /// # Errors
    ///
    /// Names the key that cannot work, and says why.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.policies.is_empty() {
            return Err(ConfigError::new("policies", "must hold at least one policy"));
        }
        if self.max_keys == 0 {
            return Err(ConfigError::new("max_keys", "must be more than 0"));
        }
        if self.max_wait > LONGEST {
            return Err(ConfigError::new("max_wait_ms", "must be at most a year"));
        }
        let mut names = HashSet::new();
        for (at, policy) in self.policies.iter().enumerate() {
            let within = |error: ConfigError| error.within(&format!("policies[{at}]"));
            policy.validate().map_err(within)?;
            if !names.insert(&policy.name) {
                let problem = format!("there is another policy named {:?}", policy.name);
                return Err(within(ConfigError::new("name", problem)));
            }
        }
        Ok(())
    }
}

impl RatePolicy {
    /// So many calls in a window, for each principal.
    pub fn new(name: impl Into<String>, limit: u32, window: Duration) -> Self {
        Self {
            name: name.into(),
            limit,
            window,
            burst: None,
            cost: one(),
            costs: BTreeMap::new(),
            key: principal(),
            tools: BTreeSet::new(),
        }
    }

    /// Allows so many calls at once.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.burst = Some(burst);
        self
    }

    /// Counts each call as so many.
    #[must_use]
    pub fn cost(mut self, cost: u32) -> Self {
        self.cost = cost;
        self
    }

    /// Counts each call of one tool as so many.
    #[must_use]
    pub fn tool_cost(mut self, tool: impl Into<String>, cost: u32) -> Self {
        self.costs.insert(tool.into(), cost);
        self
    }

    /// Gives an allowance of its own to each combination of these.
    #[must_use]
    pub fn key(mut self, key: impl IntoIterator<Item = RateKey>) -> Self {
        self.key = key.into_iter().collect();
        self
    }

    /// Is about these tools only.
    #[must_use]
    pub fn tools<T: Into<String>>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        self.tools = tools.into_iter().map(Into::into).collect();
        self
    }

    /// How many calls may come at once.
    pub(super) fn most_at_once(&self) -> u32 {
        self.burst.unwrap_or(self.limit)
    }

    /// As how many calls a call of this tool counts, or of no tool.
    pub(super) fn cost_of(&self, tool: Option<&str>) -> u32 {
        tool.and_then(|tool| self.costs.get(tool)).copied().unwrap_or(self.cost)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let problem = |key: &str, problem: String| Err(ConfigError::new(key, problem));
        if self.name.is_empty() || !self.name.chars().all(|c| matches!(c, ' '..='~') && c != '"' && c != '\\')
        {
            return problem("name", "must be printable ASCII without quotes and backslashes".into());
        }
        if self.limit == 0 {
            return problem("limit", "must be more than 0".into());
        }
        not_zero("window_ms", self.window)?;
        if self.window > LONGEST {
            return problem("window_ms", "must be at most a year".into());
        }
        let refill = self.window / self.limit;
        if refill.is_zero() {
            return problem("limit", "must be at most one call per nanosecond".into());
        }
        let burst = self.most_at_once();
        if burst == 0 {
            return problem("burst", "must be more than 0".into());
        }
        if refill.checked_mul(burst).is_none_or(|full| full > LONGEST) {
            return problem("burst", "must be there again within a year".into());
        }
        if self.cost == 0 || self.cost > burst {
            return problem(
                "cost",
                format!("must be between 1 and {burst}, the most that is allowed at once"),
            );
        }
        if let Some((tool, _)) = self.costs.iter().find(|(_, cost)| **cost > burst) {
            let key = format!("costs.{tool}");
            return problem(&key, format!("must be at most {burst}, the most that is allowed at once"));
        }
        if self.key.is_empty() {
            return problem(
                "key",
                r#"must hold at least one of "server", "tool", "principal", "client""#.into(),
            );
        }
        Ok(())
    }
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

fn one() -> u32 {
    1
}

fn principal() -> Vec<RateKey> {
    vec![RateKey::Principal]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(toml: &str) -> String {
        let config: RateLimitConfig = toml::from_str(toml).unwrap();
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn settings_come_from_a_file_and_what_is_left_out_has_its_default() {
        let config: RateLimitConfig = toml::from_str(
            r#"
            [[policies]]
            name = "heavy"
            limit = 10
            key = ["principal", "tool"]
            costs = { execute_query = 5 }
            tools = ["execute_query"]
            "#,
        )
        .unwrap();
        config.validate().unwrap();
        let policy = &config.policies[0];
        assert_eq!((policy.window, policy.most_at_once(), policy.cost), (Duration::from_secs(60), 10, 1));
        assert_eq!((policy.cost_of(Some("execute_query")), policy.cost_of(Some("other"))), (5, 1));
        assert_eq!(policy.key, [RateKey::Principal, RateKey::Tool]);
        assert_eq!((config.max_wait, config.max_keys), (Duration::ZERO, 100_000));

        let default: RateLimitConfig = toml::from_str("").unwrap();
        default.validate().unwrap();
        let policy = &default.policies[0];
        assert_eq!((&*policy.name, policy.limit, policy.burst), ("principal", 60, Some(20)));
    }

    #[test]
    fn a_setting_that_cannot_work_is_named() {
        let policy = |rest: &str| format!("[[policies]]\nname = \"p\"\n{rest}");
        for (toml, expected) in [
            ("policies = []".into(), "policies: "),
            ("max_keys = 0".into(), "max_keys: "),
            (policy("limit = 0"), "policies[0].limit: "),
            (policy("limit = 1\nwindow_ms = 0"), "policies[0].window_ms: "),
            (policy("limit = 1\nwindow_ms = 99999999999"), "policies[0].window_ms: "),
            (policy("limit = 4000000\nwindow_ms = 1"), "policies[0].limit: "),
            (policy("limit = 1\nburst = 0"), "policies[0].burst: "),
            (policy("limit = 1\nburst = 4000000000"), "policies[0].burst: "),
            (policy("limit = 1\ncost = 2"), "policies[0].cost: must be between 1 and 1"),
            (policy("limit = 1\ncosts = { big = 2 }"), "policies[0].costs.big: "),
            (policy("limit = 1\nkey = []"), "policies[0].key: "),
            ("[[policies]]\nname = \"a\\\"b\"\nlimit = 1".into(), "policies[0].name: "),
            (
                policy("limit = 1\n[[policies]]\nname = \"p\"\nlimit = 2"),
                "policies[1].name: there is another",
            ),
        ] {
            assert!(problem(&toml).starts_with(expected), "{toml}: {}", problem(&toml));
        }
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        for toml in ["max_wait = 5", "[[policies]]\nname = \"p\"\nlimit = 1\nbursts = 2"] {
            assert!(toml::from_str::<RateLimitConfig>(toml).is_err(), "{toml}");
        }
        let unknown_key = "[[policies]]\nname = \"p\"\nlimit = 1\nkey = [\"session\"]";
        assert!(toml::from_str::<RateLimitConfig>(unknown_key).is_err());
    }
}
