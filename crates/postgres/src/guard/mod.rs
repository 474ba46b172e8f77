//! Decides whether a statement may run, before a connection is asked for.
//!
//! PostgreSQL's own parser reads the statement, and what it finds must be on a list: the kind of
//! statement, the kind of every node in the tree, and every function by what the catalog says of
//! it. Nothing is looked for in text, so no spelling gets past, and nothing is refused because a
//! word looks dangerous.
//!
//! # What gets through
//!
//! - One `SELECT` (also `VALUES`, `TABLE`, `WITH`), `EXPLAIN` of one, `EXPLAIN ANALYZE` too, or
//!   `SHOW`. No `INTO`, no row locks, no data-changing `WITH`.
//! - Functions of `pg_catalog` that are immutable or stable, and some volatile ones that only read
//!   or compute (`random`, `clock_timestamp`, `pg_relation_size`).
//! - With a [`Catalog`], functions of users and extensions that are immutable or stable, not
//!   `SECURITY DEFINER`, and written in C, SQL or PL/pgSQL without `EXECUTE`. Other languages can
//!   do anything under any label, so they must be named in [`Policy::allow_functions`], as must
//!   anything volatile. Operators and casts are judged by their functions.
//! - No XPath (`xpath`, `XMLTABLE`, `XMLEXISTS`), unless [`Policy::allow_functions`] names it:
//!   neither a timeout nor a cancellation stops it.
//! - Relations, except those that hold secrets (`pg_authid`, `pg_statistic`) and what the
//!   [`Policy`] closes.
//!
//! A name that could mean several functions is judged by the worst of them. `x.name` and
//! `(x).name` are judged as the calls that they may be.
//!
//! # What it does not do
//!
//! The guard is one of several defences. It trusts what the database's owner has defined: the
//! labels of functions, and what views, row security policies, domains, index expressions and
//! column defaults call. It cannot tell what a statement costs: it refuses constants that blow up
//! (`repeat('x', 1000000000)`), but not a cross join, an endless recursion, a product of two
//! large series, or a big number that comes from data. Run statements in a `READ ONLY`
//! transaction with a statement timeout, as a role with few rights, through the extended
//! protocol, and with [`REQUIRED_SETTINGS`], so that server and guard read the same statement.

mod builtin;
mod catalog;
mod inventory;
mod parser;
mod policy;
mod refusal;
mod rules;
mod walk;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use moka::sync::Cache;

pub use catalog::{Catalog, CatalogRow};
pub use policy::{HiddenColumn, InvalidColumn, Policy};
pub use refusal::{Refusal, RefusalKind};
use rules::Rules;

/// Settings that a connection must have for the guard's reading to be the server's.
///
/// With `standard_conforming_strings` off, a backslash ends up meaning something else to the
/// server than to the guard, and a string that the guard saw closes early.
pub const REQUIRED_SETTINGS: &[(&str, &str)] =
    &[("standard_conforming_strings", "on"), ("client_encoding", "UTF8")];

/// Decides which statements may run.
///
/// Clones share everything. Verdicts are remembered by the exact text of the statement, up to
/// [`Policy::cache_bytes`].
#[derive(Clone)]
pub struct Guard(Arc<RwLock<State>>);

/// What belongs together: a verdict holds for the rules it was found by.
#[derive(Clone)]
struct State {
    rules: Arc<Rules>,
    verdicts: Option<Cache<Arc<str>, Verdict>>,
}

type Verdict = Result<Checked, Refusal>;

/// A statement that may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked(Arc<Findings>);

#[derive(Debug, PartialEq, Eq)]
struct Findings {
    kind: StatementKind,
    varies: bool,
    parameters: u16,
    relations: Vec<RelationName>,
}

/// What a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatementKind {
    /// `SELECT`, `VALUES` or `TABLE`.
    Select,
    /// `EXPLAIN` of a `SELECT`.
    Explain {
        /// Whether it runs the statement too.
        analyze: bool,
    },
    /// `SHOW`.
    Show,
}

/// A relation as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationName {
    /// The schema, if the statement gives one.
    pub schema: Option<String>,
    /// The name of the table, view or the like.
    pub name: String,
}

impl Guard {
    /// A guard that knows the functions of PostgreSQL 14 to 18, and no others.
    ///
    /// Without a [`Catalog`] it cannot know of a user's function that shares the name of a
    /// built-in one, so give it one before it meets untrusted statements.
    pub fn new(policy: Policy) -> Self {
        Self(Arc::new(RwLock::new(State::new(Rules::new(policy, None)))))
    }

    /// Judges by what this server has, and forgets earlier verdicts. Clones see it too.
    pub fn set_catalog(&self, catalog: Catalog) {
        let policy = self.state().rules.policy.clone();
        let state = State::new(Rules::new(policy, Some(catalog)));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Whether it was given a catalog.
    pub fn has_catalog(&self) -> bool {
        self.state().rules.catalog().is_some()
    }

    /// Says whether a statement may run.
    ///
    /// It never blocks on input or output: a new statement takes tens of microseconds for its
    /// parser, one thread for the whole process, and a remembered one a fraction of one.
    ///
    /// # Errors
    ///
    /// Why it may not, for a reader who can write a better one.
    pub fn check(&self, sql: &str) -> Result<Checked, Refusal> {
        let State { rules, verdicts } = self.state();
        let limit = rules.policy.max_sql_bytes;
        if sql.len() > limit {
            let text = format!(
                "the statement has {} bytes and may have {limit}: shorten it, or pass long values \
                 as parameters",
                sql.len()
            );
            return Err(Refusal::new(RefusalKind::TooLong, text));
        }
        if let Some(verdict) = verdicts.as_ref().and_then(|verdicts| verdicts.get(sql)) {
            return verdict;
        }
        let sql: Arc<str> = sql.into();
        let verdict = judge(rules, Arc::clone(&sql));
        let lasting = !matches!(&verdict, Err(refusal) if refusal.kind() == RefusalKind::Internal);
        if let Some(verdicts) = verdicts
            && lasting
        {
            verdicts.insert(sql, verdict.clone());
        }
        verdict
    }

    fn state(&self) -> State {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("policy", &self.state().rules.policy).finish_non_exhaustive()
    }
}

impl State {
    fn new(rules: Rules) -> Self {
        let bytes = rules.policy.cache_bytes;
        let verdicts = (bytes > 0).then(|| {
            Cache::builder()
                .max_capacity(bytes)
                .weigher(|sql: &Arc<str>, verdict: &Verdict| {
                    let verdict = match verdict {
                        Ok(checked) => checked.weight(),
                        Err(refusal) => refusal.weight(),
                    };
                    // The rest is what the cache itself keeps for an entry.
                    u32::try_from(sql.len() + verdict + 200).unwrap_or(u32::MAX)
                })
                .build()
        });
        Self { rules: Arc::new(rules), verdicts }
    }
}

fn judge(rules: Arc<Rules>, sql: Arc<str>) -> Verdict {
    if sql.contains('\0') {
        let text = "the statement has a NUL character, which PostgreSQL does not accept: remove it";
        return Err(Refusal::new(RefusalKind::Syntax, text));
    }
    parser::run(move || {
        let tree = parser::parse(&sql).map_err(|error| walk::unparsed(&error, &sql))?;
        walk::statement(&rules, &tree)
    })
    .unwrap_or_else(|| {
        let text = "the statement could not be checked: write it in a simpler way";
        Err(Refusal::new(RefusalKind::Internal, text))
    })
}

impl Checked {
    /// What the statement is.
    pub fn kind(&self) -> StatementKind {
        self.0.kind
    }

    /// Whether the statement is an `EXPLAIN`.
    pub fn is_explain(&self) -> bool {
        matches!(self.0.kind, StatementKind::Explain { .. })
    }

    /// Whether its result depends on nothing but data, parameters, role and settings.
    ///
    /// Not so with `random()`, `now()`, `'today'`, statistics of the server, `TABLESAMPLE` without
    /// a seed, a function of a user that is not immutable, `EXPLAIN` and `SHOW`.
    pub fn is_cacheable(&self) -> bool {
        !self.0.varies
    }

    /// The highest number of a parameter, so `$3` gives 3; 0 without any.
    pub fn parameters(&self) -> u16 {
        self.0.parameters
    }

    /// The relations that the statement names itself, sorted, each once.
    ///
    /// What a view reads is not among them.
    pub fn relations(&self) -> &[RelationName] {
        &self.0.relations
    }

    fn weight(&self) -> usize {
        let names = self.0.relations.iter().map(|relation| {
            size_of::<RelationName>() + relation.name.len() + relation.schema.as_ref().map_or(0, String::len)
        });
        size_of::<Findings>() + names.sum::<usize>()
    }
}
