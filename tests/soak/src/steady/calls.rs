//! What is asked of the sample shop, and which answers are right.

use serde_json::{Value, json};
use towline_soak::Answer;

/// A kind of call.
pub(crate) struct Kind {
    /// How many of a hundred calls are of this kind.
    share: u8,
    pub(crate) tool: &'static str,
    pub(crate) arguments: fn() -> Value,
    pub(crate) is_right: fn(&Answer) -> bool,
}

/// A kind at random, by their shares.
pub(crate) fn any() -> &'static Kind {
    let mut number = fastrand::u8(..100);
    for kind in KINDS {
        match number.checked_sub(kind.share) {
            Some(rest) => number = rest,
            None => return kind,
        }
    }
    unreachable!("the shares are a hundred")
}

const KINDS: &[Kind] = &[
    Kind {
        share: 45,
        tool: "execute_query",
        arguments: || {
            let id = fastrand::u32(100_001..105_000);
            json!({"query": "SELECT id, status, placed_at, note FROM orders WHERE id = $1", "params": [id]})
        },
        is_right: |answer| answer.is_good() && answer.data()["row_count"] == 1,
    },
    Kind {
        share: 10,
        tool: "execute_query",
        arguments: || {
            let sql = "SELECT status, count(*), sum(shipping_cost) FROM orders WHERE shipping_country = $1 GROUP BY 1";
            json!({"query": sql, "params": ["DE"]})
        },
        is_right: |answer| answer.is_good() && answer.data()["row_count"].as_u64() > Some(1),
    },
    Kind {
        share: 5,
        tool: "execute_query",
        arguments: || json!({"query": "SELECT id, kind, session_id, payload FROM events", "limit": 200}),
        is_right: |answer| answer.is_good() && answer.data()["row_count"] == 200,
    },
    Kind {
        share: 10,
        tool: "list_tables",
        arguments: || json!({"pattern": "order*"}),
        is_right: |answer| answer.is_good() && answer.data()["total"] == 3,
    },
    Kind {
        share: 15,
        tool: "get_table_schema",
        arguments: || json!({"table": "orders"}),
        is_right: |answer| {
            answer.is_good() && answer.data()["columns"].as_array().is_some_and(|all| all.len() == 11)
        },
    },
    Kind { share: 5, tool: "server_info", arguments: || json!({}), is_right: Answer::is_good },
    // Mistakes that models make, and what must not be.
    Kind {
        share: 5,
        tool: "execute_query",
        arguments: || json!({"query": "SELECT nothing FROM orders"}),
        is_right: |answer| answer.message["result"]["isError"] == true,
    },
    Kind {
        share: 5,
        tool: "execute_query",
        arguments: || json!({"query": "DELETE FROM orders"}),
        is_right: |answer| answer.message["result"]["isError"] == true,
    },
];
