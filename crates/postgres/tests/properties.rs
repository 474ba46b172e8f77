//! Random values: what is decoded here equals what PostgreSQL writes itself.

mod support;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use support::{query, query_with};
use towline_postgres::Pool;
use towline_scratch_postgres::Database;

const CASES: usize = 2000;

fn samples(strategy: impl Strategy<Value = String>) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    (0..CASES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Sends `values` as `ty` and returns each one as decoded here and as `theirs` writes it.
async fn both(pool: &Pool, ty: &str, values: &[String], theirs: &str) -> Vec<(Value, String)> {
    let sql = format!("SELECT v::{ty}, {theirs} FROM unnest($1::text[]) v");
    let params = serde_json::to_string(&[values]).unwrap();
    let limits = pool.limits();
    assert!(limits.max_rows as usize >= values.len());
    let rows = query_with(pool, &sql, &params).await.unwrap();
    assert_eq!((rows.row_count, rows.truncated), (values.len(), None));
    serde_json::from_str(rows.rows.get()).unwrap()
}

async fn fresh() -> (Database, Pool) {
    let database = Database::fresh().unwrap();
    let mut config = towline_postgres::DatabaseConfig::new(database.url());
    config.max_rows = 10_000;
    config.max_bytes = 1 << 30;
    (database, Pool::new(config).unwrap())
}

fn digits(max: usize) -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::string::string_regex(&format!("[0-9]{{1,{max}}}")).unwrap(),
        proptest::string::string_regex("[1-9]?0{1,12}[0-9]{0,4}").unwrap(),
    ]
    .prop_filter("not empty", |text| !text.is_empty())
}

#[tokio::test]
async fn numeric_is_exact() {
    let (_database, pool) = fresh().await;
    let values =
        samples((any::<bool>(), digits(60), proptest::option::of(digits(60)), any::<bool>()).prop_map(
            |(negative, whole, fraction, small)| {
                let sign = if negative { "-" } else { "" };
                let whole = if small { "0".into() } else { whole };
                match fraction {
                    Some(fraction) => format!("{sign}{whole}.{fraction}"),
                    None => format!("{sign}{whole}"),
                }
            },
        ));
    // serde_json's own numbers would round, so the text of the rows is compared.
    let sql = "SELECT v::numeric, v::numeric::text FROM unnest($1::text[]) v";
    let rows = query_with(&pool, sql, &serde_json::to_string(&[&values]).unwrap()).await.unwrap();
    let rows: Vec<(&serde_json::value::RawValue, String)> = serde_json::from_str(rows.rows.get()).unwrap();
    let mut numbers = 0;
    for (ours, theirs) in rows {
        let text = ours.get();
        if text.starts_with('"') {
            assert_eq!(text.trim_matches('"'), theirs);
        } else {
            numbers += 1;
            assert_eq!(text, theirs);
            // A number is one that every reader keeps: through a double and back.
            let double: f64 = text.parse().unwrap();
            let scale = theirs.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            let back = format!("{double:.scale$}");
            assert_eq!(back.trim_start_matches('-'), theirs.trim_start_matches('-'));
        }
    }
    assert!(numbers > CASES / 20, "{numbers}");
}

#[tokio::test]
async fn int8_and_floats_are_exact() {
    let (_database, pool) = fresh().await;
    let around = (1_i64 << 53) - 3..(1_i64 << 53) + 3;
    let values = samples(prop_oneof![any::<i64>(), around, -5_i64..5].prop_map(|n| n.to_string()));
    for (ours, theirs) in both(&pool, "int8", &values, "v::int8::text").await {
        let safe = theirs.parse::<i64>().unwrap().unsigned_abs() < 1 << 53;
        match ours {
            Value::Number(number) => assert!(safe && number.to_string() == theirs),
            Value::String(text) => assert!(!safe && text == theirs),
            other => panic!("{other}"),
        }
    }

    let bits = any::<u64>().prop_map(f64::from_bits);
    let values =
        samples(prop_oneof![bits, any::<f64>()].prop_map(|x| x.to_string().replace("inf", "Infinity")));
    // Not as `Value`: serde_json's own reading of floats is off by one now and then.
    let sql = "SELECT v::float8, v::float8::text FROM unnest($1::text[]) v";
    let rows = query_with(&pool, sql, &serde_json::to_string(&[&values]).unwrap()).await.unwrap();
    let rows: Vec<(&serde_json::value::RawValue, String)> = serde_json::from_str(rows.rows.get()).unwrap();
    assert_eq!(rows.len(), CASES);
    for (ours, theirs) in rows {
        let ours = ours.get();
        if ours.starts_with('"') {
            assert_eq!(ours.trim_matches('"'), theirs);
            continue;
        }
        let (ours, theirs): (f64, f64) = (ours.parse().unwrap(), theirs.parse().unwrap());
        assert_eq!(ours.to_bits(), theirs.to_bits());
    }

    let bits = any::<u32>().prop_map(f32::from_bits);
    let values = samples(bits.prop_map(|x| x.to_string().replace("inf", "Infinity")));
    for (ours, theirs) in both(&pool, "float4", &values, "v::float4::text").await {
        if let Value::Number(number) = ours {
            let (ours, theirs): (f32, f32) = (number.to_string().parse().unwrap(), theirs.parse().unwrap());
            assert_eq!(ours.to_bits(), theirs.to_bits());
        }
    }
}

#[tokio::test]
async fn dates_and_times_are_those_of_the_server() {
    let (_database, pool) = fresh().await;
    let micros =
        || prop_oneof![-210_866_803_200_000_000..9_223_371_331_200_000_000_i64, -1_000_000..1_000_000_i64];
    for (ty, offset) in [("timestamp", ""), ("timestamptz", "+00")] {
        let values = samples(micros().prop_map(|n| n.to_string()));
        let sql = format!(
            "SELECT t, to_json(t) #>> '{{}}', t::text FROM (
               SELECT '2000-01-01 00:00:00{offset}'::{ty} + interval '1 microsecond' * (v::int8 % 1000000)
                 + interval '1 second' * (v::int8 / 1000000) AS t
               FROM unnest($1::text[]) v WHERE v::int8 / 1000000 < 9000000000000) q"
        );
        let mut config = pool.config().clone();
        config.set.insert("timezone".into(), "UTC".into());
        let pool = Pool::new(config).unwrap();
        let rows = query_with(&pool, &sql, &serde_json::to_string(&[&values]).unwrap()).await.unwrap();
        assert!(rows.row_count > CASES / 4, "{}", rows.row_count);
        let rows: Vec<(String, String, String)> = serde_json::from_str(rows.rows.get()).unwrap();
        for (ours, json, _) in rows {
            assert_eq!(ours, json);
        }
    }

    let values = samples((-2_451_545..2_145_031_948_i64).prop_map(|n| n.to_string()));
    let sql = "SELECT d, to_json(d) #>> '{}' FROM (SELECT '2000-01-01'::date + v::int AS d FROM unnest($1::text[]) v) q";
    let rows = query_with(&pool, sql, &serde_json::to_string(&[&values]).unwrap()).await.unwrap();
    assert_eq!(rows.row_count, CASES);
    for (ours, theirs) in serde_json::from_str::<Vec<(String, String)>>(rows.rows.get()).unwrap() {
        assert_eq!(ours, theirs);
    }
}

#[tokio::test]
async fn intervals_are_those_of_the_server() {
    let (_database, pool) = fresh().await;
    let mut config = pool.config().clone();
    config.set.insert("intervalstyle".into(), "iso_8601".into());
    let pool = Pool::new(config).unwrap();
    let field = || prop_oneof![Just(0_i64), -40..40_i64, any::<i32>().prop_map(i64::from)];
    let micros = prop_oneof![
        Just(0_i64),
        -100_000_000..100_000_000_i64,
        -1_000_000_000_000_000_i64..1_000_000_000_000_000
    ];
    let values = samples((field(), field(), micros).prop_map(|(months, days, micros)| {
        let sign = if micros < 0 { "-" } else { "" };
        let micros = micros.unsigned_abs();
        format!("{months} mons {days} days {sign}{}.{:06} secs", micros / 1_000_000, micros % 1_000_000)
    }));
    for (ours, theirs) in both(&pool, "interval", &values, "v::interval::text").await {
        assert_eq!(ours, Value::String(theirs));
    }
}

#[tokio::test]
async fn texts_and_arrays_of_them_go_there_and_back() {
    let (_database, pool) = fresh().await;
    let text = || "\\PC*|[\"\\\\{}, \n\t'\u{1}]{0,8}|NULL|null";
    let values = samples(text().prop_map(|text| text.replace('\0', "")));
    for (ours, theirs) in both(&pool, "text", &values, "v").await {
        assert_eq!(ours, Value::String(theirs));
    }
    let params = serde_json::to_string(&[&values, &values]).unwrap();
    let rows = query_with(&pool, "SELECT $1::text[], to_json($2::text[])", &params).await.unwrap();
    let rows: Vec<(Vec<String>, Vec<String>)> = serde_json::from_str(rows.rows.get()).unwrap();
    assert_eq!(rows[0].0, values);
    assert_eq!(rows[0].1, values);
    assert!(query(&pool, "SELECT 1").await.is_ok());
}
