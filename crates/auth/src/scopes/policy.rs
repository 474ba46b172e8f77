//! Which scopes what needs.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;

use crate::{Grant, Scopes};

/// Which scopes what needs. A caller must have all that are named for a thing.
///
/// ```
/// use towline_auth::ScopePolicy;
///
/// let policy = ScopePolicy::new()
///     .everything(["mcp"])
///     .tool("execute_query", ["db:read"])
///     .resources("db://payroll/", ["db:payroll"])
///     .implies("db:payroll", ["db:read"]);
/// ```
///
/// What no rule names needs only what everything needs. [`deny_unnamed`](Self::deny_unnamed) turns that around.
#[derive(Clone, Debug, Default)]
pub struct ScopePolicy {
    everything: Vec<Box<str>>,
    methods: BTreeMap<Box<str>, Vec<Box<str>>>,
    tools: BTreeMap<Box<str>, Vec<Box<str>>>,
    prompts: BTreeMap<Box<str>, Vec<Box<str>>>,
    /// By the beginnings of URIs.
    resources: BTreeMap<Box<str>, Vec<Box<str>>>,
    hidden: BTreeSet<Box<str>>,
    implied: BTreeMap<Box<str>, Vec<Box<str>>>,
    denies_unnamed: bool,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    Tool(&'a str),
    Prompt(&'a str),
    Resource(&'a str),
}

/// Whether a caller may do something.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    /// These scopes are needed, all of them.
    Needs(Scopes),
    /// There is nothing that the caller could do about it, so they need not know that it is there.
    Hidden,
}

impl ScopePolicy {
    /// Nothing needs any scope.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every request needs these.
    #[must_use]
    pub fn everything(mut self, scopes: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.everything = texts(scopes);
        self
    }

    /// Requests of this method need these.
    #[must_use]
    pub fn method(
        mut self,
        method: impl Into<Box<str>>,
        scopes: impl IntoIterator<Item = impl Into<Box<str>>>,
    ) -> Self {
        self.methods.insert(method.into(), texts(scopes));
        self
    }

    /// Calls of this tool need these.
    #[must_use]
    pub fn tool(
        mut self,
        name: impl Into<Box<str>>,
        scopes: impl IntoIterator<Item = impl Into<Box<str>>>,
    ) -> Self {
        self.tools.insert(name.into(), texts(scopes));
        self
    }

    /// This prompt needs these.
    #[must_use]
    pub fn prompt(
        mut self,
        name: impl Into<Box<str>>,
        scopes: impl IntoIterator<Item = impl Into<Box<str>>>,
    ) -> Self {
        self.prompts.insert(name.into(), texts(scopes));
        self
    }

    /// Resources whose URI begins so need these. Where several beginnings fit, the longest counts.
    ///
    /// A URI counts as it is written, and with its escapes decoded: it needs what either needs.
    #[must_use]
    pub fn resources(
        mut self,
        beginning: impl Into<Box<str>>,
        scopes: impl IntoIterator<Item = impl Into<Box<str>>>,
    ) -> Self {
        self.resources.insert(beginning.into(), texts(scopes));
        self
    }

    /// Keeps this tool secret from callers who may not call it, also where they could get the scope for it: to them, it is
    /// unknown.
    #[must_use]
    pub fn hide_tool(mut self, name: impl Into<Box<str>>) -> Self {
        self.hidden.insert(name.into());
        self
    }

    /// Who has `scope` need not have these.
    #[must_use]
    pub fn implies(
        mut self,
        scope: impl Into<Box<str>>,
        narrower: impl IntoIterator<Item = impl Into<Box<str>>>,
    ) -> Self {
        self.implied.entry(scope.into()).or_default().extend(texts(narrower));
        self
    }

    /// Tools, prompts and resources that no rule names may be used by nobody.
    #[must_use]
    pub fn deny_unnamed(mut self) -> Self {
        self.denies_unnamed = true;
        self
    }

    /// The tools and prompts that rules name, to tell those that nothing offers.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().chain(self.prompts.keys()).map(|name| &**name)
    }

    /// Judges a request.
    pub(super) fn judge(&self, grant: &Grant, method: &str, target: Option<Target<'_>>) -> Verdict {
        let of_method = self.methods.get(method).map_or(&[][..], Vec::as_slice);
        let rule = target.and_then(|target| self.rule(target));
        if target.is_some() && rule.is_none() && self.denies_unnamed {
            return Verdict::Hidden;
        }
        let decoded = target.and_then(|target| self.rule_decoded(target));
        let of = |rule: Option<&'_ Vec<Box<str>>>| rule.cloned().unwrap_or_default();
        let of_target = [of(rule), of(decoded)].concat();
        let needed = || [&*self.everything, of_method, &*of_target].into_iter().flatten();
        if needed().all(|scope| self.has(grant.scopes(), scope)) {
            return Verdict::Allowed;
        }
        let is_hidden = matches!(target, Some(Target::Tool(name)) if self.hidden.contains(name));
        // Who has no means to get more is told nothing that could help.
        if is_hidden || (target.is_some() && !grant.can_step_up()) {
            return Verdict::Hidden;
        }
        Verdict::Needs(needed().collect())
    }

    fn rule(&self, target: Target<'_>) -> Option<&Vec<Box<str>>> {
        match target {
            Target::Tool(name) => self.tools.get(name),
            Target::Prompt(name) => self.prompts.get(name),
            Target::Resource(uri) => {
                // There are few rules, and the last in order that fits is the longest.
                self.resources
                    .iter()
                    .rfind(|(beginning, _)| uri.starts_with(&***beginning))
                    .map(|(_, rule)| rule)
            }
        }
    }

    /// What counts for a URI that escapes what it need not: the values of a template are decoded before a resource gets them.
    fn rule_decoded(&self, target: Target<'_>) -> Option<&Vec<Box<str>>> {
        match target {
            Target::Resource(uri) if uri.contains('%') => {
                let decoded = percent_decode_str(uri).decode_utf8_lossy();
                self.rule(Target::Resource(&decoded))
            }
            _ => None,
        }
    }

    /// Whether a scope is among those granted, or implied by one of them, however far.
    fn has(&self, granted: &Scopes, scope: &str) -> bool {
        if granted.contains(scope) {
            return true;
        }
        let (mut seen, mut open) = (BTreeSet::from([scope]), vec![scope]);
        while let Some(narrower) = open.pop() {
            for (broader, implied) in &self.implied {
                if implied.iter().any(|one| **one == *narrower) && seen.insert(broader) {
                    if granted.contains(broader) {
                        return true;
                    }
                    open.push(broader);
                }
            }
        }
        false
    }
}

fn texts(scopes: impl IntoIterator<Item = impl Into<Box<str>>>) -> Vec<Box<str>> {
    scopes.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(scopes: &str) -> Grant {
        Grant::new(Scopes::parse(scopes)).with_step_up()
    }

    #[test]
    fn broader_scopes_stand_for_narrower_ones() {
        let policy = ScopePolicy::new()
            .everything(["mcp"])
            .tool("write", ["db:write", "log"])
            .implies("admin", ["db:write", "mcp"])
            .implies("root", ["admin", "log"])
            .implies("db:write", ["admin"]); // a circle is a mistake, but must end
        let judge = |scopes| policy.judge(&granted(scopes), "tools/call", Some(Target::Tool("write")));
        let all = Verdict::Needs(Scopes::parse("db:write log mcp"));
        for scopes in ["mcp db:write log", "root", "admin log"] {
            assert_eq!(judge(scopes), Verdict::Allowed, "{scopes}");
        }
        for scopes in ["", "mcp log", "admin", "db:write"] {
            assert_eq!(judge(scopes), all, "{scopes}");
        }
    }

    #[test]
    fn the_longest_beginning_of_a_uri_counts() {
        let policy = ScopePolicy::new().resources("db://", ["db"]).resources("db://pay/", ["pay"]);
        let judge =
            |scopes, uri| policy.judge(&granted(scopes), "resources/read", Some(Target::Resource(uri)));
        assert_eq!(judge("db", "db://shop/a"), Verdict::Allowed);
        assert_eq!(judge("db", "db://pay/a"), Verdict::Needs(Scopes::parse("pay")));
        assert_eq!(judge("pay", "db://pay/a"), Verdict::Allowed);
        assert_eq!(judge("", "db://pay"), Verdict::Needs(Scopes::parse("db")));
        assert_eq!(judge("db", "db://p%61y/a"), Verdict::Needs(Scopes::parse("db pay")), "another spelling");
        assert_eq!(judge("", "file:///a"), Verdict::Allowed);
        assert_eq!(
            policy.deny_unnamed().judge(
                &granted("db"),
                "resources/read",
                Some(Target::Resource("file:///a"))
            ),
            Verdict::Hidden
        );
    }

    #[test]
    fn who_cannot_get_more_is_told_nothing() {
        let policy = ScopePolicy::new().tool("a", ["x"]).tool("b", ["x"]).hide_tool("b");
        let judge = |grant: &Grant, name| policy.judge(grant, "tools/call", Some(Target::Tool(name)));
        assert_eq!(judge(&Grant::default(), "a"), Verdict::Hidden);
        assert_eq!(judge(&granted(""), "a"), Verdict::Needs(Scopes::parse("x")));
        assert_eq!(judge(&granted(""), "b"), Verdict::Hidden);
        assert_eq!(judge(&granted("x"), "b"), Verdict::Allowed);
    }
}
