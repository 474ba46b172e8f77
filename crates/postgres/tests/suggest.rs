//! `suggest_queries`: every suggestion runs.

#[path = "support/tools.rs"]
mod caller;

use std::sync::LazyLock;

use caller::{Answer, Caller};
use serde_json::{Value, json};
use towline_postgres::DatabaseConfig;
use towline_scratch_postgres::Database;

static SHOP: LazyLock<Database> = LazyLock::new(|| Database::with_shop().unwrap());

const TYPES: [&str; 4] = ["overview", "analysis", "quality", "relationships"];

fn statements(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let suggestions = answer.data["suggestions"].as_array().unwrap();
    suggestions.iter().map(|suggestion| (text(&suggestion["title"]), text(&suggestion["sql"]))).collect()
}

fn statement(answer: &Answer, title: &str) -> String {
    let all = statements(answer);
    let found = all.iter().find(|(known, _)| known == title);
    found
        .unwrap_or_else(|| {
            panic!("no `{title}` in {:?}", all.iter().map(|(title, _)| title).collect::<Vec<_>>())
        })
        .1
        .clone()
}

/// Runs all statements that need no parameters, and tells how many.
fn run(database: &Database, answer: &Answer) -> usize {
    let statements: Vec<String> =
        statements(answer).into_iter().map(|(_, sql)| sql).filter(|sql| !sql.contains("$1")).collect();
    database.run(&statements.join(";\n")).unwrap_or_else(|error| panic!("{statements:#?}\n{error}"));
    statements.len()
}

#[tokio::test]
async fn every_suggestion_for_every_table_runs() {
    let shop = Caller::new(SHOP.url());
    let tables = SHOP.run("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')").unwrap();
    let tables: Vec<&str> = tables.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut ran = 0;
    for table in &tables {
        for kind in TYPES {
            let answer = shop.call("suggest_queries", json!({"table": table, "analysis_type": kind})).await;
            ran += run(&SHOP, &answer);
        }
    }
    assert!(tables.len() >= 9 && ran > 150, "{} tables, {ran} statements", tables.len());
}

#[tokio::test]
async fn suggestions_come_from_the_table() {
    let shop = Caller::new(SHOP.url());
    let overview = shop.call("suggest_queries", json!({"table": "orders"})).await;
    assert!(overview.text.starts_with("Suggested overview queries for orders:\n\n1. "), "{}", overview.text);
    assert_eq!(statement(&overview, "Number of rows"), "SELECT count(*) AS row_count\nFROM orders");
    assert_eq!(
        statement(&overview, "The latest rows"),
        "SELECT *\nFROM orders\nORDER BY placed_at DESC\nLIMIT 5"
    );
    assert_eq!(statement(&overview, "One row by its key"), "SELECT *\nFROM orders\nWHERE id = $1");
    let lookup =
        overview.data["suggestions"].as_array().unwrap().iter().find(|s| s["title"] == "One row by its key");
    assert_eq!(lookup.unwrap()["params"], json!(["int8"]));

    let analysis =
        shop.call("suggest_queries", json!({"table": "orders", "analysis_type": "analysis"})).await;
    assert!(statement(&analysis, "By month").contains("date_trunc('month', placed_at) AS month"));
    assert!(statement(&analysis, "By status").contains("GROUP BY status"));
    assert!(statement(&analysis, "By payment_method").contains("GROUP BY payment_method"));
    assert!(statement(&analysis, "The numbers in shipping_cost").contains("percentile_cont(0.5)"));

    let quality =
        shop.call("suggest_queries", json!({"table": "customers", "analysis_type": "quality"})).await;
    assert!(statement(&quality, "Missing values").contains("count(*) - count(phone) AS phone_nulls"));
    assert!(
        statement(&quality, "Rows whose referred_by does not exist")
            .contains("NOT EXISTS (SELECT FROM customers AS p WHERE p.id = t.referred_by)")
    );
    assert!(statement(&quality, "How fresh the data is").contains("CURRENT_TIMESTAMP - max(created_at)"));
    assert!(
        statement(&quality, "Values of email that differ in case or spaces alone")
            .contains("lower(btrim(email::text))")
    );
    assert!(statement(&quality, "Duplicates of phone").contains("HAVING count(*) > 1"));

    let items =
        shop.call("suggest_queries", json!({"table": "order_items", "analysis_type": "relationships"})).await;
    assert!(statement(&items, "Rows by products").contains("JOIN products AS p ON t.product_id = p.id"));
    assert!(statement(&items, "Rows by products").contains("p.name"));
    let outliers =
        shop.call("suggest_queries", json!({"table": "order_items", "analysis_type": "quality"})).await;
    assert!(statement(&outliers, "Outliers of line_total").contains("percentile_cont(0.75)"));
    let categories =
        shop.call("suggest_queries", json!({"table": "categories", "analysis_type": "relationships"})).await;
    assert!(statement(&categories, "Levels along parent_id").contains("WITH RECURSIVE"));
    assert!(statement(&categories, "Rows without any products").contains("c.category_id = t.id"));
}

#[tokio::test]
async fn names_of_any_kind_are_quoted() {
    let database = Database::fresh().unwrap();
    database
        .run(
            r#"CREATE SCHEMA "Sales Dept";
            CREATE TABLE "Sales Dept"."User" ("Id" int PRIMARY KEY, "Full Name" text, "order" timestamptz NOT NULL);
            CREATE TABLE "Sales Dept"."Größe ""x""" ("Id" int PRIMARY KEY, "select" bool, "group" numeric, "when?" date,
                "user" int REFERENCES "Sales Dept"."User", "Parent" int REFERENCES "Sales Dept"."Größe ""x""",
                "a""b" text UNIQUE, "list" text[], "doc" jsonb);
            INSERT INTO "Sales Dept"."User" VALUES (1, 'A', now());
            INSERT INTO "Sales Dept"."Größe ""x""" VALUES (1, true, 1.5, '2024-01-01', 1, NULL, 'x', '{a,b}', '[1]')"#,
        )
        .unwrap();
    let caller = Caller::new(database.url());
    let mut ran = 0;
    for table in [r#""Sales Dept"."Größe ""x""""#, r#""Sales Dept"."User""#] {
        for kind in TYPES {
            let answer = caller.call("suggest_queries", json!({"table": table, "analysis_type": kind})).await;
            ran += run(&database, &answer);
        }
    }
    assert!(ran >= 35, "{ran}");
}

#[tokio::test]
async fn what_does_not_prepare_or_is_refused_is_dropped() {
    let database = Database::fresh().unwrap();
    database
        .run("CREATE TABLE t (id int PRIMARY KEY, name text, secret text); ALTER TABLE t RENAME TO people")
        .unwrap();
    let role = format!("reader_{}", database.name());
    database
        .run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT (id, name) ON people TO {role}"))
        .unwrap();
    let caller = Caller::new(database.url_as(&role, "x"));
    for kind in TYPES {
        let answer = caller.call("suggest_queries", json!({"table": "people", "analysis_type": kind})).await;
        assert!(!answer.text.contains("secret"), "{}", answer.text);
        for (_, sql) in statements(&answer) {
            let sql = sql.replace("$1", "1");
            database.run(&format!("SET ROLE {role}; {sql}")).unwrap();
        }
    }
    let mut config = DatabaseConfig::new(database.url());
    config.hidden_columns = vec!["people.secret".into()];
    let caller = Caller::with(config);
    for kind in TYPES {
        let answer = caller.call("suggest_queries", json!({"table": "people", "analysis_type": kind})).await;
        assert!(
            !answer.text.contains("secret") && !answer.text.contains('*') || answer.text.contains("count(*)")
        );
        for (title, sql) in statements(&answer) {
            assert!(!sql.contains("SELECT *"), "{title}: {sql}");
            if !sql.contains("$1") {
                caller.call("execute_query", json!({"query": sql})).await;
            }
        }
    }
    database.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[tokio::test]
async fn an_unknown_analysis_type_lists_the_types() {
    let refusal = Caller::new(SHOP.url())
        .refusal("suggest_queries", json!({"table": "orders", "analysis_type": "magic"}))
        .await;
    for kind in TYPES {
        assert!(refusal.contains(kind), "{refusal}");
    }
    assert!(refusal.contains("`analysis_type` must be one of"), "{refusal}");
}

#[tokio::test]
async fn an_unknown_table_lists_the_nearest() {
    let refusal = Caller::new(SHOP.url()).refusal("suggest_queries", json!({"table": "oders"})).await;
    assert!(refusal.contains("the nearest names are: orders"), "{refusal}");
}
