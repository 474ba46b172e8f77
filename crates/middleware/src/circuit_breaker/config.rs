//! When a breaker opens, for how long, and how it closes again.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, as_millis, millis, not_zero, share};

/// No time that is set may be longer: a day.
const MOST_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// No window may count more calls.
const MOST_CALLS: u32 = 100_000;

/// When a breaker opens, for how long, and how it closes again.
///
/// ```toml
/// window_ms = 30000
/// min_calls = 10
/// failure_rate = 0.5
/// open_ms = 5000
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CircuitBreakerConfig {
    /// The rates are those of the calls that ended within so long: `window_ms` in files. It is kept in ten
    /// slices, the last of which is not yet over, so it covers nine to ten tenths of this. Default: 30 s,
    /// unless `window_calls` is set.
    #[serde(rename = "window_ms", deserialize_with = "some_millis", serialize_with = "as_some_millis")]
    #[schemars(with = "Option<u64>")]
    pub window: Option<Duration>,
    /// The rates are those of the last so many calls, however long ago they were: instead of `window_ms`,
    /// never beside it. Default: not set.
    pub window_calls: Option<u32>,
    /// With fewer calls in the window no rate opens it. Default: 10.
    pub min_calls: u32,
    /// Opens when this share of the calls in the window, 0 to 1, or more has failed. 0 turns this rule off.
    /// Default: 0.5.
    pub failure_rate: f64,
    /// A call that takes so long or longer is slow, whatever comes of it: `slow_call_ms` in files. It counts
    /// where `slow_call_rate` is set. Default: 5 s.
    #[serde(rename = "slow_call_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub slow_call: Duration,
    /// Opens when this share of the calls in the window, 0 to 1, or more was slow. 0 turns this rule off: how
    /// long a healthy upstream may take depends on what it is asked, and a database that answers long queries is
    /// well. Set it where every call should be quick, with `slow_call_ms` well above the slowest that is
    /// healthy. Default: 0.
    pub slow_call_rate: f64,
    /// Opens when so many calls in a row have failed, however few there are in the window. Default: not set.
    pub consecutive_failures: Option<u32>,
    /// How long it stays open the first time: `open_ms` in files. Each time that it opens again at once, it
    /// is twice as long. Default: 5 s.
    #[serde(rename = "open_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub open: Duration,
    /// How long it stays open at most: `max_open_ms` in files. Once it has stayed closed for so long, the
    /// next time open is `open_ms` again. Default: 120 s.
    #[serde(rename = "max_open_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub max_open: Duration,
    /// By what share, 0 to 1, the time open is longer or shorter at random, so that replicas do not all try
    /// again at once. Default: 0.2.
    pub jitter: f64,
    /// How many calls are let through when half-open, to find out whether it closes. Default: 3.
    pub probes: u32,
    /// How many of them must succeed, in time, for it to close. Default: 2.
    pub probe_successes: u32,
    /// How long probes may be out without a verdict before it opens again: `half_open_ms` in files. Default:
    /// 30 s.
    #[serde(rename = "half_open_ms", deserialize_with = "millis", serialize_with = "as_millis")]
    #[schemars(with = "u64")]
    pub half_open: Duration,
    /// Whether it works on its own. Default: `auto`.
    pub mode: Mode,
}

/// Whether a breaker works on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It opens and closes on its own.
    #[default]
    Auto,
    /// It refuses every call, until the mode is set to another.
    ForcedOpen,
    /// It refuses no call and judges none.
    ForcedClosed,
    /// It opens and closes on its own, so that one sees what it would do, but refuses no call.
    MetricsOnly,
}

impl Mode {
    /// Its name, as it stands in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::ForcedOpen => "forced_open",
            Self::ForcedClosed => "forced_closed",
            Self::MetricsOnly => "metrics_only",
        }
    }

    pub(super) const ALL: [Self; 4] = [Self::Auto, Self::ForcedOpen, Self::ForcedClosed, Self::MetricsOnly];

    pub(super) const fn is_forced(self) -> bool {
        matches!(self, Self::ForcedOpen | Self::ForcedClosed)
    }
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        Self {
            window: None,
            window_calls: None,
            min_calls: 10,
            failure_rate: 0.5,
            slow_call: Duration::from_secs(5),
            slow_call_rate: 0.0,
            consecutive_failures: None,
            open: Duration::from_secs(5),
            max_open: Duration::from_secs(120),
            jitter: 0.2,
            probes: 3,
            probe_successes: 2,
            half_open: Duration::from_secs(30),
            mode: Mode::Auto,
        }
    }
}

impl CircuitBreakerConfig {
    /// Opens after so many failures in a row, and for just so long each time; then one call is let through,
    /// and if it succeeds, all are. Rates play no part.
    ///
    /// It is the breaker of the plainest kind. `consecutive(5, 300 s)` in a file:
    ///
    /// ```toml
    /// consecutive_failures = 5
    /// failure_rate = 0
    /// open_ms = 300000
    /// max_open_ms = 300000
    /// jitter = 0
    /// probes = 1
    /// probe_successes = 1
    /// ```
    pub fn consecutive(failures: u32, open: Duration) -> Self {
        Self {
            failure_rate: 0.0,
            consecutive_failures: Some(failures),
            open,
            max_open: open,
            jitter: 0.0,
            probes: 1,
            probe_successes: 1,
            ..Self::default()
        }
    }

    /// Whether these settings can work.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the first key that cannot.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if let Some(window) = self.window {
            if window < Duration::from_millis(10) {
                return Err(ConfigError::new("window_ms", "must be at least 10: it is kept in ten slices"));
            }
            time("window_ms", window)?;
        }
        if let Some(calls) = self.window_calls {
            if self.window.is_some() {
                return Err(ConfigError::new(
                    "window_calls",
                    "cannot stand beside `window_ms`: set one of the two",
                ));
            }
            count("window_calls", calls)?;
            if calls > MOST_CALLS {
                return Err(ConfigError::new(
                    "window_calls",
                    format!("must be at most {MOST_CALLS}, got {calls}"),
                ));
            }
            if self.min_calls > calls {
                return Err(ConfigError::new(
                    "min_calls",
                    format!("must be at most `window_calls` ({calls})"),
                ));
            }
        }
        count("min_calls", self.min_calls)?;
        share("failure_rate", self.failure_rate)?;
        time("slow_call_ms", self.slow_call)?;
        share("slow_call_rate", self.slow_call_rate)?;
        if let Some(failures) = self.consecutive_failures {
            count("consecutive_failures", failures)?;
        } else if self.failure_rate == 0.0 && self.slow_call_rate == 0.0 {
            let problem = "nothing would open it: set this, `slow_call_rate` or `consecutive_failures`";
            return Err(ConfigError::new("failure_rate", problem));
        }
        time("open_ms", self.open)?;
        time("max_open_ms", self.max_open)?;
        if self.max_open < self.open {
            let open = self.open.as_millis();
            return Err(ConfigError::new("max_open_ms", format!("must be at least `open_ms` ({open})")));
        }
        share("jitter", self.jitter)?;
        count("probes", self.probes)?;
        count("probe_successes", self.probe_successes)?;
        if self.probe_successes > self.probes {
            let probes = self.probes;
            return Err(ConfigError::new("probe_successes", format!("must be at most `probes` ({probes})")));
        }
        time("half_open_ms", self.half_open)
    }
}

fn time(key: &str, time: Duration) -> Result<(), ConfigError> {
    not_zero(key, time)?;
    if time > MOST_TIME {
        let most = MOST_TIME.as_millis();
        return Err(ConfigError::new(
            key,
            format!("must be at most {most} (a day), got {}", time.as_millis()),
        ));
    }
    Ok(())
}

fn count(key: &str, count: u32) -> Result<(), ConfigError> {
    if count == 0 {
        return Err(ConfigError::new(key, "must be more than 0"));
    }
    Ok(())
}

fn some_millis<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    millis(deserializer).map(Some)
}

fn as_some_millis<S: serde::Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => as_millis(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> CircuitBreakerConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_empty_file_gives_the_defaults_and_they_work() {
        assert_eq!(parse(""), CircuitBreakerConfig::default());
        assert_eq!(parse("").validate(), Ok(()));
    }

    #[test]
    fn the_preset_can_be_written_in_a_file() {
        let text = "consecutive_failures = 5\nfailure_rate = 0\nopen_ms = 300000\n\
                    max_open_ms = 300000\njitter = 0\nprobes = 1\nprobe_successes = 1";
        assert_eq!(parse(text), CircuitBreakerConfig::consecutive(5, Duration::from_secs(300)));
        assert_eq!(parse(text).validate(), Ok(()));
    }

    #[test]
    fn times_are_in_milliseconds_and_modes_have_names() {
        let config =
            parse("window_ms = 1500\nslow_call_ms = 250\nhalf_open_ms = 10\nmode = \"metrics_only\"");
        assert_eq!(config.window, Some(Duration::from_millis(1500)));
        assert_eq!(config.slow_call, Duration::from_millis(250));
        assert_eq!((config.half_open, config.mode), (Duration::from_millis(10), Mode::MetricsOnly));
        for mode in Mode::ALL {
            assert_eq!(parse(&format!("mode = {:?}", mode.name())).mode, mode);
        }
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let error = toml::from_str::<CircuitBreakerConfig>("min_calls = 3\nfailure_ratio = 0.5").unwrap_err();
        assert!(
            error.to_string().contains("line 2") && error.to_string().contains("failure_ratio"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_work_is_an_error_that_names_the_key_and_what_is_allowed() {
        for (text, expected) in [
            ("window_ms = 9", "window_ms: must be at least 10: it is kept in ten slices"),
            ("window_ms = 86400001", "window_ms: must be at most 86400000 (a day), got 86400001"),
            (
                "window_ms = 1000\nwindow_calls = 100",
                "window_calls: cannot stand beside `window_ms`: set one of the two",
            ),
            ("window_calls = 0", "window_calls: must be more than 0"),
            ("window_calls = 100001", "window_calls: must be at most 100000, got 100001"),
            ("window_calls = 9", "min_calls: must be at most `window_calls` (9)"),
            ("min_calls = 0", "min_calls: must be more than 0"),
            ("failure_rate = 50", "failure_rate: must be between 0 and 1, got 50"),
            ("slow_call_ms = 0", "slow_call_ms: must be more than 0"),
            ("slow_call_rate = -0.1", "slow_call_rate: must be between 0 and 1, got -0.1"),
            ("consecutive_failures = 0", "consecutive_failures: must be more than 0"),
            (
                "failure_rate = 0",
                "failure_rate: nothing would open it: set this, `slow_call_rate` or `consecutive_failures`",
            ),
            ("open_ms = 0", "open_ms: must be more than 0"),
            ("max_open_ms = 4999", "max_open_ms: must be at least `open_ms` (5000)"),
            ("jitter = nan", "jitter: must be between 0 and 1, got NaN"),
            ("probes = 0", "probes: must be more than 0"),
            ("probe_successes = 0", "probe_successes: must be more than 0"),
            ("probe_successes = 4", "probe_successes: must be at most `probes` (3)"),
            ("half_open_ms = 0", "half_open_ms: must be more than 0"),
        ] {
            assert_eq!(parse(text).validate().unwrap_err().to_string(), expected, "{text}");
        }
    }
}
