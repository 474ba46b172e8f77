//! SQL/JSON: constructors, queries and `JSON_TABLE`.

use pg_query::protobuf::node::Node as N;
use pg_query::protobuf::{
    JsonAggConstructor, JsonBehavior, JsonFormat, JsonOutput, JsonTable, JsonTableColumn, JsonTablePathSpec,
    JsonValueExpr,
};

use super::super::inventory::Kind;
use super::super::refusal::RefusalKind;
use super::{Result, Walk, text};

impl<'a> Walk<'a> {
    /// Nodes of SQL/JSON.
    pub(super) fn json(&mut self, node: &'a N) -> Result {
        match node {
            N::JsonTable(node) => self.json_table(node),
            N::JsonTableColumn(node) => self.json_table_column(node),
            N::JsonTablePathSpec(node) => self.json_path(Some(node)),
            N::JsonValueExpr(node) => self.json_value(Some(node)),
            N::JsonBehavior(node) => self.json_behavior(Some(node)),
            N::JsonArgument(node) => {
                self.counts.add(Kind::JsonArgument);
                self.json_value(node.val.as_deref())
            }
            N::JsonFuncExpr(node) => {
                self.counts.add(Kind::JsonFuncExpr);
                self.keyword(&["json_value", "json_query", "json_exists"], node.location)?;
                self.json_value(node.context_item.as_deref())?;
                self.child(node.pathspec.as_deref())?;
                self.nodes(&node.passing)?;
                self.json_output(node.output.as_ref())?;
                self.json_behavior(node.on_empty.as_deref())?;
                self.json_behavior(node.on_error.as_deref())
            }
            N::JsonKeyValue(node) => {
                self.counts.add(Kind::JsonKeyValue);
                self.child(node.key.as_deref())?;
                self.json_value(node.value.as_deref())
            }
            N::JsonParseExpr(node) => {
                self.counts.add(Kind::JsonParseExpr);
                self.keyword(&["json"], node.location)?;
                self.json_value(node.expr.as_deref())?;
                self.json_output(node.output.as_ref())
            }
            N::JsonScalarExpr(node) => {
                self.counts.add(Kind::JsonScalarExpr);
                self.keyword(&["json_scalar"], node.location)?;
                self.child(node.expr.as_deref())?;
                self.json_output(node.output.as_ref())
            }
            N::JsonSerializeExpr(node) => {
                self.counts.add(Kind::JsonSerializeExpr);
                self.keyword(&["json_serialize"], node.location)?;
                self.json_value(node.expr.as_deref())?;
                self.json_output(node.output.as_ref())
            }
            N::JsonObjectConstructor(node) => {
                self.counts.add(Kind::JsonObjectConstructor);
                self.keyword(&["json_object"], node.location)?;
                self.nodes(&node.exprs)?;
                self.json_output(node.output.as_ref())
            }
            N::JsonArrayConstructor(node) => {
                self.counts.add(Kind::JsonArrayConstructor);
                self.keyword(&["json_array"], node.location)?;
                self.nodes(&node.exprs)?;
                self.json_output(node.output.as_ref())
            }
            N::JsonArrayQueryConstructor(node) => {
                self.counts.add(Kind::JsonArrayQueryConstructor);
                self.keyword(&["json_array"], node.location)?;
                self.subquery(node.query.as_deref())?;
                self.json_output(node.output.as_ref())?;
                self.json_format(node.format.as_ref());
                Ok(())
            }
            N::JsonObjectAgg(node) => {
                self.counts.add(Kind::JsonObjectAgg);
                self.json_aggregate(node.constructor.as_deref())?;
                let Some(pair) = node.arg.as_deref() else { return Ok(()) };
                self.counts.add(Kind::JsonKeyValue);
                self.child(pair.key.as_deref())?;
                self.json_value(pair.value.as_deref())
            }
            N::JsonArrayAgg(node) => {
                self.counts.add(Kind::JsonArrayAgg);
                self.json_aggregate(node.constructor.as_deref())?;
                self.json_value(node.arg.as_deref())
            }
            N::JsonIsPredicate(node) => {
                self.counts.add(Kind::JsonIsPredicate);
                self.child(node.expr.as_deref())?;
                self.json_format(node.format.as_ref());
                Ok(())
            }
            _ => Err(text::unsupported()),
        }
    }

    fn json_aggregate(&mut self, aggregate: Option<&'a JsonAggConstructor>) -> Result {
        let Some(aggregate) = aggregate else { return Ok(()) };
        self.counts.add(Kind::JsonAggConstructor);
        self.keyword(&["json_objectagg", "json_arrayagg"], aggregate.location)?;
        self.json_output(aggregate.output.as_ref())?;
        self.child(aggregate.agg_filter.as_deref())?;
        self.nodes(&aggregate.agg_order)?;
        aggregate.over.as_deref().map_or(Ok(()), |window| self.window(window))
    }

    fn json_value(&mut self, value: Option<&'a JsonValueExpr>) -> Result {
        let Some(value) = value else { return Ok(()) };
        self.counts.add(Kind::JsonValueExpr);
        self.child(value.raw_expr.as_deref())?;
        self.child(value.formatted_expr.as_deref())?;
        self.json_format(value.format.as_ref());
        Ok(())
    }

    fn json_format(&mut self, format: Option<&'a JsonFormat>) {
        if format.is_some() {
            self.counts.add(Kind::JsonFormat);
        }
    }

    fn json_output(&mut self, output: Option<&'a JsonOutput>) -> Result {
        let Some(output) = output else { return Ok(()) };
        self.counts.add(Kind::JsonOutput);
        if let Some(returning) = &output.returning {
            self.counts.add(Kind::JsonReturning);
            self.json_format(returning.format.as_ref());
        }
        self.type_name(output.type_name.as_ref())
    }

    fn json_behavior(&mut self, behavior: Option<&'a JsonBehavior>) -> Result {
        let Some(behavior) = behavior else { return Ok(()) };
        self.counts.add(Kind::JsonBehavior);
        self.child(behavior.expr.as_deref())
    }

    fn json_path(&mut self, path: Option<&'a JsonTablePathSpec>) -> Result {
        let Some(path) = path else { return Ok(()) };
        self.counts.add(Kind::JsonTablePathSpec);
        self.child(path.string.as_deref())
    }

    fn json_table(&mut self, table: &'a JsonTable) -> Result {
        self.counts.add(Kind::JsonTable);
        self.keyword(&["json_table"], table.location)?;
        self.json_value(table.context_item.as_deref())?;
        self.json_path(table.pathspec.as_deref())?;
        self.nodes(&table.passing)?;
        self.nodes(&table.columns)?;
        self.json_behavior(table.on_error.as_deref())?;
        self.alias(table.alias.as_ref())?;
        Ok(())
    }

    fn json_table_column(&mut self, column: &'a JsonTableColumn) -> Result {
        self.counts.add(Kind::JsonTableColumn);
        self.type_name(column.type_name.as_ref())?;
        self.json_path(column.pathspec.as_deref())?;
        self.json_format(column.format.as_ref());
        self.nodes(&column.columns)?;
        self.json_behavior(column.on_empty.as_deref())?;
        self.json_behavior(column.on_error.as_deref())
    }

    /// Syntax of this parser that a server before it may read as a call of a user's function.
    fn keyword(&mut self, names: &[&str], location: i32) -> Result {
        for name in names {
            if let Err(why) = self.rules.keyword(name) {
                let text = text::call(&format!("the function {name}"), name, &why);
                return self.refuse(RefusalKind::Function, text, location);
            }
        }
        Ok(())
    }
}
