//! That PostgreSQL is told who calls costs no round trip: it travels with what goes there anyway.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use support::query;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use towline_core::{Context, Principal};
use towline_postgres::{DatabaseConfig, Pool};
use towline_scratch_postgres::Database;

/// Stands before a server, and counts how often a client sends something after it has heard something.
async fn counting(server: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(relay(client, server, Arc::clone(&counted)));
        }
    });
    (port, count)
}

async fn relay(mut client: TcpStream, mut server: TcpStream, count: Arc<AtomicUsize>) {
    let (mut asked, mut told) = (vec![0; 65536], vec![0; 65536]);
    let mut has_heard = true;
    loop {
        tokio::select! {
            n = server.read(&mut told) => {
                let Ok(n @ 1..) = n else { return };
                has_heard = true;
                client.write_all(&told[..n]).await.unwrap();
            }
            n = client.read(&mut asked) => {
                let Ok(mut n @ 1..) = n else { return };
                // What is sent at once may come in parts.
                while let Ok(Ok(more @ 1..)) = timeout(Duration::from_millis(30), client.read(&mut asked[n..])).await {
                    n += more;
                }
                if std::mem::take(&mut has_heard) {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                server.write_all(&asked[..n]).await.unwrap();
            }
        }
    }
}

/// How many round trips a new statement takes, one that is known, and one of the catalog.
async fn round_trips(database: &Database, principal: bool) -> [usize; 3] {
    let url = database.url();
    let host = url.split_once('@').unwrap().1.split(['/', '?']).next().unwrap().to_owned();
    let (port, count) = counting(host.clone()).await;
    let mut config = DatabaseConfig::new(url.replacen(&host, &format!("127.0.0.1:{port}"), 1));
    config.pool_max_size = 1;
    if principal {
        let section = json!({"settings": {"app.user_id": "id"}, "roles": [{"role": "postgres"}]});
        config.principal = Some(serde_json::from_value(section).unwrap());
    }
    let mut context = Context::default();
    context.extensions_mut().insert(Principal::new("ann"));
    let pool = Pool::new(config).unwrap().for_caller(&context).unwrap();
    let counted = async |what: &str| {
        // What is cleared behind the caller's back is over when the connection is back.
        while pool.status().idle < 1 && pool.status().open > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let before = count.load(Ordering::SeqCst);
        match what {
            "tables" => drop(pool.tables(None, None).await.unwrap()),
            sql => drop(query(&pool, sql).await.unwrap()),
        }
        count.load(Ordering::SeqCst) - before
    };
    for what in ["SELECT 1 AS a", "tables"] {
        counted(what).await;
    }
    [counted("SELECT 2 AS b").await, counted("SELECT 1 AS a").await, counted("tables").await]
}

#[tokio::test]
async fn who_calls_travels_with_the_statement() {
    let database = Database::fresh().unwrap();
    let without = round_trips(&database, false).await;
    assert_eq!(without[..2], [2, 1]);
    assert_eq!(round_trips(&database, true).await, without);
}
