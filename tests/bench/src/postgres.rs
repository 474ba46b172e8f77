//! One row of PostgreSQL: the Postgres pack beside bare tokio-postgres with the same transaction discipline.

use std::time::Instant;

use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls, Statement};
use towline_core::Server;
use towline_scratch_postgres::Database;

use crate::Error;
use crate::load::{Batch, HttpLoad, PATIENCE};
use crate::measure::{Effort, Row, Turn, compare};
use crate::process;
use crate::server::{SQL, postgres_server, towline_answer};
use crate::workload::Message;

/// At least so much of the throughput of bare tokio-postgres.
const TARGET: f64 = 0.8;

/// What the pack settles for each transaction, and with it whoever takes the same care.
const BEGIN: &str = "BEGIN READ ONLY;SET LOCAL statement_timeout=10000;SET LOCAL lock_timeout=1000;\
    SET LOCAL idle_in_transaction_session_timeout=10000;SET LOCAL search_path=public;SET LOCAL row_security=on";

const SETUP: &str = "CREATE TABLE products AS SELECT n AS id, 'product ' || n AS name, n * 1.10 AS price \
    FROM generate_series(1, 1000) n; ALTER TABLE products ADD PRIMARY KEY (id)";

const ANALYZE: &str = "VACUUM ANALYZE products";

const CONTENDERS: [&str; 4] =
    ["bare, step by step", "bare, pipelined", "towline, in process", "towline, HTTP"];

/// Compares on a database of its own, with that many callers and as many connections.
///
/// # Errors
///
/// When there is no PostgreSQL, or a call fails.
pub fn run(effort: Effort, callers: usize) -> Result<Vec<Row>, Error> {
    let database = Database::fresh()?;
    database.run(SETUP)?;
    database.run(ANALYZE)?;
    let url = database.url();
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let (server, clients) = runtime.block_on(async {
        let clients = try_join_all((0..callers).map(|_| connect(&url))).await?;
        Ok::<_, Error>((postgres_server(&url, callers)?, clients))
    })?;
    let connections = callers.to_string();
    let (_process, port) = process::Server::start_http(&["--serve-postgres", &url, &connections])?;
    let mut http = HttpLoad::connect(port, callers)?;

    let arguments = format!(r#""name":"execute_query","arguments":{{"query":"{SQL}","params":[7]}},"#);
    let message = Message::new("tools/call", Some("execute_query"), &arguments);
    for answer in [http.ask(&message)?, runtime.block_on(ask(server.clone(), &message))?.to_vec()] {
        let answer = String::from_utf8_lossy(&answer);
        if !answer.contains("product 7") || answer.contains("isError") {
            return Err(format!("the pack answers {answer}").into());
        }
    }
    let title = format!("Postgres, one row, {callers} at once");
    crate::report::line(&format!("{title} ..."))?;
    let mut rows = compare(&title, &CONTENDERS, effort, |at, requests| {
        let batch = match at {
            0 => repeat(&runtime, &clients, requests, &one_by_one),
            1 => repeat(&runtime, &clients, requests, &pipelined),
            2 => {
                let servers = vec![(server.clone(), &message); callers];
                repeat(&runtime, &servers, requests, &async |(server, message): &(Server, &Message)| {
                    ask(server.clone(), message).await.map(drop)
                })
            }
            _ => http.run(&message, requests),
        }?;
        // Threads of PostgreSQL do most of the work, so the CPU time of one process tells nothing.
        Ok(Turn { batch, ..Turn::default() })
    })?;
    rows[2].target = Some(TARGET);
    rows[3].target = Some(TARGET);
    Ok(rows)
}

struct Connection {
    client: Client,
    statement: Statement,
}

async fn connect(url: &str) -> Result<Connection, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let statement = client.prepare_typed(SQL, &[Type::INT4]).await?;
    Ok(Connection { client, statement })
}

/// As one writes it down: four round trips, for a statement that came as text has to be prepared.
async fn one_by_one(Connection { client, .. }: &Connection) -> Result<(), Error> {
    client.batch_execute(BEGIN).await?;
    let rows = client.query(SQL, &[&7_i32]).await?;
    client.batch_execute("ROLLBACK").await?;
    read(&rows)
}

/// The least that it can take: a statement prepared long ago, everything in one round trip.
async fn pipelined(Connection { client, statement }: &Connection) -> Result<(), Error> {
    let (_, rows, _) = tokio::try_join!(
        client.batch_execute(BEGIN),
        client.query(statement, &[&7_i32]),
        client.batch_execute("ROLLBACK"),
    )?;
    read(&rows)
}

fn read(rows: &[tokio_postgres::Row]) -> Result<(), Error> {
    let [row] = rows else { return Err("there must be one row".into()) };
    let (id, name): (i32, &str) = (row.try_get(0)?, row.try_get(1)?);
    if (id, name) == (7, "product 7") { Ok(()) } else { Err("the row is another one".into()) }
}

async fn ask(mut server: Server, message: &Message) -> Result<Bytes, Error> {
    let body = Bytes::from(message.body().to_owned());
    towline_answer(&mut server, body).await.ok_or_else(|| "the message is no request".into())
}

/// Runs `call` that often, at once for each of `callers`.
fn repeat<C>(
    runtime: &Runtime,
    callers: &[C],
    requests: usize,
    call: &impl AsyncFn(&C) -> Result<(), Error>,
) -> Result<Batch, Error> {
    let each = requests.div_ceil(callers.len());
    let started = Instant::now();
    let runs = callers.iter().map(async |caller| {
        let mut latencies = Vec::with_capacity(each);
        for _ in 0..each {
            let started = Instant::now();
            call(caller).await?;
            latencies.push(started.elapsed());
        }
        Ok::<_, Error>(latencies)
    });
    let latencies = runtime.block_on(async { timeout(PATIENCE, try_join_all(runs)).await })??;
    Ok(Batch { elapsed: started.elapsed(), latencies: latencies.concat() })
}
