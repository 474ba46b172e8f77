//! Which methods and paths the configuration allows.

use http::Method;

use crate::egress::{PathPattern, Refusal};

/// Which methods and paths the configuration allows.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    methods: Vec<Method>,
    paths: Vec<PathPattern>,
}

impl Policy {
    pub(crate) fn new(methods: &[Method], paths: &[String]) -> Self {
        let paths = paths.iter().map(|path| PathPattern::new(path)).collect();
        Self { methods: methods.to_vec(), paths }
    }

    pub(crate) fn allows(&self, method: &Method) -> bool {
        self.methods.contains(method)
    }

    /// Checks a path below the base URL.
    pub(crate) fn check(&self, method: &Method, path: &str) -> Result<(), Refusal> {
        if !self.allows(method) {
            let allowed: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
            return Err(Refusal::Method {
                method: method.as_str().chars().take(16).collect(),
                allowed: allowed.join(", "),
            });
        }
        let path = if path.is_empty() { "/" } else { path };
        if self.paths.is_empty() || self.paths.iter().any(|pattern| pattern.matches(path)) {
            return Ok(());
        }
        let allowed: Vec<&str> = self.paths.iter().map(PathPattern::as_str).collect();
        Err(Refusal::Path { allowed: allowed.join(", ") })
    }
}
