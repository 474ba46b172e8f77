//! `get_table_schema`: all that PostgreSQL knows of a table, and nothing that is not for the caller.

#[path = "support/tools.rs"]
mod caller;

use std::sync::LazyLock;

use caller::{Answer, Caller};
use serde_json::{Value, json};
use towline_postgres::{DatabaseConfig, Pool};
use towline_scratch_postgres::Database;

static SHOP: LazyLock<Database> = LazyLock::new(|| Database::with_shop().unwrap());

async fn schema(caller: &Caller, table: &str) -> Answer {
    caller.call("get_table_schema", json!({"table": table})).await
}

fn column<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    let columns = answer.data["columns"].as_array().unwrap();
    columns.iter().find(|column| column["name"] == name).unwrap_or_else(|| panic!("no column {name}"))
}

#[tokio::test]
async fn a_table_is_told_in_full() {
    let shop = Caller::new(SHOP.url());
    let orders = schema(&shop, "orders").await;
    let data = &orders.data;
    assert_eq!(
        (&data["table"], &data["schema"], &data["kind"]),
        (&json!("orders"), &json!("public"), &json!("table"))
    );
    assert_eq!(data["comment"], "One row for each order; its lines are in order_items.");
    let rows = SHOP.run("COPY (SELECT count(*) FROM orders) TO STDOUT").unwrap();
    assert_eq!(data["row_estimate"].to_string(), rows.trim());
    let bytes = SHOP.run("COPY (SELECT pg_total_relation_size('orders')) TO STDOUT").unwrap();
    assert_eq!(data["total_bytes"].to_string(), bytes.trim());

    assert_eq!(
        column(&orders, "id"),
        &json!({"name": "id", "sql_name": "id", "type": "bigint", "nullable": false, "identity": "always"})
    );
    let labels = json!(["pending", "paid", "shipped", "delivered", "cancelled", "returned"]);
    let status = column(&orders, "status");
    assert_eq!((&status["default"], &status["enum_labels"]), (&json!("'pending'::order_status"), &labels));
    assert_eq!(status["comment"], "Cancelled and returned orders are no revenue.");
    assert_eq!(column(&orders, "shipped_at")["nullable"], true);
    assert_eq!(column(&orders, "shipping_cost")["type"], "numeric(8,2)");

    assert_eq!(data["primary_key"], json!({"name": "orders_pkey", "columns": ["id"]}));
    assert_eq!(
        data["foreign_keys"],
        json!([{"name": "orders_customer_id_fkey", "columns": ["customer_id"], "references_table": "customers",
                "references_columns": ["id"], "validated": true}])
    );
    assert_eq!(
        data["referenced_by"],
        json!([{"name": "order_items_order_id_fkey", "table": "order_items", "columns": ["order_id"],
                "references_columns": ["id"], "on_delete": "CASCADE", "validated": true}])
    );
    let checks = data["check_constraints"].to_string();
    assert!(checks.contains("CHECK (shipped_at >= placed_at)"), "{checks}");
    let indexes = data["indexes"].as_array().unwrap();
    assert_eq!(indexes[0]["primary"], true);
    let open = indexes.iter().find(|index| index["name"] == "orders_open_idx").unwrap();
    assert_eq!(open["comment"], "For the warehouse, which asks for open orders all day.");
    assert!(open["definition"].as_str().unwrap().contains("WHERE (status = ANY"), "{open}");

    assert!(
        orders
            .text
            .starts_with("Schema for table 'orders':\n--------------------------------------------------\n")
    );
    for line in [
        "  id (bigint) NOT NULL GENERATED ALWAYS AS IDENTITY\n",
        "  customer_id (bigint) NOT NULL\n",
        "Primary key: (id)\n",
        "  (customer_id) -> customers (id)\n",
        "  order_items (order_id) -> (id) ON DELETE CASCADE\n",
    ] {
        assert!(orders.text.contains(line), "{line} is not in\n{}", orders.text);
    }
}

#[tokio::test]
async fn generated_columns_domains_and_unique_constraints() {
    let customers = schema(&Caller::new(SHOP.url()), "customers").await;
    let name = column(&customers, "full_name");
    assert_eq!(name["generated"], "((first_name || ' '::text) || last_name)");
    assert_eq!(name["generated_kind"], "stored");
    assert_eq!(name.get("default"), None);
    let email = column(&customers, "email");
    assert_eq!((&email["type"], &email["base_type"]), (&json!("email_address"), &json!("text")));
    assert_eq!(
        customers.data["unique_constraints"],
        json!([{"name": "customers_email_key", "columns": ["email"]}])
    );
    assert_eq!(customers.data["foreign_keys"][0]["references_table"], "customers");
    let near: Vec<&str> = customers.data["referenced_by"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["table"].as_str().unwrap())
        .collect();
    assert_eq!(near, ["customers", "events", "orders"]);
}

#[tokio::test]
async fn partitions_and_views() {
    let shop = Caller::new(SHOP.url());
    let events = schema(&shop, "events").await;
    let parts = &events.data["partitioning"];
    assert_eq!((&parts["key"], &parts["count"]), (&json!("RANGE (occurred_at)"), &json!(7)));
    assert_eq!(parts["partitions"][6], json!({"name": "events_default", "bounds": "DEFAULT"}));
    let rows = SHOP.run("COPY (SELECT count(*) FROM events) TO STDOUT").unwrap();
    assert_eq!(
        (&events.data["kind"], events.data["row_estimate"].to_string()),
        (&json!("partitioned_table"), rows.trim().to_owned())
    );
    assert!(events.data["total_bytes"].as_u64().unwrap() > 1_000_000);

    let part = schema(&shop, "events_2025_03").await;
    assert_eq!(part.data["kind"], "partition");
    assert_eq!(
        part.data["partition_of"],
        json!({"table": "events",
               "bounds": "FOR VALUES FROM ('2025-03-01 00:00:00+00') TO ('2025-04-01 00:00:00+00')"})
    );
    // A key that the partition has from its parent.
    assert_eq!(part.data["foreign_keys"].as_array().unwrap().len(), 2);

    let view = schema(&shop, "monthly_revenue").await;
    assert_eq!(view.data["kind"], "view");
    assert!(view.data["view_definition"].as_str().unwrap().contains("FROM order_totals"));
    assert_eq!((view.data.get("row_estimate"), view.data.get("total_bytes")), (None, None));
}

#[tokio::test]
async fn names_are_found_as_postgresql_finds_them() {
    let database = Database::fresh().unwrap();
    database
        .run(
            r#"CREATE SCHEMA sales; CREATE SCHEMA "Odd One";
            CREATE TABLE sales."Order Items" (a int); CREATE TABLE sales.orders (a int); CREATE TABLE orders (b int);
            CREATE TABLE "Orders" (c int); CREATE TABLE "Straße" (d int); CREATE TABLE "select" (e int);
            CREATE TABLE "say ""x"".y" (f int); CREATE TABLE "MixedCase" (g int); CREATE TABLE "Odd One"."T" (h int);
            CREATE TABLE "A" (i int); CREATE TABLE "a" (j int); CREATE TABLE "twoWays" (k int); CREATE TABLE "TwoWays" (l int);
            CREATE MATERIALIZED VIEW mat AS SELECT 1 AS m; CREATE SEQUENCE seq; CREATE INDEX idx ON orders (b)"#,
        )
        .unwrap();
    let caller = Caller::new(database.url());
    for (text, column) in [
        ("orders", "b"),
        ("ORDERS", "b"),
        ("Orders", "b"),
        (r#""Orders""#, "c"),
        ("public.orders", "b"),
        ("sales.orders", "a"),
        ("Sales.Orders;", "a"),
        (r#"Sales."Order Items""#, "a"),
        ("sales.Order Items", "a"),
        (r#""Straße""#, "d"),
        ("Straße", "d"),
        ("select", "e"),
        (r#""say ""x"".y""#, "f"),
        ("MixedCase", "g"),
        ("mixedcase", "g"),
        (r#""Odd One"."T""#, "h"),
        ("A", "j"),
        (r#""A""#, "i"),
        ("mat", "m"),
    ] {
        let answer = schema(&caller, text).await;
        assert_eq!(answer.data["columns"][0]["name"], column, "{text}");
    }
    assert_eq!(schema(&caller, r#"sales."Order Items""#).await.data["table"], r#"sales."Order Items""#);
    assert_eq!(schema(&caller, "select").await.data["table"], r#""select""#);

    let twice = caller.refusal("get_table_schema", json!({"table": "twoways"})).await;
    assert!(
        twice.contains(r#"put the one you mean in quotes: "#) && twice.contains(r#""twoWays""#),
        "{twice}"
    );
    let case = caller.refusal("get_table_schema", json!({"table": r#""MIXEDCASE""#})).await;
    assert!(case.contains(r#""MixedCase""#), "{case}");
    for unknown in ["seq", "idx", "nothing.orders", "'; DROP TABLE orders; --", "\"", "."] {
        let refusal = caller.refusal("get_table_schema", json!({"table": unknown})).await;
        assert!(refusal.contains("does not exist") || refusal.contains("is not the name"), "{refusal}");
    }
    let near = caller.refusal("get_table_schema", json!({"table": "Order_Item"})).await;
    assert!(near.contains(r#"the nearest names are: sales."Order Items""#), "{near}");
}

#[tokio::test]
async fn callers_see_what_they_may_read() {
    let database = Database::fresh().unwrap();
    let role = format!("reader_{}", database.name());
    database
        .run(&format!(
            "CREATE SCHEMA closed; CREATE TABLE closed.t (a int);
             CREATE TABLE secrets (id int PRIMARY KEY);
             CREATE TABLE part (id int PRIMARY KEY, shown text, secret text CHECK (secret <> ''), s int REFERENCES secrets,
                derived text GENERATED ALWAYS AS (secret || 'x') STORED);
             CREATE INDEX ON part (secret); CREATE INDEX ON part (lower(secret)); CREATE INDEX shown_idx ON part (shown);
             CREATE TABLE child (p int REFERENCES part);
             CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT (id, shown, s, derived) ON part TO {role}"
        ))
        .unwrap();
    let caller = Caller::new(database.url_as(&role, "x"));
    let part = schema(&caller, "part").await;
    let all = format!("{}{}", part.text, part.data);
    for hidden in ["secret", "child"] {
        assert!(!all.contains(hidden), "{hidden} in {all}");
    }
    let names: Vec<&str> =
        part.data["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["id", "shown", "s", "derived"]);
    assert_eq!(part.data["indexes"].as_array().unwrap().len(), 2);
    for table in ["secrets", "closed.t", "child"] {
        let refusal = caller.refusal("get_table_schema", json!({"table": table})).await;
        assert!(refusal.contains("does not exist, or is not visible"), "{refusal}");
        assert!(!refusal.contains("nearest names are: secrets"), "{refusal}");
    }
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[tokio::test]
async fn configured_schemas_and_hidden_columns_hold() {
    let database = Database::fresh().unwrap();
    database
        .run(
            "CREATE SCHEMA one; CREATE SCHEMA two;
             CREATE TABLE one.t (id int PRIMARY KEY, token text UNIQUE, at date) PARTITION BY RANGE (id);
             CREATE TABLE one.t_1 PARTITION OF one.t FOR VALUES FROM (0) TO (10);
             CREATE TABLE two.t (id int REFERENCES one.t_1);
             CREATE VIEW one.v AS SELECT id FROM one.t WHERE token > 'a'; CREATE VIEW one.w AS SELECT id FROM two.t"
                .replace("token text UNIQUE", "token text")
                .as_str(),
        )
        .unwrap();
    let mut config = DatabaseConfig::new(database.url());
    config.schemas = vec!["one".into()];
    config.hidden_columns = vec!["one.t.token".into()];
    let caller = Caller::with(config);
    for table in ["t", "one.t", "t_1"] {
        let answer = schema(&caller, table).await;
        let all = format!("{}{}", answer.text, answer.data);
        assert!(!all.contains("token") && !all.contains("two"), "{all}");
        assert_eq!(answer.data["columns"].as_array().unwrap().len(), 2);
    }
    for view in ["v", "w"] {
        assert_eq!(schema(&caller, view).await.data.get("view_definition"), None);
    }
    for table in ["two.t", "pg_catalog.pg_class", "pg_class", "information_schema.tables"] {
        let refusal = caller.refusal("get_table_schema", json!({"table": table})).await;
        assert!(refusal.contains("does not exist, or is not visible"), "{refusal}");
    }
}

#[tokio::test]
async fn wide_and_empty_tables() {
    let database = Database::fresh().unwrap();
    let columns: Vec<String> = (1..=1600).map(|at| format!("c{at} int")).collect();
    database.run(&format!("CREATE TABLE wide ({}); CREATE TABLE none ()", columns.join(", "))).unwrap();
    let caller = Caller::new(database.url());
    let wide = schema(&caller, "wide").await;
    assert_eq!(wide.data["columns"].as_array().unwrap().len(), 1600);
    // Nobody has gathered statistics yet.
    assert_eq!(wide.data.get("row_estimate"), None);
    assert!(wide.text.contains("number of rows unknown"));
    assert_eq!(schema(&caller, "none").await.data["columns"], json!([]));
}

#[tokio::test]
async fn row_level_security_hides_the_estimate() {
    let database = Database::fresh().unwrap();
    let role = format!("reader_{}", database.name());
    database
        .run(&format!(
            "CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i; ANALYZE t;
             ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (i < 5);
             CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT ON t TO {role}"
        ))
        .unwrap();
    let owner = schema(&Caller::new(database.url()), "t").await;
    assert_eq!((&owner.data["row_estimate"], &owner.data["row_level_security"]), (&json!(100), &json!(true)));
    let reader = schema(&Caller::new(database.url_as(&role, "x")), "t").await;
    assert_eq!((reader.data.get("row_estimate"), &reader.data["row_level_security"]), (None, &json!(true)));
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[tokio::test]
async fn a_call_names_one_of_several_databases() {
    let other = Database::fresh().unwrap();
    other.run("CREATE TABLE only_here (a int)").unwrap();
    let pools = [(SHOP.url(), "shop"), (other.url(), "other")]
        .map(|(url, name)| Pool::new(DatabaseConfig::new(url).named(name)).unwrap());
    let caller = Caller::on(pools);
    let answer = caller.call("get_table_schema", json!({"table": "only_here", "database": "other"})).await;
    assert_eq!(answer.data["columns"][0]["name"], "a");
    let missing = caller.refusal("get_table_schema", json!({"table": "only_here"})).await;
    assert!(missing.contains("`database` is required"), "{missing}");
    let wrong = caller.refusal("get_table_schema", json!({"table": "only_here", "database": "x"})).await;
    assert!(wrong.contains("shop") && wrong.contains("other"), "{wrong}");
    let one = Caller::new(SHOP.url()).list().await;
    assert!(!one.to_string().contains("\"database\""), "{one}");
}

#[tokio::test]
async fn definitions_say_that_the_tools_only_read() {
    let list = Caller::new(SHOP.url()).list().await;
    for name in ["get_table_schema", "analyze_table", "suggest_queries"] {
        let tool = list["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap();
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{name}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{name}");
        assert_eq!(tool["inputSchema"]["required"], json!(["table"]), "{name}");
    }
}
