//! A one-row query through the pool against a bare tokio-postgres loop with the same transaction
//! discipline, on one connection each, in turns.
#![allow(clippy::print_stdout, missing_docs)] // It prints its own table, and has no API.

use std::time::{Duration, Instant};

use towline_postgres::{DatabaseConfig, Pool};
use towline_scratch_postgres::Database;

const SQL: &str = "SELECT id, name, price FROM products WHERE id = 7";
const BEGIN: &str = "BEGIN READ ONLY;SET LOCAL statement_timeout=10000;SET LOCAL lock_timeout=1000;\
    SET LOCAL idle_in_transaction_session_timeout=10000;SET LOCAL search_path=public;\
    SET LOCAL row_security=on";
const ROUNDS: usize = 10;
const CALLS: u32 = 1000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let database = Database::fresh().unwrap();
    database
        .run(
            "CREATE TABLE products AS SELECT n AS id, 'product ' || n AS name, n * 1.10 AS price \
             FROM generate_series(1, 1000) n; ALTER TABLE products ADD PRIMARY KEY (id); \
             VACUUM ANALYZE products",
        )
        .unwrap();
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let mut config = DatabaseConfig::new(format!("{}?sslmode=disable", database.url()));
    config.pool_max_size = 1;
    config.schemas = vec!["public".into()];
    let pool = Pool::new(config).unwrap();

    let mut best = [Duration::MAX; 4];
    let mut texts = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS {
            client.batch_execute(BEGIN).await.unwrap();
            let rows = client.query(SQL, &[]).await.unwrap();
            assert_eq!(rows.len(), 1);
            client.batch_execute("ROLLBACK").await.unwrap();
        }
        best[0] = best[0].min(start.elapsed() / CALLS);

        let statement = client.prepare(SQL).await.unwrap();
        let start = Instant::now();
        for _ in 0..CALLS {
            client.batch_execute(BEGIN).await.unwrap();
            let rows = client.query(&statement, &[]).await.unwrap();
            assert_eq!(rows.len(), 1);
            client.batch_execute("ROLLBACK").await.unwrap();
        }
        best[1] = best[1].min(start.elapsed() / CALLS);

        let start = Instant::now();
        for _ in 0..CALLS {
            let rows = pool.query_read_only(SQL, &[], pool.limits()).await.unwrap();
            assert_eq!(rows.row_count, 1);
        }
        best[2] = best[2].min(start.elapsed() / CALLS);

        let start = Instant::now();
        for _ in 0..CALLS {
            texts += 1;
            let sql = format!("{SQL} -- {texts}");
            let rows = pool.query_read_only(&sql, &[], pool.limits()).await.unwrap();
            assert_eq!(rows.row_count, 1);
        }
        best[3] = best[3].min(start.elapsed() / CALLS);
    }
    let [text, prepared, again, new] = best.map(|time| time.as_secs_f64() * 1e6);
    println!("bare tokio-postgres, statement as text   {text:8.1} us");
    println!("bare tokio-postgres, statement prepared  {prepared:8.1} us");
    for (name, time) in [("the same statement again", again), ("a new statement", new)] {
        println!(
            "the pool, {name:<30} {time:8.1} us, throughput {:.2} of the first, {:.2} of the second",
            text / time,
            prepared / time
        );
    }
}
