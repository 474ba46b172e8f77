//! What stands in `FROM`.

use pg_query::protobuf::node::Node as N;
use pg_query::protobuf::{
    Alias, ColumnDef, JoinExpr, Node, RangeFunction, RangeSubselect, RangeTableFunc, RangeTableFuncCol,
    RangeTableSample, RangeVar,
};

use super::super::builtin;
use super::super::inventory::Kind;
use super::super::refusal::RefusalKind;
use super::{Result, Walk, text};

impl<'a> Walk<'a> {
    pub(super) fn range_var(&mut self, relation: &'a RangeVar) -> Result {
        self.counts.add(Kind::RangeVar);
        let schema = Some(relation.schemaname.as_str()).filter(|schema| !schema.is_empty());
        let name = relation.relname.as_str();
        let alias = self.alias(relation.alias.as_ref())?;
        if schema.is_none() && self.ctes.contains(&name) {
            return Ok(());
        }
        self.relation(schema, name, relation.location)?;
        let policy = &self.rules.policy;
        if !policy.hidden_columns.is_empty() {
            if matches!(schema, None | Some("pg_catalog")) && builtin::shows_values(name) {
                let text = format!("{name} shows values of columns, some of which are hidden here");
                return self.refuse(RefusalKind::Relation, text, relation.location);
            }
            let renames = relation.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty());
            self.hidden.relation(schema, name, alias, renames, relation.location)?;
        }
        self.relations.insert((schema, name));
        Ok(())
    }

    /// Whether the policy lets statements read a relation.
    fn relation(&mut self, schema: Option<&'a str>, name: &'a str, location: i32) -> Result {
        let full = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
        if builtin::is_secret_relation(schema, name) {
            let text = format!(
                "{full} is not readable here: it holds secrets or raw storage. The other catalogs \
                 and information_schema describe the database"
            );
            return self.refuse(RefusalKind::Relation, text, location);
        }
        if self.rules.policy.separate_callers && builtin::tells_of_others(name) {
            let text = format!("{full} is not readable here: it tells of other callers");
            return self.refuse(RefusalKind::Relation, text, location);
        }
        let open = match schema {
            Some(schema) => self.rules.schema_is_open(schema),
            None => self.rules.unqualified_is_open(name),
        };
        if !open {
            let schemas = self.rules.policy.schemas.as_deref().unwrap_or_default().join(", ");
            let text = if schema.is_some() {
                format!("{full} is outside the schemas that may be read: {schemas}")
            } else {
                format!("write {name} with its schema; the schemas that may be read: {schemas}")
            };
            return self.refuse(RefusalKind::Relation, text, location);
        }
        if matches!(schema, None | Some("pg_catalog")) && builtin::relation_varies(name) {
            self.varies = true;
        }
        Ok(())
    }

    pub(super) fn alias(&mut self, alias: Option<&'a Alias>) -> Result<Option<&'a str>> {
        let Some(alias) = alias else { return Ok(None) };
        self.counts.add(Kind::Alias);
        self.strings(&alias.colnames)?;
        Ok(Some(&alias.aliasname))
    }

    pub(super) fn join(&mut self, join: &'a JoinExpr) -> Result {
        self.counts.add(Kind::JoinExpr);
        let before = self.hidden.mark();
        self.child(join.larg.as_deref())?;
        self.child(join.rarg.as_deref())?;
        if join.is_natural || !join.using_clause.is_empty() {
            self.implied_operators(&["="], -1)?;
        }
        for column in &join.using_clause {
            let column = self.string(column)?;
            self.hidden.column(column);
        }
        self.alias(join.join_using_alias.as_ref())?;
        let alias = self.alias(join.alias.as_ref())?;
        let renames = join.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty());
        self.hidden.join(before, join.is_natural, alias, renames)?;
        self.child(join.quals.as_deref())
    }

    pub(super) fn range_subselect(&mut self, range: &'a RangeSubselect) -> Result {
        self.counts.add(Kind::RangeSubselect);
        self.subquery(range.subquery.as_deref())?;
        self.alias(range.alias.as_ref())?;
        Ok(())
    }

    pub(super) fn range_function(&mut self, range: &'a RangeFunction) -> Result {
        self.counts.add(Kind::RangeFunction);
        for function in &range.functions {
            // A pair of the call and its column definitions, which may be absent.
            let Some(N::List(pair)) = &function.node else { return Err(text::unsupported()) };
            self.counts.add(Kind::Node);
            self.counts.add(Kind::List);
            for part in &pair.items {
                self.optional(part)?;
            }
        }
        self.alias(range.alias.as_ref())?;
        self.nodes(&range.coldeflist)
    }

    pub(super) fn column_def(&mut self, column: &'a ColumnDef) -> Result {
        self.counts.add(Kind::ColumnDef);
        self.type_name(column.type_name.as_ref())?;
        if let Some(collation) = &column.coll_clause {
            self.collate(collation)?;
        }
        Ok(())
    }

    pub(super) fn range_sample(&mut self, range: &'a RangeTableSample) -> Result {
        self.counts.add(Kind::RangeTableSample);
        self.child(range.relation.as_deref())?;
        let method = self.name(&range.method)?;
        let (schema, name) = method.split();
        let known = matches!(name, "system" | "bernoulli" | "system_rows" | "system_time");
        if !known || schema.is_some_and(|schema| schema != "pg_catalog") {
            let text = format!("TABLESAMPLE {name} is not allowed: use SYSTEM or BERNOULLI");
            return self.refuse(RefusalKind::Function, text, range.location);
        }
        if range.repeatable.is_none() {
            self.varies = true;
        }
        self.nodes(&range.args)?;
        self.child(range.repeatable.as_deref())
    }

    /// `XMLTABLE`.
    pub(super) fn range_table_func(&mut self, range: &'a RangeTableFunc) -> Result {
        self.counts.add(Kind::RangeTableFunc);
        // Its paths run in libxml2, which looks at no interrupt.
        if !self.rules.allows("xmltable") {
            let text = "XMLTABLE is not allowed: it cannot be stopped by a timeout while it runs. Select the \
                        xml value itself and read it on your side; the server's operator can allow xmltable \
                        by name";
            return self.refuse(RefusalKind::Unsupported, text.to_owned(), range.location);
        }
        self.child(range.docexpr.as_deref())?;
        self.child(range.rowexpr.as_deref())?;
        self.nodes(&range.namespaces)?;
        self.nodes(&range.columns)?;
        self.alias(range.alias.as_ref())?;
        Ok(())
    }

    pub(super) fn range_table_func_column(&mut self, column: &'a RangeTableFuncCol) -> Result {
        self.counts.add(Kind::RangeTableFuncCol);
        self.type_name(column.type_name.as_ref())?;
        self.child(column.colexpr.as_deref())?;
        self.child(column.coldefexpr.as_deref())
    }

    /// The parts of a list in a list, as in `VALUES` and `IN`.
    pub(super) fn list(&mut self, items: &'a [Node]) -> Result {
        self.counts.add(Kind::List);
        self.nodes(items)
    }
}
