//! Whether settings can work.

use super::{ConfigError, DatabaseConfig};
use crate::guard::HiddenColumn;

/// Settings that carry the pack's own promises.
const PROTECTED: &[&str] = &[
    "client_encoding",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "role",
    "row_security",
    "search_path",
    "session_authorization",
    "session_replication_role",
    "standard_conforming_strings",
    "statement_timeout",
    "transaction_isolation",
    "transaction_read_only",
];

/// Whether PostgreSQL can have a setting of that name.
pub(super) fn is_setting_name(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.len() <= 63 && name.split('.').all(part) && name.split('.').count() <= 2
}

impl DatabaseConfig {
    /// Checks every value without connecting.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the key and what to change. It never holds the URL or its password.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.target().map(drop)?;
        let error = |key: &str, problem: String| Err(ConfigError::new(&self.name, key, problem));

        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if self.name.is_empty() || self.name.len() > 63 || !self.name.chars().all(plain) {
            return error("name", "must be 1 to 63 letters, digits, `_`, `-` or `.`".into());
        }
        let positive: [(&str, u64); 10] = [
            ("pool_max_size", self.pool_max_size as u64),
            ("acquire_timeout_ms", self.acquire_timeout_ms),
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("create_timeout_ms", self.create_timeout_ms),
            ("recycle_timeout_ms", self.recycle_timeout_ms),
            ("keepalive_idle_ms", self.keepalive_idle_ms),
            ("statement_timeout_ms", self.statement_timeout_ms),
            ("lock_timeout_ms", self.lock_timeout_ms),
            ("idle_in_transaction_timeout_ms", self.idle_in_transaction_timeout_ms),
            ("max_rows", u64::from(self.max_rows)),
        ];
        for (key, value) in positive {
            // PostgreSQL's own settings are 32-bit milliseconds.
            if value == 0 || value > i32::MAX as u64 - 1 {
                return error(key, format!("must be between 1 and {}", i32::MAX - 1));
            }
        }
        if self.pool_max_size > 1000 {
            return error("pool_max_size", "must be at most 1000".into());
        }
        if self.max_bytes < 1024 {
            return error("max_bytes", "must be at least 1024".into());
        }
        for (name, value) in &self.set {
            let key = format!("set.{name}");
            if !is_setting_name(name) {
                return error(&key, "is not the name of a server setting".into());
            }
            if PROTECTED.contains(&name.to_ascii_lowercase().as_str()) {
                return error(&key, "is managed by this server; remove it".into());
            }
            if value.contains('\0') {
                return error(&key, "must not hold a NUL character".into());
            }
        }
        let lists = [
            ("schemas", &self.schemas),
            ("hidden_columns", &self.hidden_columns),
            ("allowed_functions", &self.allowed_functions),
        ];
        for (key, list) in lists {
            if list.iter().any(|name| name.is_empty() || name.contains('\0')) {
                return error(key, "must not hold an empty name".into());
            }
        }
        for column in &self.hidden_columns {
            if let Err(problem) = column.parse::<HiddenColumn>() {
                return error("hidden_columns", format!("is wrong: {problem}"));
            }
        }
        if let Some(principal) = &self.principal {
            if let Err((key, problem)) = principal.check() {
                return error(&format!("principal{key}"), problem);
            }
            if let Some(name) = principal.settings.keys().find(|name| self.set.contains_key(*name)) {
                return error(
                    &format!("set.{name}"),
                    "is set for each caller by `principal`; remove it".into(),
                );
            }
        }
        Ok(())
    }
}
