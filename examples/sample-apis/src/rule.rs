//! Where faults happen, and how often.

use std::num::NonZeroU32;

use serde::Deserialize;
use serde_json::Value;

use crate::fault::Fault;
use crate::received::is_below;

/// A fault for what lies below a path prefix.
///
/// As JSON for `POST /faults`, the fault's own settings stand beside the others:
/// `{"prefix": "/weather", "fault": "slow", "delay_ms": 500, "times": 3}`. An upstream that is flaky is
/// `{"prefix": "/weather", "fault": "status", "status": 500, "every": 3}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The path, by whole segments: `/` is everything.
    pub prefix: String,
    /// What happens.
    pub fault: Fault,
    /// How often at most; without a number, until the faults are cleared. Default: no number.
    pub times: Option<NonZeroU32>,
    /// Which of the requests meet it: 3 is the third, the sixth and so on. Default: 1, all of them.
    pub every: NonZeroU32,
}

impl Rule {
    /// A fault for every request below `prefix`.
    #[must_use]
    pub fn new(prefix: impl Into<String>, fault: Fault) -> Self {
        Self { prefix: prefix.into(), fault, times: None, every: NonZeroU32::MIN }
    }

    /// Ends after that many times.
    ///
    /// # Panics
    ///
    /// Panics if `times` is zero.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(NonZeroU32::new(times).expect("`times` must not be zero"));
        self
    }

    /// Lets all pass but every `n`-th request.
    ///
    /// # Panics
    ///
    /// Panics if `n` is zero.
    #[must_use]
    pub fn every(mut self, n: u32) -> Self {
        self.every = NonZeroU32::new(n).expect("`every` must not be zero");
        self
    }

    pub(crate) fn from_json(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Where {
            prefix: String,
            times: Option<NonZeroU32>,
            every: Option<NonZeroU32>,
        }
        let mut settings: serde_json::Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| format!("not a JSON object: {error}"))?;
        let mut place = serde_json::Map::new();
        for name in ["prefix", "times", "every"] {
            if let Some(value) = settings.remove(name) {
                place.insert(name.into(), value);
            }
        }
        let Where { prefix, times, every } =
            serde_json::from_value(place.into()).map_err(|error| error.to_string())?;
        let fault = serde_json::from_value(settings.into()).map_err(|error| error.to_string())?;
        let rule = Self { prefix, fault, times, every: every.unwrap_or(NonZeroU32::MIN) };
        rule.check()?;
        Ok(rule)
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut json = serde_json::to_value(&self.fault).unwrap_or_default();
        json["prefix"] = self.prefix.as_str().into();
        json["times"] = self.times.map(NonZeroU32::get).into();
        json["every"] = self.every.get().into();
        json
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if !self.prefix.starts_with('/') {
            return Err("`prefix` must begin with `/`".into());
        }
        self.fault.check()
    }
}

/// The rules in force, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<Standing>);

#[derive(Debug)]
struct Standing {
    rule: Rule,
    seen: u32,
}

impl Rules {
    const MOST: usize = 100;

    pub(crate) fn add(&mut self, rule: Rule) -> Result<(), String> {
        rule.check()?;
        if self.0.len() >= Self::MOST {
            return Err(format!("there are {} faults already; clear them first", Self::MOST));
        }
        self.0.push(Standing { rule, seen: 0 });
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter().map(|standing| &standing.rule)
    }

    /// The fault that a request meets: of the first rule whose turn it is. Those after it do not count the request.
    pub(crate) fn meet(&mut self, path: &str) -> Option<Fault> {
        for (index, standing) in self.0.iter_mut().enumerate() {
            let Standing { rule, seen } = standing;
            if !is_below(path, &rule.prefix) {
                continue;
            }
            *seen = seen.wrapping_add(1);
            if *seen % rule.every != 0 {
                continue;
            }
            let fault = rule.fault.clone();
            match rule.times.map(NonZeroU32::get) {
                None => {}
                Some(1) => drop(self.0.remove(index)),
                Some(times) => rule.times = NonZeroU32::new(times - 1),
            }
            return Some(fault);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::RetryAfter;

    #[test]
    fn a_rule_counts_by_its_own_requests_and_ends_after_its_times() {
        let mut rules = Rules::default();
        rules.add(Rule::new("/a", Fault::status(500)).every(2).times(2)).unwrap();
        let met: Vec<bool> = (0..8).map(|_| rules.meet("/a/b").is_some()).collect();
        assert_eq!(met, [false, true, false, true, false, false, false, false]);
        assert_eq!(rules.iter().count(), 0);
    }

    #[test]
    fn a_prefix_ends_where_a_segment_ends() {
        let mut rules = Rules::default();
        rules.add(Rule::new("/a/", Fault::Hang)).unwrap();
        assert!(rules.meet("/ab").is_none());
        assert!(rules.meet("/a").is_some());
        rules.add(Rule::new("/", Fault::Hang)).unwrap();
        assert!(rules.meet("/ab").is_some());
    }

    #[test]
    fn a_rule_from_json_says_what_is_wrong_with_it() {
        for (json, expected) in [
            (r#"{"prefix":"/a","fault":"slow","delay_ms":5,"delya":1}"#, "unknown field `delya`"),
            (r#"{"prefix":"/a","fault":"sluggish"}"#, "unknown variant `sluggish`"),
            (r#"{"prefix":"a","fault":"hang"}"#, "`prefix` must begin"),
            (r#"{"fault":"hang"}"#, "missing field `prefix`"),
            (r#"{"prefix":"/a","fault":"status","status":99}"#, "`status` must be"),
            (r#"{"prefix":"/a","fault":"status","status":500,"times":0}"#, "nonzero"),
            (r#"{"prefix":"/a","fault":"headers","headers":{"a b":"c"}}"#, "no name of a header"),
            ("[]", "not a JSON object"),
        ] {
            let error = Rule::from_json(json.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn a_rule_says_the_same_as_json_as_it_was_read_from() {
        let rule = Rule::new("/a", Fault::busy(429, RetryAfter::DateIn(3))).times(2).every(4);
        assert_eq!(Rule::from_json(rule.to_json().to_string().as_bytes()), Ok(rule));
        let short = br#"{"prefix":"/a","fault":"gzip_bomb"}"#;
        assert_eq!(Rule::from_json(short), Ok(Rule::new("/a", Fault::gzip_bomb(200_000_000))));
    }
}
