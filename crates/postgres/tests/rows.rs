//! Every type comes back without loss, parameters go in, limits hold.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{json, pool, query, query_with, scalar};
use towline_postgres::{DatabaseConfig, Limit, Pool, PostgresError, Rows};
use towline_scratch_postgres::Database;

fn truncated(rows: &Rows) -> (Limit, u64) {
    let truncated = rows.truncated.unwrap();
    (truncated.reason, truncated.limit)
}

/// Each expression, and the JSON of its value.
const VALUES: &[(&str, &str)] = &[
    ("NULL::text", "null"),
    ("''", r#""""#),
    ("true", "true"),
    ("false", "false"),
    ("(-32768)::int2", "-32768"),
    ("2147483647::int4", "2147483647"),
    ("9007199254740991::int8", "9007199254740991"),
    ("9007199254740992::int8", r#""9007199254740992""#),
    ("'-9223372036854775808'::int8", r#""-9223372036854775808""#),
    ("4294967295::oid", "4294967295"),
    ("'18446744073709551615'::xid8", r#""18446744073709551615""#),
    ("'7'::xid", "7"),
    ("1.5::float4", "1.5"),
    ("0.1::float8", "0.1"),
    ("'NaN'::float8", r#""NaN""#),
    ("'-Infinity'::float4", r#""-Infinity""#),
    ("'-0'::float8", "-0.0"),
    ("0::numeric", "0"),
    ("19.90::numeric", "19.90"),
    ("0.00::numeric(10,2)", "0.00"),
    ("-0.0001::numeric", "-0.0001"),
    ("0.00000000012::numeric", "0.00000000012"),
    ("10000::numeric", "10000"),
    ("100000000.00010::numeric", "100000000.00010"),
    ("123456789012345::numeric", "123456789012345"),
    ("1234567890123456::numeric", r#""1234567890123456""#),
    ("12345678901234567890.123456789::numeric", r#""12345678901234567890.123456789""#),
    ("'NaN'::numeric", r#""NaN""#),
    ("'Infinity'::numeric", r#""Infinity""#),
    ("'-Infinity'::numeric", r#""-Infinity""#),
    ("'1,234.56'::money", r#""$1,234.56""#),
    ("E'a\\nb\"\\\\'::text", r#""a\nb\"\\""#),
    ("'é😀'::varchar(5)", r#""é😀""#),
    ("'ab'::char(4)", r#""ab  ""#),
    ("'pg_class'::name", r#""pg_class""#),
    ("'x'::\"char\"", r#""x""#),
    ("'\\xdeadbeef'::bytea", r#""\\xdeadbeef""#),
    ("''::bytea", r#""\\x""#),
    ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", r#""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#),
    ("'{\"a\": [1,  2.50], \"b\": null}'::json", r#"{"a":[1,2.50],"b":null}"#),
    ("E'{\"a\":\\n1}'::json", r#"{"a":1}"#),
    ("'{\"b\": 9007199254740993, \"a\": \"x y\"}'::jsonb", r#"{"a":"x y","b":9007199254740993}"#),
    ("'null'::jsonb", "null"),
    ("'[1e999]'::json", r#""[1e999]""#),
    ("'$.a[*]'::jsonpath", r#""$.\"a\"[*]""#),
    ("'<a>1</a>'::xml", r#""<a>1</a>""#),
    ("'2024-02-29'::date", r#""2024-02-29""#),
    ("'0044-03-15 BC'::date", r#""0044-03-15 BC""#),
    ("'5874897-12-31'::date", r#""5874897-12-31""#),
    ("'infinity'::date", r#""infinity""#),
    ("'24:00:00'::time", r#""24:00:00""#),
    ("'12:34:56.789'::time", r#""12:34:56.789""#),
    ("'12:00:00+05:30'::timetz", r#""12:00:00+05:30""#),
    ("'12:00:00-08'::timetz", r#""12:00:00-08:00""#),
    ("'2024-01-31 12:00:00.000001'::timestamp", r#""2024-01-31T12:00:00.000001""#),
    ("'1999-12-31 23:59:59.999999'::timestamp", r#""1999-12-31T23:59:59.999999""#),
    ("'-infinity'::timestamp", r#""-infinity""#),
    ("'2024-01-31 12:00:00+02'::timestamptz", r#""2024-01-31T10:00:00+00:00""#),
    ("'0001-01-01 00:00:00+00 BC'::timestamptz", r#""0001-01-01T00:00:00+00:00 BC""#),
    ("'1 year 2 mons 3 days 04:05:06.5'::interval", r#""P1Y2M3DT4H5M6.5S""#),
    ("'-1 mons +1 day -00:00:00.5'::interval", r#""P-1M1DT-0.5S""#),
    ("'0'::interval", r#""PT0S""#),
    ("'192.168.0.1/24'::inet", r#""192.168.0.1/24""#),
    ("'192.168.0.1'::inet", r#""192.168.0.1""#),
    ("'10.0.0.0/8'::cidr", r#""10.0.0.0/8""#),
    ("'2001:db8::1'::inet", r#""2001:db8::1""#),
    ("'08:00:2b:01:02:03'::macaddr", r#""08:00:2b:01:02:03""#),
    ("'08:00:2b:01:02:03:04:05'::macaddr8", r#""08:00:2b:01:02:03:04:05""#),
    ("B'101'", r#""101""#),
    ("''::varbit", r#""""#),
    ("B'1010101011'::varbit", r#""1010101011""#),
    ("'16/B374D848'::pg_lsn", r#""16/B374D848""#),
    ("'(42,7)'::tid", r#""(42,7)""#),
    ("'(1,2)'::point", r#""(1,2)""#),
    ("'((0,0),(1,1))'::box", r#""(1,1),(0,0)""#),
    ("'a fat cat'::tsvector", r#""'a' 'cat' 'fat'""#),
    ("'fat & rat'::tsquery", r#""'fat' & 'rat'""#),
    ("'pg_class'::regclass", r#""pg_class""#),
    ("'int4'::regtype", r#""integer""#),
    ("ARRAY[1,NULL,3]", "[1,null,3]"),
    ("ARRAY[[1,2],[3,4]]", "[[1,2],[3,4]]"),
    ("'{}'::int[]", "[]"),
    ("ARRAY['a','',NULL,'NULL']", r#"["a","",null,"NULL"]"#),
    ("'[0:1]={5,6}'::int[]", r#"{"lower_bounds":[0],"values":[5,6]}"#),
    ("ARRAY['2024-01-01'::date]", r#"["2024-01-01"]"#),
    ("ARRAY['{\"a\":1}'::jsonb]", r#"[{"a":1}]"#),
    ("'1 2 3'::int2vector", "[1,2,3]"),
    ("'{\"(1,2)\"}'::point[]", r#""{\"(1,2)\"}""#),
    ("'[1,10)'::int4range", r#""[1,10)""#),
    ("'empty'::int4range", r#""empty""#),
    ("'(,5]'::numrange", r#""(,5]""#),
    ("'[,]'::int8range", r#""(,)""#),
    ("'[2024-01-01,2024-02-01)'::daterange", r#""[2024-01-01,2024-02-01)""#),
    ("'[2024-01-01 10:00,infinity)'::tsrange", r#""[2024-01-01T10:00:00,infinity)""#),
    ("'{[1,2),[5,6)}'::int4multirange", r#""{[1,2),[5,6)}""#),
    ("ARRAY['[1,2)'::int4range]", r#"["[1,2)"]"#),
    ("ROW(1,'a',NULL)", r#"{"f1":1,"f2":"a","f3":null}"#),
    ("ARRAY[ROW(1,'a')]", r#"[{"f1":1,"f2":"a"}]"#),
    ("ROW(1,'(1,2)'::point)", r#""(1,\"(1,2)\")""#),
    ("ROW(9007199254740993, 0.1::numeric)::pair", r#"{"big":"9007199254740993","a b":0.1}"#),
    ("'sad'::mood", r#""sad""#),
    ("ARRAY['sad','it''s']::mood[]", r#"["sad","it's"]"#),
    ("ROW('sad'::mood, 1)", r#""(sad,1)""#),
    ("7::positive", "7"),
    ("ARRAY[7::positive]", "[7]"),
    ("'[1.5,2.5]'::floats", r#""[1.5,2.5]""#),
    ("'[\"a b\",c)'::words", r#""[\"a b\",c)""#),
    ("'a=>1, b=>NULL'::hstore", r#""\"a\"=>\"1\", \"b\"=>NULL""#),
    ("'=(x)'::unsendable", r#""=(x)""#),
];

const TYPES: &str = "
    CREATE EXTENSION IF NOT EXISTS hstore;
    CREATE TYPE mood AS ENUM ('sad', 'it''s');
    CREATE TYPE pair AS (big int8, \"a b\" numeric);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TYPE floats AS RANGE (subtype = float8);
    CREATE TYPE words AS RANGE (subtype = text);
    CREATE DOMAIN unsendable AS text;
";

#[tokio::test]
async fn every_type_comes_back_without_loss() {
    let database = Database::fresh().unwrap();
    database.run(TYPES).unwrap();
    let pool = pool(database.url());

    let mut failures = Vec::new();
    for (sql, expected) in VALUES {
        let got = match query(&pool, &format!("SELECT {sql}")).await {
            Ok(rows) => rows.rows.get().to_owned(),
            Err(error) => format!("{error:?}"),
        };
        if got != format!("[[{expected}]]") {
            failures.push(format!("{sql}\n  expected [[{expected}]]\n  got      {got}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));

    // All at once, too: types that need PostgreSQL's text do not disturb their neighbours.
    let list: Vec<&str> = VALUES.iter().map(|(sql, _)| *sql).collect();
    let all: Vec<&str> = VALUES.iter().map(|(_, json)| *json).collect();
    let sql = format!("SELECT {}", list.join(", "));
    assert_eq!(json(&pool, &sql).await, format!("[[{}]]", all.join(",")));
}

#[tokio::test]
async fn what_came_back_goes_in_again_as_a_parameter() {
    let database = Database::fresh().unwrap();
    database.run(TYPES).unwrap();
    let pool = pool(database.url());

    for (sql, expected) in VALUES {
        let value: Value = serde_json::from_str(expected).unwrap();
        // Objects stand for composites and odd arrays, which have no parameter form of their own,
        // and a record has no input.
        let is_input = !sql.starts_with("ROW") && !sql.contains("ARRAY[ROW");
        if value.is_object() || value.is_null() || !is_input {
            continue;
        }
        let ty = scalar(&pool, &format!("SELECT format_type(pg_typeof({sql}), NULL)")).await;
        let ty = ty.as_str().unwrap().replace("character varying", "text");
        let compare = match ty.as_str() {
            "json" => "::jsonb",
            "xml" | "point" | "point[]" | "jsonpath" | "box" => "::text",
            "bit" => "::varbit", // `bit` alone is one bit
            // Nor does `character` alone keep four, and the last is for literals only.
            "character" | "unknown" => continue,
            _ => "",
        };
        let ty = if ty == "bit" { "varbit".to_owned() } else { ty };
        let sql = format!("SELECT ({sql}){compare} IS NOT DISTINCT FROM ($1::{ty}){compare}");
        let rows = query_with(&pool, &sql, &format!("[{expected}]")).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql} with {expected}: {error}"));
        assert_eq!(rows.rows.get(), "[[true]]", "{sql} with {expected}");
    }
}

#[tokio::test]
async fn columns_keep_their_order_and_their_names_even_twice() {
    let database = Database::fresh().unwrap();
    let pool = pool(database.url());
    let rows = query(&pool, "SELECT 1 AS a, 'x'::text AS a, '{}'::int[] AS \"A b\"").await.unwrap();
    assert_eq!(
        serde_json::to_value(&rows).unwrap(),
        json!({
            "columns": [
                {"name": "a", "type": "int4"},
                {"name": "a", "type": "text"},
                {"name": "A b", "type": "int4[]"},
            ],
            "rows": [[1, "x", []]],
            "row_count": 1,
        })
    );
}

#[tokio::test]
async fn rows_are_cut_off_without_fetching_the_rest() {
    let database = Database::fresh().unwrap();
    let pool = pool(database.url());
    let limits = pool.limits().with_max_rows(10);
    let sql = "SELECT generate_series(1, 1000000000)"; // in FROM the server would keep them all

    let rows = pool.query_read_only(sql, &[], limits).await.unwrap();
    assert_eq!(rows.row_count, 10);
    assert_eq!(rows.rows.get(), "[[1],[2],[3],[4],[5],[6],[7],[8],[9],[10]]");
    assert_eq!(truncated(&rows), (Limit::Rows, 10));
    assert!(rows.to_text().contains("10 rows; cut off at 10"), "{}", rows.to_text());

    // Just as many as allowed is not too many.
    let sql = "SELECT n FROM generate_series(1, 10) n";
    let rows = pool.query_read_only(sql, &[], limits).await.unwrap();
    assert_eq!((rows.row_count, rows.truncated), (10, None));
}

#[tokio::test]
async fn more_rows_than_a_slice_arrive_in_order() {
    let database = Database::fresh().unwrap();
    let mut config = DatabaseConfig::new(database.url());
    config.max_rows = 5000;
    let pool = Pool::new(config).unwrap();
    for (count, expected) in [(1024, 1024), (2048, 2048), (3000, 3000), (5000, 5000), (9000, 5000)] {
        let sql = format!("SELECT n FROM generate_series(1, {count}) n");
        let rows = query(&pool, &sql).await.unwrap();
        let values: Vec<[i64; 1]> = serde_json::from_str(rows.rows.get()).unwrap();
        assert!(values.iter().zip(1..).all(|(value, n)| value[0] == n));
        assert_eq!((values.len(), rows.truncated.is_some()), (expected, count > 5000), "{count}");
    }
}

#[tokio::test]
async fn bytes_are_cut_off_between_rows() {
    let database = Database::fresh().unwrap();
    let pool = pool(database.url());
    let limits = pool.limits().with_max_bytes(10_000);
    let sql = "SELECT repeat('x', 980), generate_series(1, 100000000)";
    let rows = pool.query_read_only(sql, &[], limits).await.unwrap();
    assert_eq!(rows.row_count, 10);
    assert!(rows.rows.get().len() <= 10_000);
    assert_eq!(truncated(&rows), (Limit::Bytes, 10_000));
    assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));
}

#[tokio::test]
async fn a_huge_value_is_cut_and_the_result_says_so() {
    let database = Database::fresh().unwrap();
    let pool = pool(database.url());
    let limits = pool.limits().with_max_bytes(4_000);
    let sql = "SELECT 1, repeat('é\"', 1000000), NULL";
    let rows = pool.query_read_only(sql, &[], limits).await.unwrap();
    assert!(rows.rows.get().len() <= 4_000, "{}", rows.rows.get().len());
    assert_eq!(rows.row_count, 1);
    assert_eq!((rows.cut_values.len(), rows.cut_values[0].column), (1, 1));
    assert_eq!(rows.cut_values[0].bytes, 3_000_000, "as PostgreSQL sent it");
    assert_eq!(truncated(&rows), (Limit::Bytes, 4_000));
}

#[tokio::test]
async fn huge_values_of_every_kind_are_cut() {
    let database = Database::fresh().unwrap();
    let pool = pool(database.url());
    let limits = pool.limits().with_max_bytes(4_000);
    for (sql, begins) in [
        ("repeat('é', 100000)", "éé"),
        ("repeat('é', 3000)", "éé"),
        ("decode(repeat('ab', 100000), 'hex')", "\\xabab"),
        ("to_jsonb(repeat('x', 100000))", "\"xxx"),
        ("to_json(repeat('x', 100000))", "\"xxx"),
        ("xmlelement(name a, repeat('x', 100000))", "<a>xxx"),
        ("repeat('1', 100000)::varbit", "(too large)"),
        ("repeat('1', 10000)::varbit", "111"),
        ("array_fill(7, ARRAY[100000])", "(too large)"),
        ("array_fill(7777, ARRAY[1500])", "[7777,7777"),
        ("ROW(repeat('x', 100000))", "(too large)"),
    ] {
        let sql = format!("SELECT 1, {sql}, 'end'");
        let rows = pool.query_read_only(&sql, &[], limits).await.unwrap();
        let json = rows.rows.get();
        assert!(json.len() <= 4_000, "{sql}: {}", json.len());
        let row: Vec<Vec<Value>> = serde_json::from_str(json).unwrap();
        assert_eq!((&row[0][0], &row[0][2]), (&json!(1), &json!("end")), "{sql}");
        let text = row[0][1].as_str().unwrap();
        assert!(text.starts_with(begins) && !text.contains('\u{FFFD}'), "{sql}: {text}");
        assert_eq!((rows.cut_values.len(), rows.cut_values[0].column), (1, 1), "{sql}");
        assert_eq!(truncated(&rows), (Limit::Bytes, 4_000), "{sql}");
    }
    // An array of small numbers shrinks, and fits.
    let sql = "SELECT array_fill(7, ARRAY[1500])";
    let rows = pool.query_read_only(sql, &[], limits).await.unwrap();
    assert!(rows.truncated.is_none() && rows.cut_values.is_empty());
}

#[tokio::test]
async fn parameters_have_the_types_that_the_server_infers() {
    let database = Database::fresh().unwrap();
    database.run(TYPES).unwrap();
    let pool = pool(database.url());
    for (sql, params, expected) in [
        ("SELECT $1::int + 1", "[41]", "[[42]]"),
        ("SELECT $1::int + 1", r#"["41"]"#, "[[42]]"),
        ("SELECT $1::numeric", "[1.10]", "[[1.10]]"),
        ("SELECT $1::int8", "[9223372036854775807]", r#"[["9223372036854775807"]]"#),
        ("SELECT $1::text IS NULL, $2::text", r#"[null, ""]"#, r#"[[true,""]]"#),
        ("SELECT $1", r#"["text"]"#, r#"[["text"]]"#),
        ("SELECT n FROM generate_series(1, 9) n WHERE n = ANY($1)", "[[3, 5]]", "[[3],[5]]"),
        ("SELECT $1::text[]", r#"[["a,b", "c\"d", null, ""]]"#, r#"[[["a,b","c\"d",null,""]]]"#),
        ("SELECT $1::int[]", "[[[1,2],[3,4]]]", "[[[[1,2],[3,4]]]]"),
        ("SELECT $1::mood", r#"["sad"]"#, r#"[["sad"]]"#),
        ("SELECT $1::mood[]", r#"[["sad", "it's"]]"#, r#"[[["sad","it's"]]]"#),
        ("SELECT $1::jsonb -> 'a'", r#"[{"a": [1, {"b": null}]}]"#, r#"[[[1,{"b":null}]]]"#),
        ("SELECT $1::jsonb", r#"["plain"]"#, r#"[["plain"]]"#),
        ("SELECT $1::bool", "[true]", "[[true]]"),
        ("SELECT $1::timestamptz", r#"["2024-01-31T12:00:00Z"]"#, r#"[["2024-01-31T12:00:00+00:00"]]"#),
        ("SELECT $1::date - $2::date", r#"["2024-03-01", "2024-02-01"]"#, "[[29]]"),
        ("SELECT $1::bytea", r#"["\\x00ff"]"#, r#"[["\\x00ff"]]"#),
        ("SELECT 'x' LIKE $1", r#"["%'; DROP TABLE t; --"]"#, "[[false]]"),
    ] {
        let rows = query_with(&pool, sql, params).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql} {params}: {error}"));
        assert_eq!(rows.rows.get(), expected, "{sql} {params}");
    }
}

#[tokio::test]
async fn a_parameter_that_does_not_fit_says_what_does() {
    let database = Database::fresh().unwrap();
    let pool = pool(database.url());
    for (sql, params, expected) in [
        ("SELECT $1::int, $2::int", "[1]", "the statement has 2 parameter(s)"),
        ("SELECT 1", "[1]", "the statement has 0 parameter(s)"),
        ("SELECT $1::int", "[[1]]", "parameter $1: an array was given"),
        ("SELECT $1::text, $2::int", r#"["a", {}]"#, "parameter $2: an object was given"),
        ("SELECT $1::int", r#"["x"]"#, "invalid input syntax for type integer"),
        ("SELECT $1::text", r#"["\u0000"]"#, "U+0000"),
    ] {
        let error = query_with(&pool, sql, params).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{sql} {params}: {error}");
    }
    assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));
}

#[tokio::test]
async fn an_error_in_the_statement_tells_where_and_why() {
    let database = Database::fresh().unwrap();
    database.run("CREATE TABLE customers (name text)").unwrap();
    let pool = pool(database.url());
    let PostgresError::Statement(error) = query(&pool, "SELECT nam FROM customers").await.unwrap_err() else {
        panic!()
    };
    assert_eq!(error.sqlstate, "42703");
    assert_eq!(error.position, Some(8));
    assert!(error.hint.as_deref().unwrap().contains("customers.name"));
    assert_eq!(
        error.to_string(),
        "column \"nam\" does not exist (SQLSTATE 42703, at character 8)\n\
         Hint: Perhaps you meant to reference the column \"customers.name\"."
    );
}

#[tokio::test]
async fn only_one_statement_that_returns_rows_is_run() {
    let database = Database::fresh().unwrap();
    database.run("CREATE TABLE t (a int); CREATE SEQUENCE s").unwrap();
    let pool = support::single(database.url());
    for sql in [
        "SET statement_timeout = 0",
        "COMMIT",
        "BEGIN READ WRITE",
        "LISTEN x",
        "PREPARE p AS SELECT 1",
        "DECLARE c CURSOR FOR SELECT 1",
        "DO $$ BEGIN END $$",
        "",
        "-- nothing",
        "LOCK TABLE t",
        "INSERT INTO t VALUES (1) RETURNING a",
        "CALL nothing(1)",
        "EXECUTE s0",
        "FETCH ALL FROM towline",
    ] {
        let error = query(&pool, sql).await.unwrap_err();
        assert!(matches!(error, PostgresError::NotAQuery), "{sql}: {error:?}");
    }
    let error = query(&pool, "SELECT 1; SELECT 2").await.unwrap_err().to_string();
    assert!(error.contains("42601"), "{error}");
    for (sql, state) in [
        ("WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x", "0A000"),
        ("SELECT 1 INTO x", "42601, at character 15"),
        ("SELECT 1 FROM t FOR UPDATE", "25006"),
        ("SELECT nextval('s')", "25006"),
        ("EXPLAIN ANALYZE DELETE FROM t", "25006"),
    ] {
        let error = query(&pool, sql).await.unwrap_err().to_string();
        assert!(error.contains(state), "{sql}: {error}");
    }
    for (sql, expected) in [
        ("SELECT FROM generate_series(1, 2)", "[[],[]]"),
        ("VALUES (1), (2);", "[[1],[2]]"),
        ("TABLE t", "[]"),
        ("SHOW transaction_read_only", r#"[["on"]]"#),
        ("SELECT '(1,2)'::point ;  \n", r#"[["(1,2)"]]"#),
        ("SELECT '(1,2)'::point -- a comment", r#"[["(1,2)"]]"#),
    ] {
        assert_eq!(json(&pool, sql).await, expected, "{sql}");
    }
    assert!(json(&pool, "EXPLAIN SELECT * FROM t").await.contains("Seq Scan"));
}

#[tokio::test]
async fn the_settings_of_a_database_are_in_force() {
    let database = Database::fresh().unwrap();
    database.run("CREATE SCHEMA \"a\"\"b\"; CREATE TABLE \"a\"\"b\".t AS SELECT 7 AS n").unwrap();
    let mut config = DatabaseConfig::new(database.url());
    config.schemas = vec!["a\"b".into()];
    config.set.insert("work_mem".into(), "7MB".into());
    config.set.insert("app.note".into(), r"it's \ odd".into());
    config.application_name = Some("my app".into());
    let pool = Pool::new(config).unwrap();
    assert_eq!(scalar(&pool, "SELECT n FROM t").await, json!(7));
    assert_eq!(scalar(&pool, "SHOW work_mem").await, json!("7MB"));
    assert_eq!(scalar(&pool, "SHOW app.note").await, json!(r"it's \ odd"));
    assert_eq!(scalar(&pool, "SHOW application_name").await, json!("my app"));
    assert_eq!(scalar(&pool, "SHOW statement_timeout").await, json!("10s"));
    assert_eq!(scalar(&pool, "SHOW lock_timeout").await, json!("1s"));

    let mut config = DatabaseConfig::new(database.url());
    config.set.insert("no_such_setting".into(), "1".into());
    let pool = Pool::new(config).unwrap();
    let error = query(&pool, "SELECT 1").await.unwrap_err();
    assert!(error.to_string().contains("refuses a configured setting"), "{error}");
    assert!(!pool.health().await.is_up());
}

#[tokio::test]
async fn a_slow_statement_is_stopped() {
    let database = Database::fresh().unwrap();
    let pool = pool(database.url());
    let limits = pool.limits().with_statement_timeout(Duration::from_millis(100));
    let error = pool.query_read_only("SELECT pg_sleep(5)", &[], limits).await.unwrap_err();
    assert!(matches!(error, PostgresError::StatementTimeout { .. }), "{error:?}");
    // Each slice of a long result counts, and so does folding a constant while planning.
    let sql = "SELECT count(*) FROM generate_series(1, 100000000)";
    let error = pool.query_read_only(sql, &[], limits).await.unwrap_err();
    assert!(matches!(error, PostgresError::StatementTimeout { .. }), "{error:?}");
}

#[tokio::test]
async fn rows_read_well_as_text() {
    let database = Database::fresh().unwrap();
    let pool = pool(database.url());
    let sql = "SELECT * FROM (VALUES ('Lamp', 19.90, NULL), ('', 5, 'NULL'), (E'two\\nlines', 1, 'é')) \
               v(name, price, note)";
    assert_eq!(
        query(&pool, sql).await.unwrap().to_text(),
        "name       | price | note\n\
         -----------+-------+-------\n\
         Lamp       | 19.90 | NULL\n\
         \"\"         | 5     | \"NULL\"\n\
         two\\nlines | 1     | é\n\
         (3 rows)"
    );
    let text = query(&pool, "SELECT repeat('x', 5000)").await.unwrap().to_text();
    assert!(text.contains('…') && text.len() < 900, "{text}");
}

#[tokio::test]
async fn a_statement_that_is_run_again_takes_the_short_way_and_sees_every_change() {
    let database = Database::fresh().unwrap();
    database.run("CREATE TABLE t AS SELECT 1 AS a, 'x' AS b").unwrap();
    let pool = support::single(database.url());
    // The long way has a cursor.
    let sql = "SELECT count(*) FROM pg_cursors WHERE name = 'towline'";
    assert_eq!(scalar(&pool, sql).await, json!(1));
    for _ in 0..3 {
        assert_eq!(scalar(&pool, sql).await, json!(0));
    }

    let sql = "SELECT * FROM t";
    for (change, expected) in [
        ("SELECT 1", r#"[[1,"x"]]"#),
        ("SELECT 1", r#"[[1,"x"]]"#),
        ("INSERT INTO t VALUES (2, NULL)", r#"[[1,"x"],[2,null]]"#),
        ("ALTER TABLE t RENAME COLUMN b TO c", r#"[[1,"x"],[2,null]]"#),
        ("ALTER TABLE t ALTER COLUMN a TYPE text", r#"[["1","x"],["2",null]]"#),
        (
            "ALTER TABLE t ADD COLUMN d int8 DEFAULT 9007199254740993",
            r#"[["1","x","9007199254740993"],["2",null,"9007199254740993"]]"#,
        ),
        ("ALTER TABLE t DROP COLUMN a, DROP COLUMN d", r#"[["x"],[null]]"#),
        ("DELETE FROM t", "[]"),
        ("ALTER TABLE t ADD COLUMN e int", "[]"),
        ("INSERT INTO t VALUES ('y', 7)", r#"[["y",7]]"#),
    ] {
        database.run(change).unwrap();
        let names = database.run(
            "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute \
             WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped",
        );
        for _ in 0..2 {
            let rows = query(&pool, sql).await.unwrap();
            assert_eq!(rows.rows.get(), expected, "{change}");
            let columns: Vec<&str> = rows.columns.iter().map(|column| column.name.as_str()).collect();
            assert_eq!(columns.join(","), names.as_ref().unwrap().trim(), "{change}");
        }
    }

    // Many more rows than before are cut off as ever.
    database.run("INSERT INTO t SELECT repeat('z', 1000), n FROM generate_series(1, 100000) n").unwrap();
    let rows = query(&pool, sql).await.unwrap();
    assert_eq!(truncated(&rows).0, Limit::Bytes);
    assert!(rows.rows.get().len() <= pool.limits().max_bytes);
    assert_eq!(scalar(&pool, "SELECT 1").await, json!(1));

    database.run("DROP TABLE t").unwrap();
    for _ in 0..2 {
        assert!(query(&pool, sql).await.unwrap_err().to_string().contains("42P01, at character 15"));
    }

    // Parameters keep the types that the server inferred.
    for (param, expected) in
        [("[1]", "[[2]]"), ("[2]", "[[3]]"), ("[\"3\"]", "[[4]]"), ("[null]", "[[null]]")]
    {
        let rows = query_with(&pool, "SELECT $1::int + 1", param).await.unwrap();
        assert_eq!(rows.rows.get(), expected);
    }
    let error = query_with(&pool, "SELECT $1::int + 1", "[]").await.unwrap_err();
    assert!(error.to_string().contains("1 parameter(s)"), "{error}");
    let error = query_with(&pool, "SELECT $1::int + 1", "[\"a\"]").await.unwrap_err();
    assert!(error.to_string().contains("22P02"), "{error}");
}
