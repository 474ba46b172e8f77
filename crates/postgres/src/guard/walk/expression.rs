//! What computes values.

use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::node::Node as N;
use pg_query::protobuf::{
    AConst, AExpr, AExprKind, CollateClause, ColumnRef, FuncCall, Node, SqlValueFunction, SqlValueFunctionOp,
    SubLink, TypeName, WindowDef,
};

use super::super::inventory::Kind;
use super::super::refusal::RefusalKind;
use super::super::rules::Judgement;
use super::{Name, Result, Walk, size, text};

impl<'a> Walk<'a> {
    /// Any node, by its kind. What is not here is not allowed.
    pub(super) fn node(&mut self, node: &'a Node) -> Result {
        let Some(node) = &node.node else { return Err(text::unsupported()) };
        self.counts.add(Kind::Node);
        match node {
            N::SelectStmt(node) => self.select(node),
            N::RangeVar(node) => self.range_var(node),
            N::JoinExpr(node) => self.join(node),
            N::RangeSubselect(node) => self.range_subselect(node),
            N::RangeFunction(node) => self.range_function(node),
            N::RangeTableFunc(node) => self.range_table_func(node),
            N::RangeTableFuncCol(node) => self.range_table_func_column(node),
            N::RangeTableSample(node) => self.range_sample(node),
            N::ColumnDef(node) => self.column_def(node),
            N::List(node) => self.list(&node.items),
            N::ColumnRef(node) => self.column_ref(node),
            N::AConst(node) => self.constant(node),
            N::AExpr(node) => self.operator_call(node),
            N::FuncCall(node) => self.func_call(node),
            N::SubLink(node) => self.sub_link(node),
            N::SqlvalueFunction(node) => {
                self.sql_value(node);
                Ok(())
            }
            N::ParamRef(node) => {
                self.counts.add(Kind::ParamRef);
                let number = u16::try_from(node.number).unwrap_or(u16::MAX);
                self.parameters = self.parameters.max(number);
                Ok(())
            }
            N::TypeCast(node) => {
                self.counts.add(Kind::TypeCast);
                self.child(node.arg.as_deref())?;
                self.type_name(node.type_name.as_ref())
            }
            N::TypeName(node) => self.type_name(Some(node)),
            N::CollateClause(node) => self.collate(node),
            N::AIndices(node) => {
                self.counts.add(Kind::AIndices);
                self.child(node.lidx.as_deref())?;
                self.child(node.uidx.as_deref())
            }
            N::AIndirection(node) => {
                self.counts.add(Kind::AIndirection);
                self.child(node.arg.as_deref())?;
                self.indirection(&node.indirection)
            }
            N::AArrayExpr(node) => {
                self.counts.add(Kind::AArrayExpr);
                self.nodes(&node.elements)
            }
            N::ResTarget(node) => {
                self.counts.add(Kind::ResTarget);
                self.indirection(&node.indirection)?;
                self.child(node.val.as_deref())
            }
            N::SortBy(node) => {
                self.counts.add(Kind::SortBy);
                let operator = self.name(&node.use_op)?;
                self.operator(operator, node.location)?;
                self.child(node.node.as_deref())
            }
            N::WindowDef(node) => self.window(node),
            N::BoolExpr(node) => {
                self.counts.add(Kind::BoolExpr);
                self.nodes(&node.args)
            }
            N::NullTest(node) => {
                self.counts.add(Kind::NullTest);
                self.child(node.arg.as_deref())
            }
            N::BooleanTest(node) => {
                self.counts.add(Kind::BooleanTest);
                self.child(node.arg.as_deref())
            }
            N::CaseExpr(node) => {
                self.counts.add(Kind::CaseExpr);
                if node.arg.is_some() {
                    self.implied_operators(&["="], node.location)?;
                }
                self.child(node.arg.as_deref())?;
                self.nodes(&node.args)?;
                self.child(node.defresult.as_deref())
            }
            N::CaseWhen(node) => {
                self.counts.add(Kind::CaseWhen);
                self.child(node.expr.as_deref())?;
                self.child(node.result.as_deref())
            }
            N::CoalesceExpr(node) => {
                self.counts.add(Kind::CoalesceExpr);
                self.nodes(&node.args)
            }
            N::MinMaxExpr(node) => {
                self.counts.add(Kind::MinMaxExpr);
                self.nodes(&node.args)
            }
            N::RowExpr(node) => {
                self.counts.add(Kind::RowExpr);
                self.nodes(&node.args)
            }
            N::NamedArgExpr(node) => {
                self.counts.add(Kind::NamedArgExpr);
                self.child(node.arg.as_deref())
            }
            N::GroupingSet(node) => {
                self.counts.add(Kind::GroupingSet);
                self.nodes(&node.content)
            }
            N::GroupingFunc(node) => {
                self.counts.add(Kind::GroupingFunc);
                self.nodes(&node.args)
            }
            N::XmlExpr(node) => {
                self.counts.add(Kind::XmlExpr);
                self.nodes(&node.named_args)?;
                self.nodes(&node.args)
            }
            N::XmlSerialize(node) => {
                self.counts.add(Kind::XmlSerialize);
                self.child(node.expr.as_deref())?;
                self.type_name(node.type_name.as_ref())
            }
            N::Integer(_) => self.leaf(Kind::Integer),
            N::Float(_) => self.leaf(Kind::Float),
            N::Boolean(_) => self.leaf(Kind::Boolean),
            N::String(_) => self.leaf(Kind::String),
            N::BitString(_) => self.leaf(Kind::BitString),
            other => self.json(other),
        }
    }

    fn leaf(&mut self, kind: Kind) -> Result {
        self.counts.add(kind);
        Ok(())
    }

    fn constant(&mut self, constant: &'a AConst) -> Result {
        self.counts.add(Kind::AConst);
        match &constant.val {
            None => Ok(()),
            Some(Val::Ival(_)) => self.leaf(Kind::Integer),
            Some(Val::Fval(_)) => self.leaf(Kind::Float),
            Some(Val::Boolval(_)) => self.leaf(Kind::Boolean),
            Some(Val::Bsval(_)) => self.leaf(Kind::BitString),
            Some(Val::Sval(value)) => {
                let value = value.sval.trim();
                // What these mean as a date or a time depends on the clock.
                self.varies |= ["now", "today", "tomorrow", "yesterday"]
                    .iter()
                    .any(|word| word.eq_ignore_ascii_case(value));
                self.leaf(Kind::String)
            }
        }
    }

    fn sql_value(&mut self, value: &SqlValueFunction) {
        self.counts.add(Kind::SqlValueFunction);
        let fixed = matches!(
            value.op(),
            SqlValueFunctionOp::SvfopCurrentRole
                | SqlValueFunctionOp::SvfopCurrentUser
                | SqlValueFunctionOp::SvfopUser
                | SqlValueFunctionOp::SvfopSessionUser
                | SqlValueFunctionOp::SvfopCurrentCatalog
                | SqlValueFunctionOp::SvfopCurrentSchema
        );
        self.varies |= !fixed;
    }

    fn sub_link(&mut self, link: &'a SubLink) -> Result {
        self.counts.add(Kind::SubLink);
        self.child(link.testexpr.as_deref())?;
        let operator = self.name(&link.oper_name)?;
        self.operator(operator, link.location)?;
        if link.testexpr.is_some() && link.oper_name.is_empty() {
            self.implied_operators(&["="], link.location)?; // `IN`
        }
        self.subquery(link.subselect.as_deref())
    }

    fn column_ref(&mut self, column: &'a ColumnRef) -> Result {
        self.counts.add(Kind::ColumnRef);
        let star = matches!(column.fields.last().map(|node| &node.node), Some(Some(N::AStar(_))));
        let fields = if star {
            self.counts.add(Kind::Node);
            self.counts.add(Kind::AStar);
            &column.fields[..column.fields.len() - 1]
        } else {
            &column.fields[..]
        };
        let name = self.name(fields)?;
        let mut calls = false;
        if !star && let (Some(_), last) = name.split() {
            self.attribute(last, column.location)?;
            calls = self.hidden.is_active() && self.rules.takes_rows(last);
        }
        if self.hidden.is_active() {
            self.hidden.reference(name, star, calls, column.location);
        }
        Ok(())
    }

    /// What follows a value: `[1]`, `.name`, `.*`.
    fn indirection(&mut self, parts: &'a [Node]) -> Result {
        for part in parts {
            match &part.node {
                Some(N::String(_)) => {
                    let name = self.string(part)?;
                    self.attribute(name, -1)?;
                    self.hidden.column(name);
                }
                Some(N::AStar(_)) => {
                    self.counts.add(Kind::Node);
                    self.counts.add(Kind::AStar);
                }
                _ => self.node(part)?,
            }
        }
        Ok(())
    }

    /// `x.name`, which is a call if `x` has no such column.
    fn attribute(&mut self, name: &str, location: i32) -> Result {
        match self.rules.attribute(name) {
            Judgement::Allowed { .. } | Judgement::Unknown => Ok(()),
            Judgement::Refused(why) => {
                let what = format!("the attribute {name}, which may call the function {name},");
                self.refuse(RefusalKind::Function, text::call(&what, name, &why), location)
            }
        }
    }

    fn func_call(&mut self, call: &'a FuncCall) -> Result {
        self.counts.add(Kind::FuncCall);
        let name = self.name(&call.funcname)?;
        let (schema, function) = name.split();
        let full = name.parts().join(".");
        match self.rules.function(schema, function, call.args.len()) {
            Judgement::Allowed { varies } => self.varies |= varies,
            Judgement::Unknown => {
                let text = text::unknown_function(&full, self.rules.knows_server());
                return self.refuse(RefusalKind::Function, text, call.location);
            }
            Judgement::Refused(why) => {
                let text = text::call(&format!("the function {full}"), function, &why);
                return self.refuse(RefusalKind::Function, text, call.location);
            }
        }
        if matches!(schema, None | Some("pg_catalog")) {
            self.judge_size(function, call)?;
        }
        self.nodes(&call.args)?;
        self.nodes(&call.agg_order)?;
        self.child(call.agg_filter.as_deref())?;
        call.over.as_deref().map_or(Ok(()), |window| self.window(window))
    }

    /// Refuses calls whose constant arguments ask for a huge result.
    fn judge_size(&mut self, function: &str, call: &FuncCall) -> Result {
        let policy = &self.rules.policy;
        if let Some(bytes) = size::bytes_of_call(function, &call.args) {
            self.constant_bytes = self.constant_bytes.saturating_add(bytes);
            if self.constant_bytes > policy.max_constant_bytes {
                let text = format!(
                    "{function} with these constants builds a value of about {bytes} bytes, and the \
                     constants of a statement may take {}: make it smaller",
                    policy.max_constant_bytes
                );
                return self.refuse(RefusalKind::TooExpensive, text, call.location);
            }
        }
        if let Some(rows) = size::rows_of_call(function, &call.args)
            && rows > policy.max_series_rows
        {
            let text = format!(
                "{function} with these bounds gives {rows} rows, and may give {}: use a shorter \
                 series or a larger step",
                policy.max_series_rows
            );
            return self.refuse(RefusalKind::TooExpensive, text, call.location);
        }
        Ok(())
    }

    pub(super) fn window(&mut self, window: &'a WindowDef) -> Result {
        self.counts.add(Kind::WindowDef);
        self.nodes(&window.partition_clause)?;
        self.nodes(&window.order_clause)?;
        self.child(window.start_offset.as_deref())?;
        self.child(window.end_offset.as_deref())
    }

    fn operator_call(&mut self, expression: &'a AExpr) -> Result {
        self.counts.add(Kind::AExpr);
        let operator = self.name(&expression.name)?;
        match expression.kind() {
            AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => {
                self.implied_operators(&[">=", "<=", "<", ">"], expression.location)?;
            }
            _ => self.operator(operator, expression.location)?,
        }
        self.child(expression.lexpr.as_deref())?;
        self.child(expression.rexpr.as_deref())
    }

    /// Operators that syntax stands for without naming them.
    pub(super) fn implied_operators(&mut self, names: &[&'static str], location: i32) -> Result {
        names.iter().try_for_each(|name| self.operator(Name::one(name), location))
    }

    fn operator(&mut self, name: Name<'a>, location: i32) -> Result {
        let (schema, operator) = name.split();
        let full = name.parts().join(".");
        match self.rules.operator(schema, operator) {
            Judgement::Allowed { .. } => Ok(()),
            Judgement::Unknown => {
                let text = format!("the operator {full} is not a built-in one");
                self.refuse(RefusalKind::Function, text, location)
            }
            Judgement::Refused(why) => {
                let text = text::call(&format!("the operator {full}"), operator, &why);
                self.refuse(RefusalKind::Function, text, location)
            }
        }
    }

    pub(super) fn type_name(&mut self, of: Option<&'a TypeName>) -> Result {
        let Some(of) = of else { return Ok(()) };
        self.counts.add(Kind::TypeName);
        let name = self.name(&of.names)?;
        let (schema, type_name) = name.split();
        if let Judgement::Refused(why) = self.rules.cast(schema, type_name) {
            let text = text::call(&format!("a cast to {type_name}"), type_name, &why);
            return self.refuse(RefusalKind::Function, text, of.location);
        }
        self.nodes(&of.typmods)?;
        self.nodes(&of.array_bounds)
    }

    pub(super) fn collate(&mut self, collate: &'a CollateClause) -> Result {
        self.counts.add(Kind::CollateClause);
        self.child(collate.arg.as_deref())?;
        self.strings(&collate.collname)
    }
}
