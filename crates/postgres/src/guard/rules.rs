//! Judges names: functions, operators, casts, relations.

use std::collections::HashSet;

use super::builtin::{self, Volatility};
use super::catalog::{Catalog, Language, Routine};
use super::policy::Policy;

/// A policy and what is known of the server.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) policy: Policy,
    allowed: HashSet<Box<str>>,
    catalog: Option<Catalog>,
}

/// What is to be thought of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// May run; `varies` when two runs on the same data may differ.
    Allowed {
        varies: bool,
    },
    Refused(Why),
    /// Nothing has that name.
    Unknown,
}

/// Why a call is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Why {
    Volatile,
    Denied(&'static str),
    SecurityDefiner,
    RunsText,
    Language(Box<str>),
    /// The name is harmless in `pg_catalog`, but not in this other schema.
    Shadowed(Box<str>),
    /// Outside the schemas that the policy lists.
    Schema,
    /// It describes objects, and the policy closes some of them.
    Describes,
}

impl Rules {
    pub(super) fn new(policy: Policy, catalog: Option<Catalog>) -> Self {
        let allowed = policy.allow_functions.iter().map(|name| name.as_str().into()).collect();
        Self { policy, allowed, catalog }
    }

    pub(super) fn catalog(&self) -> Option<&Catalog> {
        self.catalog.as_ref()
    }

    pub(super) fn knows_server(&self) -> bool {
        self.catalog.is_some()
    }

    /// Whether the policy allows this name by itself.
    pub(super) fn allows(&self, name: &str) -> bool {
        self.allowed.contains(name)
    }

    /// Judges a call of `name` with so many arguments.
    pub(super) fn function(&self, schema: Option<&str>, name: &str, arguments: usize) -> Judgement {
        let builtin = |this: &Self| this.builtin_function(name, arguments);
        match schema {
            None => {
                if self.allowed.contains(name) {
                    return Judgement::Allowed { varies: true };
                }
                let others = self.candidates(name, None, |_| true);
                combine(builtin(self), others)
            }
            Some("pg_catalog") => {
                if self.allowed.contains(name) || self.allowed.contains(format!("pg_catalog.{name}").as_str())
                {
                    return Judgement::Allowed { varies: true };
                }
                builtin(self)
            }
            Some(schema) => {
                if self.allowed.contains(format!("{schema}.{name}").as_str()) {
                    return Judgement::Allowed { varies: true };
                }
                self.candidates(name, Some(schema), |_| true).unwrap_or(Ok(())).map_or_else(
                    |(why, _)| Judgement::Refused(why),
                    |()| match self.functions_in(schema, name) {
                        Some(varies) => Judgement::Allowed { varies },
                        None => Judgement::Unknown,
                    },
                )
            }
        }
    }

    /// Judges `x.name`: a column if there is one, and else a call with one argument.
    ///
    /// A name that no function has can only be a column.
    pub(super) fn attribute(&self, name: &str) -> Judgement {
        if self.allowed.contains(name) {
            return Judgement::Allowed { varies: true };
        }
        let unary = match builtin::function(name) {
            Some(facts) => facts.unary,
            None => self.catalog_builtin(name).is_some_and(|routine| routine.facts.unary),
        };
        let builtin = if unary { self.builtin_function(name, 1) } else { Judgement::Unknown };
        combine(builtin, self.candidates(name, None, |routine| routine.facts.unary))
    }

    /// Whether `x.name` could hand a row of `x` to a function.
    pub(super) fn takes_rows(&self, name: &str) -> bool {
        builtin::function(name).is_some_and(|facts| facts.takes_rows)
            || self
                .catalog
                .as_ref()
                .is_some_and(|catalog| catalog.functions(name).iter().any(|routine| routine.facts.takes_rows))
    }

    /// Judges an operator. Those of `pg_catalog` are all harmless.
    pub(super) fn operator(&self, schema: Option<&str>, name: &str) -> Judgement {
        let known = self.catalog.as_ref().map_or(&[][..], |catalog| catalog.operators(name));
        match self.objects(known, schema) {
            // Unqualified and unknown can only be built in, or nothing.
            Judgement::Unknown if matches!(schema, None | Some("pg_catalog")) => {
                Judgement::Allowed { varies: false }
            }
            judgement => judgement,
        }
    }

    /// Judges the casts to a type that are functions.
    pub(super) fn cast(&self, schema: Option<&str>, name: &str) -> Judgement {
        let known = self.catalog.as_ref().map_or(&[][..], |catalog| catalog.casts(name));
        self.objects(known, schema)
    }

    /// Whether a keyword that newer servers read as syntax names a bad function on older ones.
    pub(super) fn keyword(&self, name: &str) -> Result<(), Why> {
        match self.candidates(name, None, |_| true) {
            Some(Err((why, _))) => Err(why),
            _ => Ok(()),
        }
    }

    /// Judges what is not called by its own name, so by all that it may mean.
    fn objects(&self, routines: &[Routine], schema: Option<&str>) -> Judgement {
        let mut judgement = Judgement::Unknown;
        for routine in routines {
            let here = match schema {
                Some(schema) => *routine.schema == *schema,
                None => self.in_path(&routine.schema),
            };
            if !here {
                continue;
            }
            let builtin = *routine.schema == *"pg_catalog" && routine.language == Language::Native;
            if !builtin && let Err(why) = self.routine(routine, "") {
                return Judgement::Refused(why);
            }
            judgement = Judgement::Allowed { varies: false };
        }
        judgement
    }

    fn builtin_function(&self, name: &str, arguments: usize) -> Judgement {
        if let Some(reason) = self.denied(name) {
            return Judgement::Refused(Why::Denied(reason));
        }
        let describes = self.policy.schemas.is_some() && builtin::describes_objects(name);
        if builtin::is_harmless(name) {
            if describes {
                return Judgement::Refused(Why::Describes);
            }
            return Judgement::Allowed { varies: true };
        }
        if name == "ts_rewrite" && arguments == 3 {
            return Judgement::Allowed { varies: false }; // the form with two arguments runs a query
        }
        let shipped = builtin::function(name).map(|facts| facts.volatility);
        let live = self.catalog_builtin(name);
        if let Some(Err(why)) = live.map(|routine| self.routine(routine, name)) {
            return Judgement::Refused(why);
        }
        match shipped.max(live.map(|routine| routine.facts.volatility)) {
            // What keeps a function closed everywhere is the better reason.
            Some(Volatility::Volatile) => Judgement::Refused(Why::Volatile),
            _ if describes => Judgement::Refused(Why::Describes),
            None if builtin::is_type(name) => Judgement::Allowed { varies: false },
            None => Judgement::Unknown,
            Some(_) => Judgement::Allowed { varies: builtin::varies(name, arguments) },
        }
    }

    /// Why a function is not to be had, whatever the catalog says of it.
    fn denied(&self, name: &str) -> Option<&'static str> {
        let shows_others = self.policy.separate_callers && builtin::tells_of_others(name);
        builtin::denied(name).or(shows_others.then_some("tells of other callers"))
    }

    fn catalog_builtin(&self, name: &str) -> Option<&Routine> {
        let functions = self.catalog.as_ref()?.functions(name);
        functions.iter().find(|routine| *routine.schema == *"pg_catalog")
    }

    /// Judges the functions of that name outside `pg_catalog`, all that a call might mean.
    ///
    /// `None` when there are none; an error comes with the schema.
    fn candidates(
        &self,
        name: &str,
        schema: Option<&str>,
        relevant: impl Fn(&Routine) -> bool,
    ) -> Option<Result<(), (Why, Box<str>)>> {
        let mut found = None;
        for routine in self.catalog.as_ref()?.functions(name) {
            let here = match schema {
                Some(schema) => *routine.schema == *schema,
                None => self.in_path(&routine.schema),
            };
            if !here || *routine.schema == *"pg_catalog" || !relevant(routine) {
                continue;
            }
            let qualified = format!("{}.{name}", routine.schema);
            if !self.allowed.contains(qualified.as_str())
                && let Err(why) = self.routine(routine, name)
            {
                return Some(Err((why, routine.schema.clone())));
            }
            found = Some(Ok(()));
        }
        found
    }

    /// Whether a schema has a function of that name, and if so whether its results vary.
    fn functions_in(&self, schema: &str, name: &str) -> Option<bool> {
        let mut found = self
            .catalog
            .as_ref()?
            .functions(name)
            .iter()
            .filter(|routine| *routine.schema == *schema)
            .peekable();
        found.peek()?;
        Some(found.any(|routine| routine.facts.volatility != Volatility::Immutable))
    }

    fn in_path(&self, schema: &str) -> bool {
        match &self.policy.search_path {
            None => true,
            Some(path) => path.iter().any(|one| one == schema) || schema == "pg_catalog",
        }
    }

    /// Judges a routine by what the catalog says of it.
    fn routine(&self, routine: &Routine, name: &str) -> Result<(), Why> {
        let builtin = *routine.schema == *"pg_catalog";
        if let Some(reason) = self.denied(name) {
            return Err(Why::Denied(reason));
        }
        if let Language::Other(language) = &routine.language {
            return Err(Why::Language(language.clone()));
        }
        let native = routine.language == Language::Native;
        if routine.security_definer {
            return Err(Why::SecurityDefiner);
        }
        if routine.facts.volatility == Volatility::Volatile {
            let harmless = native
                && if builtin {
                    builtin::is_harmless(name) || name == "ts_rewrite"
                } else {
                    builtin::is_harmless_in_extension(name)
                };
            if !harmless {
                return Err(Why::Volatile);
            }
        }
        if routine.runs_text {
            return Err(Why::RunsText);
        }
        if !native && !builtin && !self.schema_is_open(&routine.schema) {
            return Err(Why::Schema);
        }
        Ok(())
    }

    /// Whether the policy lets statements read relations of a schema.
    pub(super) fn schema_is_open(&self, schema: &str) -> bool {
        match &self.policy.schemas {
            None => true,
            Some(schemas) => schemas.iter().any(|one| one == schema),
        }
    }

    /// Whether an unqualified relation is sure to be in an open schema.
    pub(super) fn unqualified_is_open(&self, name: &str) -> bool {
        if self.policy.schemas.is_none() {
            return true;
        }
        // Every relation of pg_catalog starts with `pg_`, and pg_catalog is searched first.
        if name.starts_with("pg_") {
            return self.schema_is_open("pg_catalog");
        }
        match &self.policy.search_path {
            None => false,
            Some(path) => path.iter().all(|schema| self.schema_is_open(schema)),
        }
    }
}

/// An unqualified name may mean the built-in function or any other one.
fn combine(builtin: Judgement, others: Option<Result<(), (Why, Box<str>)>>) -> Judgement {
    match (builtin, others) {
        (Judgement::Refused(why), _) => Judgement::Refused(why),
        (Judgement::Allowed { .. }, Some(Err((_, schema)))) => Judgement::Refused(Why::Shadowed(schema)),
        (_, Some(Err((why, _)))) => Judgement::Refused(why),
        (builtin, None) => builtin,
        (_, Some(Ok(()))) => Judgement::Allowed { varies: true },
    }
}
