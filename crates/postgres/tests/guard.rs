//! The guard on its corpora and on what a policy adds. No server is needed here.

mod corpus;

use std::thread;

use corpus::{ATTACKS, LEGITIMATE, cases};
use proptest::prelude::*;
use towline_postgres::guard::{Catalog, CatalogRow, Guard, Policy, RefusalKind, RelationName, StatementKind};

fn guard() -> Guard {
    Guard::new(Policy::default())
}

#[test]
fn no_legitimate_statement_is_refused() {
    let cases = cases(LEGITIMATE);
    assert!(cases.len() >= 220, "{}", cases.len());
    let guard = guard();
    let refused: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            let refusal = guard.check(&case.sql).err()?;
            Some(format!("{}: {} [{}]", case.name, case.sql, refusal))
        })
        .collect();
    assert!(refused.is_empty(), "{} refused\n{}", refused.len(), refused.join("\n"));
}

#[test]
fn no_attack_gets_through() {
    let cases = cases(ATTACKS);
    assert!(cases.len() >= 320, "{}", cases.len());
    let guard = guard();
    let passed: Vec<_> = cases
        .iter()
        .filter(|case| guard.check(&case.sql).is_ok())
        .map(|case| format!("{}: {}", case.name, case.sql))
        .collect();
    assert!(passed.is_empty(), "{} got through\n{}", passed.len(), passed.join("\n"));
}

#[test]
fn names_of_cases_are_unique() {
    for text in [LEGITIMATE, ATTACKS] {
        let mut names: Vec<_> = cases(text).iter().map(|case| case.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}

#[test]
fn an_attack_is_refused_for_what_it_is() {
    let check = |sql: &str, kind: RefusalKind, part: &str| {
        let refusal = guard().check(sql).unwrap_err();
        assert_eq!(refusal.kind(), kind, "{sql}: {refusal}");
        assert!(refusal.message().contains(part), "{sql}: {refusal}");
    };
    check("", RefusalKind::Empty, "there is no statement");
    check("-- nothing", RefusalKind::Empty, "there is no statement");
    check("SELECT 1\0", RefusalKind::Syntax, "NUL");
    check("SELEC 1", RefusalKind::Syntax, "syntax error at or near \"SELEC\"");
    check("SELECT 'é', FRM 1 FROM", RefusalKind::Syntax, "(SQLSTATE 42601, at character 17)");
    check("SELECT (1", RefusalKind::Syntax, "(SQLSTATE 42601, at character 10)");
    check("SELECT 1 1 1", RefusalKind::Syntax, "(SQLSTATE 42601)");
    assert_eq!(guard().check("SELEC 1").unwrap_err().sqlstate(), Some("42601"));
    assert_eq!(guard().check("DROP TABLE t").unwrap_err().sqlstate(), None);
    check("SELECT xpath('/', '<a/>')", RefusalKind::Function, "cannot be stopped by a timeout");
    check("SELECT 1; SELECT 2", RefusalKind::SeveralStatements, "2 statements");
    check("DROP TABLE t", RefusalKind::Statement, "DROP is not allowed");
    check("COMMIT", RefusalKind::Statement, "COMMIT");
    check("SET x = 1", RefusalKind::Statement, "SET");
    check("CREATE TABLE a AS SELECT 1", RefusalKind::Statement, "CREATE TABLE AS");
    check("SELECT 1 INTO t", RefusalKind::Clause, "INTO");
    check("SELECT 1 FROM t FOR UPDATE", RefusalKind::Clause, "FOR UPDATE");
    check("WITH a AS (DELETE FROM t RETURNING 1) TABLE a", RefusalKind::Clause, "DELETE");
    check("EXPLAIN ANALYZE DELETE FROM t", RefusalKind::Clause, "DELETE");
    check("SELECT pg_sleep(1)", RefusalKind::Function, "function pg_sleep is not allowed: it is volatile");
    check("SELECT nextval('s')", RefusalKind::Function, "select last_value");
    check("SELECT (1).pg_sleep", RefusalKind::Function, "the attribute pg_sleep");
    check("SELECT f(1)", RefusalKind::Function, "f is not a built-in function");
    check("SELECT query_to_xml('', true, true, '')", RefusalKind::Function, "as text");
    check("TABLE pg_authid", RefusalKind::Relation, "pg_authid is not readable");
    check("SELECT repeat('x', 1000000000)", RefusalKind::TooExpensive, "1000000000 bytes");
    check(&format!("SELECT '{}'", "x".repeat(70_000)), RefusalKind::TooLong, "may have 65536");
}

#[test]
fn a_refusal_says_where() {
    let at = |sql: &str| guard().check(sql).unwrap_err().position();
    assert_eq!(at("SELECT 'é', pg_sleep(1)"), Some(13));
    assert_eq!(at("SELECT * FROM pg_authid"), Some(14));
    assert_eq!(at("SELECT 1; DELETE FROM t"), Some(10));
    assert_eq!(at("DELETE FROM t"), None);
}

#[test]
fn what_a_statement_is_and_reads() {
    let checked =
        guard().check("SELECT $2 FROM b.t, T, b.t AS x, (WITH c AS (SELECT $1) SELECT * FROM c) q").unwrap();
    assert_eq!(checked.kind(), StatementKind::Select);
    assert_eq!(checked.parameters(), 2);
    let name = |schema: Option<&str>, name: &str| RelationName {
        schema: schema.map(str::to_owned),
        name: name.to_owned(),
    };
    assert_eq!(checked.relations(), [name(None, "t"), name(Some("b"), "t")]);

    let kind = |sql: &str| guard().check(sql).unwrap().kind();
    assert_eq!(kind("EXPLAIN SELECT 1"), StatementKind::Explain { analyze: false });
    assert_eq!(kind("EXPLAIN (ANALYZE OFF) SELECT 1"), StatementKind::Explain { analyze: false });
    assert_eq!(kind("EXPLAIN (ANALYZE 1) SELECT 1"), StatementKind::Explain { analyze: true });
    assert_eq!(kind("EXPLAIN ANALYZE SELECT 1"), StatementKind::Explain { analyze: true });
    assert_eq!(kind("SHOW ALL"), StatementKind::Show);
}

#[test]
fn only_what_stays_the_same_may_be_kept() {
    let cacheable = |sql: &str| guard().check(sql).unwrap().is_cacheable();
    for same in [
        "SELECT lower(name) FROM t WHERE id = $1",
        "SELECT date_trunc('day', at) FROM t",
        "SELECT age(a, b), current_user FROM t",
        "SELECT * FROM t TABLESAMPLE SYSTEM (1) REPEATABLE (3)",
    ] {
        assert!(cacheable(same), "{same}");
    }
    for varies in [
        "SELECT random()",
        "SELECT now()",
        "SELECT CURRENT_DATE",
        "SELECT age(at) FROM t",
        "SELECT ' Today '::date",
        "SELECT * FROM t TABLESAMPLE SYSTEM (1)",
        "SELECT * FROM pg_stat_activity",
        "SELECT current_setting('x')",
        "EXPLAIN SELECT 1",
        "SHOW ALL",
    ] {
        assert!(!cacheable(varies), "{varies}");
    }
}

#[test]
fn nesting_is_refused_or_read_and_never_fatal() {
    let nest = |open: &str, inner: &str, close: &str, times: usize| {
        format!("SELECT {}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let mut policy = Policy::default();
    policy.max_sql_bytes = 1 << 20;
    let guard = Guard::new(policy);
    for (open, close, times) in [
        ("ARRAY[", "]", 3_000),
        ("ARRAY[", "]", 100_000),
        ("(", ")", 20_000),
        ("(", ")", 9_000),
        ("NOT ", "", 5_000),
        ("NOT ", "", 100_000),
        ("- ", "", 30_000),
        ("~ ", "", 30_000),
        ("abs(", ")", 30_000),
        ("(SELECT ", ")", 20_000),
        ("CASE WHEN true THEN ", " END", 10_000),
        ("COALESCE(1, ", ")", 20_000),
        ("ROW(", ")", 40_000),
        ("ARRAY[[", "]]", 40_000),
        ("", "::int", 60_000),
        ("1 + ", "", 60_000),
        ("", " IS NULL", 60_000),
        ("", " COLLATE \"C\"", 30_000),
        ("", " UNION SELECT 1", 30_000),
        ("", "[1]", 100_000),
        ("(", ").x", 50_000),
        ("true AND ", "", 60_000),
        ("x(", ") OVER ()", 20_000),
        ("EXISTS (SELECT FROM t WHERE ", ")", 20_000),
        ("'' || ", "", 60_000),
    ] {
        let sql = nest(open, "1", close, times);
        if let Err(refusal) = guard.check(&sql) {
            assert_ne!(refusal.kind(), RefusalKind::Internal, "{open}{close} {times}");
        }
    }
    let from = format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(10_000), ") x".repeat(10_000));
    let joins = format!("SELECT * FROM {}t{}", "(".repeat(10_000), " CROSS JOIN u)".repeat(10_000));
    let with = format!("{}SELECT 1{}", "WITH a AS (".repeat(10_000), ") TABLE a".repeat(10_000));
    for sql in [from, joins, with] {
        let _ = guard.check(&sql);
    }
    assert!(guard.check("SELECT 1").is_ok(), "it goes on after all that");
}

#[test]
fn deep_but_sane_statements_are_read() {
    let guard = guard();
    for sql in [
        format!("SELECT {}", vec!["1"; 400].join(" + ")),
        format!("SELECT {}", vec!["'x'"; 400].join(" || ")),
        format!("SELECT 1 WHERE {}", vec!["x = 1"; 2_000].join(" OR ")),
        format!("SELECT {}1{}", "(SELECT ".repeat(200), ")".repeat(200)),
        format!("SELECT * FROM t WHERE x IN ({})", vec!["12345"; 8_000].join(",")),
        format!("SELECT {}", vec!["SELECT 1"; 300].join(" UNION ALL ").trim_start_matches("SELECT ")),
    ] {
        let verdict = guard.check(&sql);
        assert!(verdict.is_ok(), "{:?}: {}", verdict, &sql[..60]);
    }
}

#[test]
fn many_threads_may_ask_at_once() {
    let guard = guard();
    thread::scope(|scope| {
        for thread in 0..8 {
            let guard = guard.clone();
            scope.spawn(move || {
                for n in 0..50 {
                    let good = format!("SELECT {thread} AS a, {n} AS b FROM t");
                    let bad = format!("DELETE FROM t WHERE {thread} = {n}");
                    assert!(guard.check(&good).is_ok());
                    assert!(guard.check(&bad).is_err());
                }
            });
        }
    });
}

#[test]
fn only_listed_schemas_are_read() {
    let policy = Policy::default().with_schemas(["public", "shop"]).with_search_path(["public"]);
    let guard = Guard::new(policy);
    for open in [
        "SELECT * FROM orders",
        "SELECT * FROM shop.orders JOIN public.customers USING (id)",
        "WITH pg_class AS (SELECT 1 AS x) SELECT * FROM pg_class",
        "SELECT pg_typeof(1), pg_size_pretty(10::bigint), now()",
    ] {
        assert!(guard.check(open).is_ok(), "{open}: {:?}", guard.check(open));
    }
    for closed in [
        "SELECT * FROM sales.targets",
        "SELECT * FROM orders o, LATERAL (SELECT * FROM sales.targets) t",
        "SELECT * FROM pg_class",
        "SELECT * FROM pg_catalog.pg_stats",
        "SELECT * FROM information_schema.tables",
        "SELECT pg_get_viewdef('sales.v'::regclass)",
        "SELECT pg_relation_size('sales.targets')",
        "SELECT has_table_privilege('sales.targets', 'SELECT')",
        "SELECT to_regclass('sales.targets')",
        "SELECT obj_description(1, 'pg_class')",
        "SELECT f.pg_get_viewdef FROM unnest(ARRAY[1::oid]) f",
    ] {
        assert!(guard.check(closed).is_err(), "{closed}");
    }
    // What is closed everywhere is closed for that reason, which a list of schemas does not change.
    for (sql, part) in [
        ("SELECT pg_sleep(1)", "it is volatile"),
        ("SELECT pg_read_file('x')", "it is volatile"),
        ("SELECT pg_advisory_lock(1)", "it is volatile"),
        ("SELECT pg_relation_size('sales.targets')", "objects of any schema"),
        ("SELECT pg_get_viewdef(1)", "objects of any schema"),
    ] {
        let refusal = guard.check(sql).unwrap_err();
        assert!(refusal.message().contains(part), "{sql}: {refusal}");
    }
    // What an unqualified name means is not known then.
    let unknown_path = Guard::new(Policy::default().with_schemas(["public"]));
    let refusal = unknown_path.check("SELECT * FROM orders").unwrap_err();
    assert!(refusal.message().contains("with its schema"), "{refusal}");
    let wide_path = Policy::default().with_schemas(["public"]).with_search_path(["sales", "public"]);
    assert!(Guard::new(wide_path).check("SELECT * FROM orders").is_err());
}

fn hiding() -> Guard {
    let policy = Policy::default()
        .with_hidden_column("customers.email".parse().unwrap())
        .with_hidden_column("public.staff.salary".parse().unwrap());
    Guard::new(policy)
}

#[test]
fn a_hidden_column_cannot_be_read() {
    for sql in [
        "SELECT email FROM customers",
        "SELECT c.email FROM customers c",
        "SELECT customers.email FROM customers",
        "SELECT public.customers.email FROM public.customers",
        "SELECT \"email\" FROM customers",
        "SELECT U&\"\\0065mail\" FROM customers",
        "SELECT EMAIL FROM CUSTOMERS",
        "SELECT id FROM customers WHERE email LIKE 'a%'",
        "SELECT id FROM customers ORDER BY email",
        "SELECT count(*) FROM customers GROUP BY email",
        "SELECT max(email) FROM customers",
        "SELECT (SELECT email FROM customers LIMIT 1)",
        "SELECT * FROM (SELECT email AS e FROM customers) x",
        "WITH c AS (SELECT email FROM customers) SELECT * FROM c",
        "SELECT 1 FROM orders o WHERE EXISTS (SELECT FROM customers c WHERE c.email = o.note)",
        "SELECT row_number() OVER (ORDER BY email) FROM customers",
        "SELECT 1 FROM customers JOIN orders USING (email)",
        "SELECT email FROM orders JOIN customers USING (id)",
        "SELECT * FROM customers",
        "SELECT customers.* FROM customers",
        "SELECT c.* FROM customers c JOIN orders o ON o.id = c.id",
        "SELECT o.*, c.* FROM customers c, orders o",
        "SELECT * FROM orders o JOIN customers c ON c.id = o.customer_id",
        "TABLE customers",
        "TABLE ONLY customers",
        "SELECT * FROM ONLY customers",
        "SELECT * FROM customers TABLESAMPLE SYSTEM (100)",
        "WITH c AS (TABLE customers) SELECT count(*) FROM c",
        "SELECT 1 UNION SELECT id FROM (TABLE customers) x",
        "SELECT c FROM customers c",
        "SELECT customers FROM customers",
        "SELECT public.customers FROM public.customers",
        "SELECT (c).id FROM customers c",
        "SELECT (c).email FROM customers c",
        "SELECT to_jsonb(c) FROM customers c",
        "SELECT row_to_json(customers) FROM customers",
        "SELECT c::text FROM customers c",
        "SELECT json_agg(c) FROM customers c",
        "SELECT ROW(c.*) FROM customers c",
        "SELECT ARRAY(SELECT c FROM customers c)",
        "SELECT c.to_jsonb FROM customers c",
        "SELECT customers.row_to_json FROM customers",
        "SELECT c.max FROM customers c",
        "SELECT id FROM customers c ORDER BY c",
        "SELECT DISTINCT c FROM customers c",
        "SELECT count(c.*) FROM customers c",
        "SELECT x.d FROM customers AS x (a, b, c, d)",
        "SELECT c.email FROM customers c TABLESAMPLE SYSTEM (100)",
        "SELECT j.email FROM (customers c JOIN orders o ON true) AS j",
        "SELECT j.* FROM (customers c JOIN orders o ON true) AS j",
        "SELECT j FROM (customers c JOIN orders o ON true) AS j",
        "SELECT j.a FROM (customers c JOIN orders o ON true) AS j (a, b)",
        "SELECT id FROM customers NATURAL JOIN orders",
        "SELECT id FROM orders NATURAL JOIN (customers c JOIN orders o ON true)",
        "SELECT f.* FROM customers c, LATERAL (SELECT c.*) f",
        "SELECT f.* FROM customers c, LATERAL (VALUES (c)) f",
        "SELECT k FROM customers c, LATERAL jsonb_each(to_jsonb(c)) k",
        "SELECT a.email FROM customers a, customers b",
        "SELECT salary FROM staff",
        "SELECT salary FROM public.staff",
        "SELECT * FROM staff",
        "SELECT * FROM pg_stats",
        "SELECT most_common_vals FROM pg_catalog.pg_stats WHERE attname = 'email'",
        "EXPLAIN ANALYZE SELECT email FROM customers",
    ] {
        match hiding().check(sql) {
            Ok(_) => panic!("read: {sql}"),
            Err(refusal) => assert!(
                matches!(refusal.kind(), RefusalKind::HiddenColumn | RefusalKind::Relation),
                "{sql}: {refusal}"
            ),
        }
    }
}

#[test]
fn what_is_not_hidden_is_read() {
    for sql in [
        "SELECT id, name FROM customers",
        "SELECT c.name, o.* FROM customers c JOIN orders o ON o.customer_id = c.id",
        "SELECT count(*) FROM customers",
        "SELECT name, date, text FROM customers",
        "SELECT c.name, c.date, c.count FROM customers c",
        "SELECT o.email FROM orders o JOIN customers c ON c.id = o.customer_id",
        "SELECT email FROM orders",
        "SELECT * FROM orders",
        "SELECT * FROM (SELECT id, name FROM customers) x",
        "WITH c AS (SELECT id FROM customers) SELECT c.* FROM c",
        "WITH customers AS (SELECT 1 AS email) SELECT email FROM customers",
        "SELECT email FROM sales.leads",
        "SELECT salary FROM other.staff",
        "SELECT * FROM other.staff",
        "SELECT id FROM customers JOIN orders USING (id)",
        "SELECT o.* FROM orders o WHERE customer_id IN (SELECT id FROM customers)",
        "SELECT * FROM orders WHERE EXISTS (SELECT FROM customers c WHERE c.id = customer_id)",
    ] {
        assert!(hiding().check(sql).is_ok(), "{sql}: {:?}", hiding().check(sql));
    }
}

fn row(kind: &str, schema: &str, name: &str, volatility: &str) -> CatalogRow {
    CatalogRow {
        kind: kind.into(),
        schema: schema.into(),
        name: name.into(),
        volatility: volatility.into(),
        security_definer: false,
        languages: "sql".into(),
        runs_text: false,
        unary: true,
    }
}

#[test]
fn a_catalog_says_what_functions_are() {
    let guard = guard();
    assert!(guard.check("SELECT score(1)").is_err(), "not known yet");
    guard.set_catalog(Catalog::from_rows([
        row("function", "public", "score", "i"),
        row("function", "public", "report", "s"),
        row("function", "public", "touch", "v"),
        row("function", "public", "lower", "v"),
        row("function", "tools", "upper", "s"),
        CatalogRow { security_definer: true, ..row("function", "public", "admin", "s") },
        CatalogRow { runs_text: true, ..row("function", "public", "run", "s") },
        CatalogRow { languages: "plpython3u".into(), ..row("function", "public", "py", "i") },
        CatalogRow { languages: "c".into(), ..row("function", "public", "uuid_generate_v4", "v") },
        CatalogRow { languages: "c".into(), ..row("function", "public", "crosstab", "s") },
        CatalogRow { languages: "c".into(), ..row("function", "public", "similarity", "i") },
        CatalogRow { unary: false, ..row("function", "public", "name", "v") },
        row("function", "public", "json_value", "v"),
        row("operator", "public", "===", "v"),
        row("operator", "public", "~~~", "i"),
        row("operator", "evil", "+", "v"),
        row("operator", "evil", ">=", "v"),
        row("cast", "public", "secret_type", "v"),
        row("function", "pg_catalog", "new_in_19", "i"),
        row("function", "pg_catalog", "new_write_in_19", "v"),
        row("function", "pg_catalog", "upper", "v"),
    ]));
    assert!(guard.has_catalog());
    for allowed in [
        "SELECT score(1)",
        "SELECT public.score(1), report(2)",
        "SELECT uuid_generate_v4(), similarity('a', 'b')",
        "SELECT pg_catalog.lower('A')",
        "SELECT new_in_19(), pg_catalog.new_in_19()",
        "SELECT c.name, (c).name FROM customers c",
        "SELECT 1 ~~~ 2, 1 OPERATOR(public.~~~) 2, 1 OPERATOR(pg_catalog.+) 2",
        "SELECT * FROM t WHERE t.score > 1",
    ] {
        assert!(guard.check(allowed).is_ok(), "{allowed}: {:?}", guard.check(allowed));
    }
    assert!(!guard.check("SELECT report(2)").unwrap().is_cacheable());

    let check = |sql: &str, part: &str| {
        let refusal = guard.check(sql).expect_err(sql);
        assert_eq!(refusal.kind(), RefusalKind::Function, "{sql}: {refusal}");
        assert!(refusal.message().contains(part), "{sql}: {refusal}");
    };
    check("SELECT touch(1)", "volatile");
    check("SELECT t.touch FROM t", "may call the function touch");
    check("SELECT (t).touch FROM t", "may call the function touch");
    check("SELECT lower('A')", "write pg_catalog.lower");
    check("SELECT tools.upper('a'), upper('a')", "volatile");
    check("SELECT admin()", "SECURITY DEFINER");
    check("SELECT run('x')", "built from text");
    check("SELECT py()", "plpython3u");
    check("SELECT crosstab('x')", "as text");
    check("SELECT new_write_in_19()", "volatile");
    check("SELECT nothing()", "no function nothing is known");
    check("SELECT evil.lower('A')", "no function evil.lower is known");
    check("SELECT JSON_VALUE(x, '$') FROM t", "json_value");
    check("SELECT 1 === 2", "operator === is not allowed");
    check("SELECT 1 + 2", "operator + is ");
    check("SELECT 1 BETWEEN 2 AND 3", "operator >= is not allowed");
    check("SELECT 'x'::secret_type", "cast to secret_type");
}

#[test]
fn a_search_path_narrows_what_a_name_may_mean() {
    let rows = || [row("function", "tools", "lower", "v"), row("operator", "tools", "+", "v")];
    let check = |policy: Policy, sql: &str| {
        let guard = Guard::new(policy);
        guard.set_catalog(Catalog::from_rows(rows()));
        guard.check(sql).is_ok()
    };
    let path = |schemas: &[&str]| Policy::default().with_search_path(schemas.iter().copied());
    for sql in ["SELECT lower('A')", "SELECT 1 + 2"] {
        assert!(!check(Policy::default(), sql), "{sql}");
        assert!(check(path(&["public"]), sql), "{sql}");
        assert!(!check(path(&["public", "tools"]), sql), "{sql}");
    }
}

#[test]
fn a_named_function_is_allowed() {
    let policy = Policy::default()
        .with_function("time_bucket_gapfill")
        .with_function("audit.note")
        .with_function("nextval");
    let guard = Guard::new(policy);
    let xml = Guard::new(Policy::default().with_function("xmltable").with_function("xmlexists"));
    for allowed in [
        "SELECT * FROM XMLTABLE('/r' PASSING ('<r/>'::xml) COLUMNS v text PATH '.') t",
        "SELECT XMLEXISTS('//a' PASSING BY REF ('<a/>'::xml))",
    ] {
        assert!(xml.check(allowed).is_ok(), "{allowed}: {:?}", xml.check(allowed));
    }
    assert!(xml.check("SELECT xpath('/', '<a/>')").is_err());
    guard.set_catalog(Catalog::from_rows([
        row("function", "audit", "note", "v"),
        row("function", "other", "note", "i"),
    ]));
    for allowed in
        ["SELECT time_bucket_gapfill(1)", "SELECT audit.note(1)", "SELECT note(1)", "SELECT nextval('s')"]
    {
        assert!(guard.check(allowed).is_ok(), "{allowed}: {:?}", guard.check(allowed));
    }
    assert!(guard.check("SELECT pg_sleep(1)").is_err());
}

#[test]
fn a_policy_is_read_from_configuration() {
    let policy: Policy = serde_json::from_str(
        r#"{"schemas": ["public"], "hidden_columns": ["customers.email"], "max_sql_bytes": 100}"#,
    )
    .unwrap();
    assert_eq!(policy.hidden_columns[0].column, "email");
    assert_eq!(policy.max_sql_bytes, 100);
    assert!(serde_json::from_str::<Policy>(r#"{"hidden_columns": ["email"]}"#).is_err());
    assert!(serde_json::from_str::<Policy>(r#"{"schema": ["public"]}"#).is_err());
}

/// What may stand around a statement without changing it.
fn blank() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(" "),
        Just("\n"),
        Just("\t\r\n"),
        Just("/* ; DROP TABLE x */"),
        Just("/* a /* b */ c */"),
        Just("-- ; DELETE FROM x\n"),
        Just("/* ' \" $$ */"),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn any_case() -> impl Strategy<Value = String> {
    let all: Vec<String> = [LEGITIMATE, ATTACKS].into_iter().flat_map(cases).map(|case| case.sql).collect();
    prop::sample::select(all)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn comments_and_white_space_change_no_verdict(
        sql in any_case(), before in blank(), after in blank(),
    ) {
        let plain = guard().check(&sql);
        let dressed = guard().check(&format!("{before}{sql}\n{after}"));
        // An unclosed quote or comment takes in what follows, and stays refused.
        prop_assert_eq!(plain.is_ok(), dressed.is_ok(), "{:?} {:?}", plain, dressed);
        if let (Ok(plain), Ok(dressed)) = (plain, dressed) {
            prop_assert_eq!(plain, dressed);
        }
    }

    #[test]
    fn a_second_statement_is_always_refused(sql in any_case(), gap in blank()) {
        let verdict = guard().check(&format!("{sql}\n{gap}; DROP TABLE x"));
        prop_assert!(verdict.is_err());
    }

    #[test]
    fn any_text_gets_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = guard().check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn damaged_statements_get_an_answer(
        sql in any_case(), at in any::<prop::sample::Index>(), with in "\\PC{0,4}", cut in 0usize..5,
    ) {
        let mut chars: Vec<char> = sql.chars().collect();
        let at = at.index(chars.len() + 1);
        let end = (at + cut).min(chars.len());
        chars.splice(at..end, with.chars());
        let _ = guard().check(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn a_verdict_is_remembered_as_it_was(sql in any_case()) {
        let guard = guard();
        prop_assert_eq!(guard.check(&sql), guard.check(&sql));
        let mut policy = Policy::default();
        policy.cache_bytes = 0;
        prop_assert_eq!(Guard::new(policy).check(&sql), guard.check(&sql));
    }
}
