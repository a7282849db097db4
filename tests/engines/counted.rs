//! Round trips, as the servers themselves count them.

use sqlx::{MySqlPool, PgPool, Row};

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
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    // A script is one command of the client; those that it runs inside of the server are counted under their own names.
    counts("Redis (INFO commandstats)", server.url(), async || {
        let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
        let calls = |command: &str| {
            let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
            line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
        };
        calls("evalsha") + calls("eval")
    })
    .await;
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
    let mut asked = 0;
    counts("MariaDB (Questions)", server.url(), async || {
        let row = sqlx::raw_sql("SHOW GLOBAL STATUS LIKE 'Questions'").fetch_one(&pool).await.unwrap();
        // The question is one itself.
        asked += 1;
        row.get::<String, _>(1).parse::<u64>().unwrap() - asked
    })
    .await;
}
