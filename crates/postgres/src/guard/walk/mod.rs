//! Goes through a parse tree and judges what its nodes mean.

mod expression;
mod hidden;
mod json;
mod relation;
mod size;
mod text;

use std::collections::BTreeSet;
use std::sync::Arc;

use pg_query::protobuf::node::Node as N;
use pg_query::protobuf::{DefElem, Node, ParseResult, SelectStmt, WithClause};

use self::hidden::Hidden;
pub(super) use self::text::unparsed;
use super::inventory::{Counts, Kind};
use super::refusal::{Refusal, RefusalKind};
use super::rules::Rules;
use super::{Checked, Findings, RelationName, StatementKind};

type Result<T = ()> = std::result::Result<T, Refusal>;

/// Judges what was parsed.
pub(super) fn statement(rules: &Rules, tree: &ParseResult) -> Result<Checked> {
    let statement = match tree.stmts.as_slice() {
        [] => return Err(text::empty()),
        [one] => one,
        several => return Err(text::several(several.len(), several[1].stmt_location)),
    };
    let root = statement.stmt.as_deref().and_then(|node| node.node.as_ref());
    let reads = matches!(root, Some(N::SelectStmt(_) | N::ExplainStmt(_) | N::VariableShowStmt(_)));
    let counts = Counts::of(tree).map_err(|kind| text::unlisted(kind, reads))?;

    let mut walk = Walk::new(rules);
    walk.counts.add(Kind::RawStmt);
    walk.counts.add(Kind::Node);
    let kind = match root {
        Some(N::SelectStmt(select)) => {
            walk.select(select)?;
            StatementKind::Select
        }
        Some(N::ExplainStmt(explain)) => {
            walk.counts.add(Kind::ExplainStmt);
            if rules.policy.separate_callers {
                return Err(text::explain_tells_of_others());
            }
            walk.varies = true;
            let analyze = walk.explain_options(&explain.options)?;
            walk.subquery(explain.query.as_deref())?;
            StatementKind::Explain { analyze }
        }
        Some(N::VariableShowStmt(_)) => {
            walk.counts.add(Kind::VariableShowStmt);
            walk.varies = true;
            StatementKind::Show
        }
        _ => return Err(text::unlisted("Stmt", false)),
    };
    if walk.counts != counts {
        return Err(text::unsupported());
    }
    walk.hidden.judge()?;
    let relations = walk.relations.into_iter();
    Ok(Checked(Arc::new(Findings {
        kind,
        varies: walk.varies,
        parameters: walk.parameters,
        relations: relations
            .map(|(schema, name)| RelationName { schema: schema.map(str::to_owned), name: name.to_owned() })
            .collect(),
    })))
}

/// The state of one walk.
#[derive(Debug)]
struct Walk<'a> {
    rules: &'a Rules,
    /// What was visited; equal in the end to what there is.
    counts: Counts,
    /// The names of `WITH` queries in scope, innermost last.
    ctes: Vec<&'a str>,
    hidden: Hidden<'a>,
    relations: BTreeSet<(Option<&'a str>, &'a str)>,
    varies: bool,
    parameters: u16,
    /// Bytes that constants grow to, so far.
    constant_bytes: u64,
}

/// A dotted name. PostgreSQL has none with more than four parts.
#[derive(Clone, Copy, Debug)]
struct Name<'a> {
    parts: [&'a str; 4],
    len: usize,
}

impl<'a> Name<'a> {
    fn one(name: &'a str) -> Self {
        Self { parts: [name, "", "", ""], len: 1 }
    }

    fn parts(&self) -> &[&'a str] {
        &self.parts[..self.len]
    }

    /// The last part, and the one before it.
    fn split(&self) -> (Option<&'a str>, &'a str) {
        match *self.parts() {
            [] => (None, ""),
            [name] => (None, name),
            [.., schema, name] => (Some(schema), name),
        }
    }
}

impl<'a> Walk<'a> {
    fn new(rules: &'a Rules) -> Self {
        Self {
            rules,
            counts: Counts::new(),
            ctes: Vec::new(),
            hidden: Hidden::new(&rules.policy.hidden_columns),
            relations: BTreeSet::new(),
            varies: false,
            parameters: 0,
            constant_bytes: 0,
        }
    }

    fn select(&mut self, select: &'a SelectStmt) -> Result {
        self.counts.add(Kind::SelectStmt);
        if select.into_clause.is_some() || !select.locking_clause.is_empty() {
            return Err(text::unsupported()); // the inventory lists neither: not reached
        }
        let scope = self.ctes.len();
        let outer = self.hidden.enter();
        if let Some(with) = &select.with_clause {
            self.with(with)?;
        }
        // The relations first: what `*` means depends on them.
        self.nodes(&select.from_clause)?;
        for node in &select.distinct_clause {
            self.optional(node)?; // a plain DISTINCT is a list of one empty node
        }
        self.nodes(&select.target_list)?;
        self.child(select.where_clause.as_deref())?;
        self.nodes(&select.group_clause)?;
        self.child(select.having_clause.as_deref())?;
        self.nodes(&select.window_clause)?;
        self.nodes(&select.values_lists)?;
        self.nodes(&select.sort_clause)?;
        self.child(select.limit_offset.as_deref())?;
        self.child(select.limit_count.as_deref())?;
        for side in [&select.larg, &select.rarg].into_iter().flatten() {
            self.select(side)?;
        }
        self.hidden.leave(outer);
        self.ctes.truncate(scope);
        Ok(())
    }

    /// A node that must be a `SELECT`.
    fn subquery(&mut self, node: Option<&'a Node>) -> Result {
        match node.map(|node| &node.node) {
            Some(Some(N::SelectStmt(select))) => {
                self.counts.add(Kind::Node);
                self.select(select)
            }
            Some(Some(_)) => Err(text::not_a_query()),
            _ => Err(text::unsupported()),
        }
    }

    fn with(&mut self, with: &'a WithClause) -> Result {
        self.counts.add(Kind::WithClause);
        let queries = || {
            with.ctes.iter().map(|node| match &node.node {
                Some(N::CommonTableExpr(cte)) => Ok(&**cte),
                _ => Err(text::unsupported()),
            })
        };
        if with.recursive {
            for cte in queries() {
                self.ctes.push(&cte?.ctename);
            }
        }
        for cte in queries() {
            let cte = cte?;
            self.counts.add(Kind::Node);
            self.counts.add(Kind::CommonTableExpr);
            self.strings(&cte.aliascolnames)?;
            self.subquery(cte.ctequery.as_deref())?;
            if let Some(search) = &cte.search_clause {
                self.counts.add(Kind::CteSearchClause);
                self.strings(&search.search_col_list)?;
            }
            if let Some(cycle) = &cte.cycle_clause {
                self.counts.add(Kind::CteCycleClause);
                self.strings(&cycle.cycle_col_list)?;
                self.child(cycle.cycle_mark_value.as_deref())?;
                self.child(cycle.cycle_mark_default.as_deref())?;
            }
            if !with.recursive {
                self.ctes.push(&cte.ctename);
            }
        }
        Ok(())
    }

    /// Reads the options of `EXPLAIN`: whether it runs the statement.
    fn explain_options(&mut self, options: &'a [Node]) -> Result<bool> {
        let mut analyze = false;
        for node in options {
            let Some(N::DefElem(option)) = &node.node else { return Err(text::unsupported()) };
            self.counts.add(Kind::Node);
            self.counts.add(Kind::DefElem);
            self.child(option.arg.as_deref())?;
            match option.defname.as_str() {
                "analyze" => analyze = is_on(option),
                "verbose" | "costs" | "settings" | "generic_plan" | "buffers" | "serialize" | "wal"
                | "timing" | "summary" | "memory" | "format" => {}
                other => return Err(text::explain_option(other, option.location)),
            }
        }
        Ok(analyze)
    }

    fn nodes(&mut self, nodes: &'a [Node]) -> Result {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    fn child(&mut self, node: Option<&'a Node>) -> Result {
        node.map_or(Ok(()), |node| self.node(node))
    }

    /// A node that may be there without being anything.
    fn optional(&mut self, node: &'a Node) -> Result {
        if node.node.is_none() {
            self.counts.add(Kind::Node);
            return Ok(());
        }
        self.node(node)
    }

    /// A list of names, none of which can be a call.
    fn strings(&mut self, nodes: &'a [Node]) -> Result {
        for node in nodes {
            self.string(node)?;
        }
        Ok(())
    }

    fn string(&mut self, node: &'a Node) -> Result<&'a str> {
        let Some(N::String(string)) = &node.node else { return Err(text::unsupported()) };
        self.counts.add(Kind::Node);
        self.counts.add(Kind::String);
        Ok(&string.sval)
    }

    fn name(&mut self, nodes: &'a [Node]) -> Result<Name<'a>> {
        let mut name = Name { parts: [""; 4], len: nodes.len() };
        if name.len > name.parts.len() {
            return Err(text::too_many_dots());
        }
        for (part, node) in name.parts.iter_mut().zip(nodes) {
            *part = self.string(node)?;
        }
        Ok(name)
    }

    fn refuse<T>(&self, kind: RefusalKind, text: String, location: i32) -> Result<T> {
        Err(Refusal::new(kind, text).at(location))
    }
}

/// An option of `EXPLAIN` without a value is on; if in doubt, it is.
fn is_on(option: &DefElem) -> bool {
    match option.arg.as_deref().and_then(|arg| arg.node.as_ref()) {
        Some(N::Boolean(value)) => value.boolval,
        Some(N::Integer(value)) => value.ival != 0,
        Some(N::String(value)) => {
            !["false", "off", "0"].iter().any(|off| off.eq_ignore_ascii_case(&value.sval))
        }
        _ => true,
    }
}
