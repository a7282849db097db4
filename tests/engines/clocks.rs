//! How long a session lives, where the program and the database disagree about what time it is.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use session_runtime::store::{AnyStore, MySqlStore, PostgresStore, SqlOptions};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;

use crate::app::{Counter, IDLE, PATIENCE, Process, connect, router_for, serve_router};
use crate::engine::{self, Engine};
use crate::servers;
use crate::wire::Client;

/// How long the sessions live unused: less than clocks are apart, and longer than any of these tests takes.
const LIMIT: Duration = Duration::from_secs(40 * 60);

async fn serve_here(store: AnyStore<Counter>) -> String {
    serve_router(router_for(store, PATIENCE, LIMIT)).await
}

/// The counter in a process whose clock is set apart by `offset`, such as `+1h`, and which is in another time zone.
fn start_apart(engine: &Engine, offset: &str) -> Process {
    forget_ended_fakes();
    let faketime = servers::installed("faketime", &["/usr/bin"]);
    let mut command = Command::new(faketime);
    // The clock that measures durations is left alone, as a wrong time of day leaves it alone.
    command.args(["-m", "--exclude-monotonic", "-f", offset]).arg(std::env::current_exe().unwrap());
    command.env("TZ", "Asia/Kolkata").env(IDLE, LIMIT.as_millis().to_string());
    Process::run(command, &engine.url)
}

/// A faketime that was killed leaves what its processes shared, under its process id, and the next one that is given this id does not start.
fn forget_ended_fakes() {
    for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let id = name.strip_prefix("sem.faketime_sem_").or_else(|| name.strip_prefix("faketime_shm_"));
        if id.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A session that `maker` makes lives on in use, seen from everywhere, and ends when it is not used any more.
async fn lives_for_its_limit<const N: usize>(name: &str, engine: &Engine, maker: &str, others: [&str; N]) {
    let mut client = Client::to(maker).await;
    assert_eq!(client.post("/add").await.body, "1", "{name}");
    let mut everywhere = vec![client.sibling(maker).await];
    for other in others {
        everywhere.push(client.sibling(other).await);
    }
    for round in 0..4 {
        engine.let_pass(client.id(), LIMIT / 2).await;
        let reader = round % everywhere.len();
        assert_eq!(everywhere[reader].get("/").await.body, "1", "{name}: used half the limit ago, it is still there");
    }
    engine.let_pass(client.id(), LIMIT).await;
    for reader in &mut everywhere {
        assert_eq!(reader.get("/").await.body, "0", "{name}: used a limit ago, it is over");
    }
}

async fn apart(engine: Engine, offset: &'static str, seconds: i64) {
    let name = format!("{engine:?}, the program's clock {offset}");
    let process = tokio::task::block_in_place(|| start_apart(&engine, offset));
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let before = now();
    let there: i64 = Client::to(&process.address).await.get("/clock").await.body.parse().unwrap();
    assert!((before..=now()).contains(&(there - seconds)), "{name}: {}", there - before);
    // A SQLite file has no clock but that of the programs, which are on one machine.
    if engine.name == "SQLite" {
        return lives_for_its_limit(&name, &engine, &process.address, []).await;
    }
    let here = serve_here(connect(&engine.url).await).await;
    lives_for_its_limit(&name, &engine, &process.address, [&here]).await;
    lives_for_its_limit(&name, &engine, &here, [&process.address]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_for_its_limit_though_the_programs_clock_is_an_hour_from_the_databases() {
    let apart = [("+1h", 3600), ("-1h", -3600)]
        .into_iter()
        .flat_map(|(offset, seconds)| engine::all().into_iter().map(move |engine| tokio::spawn(apart(engine, offset, seconds))));
    for task in apart.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

/// A store whose connections are in a time zone of their own.
async fn postgres_in(zone: &str, table: &str) -> AnyStore<Counter> {
    let set = format!("SET TIME ZONE '{zone}'");
    let pool = PgPoolOptions::new().after_connect(move |connection, _| {
        let set = sqlx::AssertSqlSafe(set.clone());
        Box::pin(async move { sqlx::raw_sql(set).execute(connection).await.map(drop) })
    });
    let pool = pool.connect(servers::postgres().url()).await.unwrap();
    AnyStore::new(PostgresStore::from_pool(pool, SqlOptions::new().table(table)).await.unwrap())
}

/// A store whose connections are in a time zone of their own.
async fn mariadb_in(zone: &str, table: &str) -> AnyStore<Counter> {
    let set = format!("SET time_zone = '{zone}'");
    let pool = MySqlPoolOptions::new().after_connect(move |connection, _| {
        let set = sqlx::AssertSqlSafe(set.clone());
        Box::pin(async move { sqlx::raw_sql(set).execute(connection).await.map(drop) })
    });
    let pool = pool.connect(servers::mariadb().url()).await.unwrap();
    AnyStore::new(MySqlStore::from_pool(pool, SqlOptions::new().table(table)).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_for_its_limit_whatever_the_time_zones_of_the_server_and_its_clients() {
    // The server's is Pacific/Auckland.
    let engine = engine::postgres();
    let west = serve_here(postgres_in("America/St_Johns", engine.table()).await).await;
    let east = serve_here(postgres_in("Pacific/Kiritimati", engine.table()).await).await;
    let server = serve_here(connect(&engine.url).await).await;
    lives_for_its_limit("PostgreSQL, made in the west", &engine, &west, [&east, &server]).await;
    lives_for_its_limit("PostgreSQL, made in the east", &engine, &east, [&west, &server]).await;
    let engine = engine::mariadb();
    let west = serve_here(mariadb_in("-11:00", engine.table()).await).await;
    let east = serve_here(mariadb_in("+05:30", engine.table()).await).await;
    let server = serve_here(connect(&engine.url).await).await;
    lives_for_its_limit("MariaDB, made in the west", &engine, &west, [&east, &server]).await;
    lives_for_its_limit("MariaDB, made in the east", &engine, &east, [&west, &server]).await;
}
