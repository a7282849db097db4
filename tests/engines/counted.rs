//! Round trips, as the servers themselves count them.

use sqlx::{MySqlPool, PgPool, Row};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::app::{connect, serve};
use crate::servers;
use crate::wire::Client;

/// What the session layer sends for each kind of request, by what `count` says the server has been sent so far.
async fn counts(name: &str, url: &str, mut count: impl AsyncFnMut() -> u64) {
    let address = serve(connect(url).await).await;
    let mut client = Client::to(&address).await;
    // The first time a script is sent, or a statement prepared.
    for path in ["/add", "/add", "/name/ada", "/rotate", "/logout"] {
        assert_eq!(client.post(path).await.status, 200, "{name} {path}");
    }
    client.cookie = None;
    let mut figures = Vec::new();
    let kinds = [
        ("no session", "GET", "/", 0),
        ("new", "POST", "/add", 1),
        ("read", "GET", "/", 1),
        ("read and change", "POST", "/add", 2),
        ("read and set", "POST", "/name/ada", 2),
        ("read and rotate", "POST", "/rotate", 2),
        ("read and delete", "POST", "/logout", 2),
    ];
    for (kind, method, path, expected) in kinds {
        let before = count().await;
        let answer = client.send(method, path).await.unwrap();
        assert_eq!(answer.status, 200, "{name}, {kind}: {}", answer.body);
        let sent = count().await - before;
        assert_eq!(sent, expected, "{name}, {kind}");
        figures.push(format!("{kind} {sent}"));
    }
    println!("{name} counts: {}", figures.join(", "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_counts_one_command_for_each_store_call() {
    let server = servers::start_redis();
    let mut monitor = Monitor::of(server.port()).await;
    counts("Redis (MONITOR)", server.url(), async || monitor.commands().await).await;
}

/// Every command that clients send to a Redis server.
struct Monitor {
    lines: BufReader<TcpStream>,
    asking: TcpStream,
    commands: u64,
}

impl Monitor {
    async fn of(port: u16) -> Self {
        let connect = || async { TcpStream::connect(("127.0.0.1", port)).await.unwrap() };
        let (mut lines, asking) = (BufReader::new(connect().await), connect().await);
        lines.get_mut().write_all(b"MONITOR\r\n").await.unwrap();
        lines.read_line(&mut String::new()).await.unwrap();
        Self { lines, asking, commands: 0 }
    }

    /// How many there were by now.
    async fn commands(&mut self) -> u64 {
        self.asking.write_all(b"ECHO now\r\n").await.unwrap();
        self.asking.read_exact(&mut [0; b"$3\r\nnow\r\n".len()]).await.unwrap();
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).await.unwrap();
            if line.contains("\"ECHO\" \"now\"") {
                return self.commands;
            }
            // What a script runs is inside of the server. A read has the server's time brought along by the same round trip.
            let counts = !line.contains(" lua] ") && !line.contains("] \"TIME\"");
            self.commands += u64::from(counts);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_counts_one_statement_for_each_store_call() {
    let server = servers::start_postgres();
    let pool = PgPool::connect(server.url()).await.unwrap();
    sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").execute(&pool).await.unwrap();
    let sent = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'";
    counts("PostgreSQL (pg_stat_statements)", server.url(), async || {
        sqlx::query_scalar::<_, i64>(sent).fetch_one(&pool).await.unwrap().cast_unsigned()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_counts_one_statement_for_each_store_call() {
    let server = servers::start_mariadb();
    let pool = MySqlPool::connect(server.url()).await.unwrap();
    // Not `Questions`: what the pool sets up for one more connection would count too, and it may open one at any time.
    let kinds = [
        "select",
        "insert",
        "insert_select",
        "update",
        "update_multi",
        "delete",
        "begin",
        "commit",
        "rollback",
        "call_procedure",
    ];
    let names = kinds.map(|kind| format!("'Com_{kind}'")).join(", ");
    let sent = format!("SHOW GLOBAL STATUS WHERE Variable_name IN ({names})");
    counts("MariaDB (SHOW GLOBAL STATUS)", server.url(), async || {
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sent.clone())).fetch_all(&pool).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(1).parse::<u64>().unwrap()).sum()
    })
    .await;
}
