//! Names in the settings that the server does not have: they protect nothing.

use std::collections::BTreeMap;

use towline_core::Server;

use crate::{AuthConfig, Config, Failure};

impl<P> Config<P> {
    /// Looks for tools and prompts in `[auth.scopes]` that `server` does not have: most often they are misspelt, and then
    /// what was meant is open. Each is a warning in the logs, or the first an error if that is `strict`, as for
    /// `--check-config`.
    ///
    /// # Errors
    ///
    /// Names the key.
    pub fn check_scopes(&self, server: &Server, strict: bool) -> Result<(), Failure> {
        let routes = server.routes();
        let (tools, prompts) = (routes.tools(), routes.prompts());
        let tools: Vec<&str> = tools.definitions().map(|tool| &*tool.name).collect();
        let prompts: Vec<&str> = prompts.definitions().map(|prompt| &*prompt.name).collect();
        for (key, problem) in unknown(&self.auth, &tools, &prompts) {
            let failure = self.source.tell(&key, &problem);
            match strict {
                true => return Err(failure),
                false => tracing::warn!("{failure}"),
            }
        }
        Ok(())
    }
}

/// The keys that name nothing, and what is wrong with each.
fn unknown(auth: &AuthConfig, tools: &[&str], prompts: &[&str]) -> Vec<(String, String)> {
    let scopes = &auth.scopes;
    let of = |kind: &str, named: &BTreeMap<String, Vec<String>>, there: &[&str]| {
        let missing = named.keys().filter(|name| !there.contains(&name.as_str()));
        let all = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        let told = missing.map(|name| {
            let problem =
                format!("there is no {kind} of that name, so it protects nothing; there are: {all}");
            (format!("auth.scopes.{kind}s.{name}"), problem)
        });
        told.collect::<Vec<_>>()
    };
    let hidden = scopes.hide_tools.iter().filter(|name| !tools.contains(&name.as_str()));
    let hidden =
        hidden.map(|name| ("auth.scopes.hide_tools".to_owned(), format!("there is no tool `{name}`")));
    [of("tool", &scopes.tools, tools), of("prompt", &scopes.prompts, prompts), hidden.collect()].concat()
}

#[cfg(test)]
mod tests {
    use towline_core::{Router, tool_fn};

    use super::*;
    use crate::Settings;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Own {}

    #[test]
    fn a_name_that_nothing_has_is_told_with_those_that_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let (file, keys) = (folder.path().join("server.toml"), folder.path().join("keys.toml"));
        std::fs::write(&keys, "").unwrap();
        let ping = tool_fn("ping", "Answers.", async || "pong");
        let server = Server::new(Router::new("test", "1").tool(ping));
        let check = |scopes: &str, strict| {
            let text = format!("[auth]\napi_keys = {keys:?}\n[auth.scopes]\n{scopes}\n");
            std::fs::write(&file, text).unwrap();
            let config = Settings::read(Some(&file), []).unwrap().config::<Own>().unwrap();
            config.check_scopes(&server, strict).map_err(|failure| failure.to_string())
        };
        assert_eq!(check("tools = { ping = [\"a\"] }\nresources = { \"x://\" = [] }", true), Ok(()));
        assert_eq!(check("tools = { pong = [\"a\"] }", false), Ok(()));
        for (scopes, expected) in [
            (
                "tools = { ping = [\"a\"], pong = [\"a\"] }",
                "line 4: auth.scopes.tools.pong: there is no tool of that name, so it protects nothing; there are: ping",
            ),
            ("prompts = { p = [\"a\"] }", "auth.scopes.prompts.p: there is no prompt of that name"),
            (
                "everything = [\"a\"]\nhide_tools = [\"pong\"]",
                "line 5: auth.scopes.hide_tools: there is no tool `pong`",
            ),
        ] {
            let error = check(scopes, true).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
