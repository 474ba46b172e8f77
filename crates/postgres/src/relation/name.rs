//! Names as callers write them.

use super::{Found, Relation};

/// `table` or `schema.table`, read by PostgreSQL's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
    /// Whether the caller put it in quotes, and so means this case and no other.
    exact: bool,
}

impl Name {
    /// Reads a dotted name. Of `database.schema.table` the last two parts count. Text that is no
    /// valid name is taken as one, apart from a schema before its first dot.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        let text = text.strip_suffix(';').unwrap_or(text).trim_end();
        match parts(text).as_deref() {
            Some([(name, exact)]) => Self { schema: None, name: name.clone(), exact: *exact },
            Some([.., (schema, schema_exact), (name, exact)]) => {
                let exact = *exact || *schema_exact;
                Self { schema: Some(schema.clone()), name: name.clone(), exact }
            }
            _ => {
                let bare = |part: &str| part.trim().trim_matches('"').to_owned();
                match text.split_once('.') {
                    Some((schema, name)) if !schema.contains(char::is_whitespace) => {
                        Self { schema: Some(bare(schema)), name: bare(name), exact: false }
                    }
                    _ => Self { schema: None, name: bare(text), exact: false },
                }
            }
        }
    }

    /// The one of `found` (in the search path's order) that is meant. The error lists those among
    /// which the caller must choose.
    pub(super) fn choose(&self, mut found: Vec<Found>) -> Result<Relation, Vec<String>> {
        let is_schema = |found: &Found| self.schema.as_ref().is_none_or(|schema| *schema == found.schema);
        if let Some(at) = found.iter().position(|found| is_schema(found) && found.name == self.name) {
            return Ok(found.swap_remove(at).relation);
        }
        if self.exact {
            return Err(found.into_iter().map(|found| found.relation.sql_name).collect());
        }
        match found.len() {
            1 => Ok(found.swap_remove(0).relation),
            _ => Err(found.into_iter().map(|found| found.relation.sql_name).collect()),
        }
    }

    /// The SQL names of the candidates (schema, name, SQL name) that are most like this one.
    pub(super) fn nearest(
        &self,
        candidates: impl Iterator<Item = (String, String, String)>,
        most: usize,
    ) -> Vec<String> {
        let wanted = self.name.to_lowercase();
        let mut scored: Vec<(f64, String)> = candidates
            .filter_map(|(schema, name, sql_name)| {
                let mut score = likeness(&wanted, &name.to_lowercase());
                let same_schema =
                    self.schema.as_ref().is_some_and(|wanted| wanted.eq_ignore_ascii_case(&schema));
                if same_schema {
                    score += 0.05;
                }
                (score >= 0.5).then_some((score, sql_name))
            })
            .collect();
        // A stable sort: equal names stay in the order of the schemas, partitions last.
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.truncate(most);
        scored.into_iter().map(|(_, name)| name).collect()
    }
}

/// How alike two names are, 0 to 1: by edits, or because one is a part of the other.
fn likeness(wanted: &str, name: &str) -> f64 {
    let by_edits = strsim::normalized_damerau_levenshtein(wanted, name);
    let (short, long) = if wanted.len() <= name.len() { (wanted, name) } else { (name, wanted) };
    if short.len() >= 3 && long.contains(short) {
        return by_edits.max(0.6 + 0.3 * short.len() as f64 / long.len() as f64);
    }
    by_edits
}

/// The identifiers of a dotted name, each with whether it was quoted. `None` if the text is no name.
fn parts(text: &str) -> Option<Vec<(String, bool)>> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let mut part = String::new();
        let quoted = rest.starts_with('"');
        if quoted {
            rest = &rest[1..];
            loop {
                let end = rest.find('"')?;
                part.push_str(&rest[..end]);
                rest = &rest[end + 1..];
                let Some(more) = rest.strip_prefix('"') else { break };
                part.push('"');
                rest = more;
            }
        } else {
            let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii();
            let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
            // The server folds ASCII alone in a UTF-8 database.
            part = rest[..end].to_ascii_lowercase();
            rest = &rest[end..];
            if part.starts_with(|c: char| c.is_ascii_digit() || c == '$') {
                return None;
            }
        }
        if part.is_empty() {
            return None;
        }
        parts.push((part, quoted));
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(parts);
        }
        rest = rest.strip_prefix('.')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_postgresql_reads_it() {
        let check = |text: &str, schema: Option<&str>, name: &str, exact: bool| {
            let want = Name { schema: schema.map(str::to_owned), name: name.to_owned(), exact };
            assert_eq!(Name::parse(text), want, "{text}");
        };
        check("orders", None, "orders", false);
        check(" Orders; ", None, "orders", false);
        check("Sales.Orders", Some("sales"), "orders", false);
        check(r#"Sales."Order Items""#, Some("sales"), "Order Items", true);
        check(r#""Sales" . "say ""x"".y""#, Some("Sales"), r#"say "x".y"#, true);
        check("shop.sales.orders", Some("sales"), "orders", false);
        check("straße", None, "straße", false);
        check("ÄRGER", None, "Ärger", false);
        // No valid names, but clear enough.
        check("Order Items", None, "Order Items", false);
        check("sales.Order Items", Some("sales"), "Order Items", false);
        check("2024", None, "2024", false);
        check("order-items", None, "order-items", false);
        check(r#""open"#, None, "open", false);
        check("", None, "", false);
    }

    #[test]
    fn the_nearest_names_come_first() {
        let near = |text: &str| {
            let names = ["order_items", "orders", "customers", "events", "events_2025_01"];
            let candidates = names.iter().map(|name| ("public".into(), (*name).into(), (*name).into()));
            Name::parse(text).nearest(candidates, 3)
        };
        assert_eq!(near("oders"), ["orders"]);
        assert_eq!(near("order"), ["orders", "order_items"]);
        assert_eq!(near("costumer"), ["customers"]);
        assert_eq!(near("event"), ["events", "events_2025_01"]);
        assert_eq!(near("xyzzy"), [""; 0]);
    }
}
