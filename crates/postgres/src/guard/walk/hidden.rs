//! Columns that the policy hides.
//!
//! A statement that reads a table with hidden columns has to name what it reads, and none of the
//! names may be a hidden one. Whatever takes all columns at once is refused, because what it takes
//! can be passed on: `*`, a whole row (`to_jsonb(t)`, `t::text`, `(t).c`), `NATURAL JOIN`, and
//! column lists of aliases, which give columns other names. An unqualified name is taken to mean
//! the hidden column even where another table has one of that name.
//!
//! Judged at the end, because an alias may be used before the walk has met it.

use super::super::policy::HiddenColumn;
use super::super::refusal::{Refusal, RefusalKind};
use super::{Name, Result};

/// What was met so far.
#[derive(Debug)]
pub(super) struct Hidden<'a> {
    policy: &'a [HiddenColumn],
    /// Names in scope somewhere that stand for a table with hidden columns.
    guarded: Vec<Guarded<'a>>,
    /// Whether the `FROM` of the query being walked has such a table.
    here: bool,
    references: Vec<Reference<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Guarded<'a> {
    /// What the statement calls it.
    alias: &'a str,
    /// Which table it is; a join has none of its own.
    table: Option<(Option<&'a str>, &'a str)>,
}

/// A column that the statement names.
#[derive(Debug)]
struct Reference<'a> {
    name: Name<'a>,
    star: bool,
    /// Whether a bare `*` there has a hidden column.
    here: bool,
    /// Whether the last part can be a function that takes a row.
    calls: bool,
    location: i32,
}

impl<'a> Hidden<'a> {
    pub(super) fn new(policy: &'a [HiddenColumn]) -> Self {
        Self { policy, guarded: Vec::new(), here: false, references: Vec::new() }
    }

    /// Starts a query; what it gives goes to [`leave`](Self::leave).
    pub(super) fn enter(&mut self) -> bool {
        std::mem::take(&mut self.here)
    }

    pub(super) fn leave(&mut self, outer: bool) {
        self.here = outer;
    }

    /// Whether references need to be noted at all.
    pub(super) fn is_active(&self) -> bool {
        !self.policy.is_empty()
    }

    /// A table in `FROM`.
    pub(super) fn relation(
        &mut self,
        schema: Option<&'a str>,
        name: &'a str,
        alias: Option<&'a str>,
        renames: bool,
        location: i32,
    ) -> Result {
        if !self.policy.iter().any(|column| column.is_in(schema, name)) {
            return Ok(());
        }
        if renames {
            return Err(renaming(name).at(location));
        }
        self.here = true;
        self.guarded.push(Guarded { alias: alias.unwrap_or(name), table: Some((schema, name)) });
        Ok(())
    }

    pub(super) fn mark(&self) -> usize {
        self.guarded.len()
    }

    /// A join, after its sides.
    pub(super) fn join(
        &mut self,
        before: usize,
        natural: bool,
        alias: Option<&'a str>,
        renames: bool,
    ) -> Result {
        let Some(first) = self.guarded.get(before) else { return Ok(()) };
        let name = first.alias;
        if natural {
            let text = format!(
                "NATURAL JOIN compares every column of {name}, and some are hidden: write JOIN ... \
                 ON or USING with the columns to compare"
            );
            return Err(Refusal::new(RefusalKind::HiddenColumn, text));
        }
        if renames {
            return Err(renaming(name));
        }
        if let Some(alias) = alias {
            self.guarded.push(Guarded { alias, table: None });
        }
        Ok(())
    }

    /// A column by its bare name, as in `USING`.
    pub(super) fn column(&mut self, column: &'a str) {
        if self.is_active() {
            let name = Name::one(column);
            self.references.push(Reference {
                name,
                star: false,
                here: self.here,
                calls: false,
                location: -1,
            });
        }
    }

    /// A column reference: `name`, or `name.*` with `star`.
    pub(super) fn reference(&mut self, name: Name<'a>, star: bool, calls: bool, location: i32) {
        self.references.push(Reference { name, star, here: self.here, calls, location });
    }

    /// Judges all references.
    pub(super) fn judge(&self) -> Result {
        if self.guarded.is_empty() {
            return Ok(());
        }
        self.references.iter().try_for_each(|reference| {
            self.reference_is_open(reference).map_err(|refusal| refusal.at(reference.location))
        })
    }

    fn reference_is_open(&self, reference: &Reference<'a>) -> Result {
        let parts = reference.name.parts();
        if reference.star {
            let all = match parts.last() {
                None if reference.here => Some(self.guarded[0].alias),
                None => None,
                Some(name) => self.guarded(name).map(|guarded| guarded.alias),
            };
            return all.map_or(Ok(()), |name| Err(whole(name)));
        }
        match *parts {
            [] => Ok(()),
            [name] => {
                if self.hides(name, None) {
                    return Err(hidden(name));
                }
                self.guarded(name).map_or(Ok(()), |guarded| Err(whole(guarded.alias)))
            }
            [.., table, name] => {
                if self.guarded(table).is_some() {
                    if self.hides(name, Some(table)) {
                        return Err(hidden(name));
                    }
                    if reference.calls {
                        return Err(call(table, name));
                    }
                }
                // `schema.table` is a whole row as well.
                let row = self
                    .guarded
                    .iter()
                    .find(|guarded| guarded.table.is_some_and(|(_, of)| of == name && guarded.alias == name));
                match row {
                    Some(guarded) if self.guarded(table).is_none() => Err(whole(guarded.alias)),
                    _ => Ok(()),
                }
            }
        }
    }

    fn guarded(&self, alias: &str) -> Option<&Guarded<'a>> {
        self.guarded.iter().find(|guarded| guarded.alias == alias)
    }

    /// Whether a column of that name is hidden, in any table met, or in those of an alias.
    fn hides(&self, column: &str, alias: Option<&str>) -> bool {
        self.guarded.iter().any(|guarded| match guarded.table {
            // An alias of a join may stand for any table.
            _ if alias.is_some_and(|alias| guarded.alias != alias) => false,
            None => self.policy.iter().any(|hidden| hidden.column == column),
            Some((schema, table)) => {
                self.policy.iter().any(|hidden| hidden.column == column && hidden.is_in(schema, table))
            }
        })
    }
}

impl HiddenColumn {
    /// Whether it may be a column of the table that a statement calls so.
    fn is_in(&self, schema: Option<&str>, table: &str) -> bool {
        self.table == table
            && match (&self.schema, schema) {
                (Some(ours), Some(theirs)) => ours == theirs,
                _ => true,
            }
    }
}

fn hidden(column: &str) -> Refusal {
    let text = format!("the column {column} is hidden here: leave it out");
    Refusal::new(RefusalKind::HiddenColumn, text)
}

fn whole(table: &str) -> Refusal {
    let text = format!(
        "{table} has hidden columns, so name the columns that you need instead of `*` or the whole \
         row; if {table} is meant as a column, qualify it or give the table another alias"
    );
    Refusal::new(RefusalKind::HiddenColumn, text)
}

fn call(table: &str, name: &str) -> Refusal {
    let text = format!(
        "{table}.{name} may pass the whole row of {table}, which has hidden columns, to the function \
         {name}: if it is a column, select it under another name in a view"
    );
    Refusal::new(RefusalKind::HiddenColumn, text)
}

fn renaming(table: &str) -> Refusal {
    let text = format!(
        "{table} has hidden columns, so its alias must not rename columns: give each column a name \
         with AS in the select list"
    );
    Refusal::new(RefusalKind::HiddenColumn, text)
}
