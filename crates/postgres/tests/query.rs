//! `execute_query` and `list_tables`, as a client calls them.

#[path = "support/tools.rs"]
mod caller;
mod support;

use std::sync::LazyLock;
use std::time::Duration;

use caller::Caller;
use futures_util::future::Either;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use towline_core::health::Health;
use towline_core::{Error, Principal, Request, Router, Server};
use towline_middleware::{CacheLayer, CachePolicy};
use towline_postgres::{DatabaseConfig, Pool, tools};
use towline_scratch_postgres::{Cluster, Database};

static SHOP: LazyLock<Database> = LazyLock::new(|| Database::with_shop().unwrap());

#[tokio::test]
async fn rows_come_as_data_and_as_text() {
    let shop = Caller::new(SHOP.url());
    let answer = shop
        .call(
            "execute_query",
            json!({
                "query": "SELECT $1::text AS a, n, n / 3.0 AS third FROM generate_series(1, 9) n WHERE n = ANY($2)",
                "params": ["x", [2, 4, null]],
            }),
        )
        .await;
    assert_eq!(
        answer.data,
        json!({
            "columns": [{"name": "a", "type": "text"}, {"name": "n", "type": "int4"}, {"name": "third", "type": "numeric"}],
            "rows": [["x", 2, "0.66666666666666666667"], ["x", 4, "1.3333333333333333"]],
            "row_count": 2,
        })
    );
    assert_eq!(
        answer.text,
        "a | n | third\n--+---+-----------------------\nx | 2 | 0.66666666666666666667\n\
         x | 4 | 1.3333333333333333\n(2 rows)"
    );
}

#[tokio::test]
async fn a_long_result_is_cut_off_and_tells_how_to_get_more() {
    let shop = Caller::new(SHOP.url());
    let query = json!({"query": "SELECT * FROM order_items ORDER BY 1, 2", "limit": 3});
    let answer = shop.call("execute_query", query).await;
    assert_eq!(answer.data["rows"].as_array().unwrap().len(), 3);
    assert_eq!(answer.data["truncated"]["reason"], "rows");
    assert_eq!(answer.data["truncated"]["limit"], 3);
    assert!(answer.data["truncated"]["hint"].as_str().unwrap().contains("limit"));
    assert!(answer.text.contains("(3 rows; cut off"), "{}", answer.text);

    let mut config = DatabaseConfig::new(SHOP.url());
    config.max_rows = 5;
    let small = Caller::with(config);
    let answer = small.call("execute_query", json!({"query": "TABLE customers"})).await;
    assert_eq!(answer.data["row_count"], 5);
    let refusal = small.refusal("execute_query", json!({"query": "TABLE customers", "limit": 6})).await;
    assert!(refusal.contains("limit") && refusal.contains('5'), "{refusal}");
}

#[tokio::test]
async fn what_is_wrong_is_said_so_that_it_can_be_put_right() {
    let shop = Caller::new(SHOP.url());
    for (arguments, expected) in [
        (json!({"query": "SELECT nme FROM customers"}), "SQLSTATE 42703, at character 8"),
        (json!({"query": "SELECT * FROM customer"}), "SQLSTATE 42P01"),
        (json!({"query": "SELEC 1"}), "SELEC"),
        (json!({"query": "DELETE FROM customers"}), "DELETE"),
        (json!({"query": "SELECT pg_sleep(1)"}), "pg_sleep"),
        (json!({"query": "SELECT 1; SELECT 2"}), "2 statements"),
        (json!({"query": "COMMIT"}), "SELECT"),
        (json!({"query": "SELECT $1::int"}), "the statement has 1 parameter(s)"),
        (json!({"query": "SELECT $1::int", "params": ["a"]}), "invalid input syntax"),
        (json!({"query": "SELECT 1/0"}), "division by zero"),
        (json!({"query": "SELECT 1", "limt": 3}), "limt"),
        (json!({"query": 1}), "query"),
    ] {
        let refusal = shop.refusal("execute_query", arguments.clone()).await;
        assert!(refusal.contains(expected), "{arguments}: {refusal}");
    }
}

#[tokio::test]
async fn functions_of_the_database_are_known_even_new_ones() {
    let database = Database::fresh().unwrap();
    database
        .run(
            "CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
             CREATE FUNCTION touch() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';",
        )
        .unwrap();
    let mut config = DatabaseConfig::new(database.url());
    let callers = Caller::with(config.clone());
    let answer = callers.call("execute_query", json!({"query": "SELECT twice(21)"})).await;
    assert_eq!(answer.data["rows"], json!([[42]]));
    let refusal = callers.refusal("execute_query", json!({"query": "SELECT touch()"})).await;
    assert!(refusal.contains("touch"), "{refusal}");

    config.allowed_functions = vec!["public.touch".into()];
    let callers = Caller::with(config);
    let answer = callers.call("execute_query", json!({"query": "SELECT touch()"})).await;
    assert_eq!(answer.data["rows"], json!([[1]]));
}

#[tokio::test]
async fn schemas_and_columns_that_are_closed_stay_closed() {
    let database = Database::fresh().unwrap();
    database
        .run(
            "CREATE TABLE people (name text, ssn text); CREATE SCHEMA private; CREATE TABLE private.keys (k text);
             CREATE TABLE open (a int)",
        )
        .unwrap();
    let mut config = DatabaseConfig::new(database.url());
    config.schemas = vec!["public".into()];
    config.hidden_columns = vec!["public.people.ssn".into()];
    let callers = Caller::with(config);
    for query in [
        "SELECT * FROM private.keys",
        "SELECT ssn FROM people",
        "SELECT * FROM people",
        "SELECT p FROM people p",
        "SELECT * FROM pg_catalog.pg_class",
    ] {
        callers.refusal("execute_query", json!({"query": query})).await;
    }
    callers.call("execute_query", json!({"query": "SELECT name FROM people"})).await;
    let list = callers.call("list_tables", json!({})).await;
    let names: Vec<&str> = list.data["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| table["table"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["open", "people"]);
}

#[tokio::test]
async fn numbers_beyond_floats_in_json_leave_an_answer_that_every_client_reads() {
    let shop = Caller::new(SHOP.url());
    let query = r#"SELECT '{"b":1e400}'::jsonb, '[1e999]'::json, '{"a":1e300}'::json"#;
    let answer = shop.call("execute_query", json!({"query": query})).await;
    let row = &answer.data["rows"][0];
    assert_eq!(row[0], json!(format!("{{\"b\": 1{}}}", "0".repeat(400))));
    assert_eq!((&row[1], &row[2]), (&json!("[1e999]"), &json!({"a": 1e300})));
}

#[tokio::test]
async fn names_in_the_configuration_that_nothing_has_are_told() {
    let database = Database::fresh().unwrap();
    database.run("CREATE TABLE people (name text, ssn text)").unwrap();
    let mut config = DatabaseConfig::new(database.url());
    config.schemas = vec!["public".into(), "pubic".into()];
    config.hidden_columns =
        ["people.ssn", "public.people.ssn", "people.snn", "private.people.ssn", "Public.people.ssn"]
            .map(str::to_owned)
            .into();
    config.allowed_functions =
        ["nextval", "pg_catalog.setval", "xmltable", "nextvall"].map(str::to_owned).into();
    let unresolved = Pool::new(config.clone()).unwrap().check_names().await.unwrap();
    let entries: Vec<&str> = unresolved.iter().map(|text| text.split('`').nth(3).unwrap()).collect();
    assert_eq!(entries, ["pubic", "people.snn", "private.people.ssn", "Public.people.ssn", "nextvall"]);
    assert!(unresolved[1].contains("`hidden_columns` names no column"), "{}", unresolved[1]);
    // It is a warning, not the end of the service.
    let callers = Caller::with(config);
    callers.call("execute_query", json!({"query": "SELECT name FROM people"})).await;
}

#[tokio::test]
async fn a_message_of_an_internal_error_is_shown_unless_it_holds_a_path() {
    let database = Database::fresh().unwrap();
    database
        .run(
            "CREATE FUNCTION fail(text) RETURNS int LANGUAGE plpgsql STABLE AS $$
             BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = $1, DETAIL = 'inner'; END $$",
        )
        .unwrap();
    let callers = Caller::new(database.url());
    let told =
        callers.refusal("execute_query", json!({"query": "SELECT fail('Unexpected end of string')"})).await;
    assert!(told.contains("Unexpected end of string (SQLSTATE XX000)") && !told.contains("inner"), "{told}");
    let kept = callers.refusal("execute_query", json!({"query": "SELECT fail('no file base/1/2')"})).await;
    assert!(!kept.contains("base/1"), "{kept}");
}

#[tokio::test]
async fn tables_are_listed_with_what_is_known_of_them() {
    let database = Database::fresh().unwrap();
    database
        .run(
            "CREATE TABLE orders AS SELECT n FROM generate_series(1, 1234) n;
             COMMENT ON TABLE orders IS 'What customers\nbought';
             CREATE TABLE \"Odd_Name\" (a int);
             CREATE TABLE oddname (a int);
             CREATE VIEW totals AS SELECT count(*) FROM orders;
             CREATE MATERIALIZED VIEW stored AS SELECT 1 AS one;
             CREATE TABLE log (at date) PARTITION BY RANGE (at);
             CREATE TABLE log_2024 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
             INSERT INTO log SELECT '2024-01-01' FROM generate_series(1, 10);
             CREATE SCHEMA other; CREATE TABLE other.orders (a int);
             ANALYZE",
        )
        .unwrap();
    let callers = Caller::new(database.url());
    let list = callers.call("list_tables", json!({})).await;
    let tables = list.data["tables"].as_array().unwrap();
    let get =
        |name: &str| tables.iter().find(|table| table["table"] == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(list.data["total"], 7);
    assert_eq!(tables.len(), 7);
    assert_eq!(get("orders")["row_estimate"], 1234);
    assert_eq!(get("orders")["comment"], "What customers\nbought");
    assert!(get("orders")["total_bytes"].as_u64().unwrap() > 40_000);
    assert_eq!(get("log")["kind"], "partitioned_table");
    assert_eq!(get("log")["row_estimate"], 10);
    assert_eq!(get("totals")["kind"], "view");
    assert_eq!(get("totals").get("row_estimate"), None);
    assert_eq!(get("stored")["kind"], "materialized_view");
    assert_eq!(get("other.orders")["schema"], "other");
    assert_eq!(get("\"Odd_Name\"")["name"], "Odd_Name");
    assert!(list.text.contains("orders (table, about 1,234 rows, "), "{}", list.text);
    assert!(list.text.contains("): What customers bought\n"), "{}", list.text);

    for (arguments, expected) in [
        (json!({"pattern": "ORD"}), 2),
        (json!({"pattern": "ord*"}), 2),
        (json!({"pattern": "*ers"}), 2),
        (json!({"pattern": "other.*"}), 1),
        (json!({"pattern": "odd_"}), 1),
        (json!({"pattern": "%"}), 0),
        (json!({"schema": "other"}), 1),
        (json!({"schema": "OTHER"}), 0),
        (json!({"schema": "public", "pattern": "orders"}), 1),
    ] {
        let list = callers.call("list_tables", arguments.clone()).await;
        assert_eq!(list.data["total"], expected, "{arguments}");
    }
    let system = callers.call("list_tables", json!({"schema": "pg_catalog", "pattern": "pg_class"})).await;
    assert_eq!(system.data["total"], 1);
    let none = callers.call("list_tables", json!({"schema": "nope"})).await;
    assert!(none.text.contains("no tables"), "{}", none.text);
}

#[tokio::test]
async fn a_long_list_is_cut_off() {
    let database = Database::fresh().unwrap();
    database
        .run("DO $$ BEGIN FOR n IN 1..320 LOOP EXECUTE format('CREATE TABLE t%s (a int)', n); END LOOP; END $$")
        .unwrap();
    let callers = Caller::new(database.url());
    let list = callers.call("list_tables", json!({})).await;
    assert_eq!((list.data["tables"].as_array().unwrap().len(), &list.data["total"]), (300, &json!(320)));
    assert!(list.text.ends_with("(300 of 320 tables; narrow the list with `schema` or `pattern`)"));
}

#[tokio::test]
async fn of_several_databases_a_call_names_one() {
    let (first, second) = (Database::fresh().unwrap(), Database::fresh().unwrap());
    let mut one = DatabaseConfig::new(first.url()).named("sales");
    one.description = Some("Orders.".into());
    let two = DatabaseConfig::new(second.url()).named("stock");
    let callers = Caller::on([Pool::new(one).unwrap(), Pool::new(two).unwrap()]);
    for (name, database) in [("sales", &first), ("stock", &second)] {
        let arguments = json!({"query": "SELECT current_database()", "database": name});
        let answer = callers.call("execute_query", arguments).await;
        assert_eq!(answer.data["rows"], json!([[database.name()]]));
    }
    let refusal = callers.refusal("execute_query", json!({"query": "SELECT 1", "database": "x"})).await;
    assert!(refusal.contains("sales") && refusal.contains("stock"), "{refusal}");

    let list = callers.list().await;
    assert!(list["tools"][0]["inputSchema"]["properties"].get("database").is_some());
    let list = Caller::new(first.url()).list().await;
    for tool in list["tools"].as_array().unwrap() {
        assert!(tool["inputSchema"]["properties"].get("database").is_none());
        assert_eq!(tool["annotations"]["readOnlyHint"], true);
        assert!(tool["outputSchema"].is_object());
    }
}

/// The tools of one pool with a cache around each.
fn cached_tools(pool: Pool) -> Server {
    let policy = CachePolicy::new(Duration::from_secs(60));
    Server::new(Router::new("test", "1").tools(tools([pool]).layer(CacheLayer::new(policy))))
}

/// What `execute_query` answers when it is called for `who`.
async fn try_ask(server: &Server, who: &str, query: &str) -> Result<Value, Error> {
    let params = json!({"name": "execute_query", "arguments": {"query": query}});
    let mut request = Request::new("tools/call", &params).unwrap();
    request.context_mut().extensions_mut().insert(Principal::new(who));
    let reply = server.clone().oneshot(request).await?;
    Ok(serde_json::from_slice(reply.as_bytes()).unwrap())
}

async fn ask(server: &Server, who: &str, query: &str) -> Value {
    try_ask(server, who, query).await.unwrap()
}

fn is_cached(reply: &Value) -> bool {
    reply["_meta"].get("dev.towline/cache").is_some()
}

#[tokio::test]
async fn in_a_cache_rows_are_kept_for_their_own_caller_unless_they_vary() {
    let database = Database::fresh().unwrap();
    database.run("CREATE TABLE t AS SELECT 1 AS n").unwrap();
    let server = cached_tools(Pool::new(DatabaseConfig::new(database.url())).unwrap());
    let first = ask(&server, "ann", "SELECT n FROM t").await;
    assert!(!is_cached(&first));
    database.run("UPDATE t SET n = 2").unwrap();
    let second = ask(&server, "ann", "SELECT n FROM t").await;
    assert!(is_cached(&second), "{second}");
    assert_eq!(second["structuredContent"], first["structuredContent"]);

    let other = ask(&server, "bob", "SELECT n FROM t").await;
    assert!(!is_cached(&other));
    assert_eq!(other["structuredContent"]["rows"], json!([[2]]));

    for query in ["SELECT random()", "SELECT now()", "SELECT count(*) FROM pg_stat_activity", "SHOW work_mem"]
    {
        ask(&server, "ann", query).await;
        assert!(!is_cached(&ask(&server, "ann", query).await), "{query}");
    }
}

#[tokio::test]
async fn in_a_cache_callers_that_ask_for_the_same_at_once_share_one_statement() {
    let database = Database::fresh().unwrap();
    database
        .run(
            "CREATE TABLE t AS SELECT 1 AS n; CREATE FUNCTION slow() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
             BEGIN PERFORM pg_sleep(1); RETURN 1; END $$",
        )
        .unwrap();
    let pool = Pool::new(DatabaseConfig::new(database.url())).unwrap();
    let server = cached_tools(pool.clone());
    assert!(pool.check("SELECT n, public.slow() FROM t").await.unwrap().is_cacheable());
    let asked = (0..8).map(|_| ask(&server, "ann", "SELECT n, public.slow() FROM t"));
    let watch = support::pool(database.url());
    support::scalar(&watch, "SELECT 1").await;
    let mut asked = std::pin::pin!(futures_util::future::join_all(asked));
    let mut most = 0;
    let replies = loop {
        // How many run it now, until the answers are there.
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() \
                   AND query LIKE '%SELECT n, public.slow()%'";
        let count = std::pin::pin!(support::scalar(&watch, sql));
        match futures_util::future::select(asked, count).await {
            Either::Left((replies, _)) => break replies,
            Either::Right((count, unfinished)) => {
                most = most.max(count.as_i64().unwrap());
                asked = unfinished;
            }
        }
    };
    for reply in replies {
        assert_eq!(reply["structuredContent"]["rows"], json!([[1, 1]]), "{reply}");
    }
    assert_eq!(most, 1);

    // An error is shared, and not kept.
    let sql = "SELECT n / (public.slow() - 1) FROM t";
    for reply in futures_util::future::join_all((0..3).map(|_| try_ask(&server, "ann", sql))).await {
        assert!(reply.unwrap_err().message().contains("division by zero"));
    }
    database
        .run("CREATE OR REPLACE FUNCTION slow() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 3'")
        .unwrap();
    let reply = ask(&server, "ann", sql).await;
    assert_eq!((&reply["structuredContent"]["rows"], is_cached(&reply)), (&json!([[0]]), false));
}

#[tokio::test]
async fn health_is_told_in_words_for_a_client() {
    let mut cluster = Cluster::start().unwrap();
    let pool = Pool::new(DatabaseConfig::new(cluster.url("postgres")).named("shop")).unwrap();
    assert_eq!(towline_core::health::HealthCheck::name(&pool), "shop");
    assert_eq!(pool.check("SELECT 1").await.unwrap().parameters(), 0);
    assert_eq!(towline_core::health::HealthCheck::check(&pool).await, Health::Up);
    cluster.stop().unwrap();
    let down = Health::Down("database `shop` is not reachable".into());
    assert_eq!(towline_core::health::HealthCheck::check(&pool).await, down);

    let callers = Caller::on([pool]);
    let refusal = callers.refusal("execute_query", json!({"query": "SELECT 1"})).await;
    assert!(refusal.contains("database `shop` is not reachable"), "{refusal}");
    cluster.restart().unwrap();
    callers.call("execute_query", json!({"query": "SELECT 1"})).await;
}
