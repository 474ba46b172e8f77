//! What a server says of its functions, operators and casts.

use std::collections::HashMap;

use super::builtin::{Facts, Volatility};

/// The functions, operators and casts of one server: what [`Catalog::QUERY`] gives.
///
/// With it the guard knows functions of users and of extensions, and functions of servers newer
/// than this crate. It is a snapshot: read it again when objects may have changed. A name that it
/// lacks is refused, so a stale snapshot refuses too much, and lets a function through only where
/// its definition was changed since.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    functions: HashMap<Box<str>, Vec<Routine>>,
    operators: HashMap<Box<str>, Vec<Routine>>,
    casts: HashMap<Box<str>, Vec<Routine>>,
}

/// One row of [`Catalog::QUERY`], its fields in the order of the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogRow {
    /// `function`, `operator` or `cast` (a cast goes by the name of its target type).
    pub kind: String,
    /// The schema of the object.
    pub schema: String,
    /// The name of the object; all overloads are one row.
    pub name: String,
    /// The worst of the overloads: `i`, `s` or `v`.
    pub volatility: String,
    /// Whether any overload is `SECURITY DEFINER`.
    pub security_definer: bool,
    /// The languages of the overloads, separated by commas.
    pub languages: String,
    /// Whether any overload runs text as SQL, or changes settings or the role for what it reads.
    pub runs_text: bool,
    /// Whether `x.name` can call it.
    pub unary: bool,
}

/// What the overloads of one name in one schema have in common.
#[derive(Clone, Debug)]
pub(super) struct Routine {
    pub(super) schema: Box<str>,
    pub(super) facts: Facts,
    pub(super) security_definer: bool,
    pub(super) runs_text: bool,
    pub(super) language: Language,
}

/// What is to be thought of a routine's languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// Compiled, installed by a superuser.
    Native,
    /// `sql` and `plpgsql`: PostgreSQL itself keeps writes out of what is not volatile.
    Checked,
    /// Anything else can do anything, whatever its label says.
    Other(Box<str>),
}

impl Catalog {
    /// The query that fills a catalog. It needs no privilege and no `search_path`.
    ///
    /// A row for each name in each schema. An aggregate counts as the worst of its support
    /// functions, because its own label is always "immutable".
    pub const QUERY: &str = r"
WITH called (kind, namespace, name, entry, routine) AS (
    SELECT 'function', p.pronamespace, p.proname, p.oid, p.oid
    FROM pg_catalog.pg_proc AS p
    WHERE p.prokind IN ('f', 'w')
  UNION ALL
    SELECT 'function', p.pronamespace, p.proname, p.oid, s.oid
    FROM pg_catalog.pg_aggregate AS a
    JOIN pg_catalog.pg_proc AS p ON p.oid = a.aggfnoid
    CROSS JOIN LATERAL pg_catalog.unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn,
        a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn
        ]::pg_catalog.oid[]) AS s (oid)
    WHERE s.oid <> 0
  UNION ALL
    SELECT 'operator', o.oprnamespace, o.oprname, o.oprcode, o.oprcode
    FROM pg_catalog.pg_operator AS o
    WHERE o.oprcode <> 0
  UNION ALL
    SELECT 'cast', t.typnamespace, t.typname, c.castfunc, c.castfunc
    FROM pg_catalog.pg_cast AS c
    JOIN pg_catalog.pg_type AS t ON t.oid = c.casttarget
    WHERE c.castfunc <> 0
)
SELECT c.kind::pg_catalog.text,
       n.nspname::pg_catalog.text,
       c.name::pg_catalog.text,
       pg_catalog.max(p.provolatile::pg_catalog.text),
       pg_catalog.bool_or(p.prosecdef),
       pg_catalog.string_agg(DISTINCT l.lanname::pg_catalog.text, ','),
       pg_catalog.bool_or(
           l.lanname IN ('sql', 'plpgsql')
           AND p.prosrc || CASE WHEN p.prosqlbody IS NULL THEN '' ELSE pg_catalog.pg_get_function_sqlbody(p.oid) END ~*
               '\m(execute|set_config|dblink\w*|crosstab\w*|connectby|ts_stat|ts_rewrite|\w+_to_xml\w*)\M'
           OR EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) AS s (setting)
                      WHERE s.setting ~ '^(role|session_authorization|row_security|[^=]*[.][^=]*)=')),
       pg_catalog.bool_or(e.pronargs >= 1 AND e.proargtypes[0] <> 'internal'::pg_catalog.regtype
           AND (e.provariadic <> 0 OR e.pronargs - e.pronargdefaults <= 1))
FROM called AS c
JOIN pg_catalog.pg_proc AS p ON p.oid = c.routine
JOIN pg_catalog.pg_proc AS e ON e.oid = c.entry
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.namespace
WHERE e.prorettype NOT IN ('trigger'::pg_catalog.regtype, 'event_trigger'::pg_catalog.regtype)
GROUP BY 1, 2, 3";

    /// A catalog of these rows.
    pub fn from_rows(rows: impl IntoIterator<Item = CatalogRow>) -> Self {
        let mut catalog = Self::default();
        for row in rows {
            let objects = match row.kind.as_str() {
                "operator" => &mut catalog.operators,
                "cast" => &mut catalog.casts,
                _ => &mut catalog.functions,
            };
            let name = row.name.as_str().into();
            objects.entry(name).or_default().push(Routine::from(row));
        }
        catalog
    }

    /// How many functions it knows, by schema and name.
    pub fn functions_len(&self) -> usize {
        self.functions.values().map(Vec::len).sum()
    }

    pub(super) fn functions(&self, name: &str) -> &[Routine] {
        self.functions.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn operators(&self, name: &str) -> &[Routine] {
        self.operators.get(name).map_or(&[], Vec::as_slice)
    }

    pub(super) fn casts(&self, type_name: &str) -> &[Routine] {
        self.casts.get(type_name).map_or(&[], Vec::as_slice)
    }
}

impl From<CatalogRow> for Routine {
    fn from(row: CatalogRow) -> Self {
        let volatility = match row.volatility.as_str() {
            "i" => Volatility::Immutable,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        };
        let builtin = row.schema == "pg_catalog";
        let takes_rows = row.unary && !builtin;
        Self {
            schema: row.schema.into(),
            facts: Facts { volatility, unary: row.unary, takes_rows },
            security_definer: row.security_definer,
            runs_text: row.runs_text,
            language: Language::of(&row.languages),
        }
    }
}

impl Language {
    fn of(languages: &str) -> Self {
        let mut all = Self::Native;
        for language in languages.split(',') {
            match language {
                "internal" | "c" => {}
                "sql" | "plpgsql" => all = Self::Checked,
                other => return Self::Other(other.into()),
            }
        }
        all
    }
}
