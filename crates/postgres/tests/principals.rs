//! Callers who are told apart: each sees what the policies of the database let them see, and nothing that they say changes that.

#[path = "support/tools.rs"]
mod caller;
mod support;

use std::sync::Arc;
use std::time::Duration;

use caller::Caller;
use serde_json::{Value, json};
use support::query;
use towline_core::{Context, ErrorKind, Principal};
use towline_middleware::{CacheLayer, CachePolicy, CacheScope};
use towline_postgres::{DatabaseConfig, Pool, PostgresError, tools};
use towline_scratch_postgres::Database;

/// Notes of two people, and a login that may become a reader, who sees their own, or an admin, who sees all.
fn notes() -> Database {
    let database = Database::fresh().unwrap();
    let sql = "
        CREATE ROLE N_login LOGIN NOINHERIT PASSWORD 'x';
        CREATE ROLE N_reader; CREATE ROLE N_admin; CREATE ROLE N_stranger;
        GRANT N_reader, N_admin TO N_login;
        CREATE TABLE notes (id int PRIMARY KEY, owner text NOT NULL, body text NOT NULL);
        INSERT INTO notes VALUES (1, 'ann', 'tea'), (2, 'ann', 'tea'), (3, 'bob', 'gin'), (4, 'bob', 'gin'), (5, 'bob', 'rum');
        CREATE TABLE salaries (id int PRIMARY KEY, amount int);
        INSERT INTO salaries VALUES (1, 100);
        ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON notes TO N_reader USING (owner = current_setting('app.user_id'));
        CREATE POLICY every ON notes TO N_admin USING (true);
        GRANT SELECT ON notes TO N_reader, N_admin;
        GRANT SELECT ON salaries TO N_admin;
        ANALYZE";
    database.run(&sql.replace("N_", &format!("{}_", database.name()))).unwrap();
    database
}

fn config(database: &Database) -> DatabaseConfig {
    let section = json!({
        "roles": [{"role": "N_admin", "scope": "admin"}, {"role": "N_{claims.role}", "among": ["N_reader"]}],
        "settings": {"app.user_id": "subject", "app.scopes": "scopes"},
    });
    let section = section.to_string().replace("N_", &format!("{}_", database.name()));
    let mut config = DatabaseConfig::new(database.url_as(&format!("{}_login", database.name()), "x"));
    config.principal = Some(serde_json::from_str(&section).unwrap());
    // So that each caller gets what the one before left.
    config.pool_max_size = 1;
    config
}

fn known(name: &str, scopes: &[&str]) -> Principal {
    let scopes = Arc::new(scopes.iter().map(|scope| Box::from(*scope)).collect());
    Principal::new(format!("key:{name}"))
        .with_subject(name, None)
        .with_scopes(scopes)
        .with_claim("role", "reader")
}

/// A caller's view of one server.
struct As<'a>(&'a Caller, Principal);

impl As<'_> {
    async fn call(&self, tool: &str, arguments: Value) -> Result<(Value, String), String> {
        let answer =
            self.0.try_call_as(Some(&self.1), tool, arguments).await.map_err(|error| error.to_string())?;
        if answer.is_error { Err(answer.text) } else { Ok((answer.data, answer.text)) }
    }

    async fn query(&self, sql: &str) -> Result<Value, String> {
        let (data, _) = self.call("execute_query", json!({"query": sql})).await?;
        Ok(data["rows"].clone())
    }
}

#[tokio::test]
async fn each_caller_sees_rows_of_their_own_through_every_tool() {
    let database = notes();
    let server = Caller::with(config(&database));
    let [ann, bob, root] = [("ann", &[][..]), ("bob", &[]), ("root", &["admin"])]
        .map(|(name, scopes)| As(&server, known(name, scopes)));
    // More than once: what ran before takes another way, and the connection is the same.
    for _ in 0..3 {
        for (who, rows, count) in [(&ann, json!([[1], [2]]), 2), (&bob, json!([[3], [4], [5]]), 3)] {
            assert_eq!(who.query("SELECT id FROM notes ORDER BY id").await.unwrap(), rows);
            assert_eq!(who.query("SELECT count(*) FROM notes").await.unwrap(), json!([[count]]));
            let name = who.1.subject();
            let told =
                who.query("SELECT current_setting('app.user_id'), current_setting('app.scopes')").await;
            assert_eq!(told.unwrap(), json!([[name, ""]]));

            let (analysis, text) = who.call("analyze_table", json!({"table": "notes"})).await.unwrap();
            assert_eq!(
                (&analysis["row_count"], &analysis["columns"][1]["max"]),
                (&json!(count), &json!(name))
            );
            assert_eq!(text.contains("rum"), name == "bob", "{text}");

            let (list, _) = who.call("list_tables", json!({})).await.unwrap();
            let tables = list["tables"].as_array().unwrap();
            assert_eq!((tables.len(), &tables[0]["name"]), (1, &json!("notes")));
            assert_eq!(tables[0].get("row_estimate"), None, "it counts the rows of others");
            let (schema, _) = who.call("get_table_schema", json!({"table": "notes"})).await.unwrap();
            assert_eq!(schema.get("row_estimate"), None, "{schema}");
            who.call("suggest_queries", json!({"table": "notes"})).await.unwrap();
        }
        assert_eq!(root.query("SELECT count(*) FROM notes").await.unwrap(), json!([[5]]));
        assert_eq!(root.call("list_tables", json!({})).await.unwrap().0["total"], 2);
        root.call("get_table_schema", json!({"table": "salaries"})).await.unwrap();
        // What another role may see is not there for these.
        for (tool, arguments) in [
            ("get_table_schema", json!({"table": "salaries"})),
            ("analyze_table", json!({"table": "salaries"})),
            ("suggest_queries", json!({"table": "salaries"})),
        ] {
            let text = ann.call(tool, arguments).await.unwrap_err();
            assert!(text.contains("does not exist, or is not visible here"), "{text}");
        }
        let text = ann.call("get_table_schema", json!({"table": "salarie"})).await.unwrap_err();
        assert!(!text.contains("salaries"), "{text}");
        assert!(ann.query("SELECT * FROM salaries").await.unwrap_err().contains("permission denied"));
    }
}

#[tokio::test]
async fn nothing_that_a_caller_says_changes_who_they_are() {
    let database = notes();
    let functions = "
        CREATE FUNCTION become(who text) RETURNS text LANGUAGE sql STABLE AS
            $$ SELECT set_config('app.user_id', who, true) $$;
        CREATE FUNCTION become_atomic(who text) RETURNS text LANGUAGE sql STABLE
            BEGIN ATOMIC SELECT set_config('app.user_id', who, true); END;
        CREATE FUNCTION become_plpgsql(who text) RETURNS text LANGUAGE plpgsql STABLE AS
            $$ BEGIN RETURN set_config('app.user_id', who, true); END $$;
        CREATE FUNCTION as_admin() RETURNS bigint LANGUAGE sql STABLE SET role = 'N_admin' AS
            $$ SELECT count(*) FROM notes $$;
        CREATE FUNCTION as_bob() RETURNS bigint LANGUAGE sql STABLE SET app.user_id = 'bob' AS
            $$ SELECT count(*) FROM notes $$;
        CREATE FUNCTION as_owner() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER AS
            $$ SELECT count(*) FROM notes $$;
        CREATE FUNCTION resets() RETURNS int LANGUAGE plpgsql AS
            $$ BEGIN RESET ROLE; RETURN 1; END $$;
        CREATE FUNCTION plain() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT count(*) FROM notes $$";
    database.run(&functions.replace("N_", &format!("{}_", database.name()))).unwrap();
    let server = Caller::with(config(&database));
    let ann = As(&server, known("ann", &[]));
    assert_eq!(
        ann.query("SELECT plain()").await.unwrap(),
        json!([[2]]),
        "a function that only reads is let through"
    );
    let admin = format!("{}_admin", database.name());
    for sql in [
        "SET ROLE NONE",
        "SET LOCAL ROLE NONE",
        &format!("SET ROLE {admin}"),
        "RESET ROLE",
        "RESET ALL",
        "SET SESSION AUTHORIZATION DEFAULT",
        "SET app.user_id = 'bob'",
        "SET LOCAL app.user_id TO 'bob'",
        "DISCARD ALL",
        "COMMIT",
        "ROLLBACK",
        "BEGIN; SET LOCAL app.user_id = 'bob'",
        "SELECT 1; SET app.user_id = 'bob'",
        "DO $$ BEGIN SET LOCAL app.user_id = 'bob'; END $$",
        "SELECT set_config('app.user_id', 'bob', true), * FROM notes",
        "SELECT pg_catalog.set_config('role', 'none', true)",
        "SELECT (('app.user_id', 'bob', true)).set_config",
        "SELECT * FROM set_config('app.user_id', 'bob', true)",
        "SELECT 1 WHERE EXISTS (SELECT set_config('app.user_id', 'bob', true))",
        "WITH x AS MATERIALIZED (SELECT set_config('app.user_id', 'bob', true)) SELECT * FROM x, notes",
        "SELECT id FROM notes ORDER BY set_config('app.user_id', 'bob', true)",
        "VALUES (set_config('app.user_id', 'bob', true))",
        "UPDATE pg_settings SET setting = 'bob' WHERE name = 'app.user_id'",
        "SELECT query_to_xml('SELECT set_config(''app.user_id'', ''bob'', true)', true, true, '')",
        "SELECT become('bob')",
        "SELECT public.become('bob'), * FROM notes",
        "SELECT ('bob'::text).become",
        "SELECT become_atomic('bob')",
        "SELECT become_plpgsql('bob')",
        "SELECT as_admin()",
        "SELECT as_bob()",
        "SELECT as_owner()",
        "SELECT resets()",
        // What tells of the rows or the statements of others.
        "EXPLAIN SELECT * FROM notes WHERE body = 'gin'",
        "EXPLAIN (ANALYZE) SELECT * FROM notes",
        "SELECT query FROM pg_stat_activity",
        "SELECT relation FROM pg_locks",
        "SELECT n_live_tup FROM pg_stat_user_tables",
        "SELECT * FROM pg_catalog.pg_stat_get_activity(NULL)",
        "SELECT pg_stat_get_backend_activity(1)",
    ] {
        let refusal = ann.query(sql).await.expect_err(sql);
        assert!(!refusal.contains("gin"), "{sql}: {refusal}");
        assert_eq!(ann.query("SELECT count(*) FROM notes").await.unwrap(), json!([[2]]), "{sql}");
    }

    // And where the guard is not asked, the next caller is still themselves.
    let pool = Pool::new(config(&database)).unwrap();
    for sql in [
        "SELECT set_config('role', 'none', false)",
        "SELECT set_config('app.user_id', 'bob', false)",
        "SELECT set_config('session_authorization', 'postgres', false)",
        "SELECT public.become('bob')",
    ] {
        let _ = query(&pool.for_caller(&context(&known("ann", &[]))).unwrap(), sql).await;
        let rows =
            query(&pool.for_caller(&context(&known("ann", &[]))).unwrap(), "SELECT count(*) FROM notes")
                .await;
        assert_eq!(rows.unwrap().rows.get(), "[[2]]", "{sql}");
    }
}

fn context(principal: &Principal) -> Context {
    let mut context = Context::default();
    context.extensions_mut().insert(principal.clone());
    context
}

#[tokio::test]
async fn a_connection_comes_back_with_nothing_of_its_caller() {
    let database = notes();
    let pool = Pool::new(config(&database)).unwrap();
    let state =
        "SELECT current_user::text, coalesce(current_setting('app.user_id', true), ''), pg_backend_pid()";
    let clean = query(&pool.for_program(), state).await.unwrap().rows.get().to_owned();
    assert!(clean.contains("_login\",\"\""), "{clean}");
    for sql in ["SELECT count(*) FROM notes", "SELECT 1/0", "SELECT * FROM salaries", "SELECT nothing"] {
        for name in ["ann", "bob"] {
            let _ = query(&pool.for_caller(&context(&known(name, &[]))).unwrap(), sql).await;
            assert_eq!(query(&pool.for_program(), state).await.unwrap().rows.get(), clean, "{sql}");
        }
    }
}

#[tokio::test]
async fn who_is_not_known_or_has_no_role_gets_nothing() {
    let database = notes();
    let mut settings = config(&database);
    let server = Caller::with(settings.clone());
    let sql = json!({"query": "SELECT count(*) FROM notes"});
    for (tool, arguments) in [
        ("execute_query", sql.clone()),
        ("list_tables", json!({})),
        ("get_table_schema", json!({"table": "notes"})),
        ("analyze_table", json!({"table": "notes"})),
        ("suggest_queries", json!({"table": "notes"})),
    ] {
        let error = server.try_call(tool, arguments.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{tool}: {error}");
        // Of whom the claim is missing, or names a role that is not meant.
        for who in [Principal::new("eve"), known("eve", &[]).with_claim("role", "admin")] {
            let error = server.try_call_as(Some(&who), tool, arguments.clone()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Forbidden, "{tool}: {error}");
            assert!(!error.to_string().contains(database.name()), "{error}");
        }
    }
    // A name that would end a quoted text is a name.
    let who = known("x'; RESET ROLE; --\\", &[]);
    let answer = server.try_call_as(
        Some(&who),
        "execute_query",
        json!({"query": "SELECT current_setting('app.user_id')"}),
    );
    assert_eq!(answer.await.unwrap().data["rows"], json!([["x'; RESET ROLE; --\\"]]));
    let nul = server.try_call_as(Some(&known("a\0b", &[])), "execute_query", sql.clone()).await.unwrap_err();
    assert_eq!(nul.kind(), ErrorKind::Forbidden);

    // Code that forgets whom it asks for gets nothing either.
    let pool = Pool::new(settings.clone()).unwrap();
    for error in [
        query(&pool, "SELECT 1").await.unwrap_err(),
        pool.read_only(pool.limits()).await.unwrap_err(),
        pool.tables(None, None).await.unwrap_err(),
        pool.for_caller(&Context::default()).unwrap_err(),
    ] {
        assert!(matches!(error, PostgresError::NoPrincipal { .. }), "{error}");
    }
    assert!(pool.health().await.is_up(), "its health is the program's own question");

    // A default for those who are not known.
    let anonymous = json!({"role": format!("{}_reader", database.name()), "settings": {"app.user_id": "ann", "app.scopes": ""}});
    settings.principal.as_mut().unwrap().anonymous = Some(serde_json::from_value(anonymous).unwrap());
    let server = Caller::with(settings);
    assert_eq!(server.call("execute_query", sql).await.data["rows"], json!([[2]]));
}

#[tokio::test]
async fn a_role_that_cannot_be_had_is_told_to_the_operator_alone() {
    let database = notes();
    let name = database.name();
    let mut settings = config(&database);
    settings.principal.as_mut().unwrap().roles = serde_json::from_value(json!([
        {"role": format!("{name}_stranger"), "principal": "key:stranger"},
        {"role": format!("{name}_missing"), "principal": "key:missing"},
        {"role": format!("{name}_reader")},
    ]))
    .unwrap();
    let server = Caller::with(settings.clone());
    // A statement that is known goes out together with who asks, and must not run as anybody else.
    let ann = As(&server, known("ann", &[]));
    for _ in 0..2 {
        ann.query("SELECT count(*) FROM notes").await.unwrap();
        for who in ["stranger", "missing"] {
            let caller = known(who, &[]);
            for (tool, arguments) in [
                ("execute_query", json!({"query": "SELECT count(*) FROM notes"})),
                ("execute_query", json!({"query": format!("SELECT 1 AS {who}")})),
                ("list_tables", json!({})),
            ] {
                let error = server.try_call_as(Some(&caller), tool, arguments).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Forbidden, "it is not the database that fails: {error}");
                assert!(!error.to_string().contains(name), "{error}");
            }
        }
    }
    let pool = Pool::new(settings).unwrap();
    let told = pool.check_names().await.unwrap().join("\n");
    assert!(told.contains(&format!("`{name}_stranger` in `principal` names no role")), "{told}");
    assert!(told.contains(&format!("`{name}_missing` in `principal` names no role")), "{told}");
    assert!(!told.contains("_reader"), "{told}");

    database.run(&format!("ALTER ROLE {name}_admin BYPASSRLS")).unwrap();
    let told = Pool::new(config(&database)).unwrap().check_names().await.unwrap().join("\n");
    assert!(
        told.contains(&format!("`{name}_admin` in `principal` names a role that sees all rows")),
        "{told}"
    );
    // With settings alone, it is the login that policies have to bind.
    let mut alone = DatabaseConfig::new(database.url());
    alone.principal = Some(serde_json::from_value(json!({"settings": {"app.user": "subject"}})).unwrap());
    let told = Pool::new(alone).unwrap().check_names().await.unwrap().join("\n");
    assert!(told.contains("in `url` sees all rows"), "{told}");
}

#[tokio::test]
async fn kept_answers_are_given_to_nobody_else_also_where_the_settings_say_so() {
    let database = notes();
    for scope in [CacheScope::Principal, CacheScope::Shared] {
        let mut policy = CachePolicy::new(Duration::from_secs(600));
        policy.scope = scope;
        let server =
            Caller::of(tools([Pool::new(config(&database)).unwrap()]).layer(CacheLayer::new(policy)));
        for _ in 0..2 {
            for (who, count, tables) in [
                (known("ann", &[]), 2, 1),
                (known("bob", &[]), 3, 1),
                // The same person, who has got more meanwhile.
                (known("ann", &["admin"]), 5, 2),
            ] {
                let caller = As(&server, who);
                let rows = caller.query("SELECT count(*) FROM notes").await.unwrap();
                assert_eq!(rows, json!([[count]]), "{scope:?} {:?}", caller.1);
                assert_eq!(
                    caller.call("list_tables", json!({})).await.unwrap().0["total"],
                    tables,
                    "{scope:?}"
                );
                assert_eq!(caller.query("SELECT id FROM salaries").await.is_ok(), tables == 2);
            }
        }
    }
}
