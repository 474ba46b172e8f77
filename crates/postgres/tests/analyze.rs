//! `analyze_table` against PostgreSQL's own numbers.

#[path = "support/tools.rs"]
mod caller;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use caller::{Answer, Caller};
use serde_json::{Value, json};
use towline_postgres::DatabaseConfig;
use towline_scratch_postgres::Database;

static SHOP: LazyLock<Database> = LazyLock::new(|| Database::with_shop().unwrap());

fn column<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    let columns = answer.data["columns"].as_array().unwrap();
    columns.iter().find(|column| column["name"] == name).unwrap_or_else(|| panic!("no column {name}"))
}

/// The one value that plain SQL gives, as text.
fn plain(database: &Database, sql: &str) -> String {
    database.run(&format!("SET TimeZone = 'UTC'; COPY ({sql}) TO STDOUT")).unwrap().trim().to_owned()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "\\N".into(),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn numbers_are_those_of_plain_sql() {
    let shop = Caller::new(SHOP.url());
    let answer = shop.call("analyze_table", json!({"table": "order_items"})).await;
    let rows = plain(&SHOP, "SELECT count(*) FROM order_items");
    assert_eq!(text(&answer.data["row_count"]), rows);
    assert_eq!(answer.data["row_count_is"], "exact");
    assert_eq!(answer.data["source"], "all_rows");
    assert_eq!(answer.data["columns"].as_array().unwrap().len(), 7);

    for name in ["order_id", "line_number", "quantity", "unit_price", "discount", "line_total"] {
        let got = column(&answer, name);
        let check = |at: &str, sql: &str| {
            let want = plain(&SHOP, &format!("SELECT {} FROM order_items", sql.replace('$', name)));
            let (got, want) = (text(got.pointer(at).unwrap()), want);
            let same = got == want || got.parse::<f64>().is_ok_and(|got| want.parse() == Ok(got));
            assert!(same, "{name}{at}: {got} instead of {want}");
        };
        check("/nulls", "count(*) - count($)");
        check("/distinct", "count(DISTINCT $)");
        check("/min", "min($)");
        check("/max", "max($)");
        check("/mean", "avg($)::float8");
        check("/standard_deviation", "stddev_samp($)::float8");
        for (at, share) in [("p05", 0.05), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p95", 0.95)] {
            check(
                &format!("/percentiles/{at}"),
                &format!("percentile_disc({share}) WITHIN GROUP (ORDER BY $)"),
            );
        }
        let buckets = got["histogram"].as_array().unwrap();
        let mut sum = 0;
        for (at, bucket) in buckets.iter().enumerate() {
            let last = if at + 1 == buckets.len() { "<=" } else { "<" };
            let (from, to) = (text(&bucket["from"]), text(&bucket["to"]));
            let want = plain(
                &SHOP,
                &format!("SELECT count(*) FROM order_items WHERE {name} >= {from} AND {name} {last} {to}"),
            );
            assert_eq!(text(&bucket["count"]), want, "{name} from {from} to {to}");
            sum += bucket["count"].as_u64().unwrap();
        }
        assert_eq!(sum.to_string(), rows, "{name}");
    }
    assert!(answer.text.starts_with("Analysis for table 'order_items':\nTotal rows: "), "{}", answer.text);
}

#[tokio::test]
async fn texts_enums_and_times_are_those_of_plain_sql() {
    let shop = Caller::new(SHOP.url());
    let answer = shop.call("analyze_table", json!({"table": "orders"})).await;
    for name in ["status", "payment_method", "coupon_code", "shipping_country"] {
        let got = column(&answer, name);
        let common = plain(
            &SHOP,
            &format!(
                "SELECT {name}, count(*) FROM orders WHERE {name} IS NOT NULL \
                 GROUP BY 1 ORDER BY 2 DESC, {name}::text COLLATE \"C\" LIMIT 10"
            ),
        );
        let got_common: Vec<String> = got["most_common"]
            .as_array()
            .unwrap()
            .iter()
            .map(|common| format!("{}\t{}", text(&common["value"]), common["count"]))
            .collect();
        assert_eq!(got_common.join("\n"), common, "{name}");
        let range =
            plain(&SHOP, &format!("SELECT min({name}), max({name}), count(DISTINCT {name}) FROM orders"));
        assert_eq!(format!("{}\t{}\t{}", text(&got["min"]), text(&got["max"]), got["distinct"]), range);
    }
    let note = column(&answer, "note");
    let lengths =
        plain(&SHOP, "SELECT min(length(note)), max(length(note)), avg(length(note))::float8 FROM orders");
    let got = &note["length"];
    assert_eq!(format!("{}\t{}\t{}", got["min"], got["max"], got["mean"]), lengths);
    assert_eq!(text(&note["nulls"]), plain(&SHOP, "SELECT count(*) FROM orders WHERE note IS NULL"));

    for name in ["placed_at", "shipped_at"] {
        let got = column(&answer, name);
        let iso = |sql: &str| plain(&SHOP, &format!("SELECT to_json({sql}) #>> '{{}}' FROM orders"));
        assert_eq!(text(&got["min"]), iso(&format!("min({name})")));
        assert_eq!(text(&got["max"]), iso(&format!("max({name})")));
        assert_eq!(
            text(&got["percentiles"]["p50"]),
            iso(&format!("percentile_disc(0.5) WITHIN GROUP (ORDER BY {name})"))
        );
        let counts: u64 =
            got["histogram"].as_array().unwrap().iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum();
        assert_eq!(counts.to_string(), plain(&SHOP, &format!("SELECT count({name}) FROM orders")));
        let (from, to) = (text(&got["histogram"][3]["from"]), text(&got["histogram"][3]["to"]));
        assert_eq!(
            text(&got["histogram"][3]["count"]),
            plain(
                &SHOP,
                &format!("SELECT count(*) FROM orders WHERE {name} >= '{from}' AND {name} < '{to}'")
            )
        );
    }
}

#[tokio::test]
async fn views_and_partitioned_tables_are_analyzed() {
    let shop = Caller::new(SHOP.url());
    let view = shop.call("analyze_table", json!({"table": "order_totals"})).await;
    assert_eq!(text(&view.data["row_count"]), plain(&SHOP, "SELECT count(*) FROM order_totals"));
    assert_eq!(view.data["source"], "all_rows");
    let events = shop
        .call(
            "analyze_table",
            json!({"table": "events", "columns": ["kind", "payload", "ip", "time_on_page"]}),
        )
        .await;
    assert_eq!(text(&events.data["row_count"]), plain(&SHOP, "SELECT count(*) FROM events"));
    let kinds = column(&events, "kind");
    assert_eq!(kinds["distinct"], 6);
    assert_eq!(
        text(&column(&events, "payload")["distinct"]),
        plain(&SHOP, "SELECT count(DISTINCT payload) FROM events")
    );
    assert_eq!(text(&column(&events, "ip")["max"]), plain(&SHOP, "SELECT max(ip) FROM events"));
    let left_out: Vec<&str> =
        events.data["columns_left_out"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    assert_eq!(left_out, ["id", "occurred_at", "session_id", "customer_id", "product_id"]);

    // The first rows of a view are no sample of it, and the answer says so.
    let few = shop.call("analyze_table", json!({"table": "order_totals", "sample": 100})).await;
    assert_eq!((&few.data["source"], &few.data["row_count_is"]), (&json!("first_rows"), &json!("at_least")));
    assert!(few.text.contains("the first 101 rows only"), "{}", few.text);
}

#[tokio::test]
async fn a_large_table_is_sampled_and_says_so() {
    let database = Database::fresh().unwrap();
    database
        .run(
            "CREATE TABLE big AS SELECT i AS id, i % 7 AS week, md5(i::text) AS name FROM generate_series(1, 300000) i;
             CREATE TABLE stale (a int);
             ANALYZE",
        )
        .unwrap();
    let caller = Caller::new(database.url());
    let answer = caller.call("analyze_table", json!({"table": "big"})).await;
    assert_eq!(answer.data["source"], "random_sample");
    assert_eq!(
        (&answer.data["row_count"], &answer.data["row_count_is"]),
        (&json!(300_000), &json!("estimated"))
    );
    let read = answer.data["rows_read"].as_u64().unwrap();
    assert!((30_000..80_000).contains(&read), "{read}");
    assert_eq!(column(&answer, "week")["distinct"], 7);
    assert_eq!(column(&answer, "name")["distinct_estimate"], 300_000);
    assert!(answer.text.contains("random sample"), "{}", answer.text);
    // The same pages in the second pass and in the next call.
    let counted: u64 = column(&answer, "week")["most_common"]
        .as_array()
        .unwrap()
        .iter()
        .map(|common| common["count"].as_u64().unwrap())
        .sum();
    assert_eq!(counted, read);

    let whole = caller.call("analyze_table", json!({"table": "big", "sample": 0, "columns": ["id"]})).await;
    assert_eq!((&whole.data["row_count_is"], &whole.data["rows_read"]), (&json!("exact"), &json!(300_000)));
    let small =
        caller.call("analyze_table", json!({"table": "big", "sample": 5000, "columns": ["id"]})).await;
    assert!(
        (2_000..9_000).contains(&small.data["rows_read"].as_u64().unwrap()),
        "{}",
        small.data["rows_read"]
    );
    let empty = caller.call("analyze_table", json!({"table": "stale"})).await;
    assert_eq!((&empty.data["row_count"], &column(&empty, "a")["nulls"]), (&json!(0), &json!(0)));
    assert_eq!(column(&empty, "a").get("min"), None);
}

#[tokio::test]
async fn no_type_and_no_value_makes_it_fail() {
    let database = Database::fresh().unwrap();
    database
        .run(
            r#"CREATE TYPE mood AS ENUM ('sad', 'ok');
            CREATE DOMAIN short AS varchar(20);
            CREATE TABLE hostile (
                f float8, f4 float4, n numeric, i8 int8, d date, ts timestamp, tz timestamptz, tm time, tmz timetz,
                iv interval, j json, jb jsonb, x xml, p point, b bytea, big text, u uuid, ip inet, m money, a int[],
                ja json[], e mood, ea mood[], s short, c char(5), r int4range, bo bool, oid oid, xi xid, tv tsvector,
                nothing text, bits bit varying, rec pg_class);
            INSERT INTO hostile (f, f4, n, i8, d, ts, tz, tm, tmz, iv, j, jb, x, p, b, big, u, ip, m, a, ja, e, ea, s, c, r,
                bo, oid, xi, tv, bits) VALUES
              ('NaN', 'Infinity', 'NaN', 9223372036854775807, 'infinity', '-infinity', 'infinity', '24:00', '24:00+02',
               '100000 years', '{"a":1}', '{"a":1}', '<a/>', '(1,2)', decode(repeat('ab', 100000), 'hex'),
               repeat('x', 1000000), gen_random_uuid(), '10.0.0.1', '12.34', '{1,2}', '{"{}"}', 'ok', '{ok}', 'x', 'a',
               '[1,2)', true, 1, '5', 'a b', B'101'),
              ('-Infinity', 'NaN', 'Infinity', -9223372036854775808, '4713-01-01 BC', '294276-12-31', '4714-11-24 BC', '0:00',
               '0:00', '-1 mon', '1', '1', '<b/>', '(0,0)', '', '', gen_random_uuid(), '::1', '-1', '{}', '{}', 'sad', '{}',
               'y', 'a', 'empty', false, 2, '6', '', B''),
              (1e308, 1e38, 1e200, 0, '5874897-12-31', '2024-01-01', '2024-01-01', '12:00', '12:00', '0', 'null', 'null', '<b/>',
               '(0,0)', 'x', 'y', gen_random_uuid(), '10.0.0.2', '0', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
               NULL, NULL),
              (-1e308, -1e38, -1e200, 7, '2024-02-29', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
               NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
               NULL, NULL)"#,
        )
        .unwrap();
    let answer = Caller::new(database.url()).call("analyze_table", json!({"table": "hostile"})).await;
    assert_eq!(answer.data["row_count"], 4);
    for column in answer.data["columns"].as_array().unwrap() {
        let notes = column["notes"].to_string();
        assert!(!notes.contains("not analyzed"), "{column}");
        assert!(!notes.contains("missing"), "{column}");
    }
    let f = column(&answer, "f");
    assert_eq!(f["not_finite"], json!({"nan": 1, "infinity": 0, "minus_infinity": 1}));
    assert_eq!((&f["min"], &f["max"], &f["distinct"]), (&json!(-1e308), &json!(1e308), &json!(4)));
    assert_eq!(f.get("mean"), None);
    assert_eq!(column(&answer, "n")["not_finite"], json!({"nan": 1, "infinity": 1, "minus_infinity": 0}));
    assert_eq!(column(&answer, "i8")["max"], "9223372036854775807");
    assert_eq!(column(&answer, "i8")["histogram"].as_array().unwrap().len(), 10);
    assert_eq!(column(&answer, "d")["not_finite"]["infinity"], 1);
    assert_eq!(column(&answer, "d")["max"], "5874897-12-31");
    assert_eq!(column(&answer, "tz")["min"], "4714-11-24T00:00:00+00:00 BC");
    assert_eq!(column(&answer, "tm")["max"], "24:00:00");
    assert_eq!(column(&answer, "nothing")["nulls"], 4);
    assert_eq!(column(&answer, "nothing")["distinct"], 0);
    assert_eq!(column(&answer, "e")["max"], "ok");
    let big = column(&answer, "big");
    assert_eq!((&big["length"]["max"], &big["distinct"]), (&json!(1), &json!(2)));
    assert!(big["notes"][0].as_str().unwrap().contains("1,000,000 bytes"), "{big}");
    assert!(column(&answer, "j")["notes"][0].as_str().unwrap().contains("cannot be compared"));
}

#[tokio::test]
async fn one_column_that_fails_does_not_fail_the_rest() {
    let database = Database::fresh().unwrap();
    database
        .run("CREATE VIEW v AS SELECT i AS a, 1 / (i - 5) AS bad, i % 2 AS b FROM generate_series(1, 9) i")
        .unwrap();
    let answer = Caller::new(database.url()).call("analyze_table", json!({"table": "v"})).await;
    assert_eq!(answer.data["rows_read"], 9);
    assert_eq!(column(&answer, "a")["max"], 9);
    assert_eq!(column(&answer, "b")["distinct"], 2);
    assert_eq!(column(&answer, "bad")["notes"], json!(["not analyzed: division by zero"]));
}

#[tokio::test]
async fn names_of_any_kind_and_hidden_columns() {
    let database = Database::fresh().unwrap();
    database
        .run(
            r#"CREATE SCHEMA "Sales Dept";
            CREATE TABLE "Sales Dept"."Order ""Items""" ("select" int, "Größe" text, "a""b; DROP" int, "UPPER" int, secret text);
            INSERT INTO "Sales Dept"."Order ""Items""" VALUES (1, 'groß', 2, 3, 's3cret')"#,
        )
        .unwrap();
    let mut config = DatabaseConfig::new(database.url());
    config.hidden_columns = vec![r#"Order "Items".secret"#.into()];
    let caller = Caller::with(config);
    let answer = caller.call("analyze_table", json!({"table": r#""Sales Dept"."Order ""Items""""#})).await;
    assert_eq!(column(&answer, "Größe")["max"], "groß");
    assert_eq!(column(&answer, "a\"b; DROP")["max"], 2);
    assert_eq!(answer.data["column_count"], 4);
    assert!(!format!("{}{}", answer.text, answer.data).contains("ecret"), "{}", answer.text);
    let refusal = caller
        .refusal(
            "analyze_table",
            json!({"table": r#""Sales Dept"."Order ""Items""""#, "columns": ["secret"]}),
        )
        .await;
    assert!(refusal.contains("has no column `secret`; it has: select, Größe"), "{refusal}");
    let one = caller
        .call(
            "analyze_table",
            json!({"table": r#""Sales Dept"."Order ""Items""""#, "columns": ["upper", "\"select\""]}),
        )
        .await;
    assert_eq!(column(&one, "UPPER")["max"], 3);
}

#[tokio::test]
async fn many_columns_are_analyzed_in_parts() {
    let database = Database::fresh().unwrap();
    let columns: Vec<String> = (1..=1600).map(|at| format!("c{at} int")).collect();
    database
        .run(&format!(
            "CREATE TABLE wide ({}); INSERT INTO wide (c1, c1600) VALUES (1, 2)",
            columns.join(", ")
        ))
        .unwrap();
    let caller = Caller::new(database.url());
    let answer = caller.call("analyze_table", json!({"table": "wide"})).await;
    assert_eq!(answer.data["column_count"], 1600);
    assert_eq!(answer.data["columns"].as_array().unwrap().len(), 50);
    assert_eq!(answer.data["columns_left_out"].as_array().unwrap().len(), 1550);
    let last = caller.call("analyze_table", json!({"table": "wide", "columns": ["c1600"]})).await;
    assert_eq!(column(&last, "c1600")["max"], 2);
}

#[tokio::test]
async fn progress_is_told_and_grows() {
    let shop = Caller::new(SHOP.url());
    let told = shop.progress_of("analyze_table", json!({"table": "order_items"})).await;
    let steps: Vec<f64> = told.iter().map(|step| step["progress"].as_f64().unwrap()).collect();
    assert!(steps.len() >= 4, "{told:?}");
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
    assert_eq!((steps[0], steps[steps.len() - 1]), (0.0, 3.0));
    assert_eq!(told[0]["total"], 3.0);
}

#[tokio::test]
async fn the_statement_timeout_holds_and_says_what_to_do() {
    let database = Database::fresh().unwrap();
    database
        .run("CREATE VIEW slow AS SELECT i, pg_sleep(0.01)::text AS s FROM generate_series(1, 10000) i")
        .unwrap();
    let mut config = DatabaseConfig::new(database.url());
    config.statement_timeout_ms = 300;
    let start = Instant::now();
    let refusal = Caller::with(config).refusal("analyze_table", json!({"table": "slow"})).await;
    assert!(refusal.contains("name fewer `columns`"), "{refusal}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_dropped_call_stops_its_statement() {
    let database = Database::fresh().unwrap();
    database
        .run("CREATE VIEW slow AS SELECT i, pg_sleep(0.01)::text AS s FROM generate_series(1, 10000) i")
        .unwrap();
    let caller = Caller::new(database.url());
    let mut call = Box::pin(caller.try_call("analyze_table", json!({"table": "slow"})));
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut call).await.is_err());
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
                   AND application_name = 'towline' AND datname = current_database()";
    assert_eq!(plain(&database, running), "1");
    drop(call);
    let deadline = Instant::now() + Duration::from_secs(5);
    while plain(&database, running) != "0" {
        assert!(Instant::now() < deadline, "the statement still runs");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn tables_of_the_system_are_refused() {
    let refusal =
        Caller::new(SHOP.url()).refusal("analyze_table", json!({"table": "pg_catalog.pg_authid"})).await;
    assert!(refusal.contains("table of the system"), "{refusal}");
}
