//! How large constants grow before a query even starts.
//!
//! The planner computes constant calls, also for a plain `EXPLAIN`, and does not look at the
//! statement's timeout meanwhile. Only constants that stand in the statement are seen; a count
//! that comes from data or from a subquery is left to the server's limits.

use pg_query::protobuf::a_const::Val;
use pg_query::protobuf::node::Node as N;
use pg_query::protobuf::{AExpr, AExprKind, FuncCall, Node};

/// Bytes that a call builds from its constants, if it is one that multiplies.
pub(super) fn bytes_of_call(function: &str, arguments: &[Node]) -> Option<u64> {
    let argument = |index: usize| arguments.get(index);
    match function {
        "repeat" => {
            let times = count(argument(1)?)?;
            Some(bytes(argument(0)?).max(1).saturating_mul(times))
        }
        "lpad" | "rpad" => count(argument(1)?),
        "array_fill" => {
            let size = bytes(argument(0)?).max(8);
            Some(dimensions(argument(1)?)?.saturating_mul(size))
        }
        "format" => match constant(argument(0)?)? {
            Val::Sval(format) => widest(&format.sval),
            _ => None,
        },
        _ => None,
    }
}

/// Rows of a series with constant bounds.
pub(super) fn rows_of_call(function: &str, arguments: &[Node]) -> Option<u64> {
    if function != "generate_series" {
        return None;
    }
    let (first, last) = (number(arguments.first()?)?, number(arguments.get(1)?)?);
    let step = arguments.get(2).map_or(Some(1.0), number)?;
    let rows = ((last - first) / step).floor() + 1.0;
    // A step of zero is an error of its own; the cast keeps large values large.
    rows.is_finite().then_some(rows.max(0.0) as u64)
}

/// Bytes of a value, as far as its constants tell.
fn bytes(node: &Node) -> u64 {
    match &node.node {
        Some(N::AConst(constant)) => match &constant.val {
            Some(Val::Sval(value)) => value.sval.len() as u64,
            Some(Val::Bsval(value)) => value.bsval.len() as u64,
            _ => 8,
        },
        Some(N::TypeCast(cast)) => cast.arg.as_deref().map_or(0, bytes),
        Some(N::CollateClause(collate)) => collate.arg.as_deref().map_or(0, bytes),
        Some(N::FuncCall(call)) => {
            let own = name(call).and_then(|name| bytes_of_call(name, &call.args));
            own.unwrap_or_else(|| call.args.iter().map(bytes).fold(0, u64::saturating_add))
        }
        Some(N::AExpr(expression)) => {
            let side = |side: &Option<Box<Node>>| side.as_deref().map_or(0, bytes);
            side(&expression.lexpr).saturating_add(side(&expression.rexpr))
        }
        _ => 0,
    }
}

/// The elements of an array with these constant dimensions.
fn dimensions(node: &Node) -> Option<u64> {
    match &node.node {
        Some(N::AArrayExpr(array)) => {
            array.elements.iter().try_fold(1, |size: u64, one| Some(size.saturating_mul(count(one)?)))
        }
        Some(N::TypeCast(cast)) => dimensions(cast.arg.as_deref()?),
        // '{100000000}' as a literal of type int[].
        Some(N::AConst(_)) => match constant(node)? {
            Val::Sval(text) => text
                .sval
                .trim_matches(|c: char| c == '{' || c == '}' || c.is_whitespace())
                .split(',')
                .try_fold(1, |size: u64, one| Some(size.saturating_mul(one.trim().parse().ok()?))),
            _ => None,
        },
        _ => None,
    }
}

/// The largest width that a format string asks for: `%1000s`.
fn widest(format: &str) -> Option<u64> {
    let widths = format.split('%').skip(1).filter_map(|directive| {
        let position = directive.find('$').map_or(0, |end| end + 1);
        let digits = directive.get(position..)?.trim_start_matches('-');
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse::<u64>().ok()
    });
    widths.max()
}

fn count(node: &Node) -> Option<u64> {
    let number = number(node)?;
    // Saturates, and makes NaN and negative counts zero, as the functions do.
    number.is_finite().then_some(number as u64).or(Some(u64::MAX))
}

/// The value of arithmetic on constants. Only its size matters here, so floats will do.
fn number(node: &Node) -> Option<f64> {
    match &node.node {
        Some(N::AConst(_)) => match constant(node)? {
            Val::Ival(value) => Some(f64::from(value.ival)),
            Val::Fval(value) => literal(&value.fval),
            Val::Sval(value) => literal(value.sval.trim()),
            _ => None,
        },
        Some(N::TypeCast(cast)) => number(cast.arg.as_deref()?),
        Some(N::AExpr(expression)) => arithmetic(expression),
        Some(N::FuncCall(call)) => {
            let argument = |index: usize| call.args.get(index).and_then(number);
            match name(call)? {
                "power" | "pow" => Some(argument(0)?.powf(argument(1)?)),
                "abs" => Some(argument(0)?.abs()),
                "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" => argument(0),
                "length" | "char_length" | "octet_length" => Some(bytes(call.args.first()?) as f64),
                _ => None,
            }
        }
        _ => None,
    }
}

fn arithmetic(expression: &AExpr) -> Option<f64> {
    if expression.kind() != AExprKind::AexprOp {
        return None;
    }
    let operator = match &expression.name.last()?.node {
        Some(N::String(name)) => name.sval.as_str(),
        _ => return None,
    };
    let right = number(expression.rexpr.as_deref()?)?;
    let Some(left) = expression.lexpr.as_deref() else {
        return match operator {
            "-" => Some(-right),
            "+" => Some(right),
            _ => None,
        };
    };
    let left = number(left)?;
    match operator {
        "+" => Some(left + right),
        "-" => Some(left - right),
        "*" => Some(left * right),
        "/" => Some(left / right),
        "^" => Some(left.powf(right)),
        "<<" => Some(left * right.exp2()),
        _ => None,
    }
}

/// A numeric literal; PostgreSQL 16 also has `0x1f`, `0o17`, `0b11` and `1_000`.
fn literal(text: &str) -> Option<f64> {
    let text = text.replace('_', "");
    let prefix = text.get(..2).unwrap_or_default().to_ascii_lowercase();
    let radix = match prefix.as_str() {
        "0x" => 16,
        "0o" => 8,
        "0b" => 2,
        _ => return text.parse().ok(),
    };
    u128::from_str_radix(&text[2..], radix).ok().map(|value| value as f64)
}

fn constant(node: &Node) -> Option<&Val> {
    match &node.node {
        Some(N::AConst(constant)) => constant.val.as_ref(),
        Some(N::TypeCast(cast)) => constant(cast.arg.as_deref()?),
        _ => None,
    }
}

fn name(call: &FuncCall) -> Option<&str> {
    match &call.funcname.last()?.node {
        Some(N::String(name)) => Some(&name.sval),
        _ => None,
    }
}
