//! Settings that are read again while the server runs.

use std::fmt;

use tokio::task::{JoinSet, spawn_blocking};
use toml::Value;
use towline_core::Serve;

use crate::entrance::{Entrance, layer};
use crate::said::Said;
use crate::{Config, Current, Failure, Logs};

/// How a program reads its settings again, at SIGHUP, and makes a server of them.
///
/// What is new then: `[layers]` but for `cache` and `metrics`, `[auth]` unless it comes or goes as a whole, and the filter of
/// the logs. A warning names what else has changed and needs a restart. A mistake leaves everything as it is, and is an
/// error in the logs.
pub struct Reload<L, B> {
    logs: Logs,
    load: L,
    build: B,
}

impl<L, B> Reload<L, B> {
    /// `load` reads the settings; `build` makes of them a server that takes the place of the one that runs. What has been
    /// opened at the start, such as pools, is used by both, and the program's own sections are still those of the start.
    pub fn new(logs: Logs, load: L, build: B) -> Self {
        Self { logs, load, build }
    }
}

impl<L, B> fmt::Debug for Reload<L, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload").finish_non_exhaustive()
    }
}

/// What runs, and by which settings.
pub(crate) struct Running<P, S> {
    config: Config<P>,
    server: Current<S>,
    entrance: Option<Entrance>,
    /// What was said at the start, which is what counts of all that needs a restart.
    started: Said,
    /// What was said of authentication when it was last taken.
    auth: Option<Value>,
}

impl<P, S> Running<P, S> {
    pub(crate) fn new(config: Config<P>, server: Current<S>, entrance: Option<Entrance>) -> Self {
        let (started, auth) = (config.said.clone(), config.said.section("auth").cloned());
        Self { config, server, entrance, started, auth }
    }
}

/// Whether what is said of a key counts only at the start.
fn needs_restart(key: &str) -> bool {
    let is_in = |section: &str| {
        key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match key.split('.').next() {
        Some("layers") => is_in("layers.cache") || is_in("layers.metrics"),
        Some("auth") => false,
        _ => key != "log.filter",
    }
}

impl<L, B> Reload<L, B> {
    /// Reads the settings again and takes what can be taken; the keys that need a restart.
    fn run<P, S>(&self, running: &mut Running<P, S>) -> Result<Vec<String>, Failure>
    where
        P: Clone,
        L: Fn() -> Result<Config<P>, Failure>,
        B: Fn(&Config<P>) -> Result<S, Failure>,
    {
        let mut next = (self.load)()?;
        next.own = running.config.own.clone();
        let mut left = running.started.differences(&next.said);
        left.retain(|key| needs_restart(key));
        let said = next.said.section("auth").cloned();
        if next.auth.is_on() == running.config.auth.is_on() {
            // Where no issuer's keys would have to be fetched again, the file of API keys is read again in any case.
            let is_read = next.auth.api_keys.is_some() && next.auth.jwt.is_none();
            let entrance = running.entrance.as_ref().filter(|_| is_read || said != running.auth);
            // Which pages may call is set at the start.
            let layer = entrance.map(|_| layer(&next.auth, &running.config.server)).transpose()?.flatten();
            running.server.replace((self.build)(&next)?);
            if let (Some(entrance), Some(layer)) = (entrance, layer) {
                entrance.replace(layer);
            }
            running.auth = said;
        } else {
            // With scopes but nobody who asks for tokens, or the other way round, all would be refused or let pass.
            next.auth = running.config.auth.clone();
            left.push("auth".into());
            running.server.replace((self.build)(&next)?);
        }
        self.logs.refilter(&next.log)?;
        running.config.auth = next.auth;
        Ok(left)
    }

    /// Does so at each SIGHUP, until the set is dropped.
    pub(crate) fn start<P, S>(self, mut running: Running<P, S>) -> Result<JoinSet<()>, Failure>
    where
        P: Clone + Send + 'static,
        S: Serve,
        L: Fn() -> Result<Config<P>, Failure> + Send + 'static,
        B: Fn(&Config<P>) -> Result<S, Failure> + Send + 'static,
    {
        let mut task = JoinSet::new();
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let mut hangups = signal(SignalKind::hangup()).map_err(Failure::refused)?;
            let mut reload = self;
            task.spawn(async move {
                while hangups.recv().await.is_some() {
                    // It reads files, and compiles schemas.
                    let again = spawn_blocking(move || {
                        let result = reload.run(&mut running);
                        (reload, running, result)
                    });
                    let Ok((same, still, result)) = again.await else {
                        return tracing::error!(
                            "reading the settings again failed; a restart is needed to try again"
                        );
                    };
                    (reload, running) = (same, still);
                    tell(&result);
                }
            });
        }
        Ok(task)
    }
}

fn tell(result: &Result<Vec<String>, Failure>) {
    match result {
        Ok(left) => {
            tracing::info!("the settings are read again");
            if !left.is_empty() {
                tracing::warn!("these settings have changed and need a restart: {}", left.join(", "));
            }
        }
        Err(failure) => tracing::error!("the settings stay as they are: {failure}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_restart() {
        for key in [
            "server.listen",
            "admin.listen",
            "databases.a.url",
            "watch",
            "log.format",
            "layers.cache.max_bytes",
        ] {
            assert!(needs_restart(key), "{key}");
        }
        for key in ["layers.server.rate_limit", "layers.tools.cache", "auth.scopes.tools.a", "log.filter"] {
            assert!(!needs_restart(key), "{key}");
        }
    }
}
