use serde_json::json;

use crate::call::Call;

/// The questions in the order in which a model that has never seen the database would ask them.
pub(crate) fn tour() -> Vec<Call> {
    vec![
        Call::new("What is in this database?", "list_tables", json!({})),
        Call::new("What does an order look like, and what hangs on it?", "get_table_schema", json!({ "table": "orders" })).lines(40),
        Call::new("What could I ask about orders?", "suggest_queries", json!({ "table": "orders", "analysis_type": "relationships" })).lines(24),
        Call::new("What do order lines look like in numbers?", "analyze_table", json!({ "table": "order_items", "columns": ["quantity", "line_total"] })).lines(30),
        Call::new(
            "Which categories earned most before Christmas?",
            "execute_query",
            json!({
                "query": "SELECT c.name AS category, count(DISTINCT o.id) AS orders, sum(i.line_total) AS revenue,\n       \
                          round(avg(i.discount) * 100, 1) AS average_discount\n\
                          FROM order_items i\n\
                          JOIN orders o ON o.id = i.order_id\n\
                          JOIN products p ON p.id = i.product_id\n\
                          JOIN categories c ON c.id = p.category_id\n\
                          WHERE o.placed_at >= $1 AND o.placed_at < $2 AND o.status NOT IN ('cancelled', 'returned')\n\
                          GROUP BY c.name ORDER BY revenue DESC",
                "params": ["2024-11-01", "2025-01-01"],
                "limit": 5
            }),
        ),
        Call::new(
            "Can I tidy up the old events? (No: it only reads.)",
            "execute_query",
            json!({ "query": "DELETE FROM events WHERE occurred_at < '2025-02-01'" }),
        )
        .refused(),
        Call::new(
            "Who are the best customers? (With a typo.)",
            "execute_query",
            json!({ "query": "SELECT custmer_id, sum(total) FROM order_totals GROUP BY 1 ORDER BY 2 DESC LIMIT 3" }),
        )
        .refused(),
        Call::new(
            "Again, as the error says:",
            "execute_query",
            json!({
                "query": "SELECT c.full_name, c.city, c.tier, count(*) AS orders, sum(t.total) AS spent\n\
                          FROM order_totals t JOIN customers c ON c.id = t.customer_id\n\
                          GROUP BY c.id ORDER BY spent DESC LIMIT 3"
            }),
        ),
    ]
}
