//! The guard beside a real server: what it says is compared with what PostgreSQL does.

mod corpus;

use std::time::Duration;

use corpus::{ATTACKS, Case, LEGITIMATE, SCHEMA, cases};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};
use towline_postgres::guard::{Catalog, CatalogRow, Guard, Policy, RefusalKind};
use towline_scratch_postgres::{Cluster, Database};

/// A server of this test's own: the attacks are run on it, as its superuser.
struct Live {
    cluster: Cluster,
    version: i32,
}

impl Live {
    async fn start() -> Self {
        let cluster = Cluster::start().unwrap();
        cluster.run("postgres", SCHEMA).unwrap();
        let live = Self { cluster, version: 0 };
        let row = live.connect().await.query_one("SHOW server_version_num", &[]).await.unwrap();
        let number: i32 = row.get::<_, &str>(0).parse().unwrap();
        Self { version: number / 10_000, ..live }
    }

    async fn connect(&self) -> Client {
        // The socket asks for no password: hundreds of handshakes take longer than the attacks.
        connect(&self.cluster.socket_url("postgres")).await
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn catalog_rows(client: &Client) -> Vec<CatalogRow> {
    let rows = client.query(Catalog::QUERY, &[]).await.unwrap();
    rows.iter()
        .map(|row| CatalogRow {
            kind: row.get(0),
            schema: row.get(1),
            name: row.get(2),
            volatility: row.get(3),
            security_definer: row.get(4),
            languages: row.get(5),
            runs_text: row.get(6),
            unary: row.get(7),
        })
        .collect()
}

/// Runs a statement as a careful server would without a guard.
async fn run_read_only(client: &Client, sql: &str) -> Result<(), Option<SqlState>> {
    client.batch_execute("BEGIN READ ONLY; SET LOCAL statement_timeout = '2s'").await.unwrap();
    match timeout(Duration::from_secs(5), client.simple_query(sql)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.code().cloned()),
        Err(_) => Err(None),
    }
}

#[tokio::test]
async fn legitimate_statements_run_and_attacks_are_real() {
    let live = Live::start().await;
    let guard = Guard::new(Policy::default());
    guard.set_catalog(Catalog::from_rows(catalog_rows(&live.connect().await).await));

    let mut wrong = Vec::new();
    for case in cases(LEGITIMATE) {
        if let Err(refusal) = guard.check(&case.sql) {
            wrong.push(format!("refused {}: {refusal}", case.name));
        }
        if !case.runs_on(live.version) {
            continue;
        }
        let client = live.connect().await;
        let result = if case.sql.contains("$1") {
            client.prepare(&case.sql).await.map(drop).map_err(|error| error.code().cloned())
        } else {
            run_read_only(&client, &case.sql).await
        };
        if let Err(code) = result {
            wrong.push(format!("does not run {}: {code:?}", case.name));
        }
    }

    // An attack has to be one: a statement that the server understands.
    let nonsense = [
        SqlState::SYNTAX_ERROR,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::DATATYPE_MISMATCH,
    ];
    let (mut ran, mut effective) = (0, 0);
    for case in cases(ATTACKS) {
        if guard.check(&case.sql).is_ok() {
            wrong.push(format!("let through {}", case.name));
        }
        if !case.runs_on(live.version) || !is_runnable(&case) {
            continue;
        }
        let client = live.connect().await;
        match run_read_only(&client, &case.sql).await {
            Ok(()) => effective += 1,
            Err(Some(code)) if nonsense.contains(&code) => {
                wrong.push(format!("no attack {}: {code:?}", case.name));
            }
            Err(_) => {}
        }
        ran += 1;
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    // A READ ONLY transaction alone stops less than half of them.
    assert!(ran > 300 && effective > 100, "{effective} of {ran}");
    assert_eq!(live.connect().await.query("SELECT 1", &[]).await.unwrap().len(), 1);
}

/// Whether running it tells more than it costs.
fn is_runnable(case: &Case) -> bool {
    // Some names are of objects that an earlier statement of the attacker would create.
    const PREPARED: [&str; 10] = [
        "execute",
        "fetch",
        "move",
        "close",
        "explain_execute",
        "explain_refresh",
        "refresh",
        "commit_prepared",
        "cursor_to_xml",
        "cursor_to_xmlschema",
    ];
    !PREPARED.contains(&case.name)
        && !case.name.starts_with("call_advisory")
        && case.section != "constants that blow up"
        && case.section != "several statements"
}

#[tokio::test]
async fn the_shipped_table_agrees_with_the_server() {
    let database = Database::fresh().unwrap();
    let rows = catalog_rows(&connect(&database.url()).await).await;
    let shipped = Guard::new(Policy::default());
    let live = Guard::new(Policy::default());
    live.set_catalog(Catalog::from_rows(rows.clone()));

    let mut builtin = 0;
    for row in rows.iter().filter(|row| row.kind == "function" && row.schema == "pg_catalog") {
        let sql = format!("SELECT pg_catalog.\"{}\"()", row.name);
        let (shipped, live) = (shipped.check(&sql), live.check(&sql));
        assert_eq!(shipped.is_ok(), live.is_ok(), "{}: {shipped:?} {live:?}", row.name);
        if row.volatility != "v" {
            let denied = matches!(&shipped, Err(refusal) if !refusal.message().contains(": it "));
            assert!(!denied, "{}: {shipped:?}", row.name);
        }
        builtin += 1;
    }
    assert!(builtin > 2_500, "{builtin}");
    // Nothing built in would be refused for an operator or a cast.
    for row in rows.iter().filter(|row| row.kind != "function") {
        assert_ne!(row.volatility, "v", "{row:?}");
    }
}

#[tokio::test]
async fn objects_of_users_are_judged_by_their_definition() {
    let database = Database::fresh().unwrap();
    database
        .run(
            r"
            CREATE TABLE log (note text);
            CREATE SCHEMA tools;
            CREATE FUNCTION total(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT $1 + 1';
            CREATE FUNCTION tools.twice(int) RETURNS int IMMUTABLE LANGUAGE plpgsql
                AS 'BEGIN RETURN $1 * 2; END';
            CREATE FUNCTION note(text) RETURNS void LANGUAGE sql AS 'INSERT INTO log VALUES ($1)';
            CREATE FUNCTION run(text) RETURNS text STABLE LANGUAGE plpgsql
                AS 'DECLARE r text; BEGIN EXECUTE $1 INTO r; RETURN r; END';
            CREATE FUNCTION owner_reads() RETURNS text STABLE SECURITY DEFINER LANGUAGE sql
                AS 'SELECT note FROM log';
            CREATE FUNCTION upper(int) RETURNS text LANGUAGE sql
                AS $$INSERT INTO log VALUES ('shadow') RETURNING note$$;
            CREATE FUNCTION note_step(int, int) RETURNS int LANGUAGE sql
                AS $$INSERT INTO log VALUES ('step') RETURNING 1$$;
            CREATE AGGREGATE note_all(int) (SFUNC = note_step, STYPE = int);
            CREATE AGGREGATE sum_all(int) (SFUNC = int4pl, STYPE = int);
            CREATE FUNCTION note_op(text, text) RETURNS text LANGUAGE sql
                AS $$INSERT INTO log VALUES ($1) RETURNING $2$$;
            CREATE OPERATOR ==> (FUNCTION = note_op, LEFTARG = text, RIGHTARG = text);
            CREATE TYPE pair AS (a int, b int);
            CREATE FUNCTION to_pair(int) RETURNS pair LANGUAGE sql
                AS $$INSERT INTO log VALUES ('cast'); SELECT ROW($1, $1)::pair$$;
            CREATE CAST (int AS pair) WITH FUNCTION to_pair(int);
            CREATE FUNCTION touched(log) RETURNS text LANGUAGE sql
                AS $$INSERT INTO log VALUES ('row') RETURNING note$$;
            CREATE FUNCTION count_log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            ",
        )
        .unwrap();
    let client = connect(&database.url()).await;
    let guard = Guard::new(Policy::default());
    guard.set_catalog(Catalog::from_rows(catalog_rows(&client).await));

    for allowed in [
        "SELECT total(1), public.total(2), tools.twice(3)",
        "SELECT sum_all(n) FROM generate_series(1, 3) n",
        "SELECT pg_catalog.upper('a')",
        "SELECT information_schema._pg_truetypid(a, t) FROM pg_attribute a, pg_type t",
    ] {
        assert!(guard.check(allowed).is_ok(), "{allowed}: {:?}", guard.check(allowed));
        client.prepare(allowed).await.unwrap();
    }
    for refused in [
        "SELECT note('x')",
        "SELECT run('DELETE FROM log RETURNING note')",
        "SELECT owner_reads()",
        "SELECT upper(1)",
        "SELECT note_all(n) FROM generate_series(1, 3) n",
        "SELECT 'a'::text ==> 'b'::text",
        "SELECT 'a'::text OPERATOR(public.==>) 'b'::text",
        "SELECT 1::pair",
        "SELECT CAST(1 AS public.pair)",
        "SELECT log.touched FROM log",
        "SELECT (log).touched FROM log",
        "SELECT n.note FROM unnest(ARRAY['x']) n",
    ] {
        let refusal = guard.check(refused).expect_err(refused);
        assert_eq!(refusal.kind(), RefusalKind::Function, "{refused}: {refusal}");
        client.prepare(refused).await.unwrap(); // the server would run it
    }
}
