//! Work that has begun belongs to the store: a request that gives up costs no connection, and nothing lands after what came later.

use std::num::NonZeroU32;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use session_runtime::store::{
    AnyStore, Change, Created, Loaded, MySqlStore, OwnerLimit, PostgresStore, Replaced, Rotated, SqlOptions, SqliteStore, Store,
    WhenFull,
};
use sqlx::mysql::{MySqlConnection, MySqlPoolOptions};
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection, MySqlPool, PgPool};

use crate::app::{Counter, PATIENCE, connect, key, new_session, until};
use crate::engine::{self, Engine};
use crate::failover::{counter, create, found, mariadb_account, new_id};
use crate::owners::{create_limited, owner};
use crate::proxy::{self, Proxy};
use crate::servers;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connecting_that_takes_three_seconds_succeeds_for_a_later_request() {
    async fn check(engine: Engine, port: u16) {
        let proxy = Proxy::to(port).await;
        let store = connect(&proxy.url(&engine.url, port)).await;
        let id = new_id();
        create(&store, &id).await;
        proxy.delay(Duration::from_secs(3));
        proxy.cut();
        // Each request gives up long before.
        let mut gave_up = 0;
        until(&format!("{engine:?}: no request gets a connection"), async || {
            let loaded = tokio::time::timeout(Duration::from_millis(500), store.load(key(&id))).await;
            gave_up += u32::from(loaded.is_err());
            matches!(loaded, Ok(Ok(Loaded::Found(_))))
        })
        .await;
        assert!(gave_up > 0, "{engine:?}: connecting was slow");
        println!("{engine:?}: {gave_up} requests gave up");
    }
    tokio::join!(check(engine::postgres(), servers::postgres().port()), check(engine::mariadb(), servers::mariadb().port()));
}

const MOST: u32 = 4;

/// Twenty callers, each of which gives up soon and comes again, as long as somebody has locked the table; the most connections that the server had busy.
/// (One that was idle and did not answer in time may be there beside the one that took its place, until it has read its goodbye.)
async fn while_locked(
    store: &AnyStore<Counter>,
    name: &str,
    lock: impl AsyncFnOnce(Arc<AtomicBool>),
    count: impl AsyncFn() -> i64,
) {
    let id = new_id();
    create(store, &id).await;
    let (is_locked, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let most = AtomicU64::new(0);
    let callers = async {
        until("nobody locks the table", async || is_locked.load(Ordering::SeqCst)).await;
        let start = Instant::now();
        let callers = join_all((0..20).map(|_| async {
            while start.elapsed() < Duration::from_secs(8) {
                let _ = tokio::time::timeout(Duration::from_millis(400), store.touch(key(&id))).await;
            }
        }));
        let watch = async {
            while start.elapsed() < Duration::from_secs(8) {
                most.fetch_max(count().await.unsigned_abs(), Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::join!(callers, watch);
        is_over.store(true, Ordering::SeqCst);
    };
    let locked = async {
        lock(Arc::clone(&is_locked)).await;
    };
    tokio::join!(locked, async {
        callers.await;
        is_locked.store(false, Ordering::SeqCst);
    });
    let most = most.load(Ordering::SeqCst);
    println!("{name}: at most {most} connections busy");
    assert!(most > 0 && most <= u64::from(MOST), "{name}: {most} connections are busy where {MOST} may be");
    until(&format!("{name} goes on"), async || store.touch(key(&id)).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_postgres_table_keeps_no_more_connections_busy_than_there_may_be() {
    let server = servers::postgres();
    let pool = PgPool::connect(server.url()).await.unwrap();
    let check = async |table: &'static str, store: AnyStore<Counter>| {
        let lock = async |is_locked: Arc<AtomicBool>| {
            let mut connection = PgConnection::connect(server.url()).await.unwrap();
            sqlx::raw_sql("BEGIN").execute(&mut connection).await.unwrap();
            let sql = AssertSqlSafe(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            is_locked.store(true, Ordering::SeqCst);
            until("the callers do not end", async || !is_locked.load(Ordering::SeqCst)).await;
            sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.unwrap();
        };
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{table}' AND state = 'active'");
        let count = async || sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql.clone())).fetch_one(&pool).await.unwrap();
        while_locked(&store, table, lock, count).await;
    };
    let options = |table: &str| SqlOptions::new().table(table).max_connections(MOST);
    let url = |table: &str| format!("{}?application_name={table}", server.url());
    let own = PostgresStore::connect_with(url("locked_own"), options("locked_own")).await.unwrap();
    let given = PgPoolOptions::new().max_connections(MOST).connect(&url("locked_given")).await.unwrap();
    let given = PostgresStore::from_pool(given, options("locked_given")).await.unwrap();
    tokio::join!(check("locked_own", AnyStore::new(own)), check("locked_given", AnyStore::new(given)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_mariadb_table_keeps_no_more_connections_busy_than_there_may_be() {
    let server = servers::mariadb();
    let pool = MySqlPool::connect(server.url()).await.unwrap();
    let check = async |name: &'static str, store: AnyStore<Counter>| {
        let lock = async |is_locked: Arc<AtomicBool>| {
            let mut connection = MySqlConnection::connect(server.url()).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(format!("LOCK TABLES {name} WRITE"))).execute(&mut connection).await.unwrap();
            is_locked.store(true, Ordering::SeqCst);
            until("the callers do not end", async || !is_locked.load(Ordering::SeqCst)).await;
            sqlx::raw_sql("UNLOCK TABLES").execute(&mut connection).await.unwrap();
        };
        let sql = "SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.processlist WHERE command <> 'Sleep' AND user =";
        let sql = format!("{sql} '{name}'");
        let count = async || sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql.clone())).fetch_one(&pool).await.unwrap();
        while_locked(&store, name, lock, count).await;
    };
    let options = |table: &str| SqlOptions::new().table(table).max_connections(MOST);
    let url = mariadb_account(&pool, server.url(), "locked_own", "ALL ON app.*").await;
    let own = MySqlStore::connect_with(url, options("locked_own")).await.unwrap();
    let url = mariadb_account(&pool, server.url(), "locked_given", "ALL ON app.*").await;
    let given = MySqlPoolOptions::new().max_connections(MOST).connect(&url).await.unwrap();
    let given = MySqlStore::from_pool(given, options("locked_given")).await.unwrap();
    tokio::join!(check("locked_own", AnyStore::new(own)), check("locked_given", AnyStore::new(given)));
}

/// A store whose statements wait for a row for longer than any machine is late to let go of it.
async fn patient(engine: &Engine) -> AnyStore<Counter> {
    let options = SqlOptions::new().table(engine.table()).statement_timeout(Duration::from_secs(30));
    let url = engine.url.split('?').next().unwrap();
    if engine.name == "PostgreSQL" {
        return AnyStore::new(PostgresStore::connect_with(url, options).await.unwrap());
    }
    AnyStore::new(MySqlStore::connect_with(url, options).await.unwrap())
}

/// Each kind of change, begun while another has the row, which it lets go of after the session has expired, or was deleted.
async fn does_not_revive(engine: Engine, is_deleted: bool) {
    let idle = Duration::from_millis(1500);
    let store = patient(&engine).await;
    let start = Instant::now();
    let mut left = vec!["replace", "touch", "rotate", "delete"];
    while let Some(operation) = left.pop() {
        let name = format!("{engine:?}, {operation}, {}", if is_deleted { "deleted" } else { "expired" });
        assert!(start.elapsed() < PATIENCE, "{name}: the machine is too slow for a session to be changed before it expires");
        let (id, new) = (new_id(), new_id());
        let created = Instant::now();
        store.create(key(&id), new_session(counter(1), idle, None)).await.unwrap();
        let Ok(Loaded::Found(record)) = store.load(key(&id)).await else {
            assert!(created.elapsed() >= idle, "{name}: it is there");
            left.push(operation);
            continue;
        };
        let holder = hold_rows(&engine, is_deleted).await;
        let begun = Instant::now();
        let change = async {
            match operation {
                "replace" => match store.replace(key(&id), record.version, Change::new(counter(2).into())).await {
                    Ok(Replaced::Missing) => {}
                    other => panic!("{name}: {other:?}"),
                },
                "touch" => assert!(matches!(store.touch(key(&id)).await, Ok(false)), "{name}"),
                "rotate" => {
                    match store.rotate(key(&id), key(&new), session_runtime::store::Rotation::new(record.clone())).await {
                        Ok(Rotated::Missing) => {}
                        other => panic!("{name}: {other:?}"),
                    }
                }
                // Where it was there when the deletion began, it is gone either way.
                _ => assert!(matches!(store.delete(key(&id)).await, Ok(there) if !(there && is_deleted)), "{name}"),
            }
        };
        let release = async {
            tokio::time::sleep(Duration::from_millis(1800).saturating_sub(begun.elapsed())).await;
            holder.commit().await;
        };
        tokio::join!(change, release);
        for id in [&id, &new] {
            let loaded = store.load(key(id)).await;
            assert!(matches!(loaded, Ok(Loaded::Missing)), "{name}: {loaded:?}");
        }
        // It was over before the change was begun, which then had nothing to wait for.
        if begun.duration_since(created) >= idle {
            left.push(operation);
        }
    }
}

pub enum Holder {
    Postgres(PgConnection),
    MariaDb(MySqlConnection),
}

impl Holder {
    pub async fn commit(self) {
        match self {
            Self::Postgres(mut connection) => sqlx::raw_sql("COMMIT").execute(&mut connection).await.map(drop),
            Self::MariaDb(mut connection) => sqlx::raw_sql("COMMIT").execute(&mut connection).await.map(drop),
        }
        .unwrap();
    }
}

/// Another who has all rows of a table, or deletes them, until it commits.
pub async fn hold_rows(engine: &Engine, is_deleted: bool) -> Holder {
    let url = engine.url.split('?').next().unwrap();
    let table = engine.table();
    let hold = if is_deleted { format!("DELETE FROM {table}") } else { format!("SELECT id FROM {table} FOR UPDATE") };
    let sql = AssertSqlSafe(format!("BEGIN; {hold}"));
    if engine.name == "PostgreSQL" {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        return Holder::Postgres(connection);
    }
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    Holder::MariaDb(connection)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_waited_for_a_row_until_after_its_session_was_over_does_not_bring_it_back() {
    tokio::join!(
        does_not_revive(engine::postgres(), false),
        does_not_revive(engine::postgres(), true),
        does_not_revive(engine::mariadb(), false),
        does_not_revive(engine::mariadb(), true),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_waited_for_a_row_is_made_where_the_session_lives_on() {
    for engine in [engine::postgres(), engine::mariadb()] {
        let store = patient(&engine).await;
        let (id, new) = (new_id(), new_id());
        create(&store, &id).await;
        for operation in ["replace", "touch", "rotate", "delete"] {
            let record = if operation == "delete" { None } else { Some(found(&store, &id).await) };
            let holder = hold_rows(&engine, false).await;
            let release = async {
                tokio::time::sleep(Duration::from_millis(400)).await;
                holder.commit().await;
            };
            let change = async {
                match (operation, record) {
                    ("replace", Some(record)) => {
                        let replaced = store.replace(key(&id), record.version, Change::new(counter(2).into())).await;
                        assert!(matches!(replaced, Ok(Replaced::Replaced(_))), "{engine:?}: {replaced:?}");
                    }
                    ("touch", _) => assert!(matches!(store.touch(key(&id)).await, Ok(true)), "{engine:?}"),
                    ("rotate", Some(record)) => {
                        let rotated = store.rotate(key(&id), key(&new), session_runtime::store::Rotation::new(record)).await;
                        assert!(matches!(rotated, Ok(Rotated::Rotated(_))), "{engine:?}: {rotated:?}");
                    }
                    _ => assert!(matches!(store.delete(key(&new)).await, Ok(true)), "{engine:?}"),
                }
            };
            tokio::join!(change, release);
        }
        assert!(matches!(store.load(key(&id)).await, Ok(Loaded::JustRotated)), "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_another_process_has_a_sqlite_file_no_change_lands_after_a_later_one() {
    let engine = engine::sqlite();
    let store = AnyStore::new(SqliteStore::connect(&engine.url).await.unwrap());
    let id = new_id();
    create(&store, &id).await;
    let mut other = SqliteConnection::connect(&engine.url).await.unwrap();
    for round in 1..=200 {
        let record = found(&store, &id).await;
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let first = store.replace(key(&id), record.version, Change::new(counter(2 * round).into()));
        let first = tokio::time::timeout(Duration::from_millis(5), first).await;
        assert!(first.is_err(), "it is given up: {first:?}");
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        let start = Instant::now();
        loop {
            let record = found(&store, &id).await;
            let second = store.replace(key(&id), record.version, Change::new(counter(2 * round + 1).into())).await;
            match second {
                Ok(Replaced::Replaced(_)) => break,
                Ok(Replaced::Conflict) => assert!(start.elapsed() < PATIENCE),
                other => panic!("{other:?}"),
            }
        }
        // Whatever is still on its way comes before this one.
        assert!(matches!(store.touch(key(&id)).await, Ok(true)));
        assert_eq!(found(&store, &id).await.data.count, 2 * round + 1, "round {round}");
    }
}

/// Where processes start together, or a backup holds the file, opening waits for longer than a change of a request would, and in the end tells why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_that_another_process_has_for_a_while_is_opened_all_the_same() {
    let options = || SqlOptions::default().statement_timeout(Duration::from_millis(50));
    let engine = engine::sqlite();
    let create = SqliteConnectOptions::from_str(&engine.url).unwrap().create_if_missing(true);
    let mut other = create.journal_mode(SqliteJournalMode::Wal).connect().await.unwrap();
    for is_there in [false, true] {
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let url = engine.url.clone();
        let opening = tokio::spawn(async move { SqliteStore::connect_with(&url, options()).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        opening.await.unwrap().unwrap_or_else(|error| panic!("the table was there: {is_there}: {error:?}"));
    }
    sqlx::raw_sql("DROP TABLE session_runtime; BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = format!("{:?}", SqliteStore::connect_with(&engine.url, options()).await.unwrap_err());
    assert!(error.contains("database is locked"), "{error}");
}

/// Several statements under a lock go on to the last one, also while their caller lives and does not ask for their answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_whose_caller_is_held_up_holds_nobody_else_up() {
    let limit = Some(OwnerLimit::new(NonZeroU32::new(3).unwrap(), WhenFull::EndOldest));
    for engine in [engine::postgres(), engine::mariadb(), engine::sqlite()] {
        let store = connect(&engine.url).await;
        let owner = owner(7);
        for looks in 0..12 {
            let id = new_id();
            let mut held_up = Box::pin(create_limited(&store, &id, &owner, limit));
            for _ in 0..looks {
                if futures_util::poll!(&mut held_up).is_ready() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let other = create_limited(&store, &new_id(), &owner, limit).await;
            assert!(matches!(other, Ok(Created::Created(_))), "{engine:?}, {looks}: {other:?}");
        }
    }
}

/// Callers live and do not ask for their answers: some have a connection, the others wait for one and get it meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_are_held_up_keep_no_connection_from_others() {
    async fn check(name: &str, store: AnyStore<Counter>) {
        let ids: Vec<_> = (0..6).map(|_| new_id()).collect();
        for id in &ids {
            create(&store, id).await;
        }
        for looks in 1..6 {
            let work = |number: usize, id| {
                let store = &store;
                async move {
                    let record = found(store, id).await;
                    if number.is_multiple_of(2) {
                        let changed = store.replace(key(id), record.version, Change::new(counter(looks).into())).await;
                        assert!(matches!(changed, Ok(Replaced::Replaced(_))), "{changed:?}");
                    }
                }
            };
            let mut held_up: Vec<_> = ids.iter().enumerate().map(|(number, id)| Some(Box::pin(work(number, id)))).collect();
            for _ in 0..looks {
                for caller in &mut held_up {
                    if let Some(work) = caller
                        && futures_util::poll!(work).is_ready()
                    {
                        *caller = None;
                    }
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let others = async {
                create(&store, &new_id()).await;
                found(&store, &ids[0]).await;
                assert!(matches!(store.touch(key(&ids[1])).await, Ok(true)));
            };
            let served = tokio::time::timeout(PATIENCE, others).await;
            assert!(served.is_ok(), "{name}: whoever came later waited for callers that nobody asked to go on, {looks}");
            join_all(held_up.into_iter().flatten()).await;
        }
    }
    let (postgres, mariadb, sqlite) = (engine::postgres(), engine::mariadb(), engine::sqlite());
    let url = |engine: &Engine| engine.url.split('?').next().unwrap().to_owned();
    let options = |engine: &Engine| SqlOptions::new().table(engine.table()).max_connections(2);
    let given = |engine: &Engine| SqlOptions::new().table(format!("{}_given", engine.table()));
    let of_postgres = PgPoolOptions::new().max_connections(2).connect(&url(&postgres)).await.unwrap();
    let of_mariadb = MySqlPoolOptions::new().max_connections(2).connect(&url(&mariadb)).await.unwrap();
    let stores = [
        ("PostgreSQL", AnyStore::new(PostgresStore::connect_with(url(&postgres), options(&postgres)).await.unwrap())),
        ("PostgreSQL, a pool", AnyStore::new(PostgresStore::from_pool(of_postgres, given(&postgres)).await.unwrap())),
        ("MariaDB", AnyStore::new(MySqlStore::connect_with(url(&mariadb), options(&mariadb)).await.unwrap())),
        ("MariaDB, a pool", AnyStore::new(MySqlStore::from_pool(of_mariadb, given(&mariadb)).await.unwrap())),
        ("SQLite", connect(&sqlite.url).await),
        ("SQLite in memory", AnyStore::new(SqliteStore::connect("sqlite::memory:").await.unwrap())),
        ("Redis", connect(&engine::redis().url).await),
        ("Redis Cluster", connect(&engine::redis_cluster().url).await),
    ];
    for (name, store) in stores {
        check(name, store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_whose_caller_is_held_up_holds_no_other_up() {
    let engine = engine::mariadb();
    let (store, other) = (connect(&engine.url).await, connect(&engine.url).await);
    let pool = MySqlPool::connect(servers::mariadb().url()).await.unwrap();
    let left = format!("SELECT COUNT(*) FROM {}", engine.table());
    for looks in 1..12 {
        create(&store, &new_id()).await;
        engine.let_pass("", Duration::from_secs(7200)).await;
        let mut held_up = Box::pin(store.sweep());
        for _ in 0..looks {
            if futures_util::poll!(&mut held_up).is_ready() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        until(&format!("nobody sweeps, {looks}"), async || {
            other.sweep().await.unwrap();
            sqlx::query_scalar::<_, i64>(AssertSqlSafe(left.clone())).fetch_one(&pool).await.unwrap() == 0
        })
        .await;
    }
}

/// A login that is to be done once more, on a new connection, is not where its caller has gone before that is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_whose_caller_is_gone_is_not_begun_again() {
    async fn check(engine: Engine, port: u16, (begin, refused): (&'static [u8], Vec<u8>)) {
        let limit = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::EndOldest));
        let proxy = Proxy::to(port).await;
        let url = proxy.url(engine.url.split('?').next().unwrap(), port);
        // Whoever comes later waits until the login has let go of the one connection.
        let options = SqlOptions::new().table(engine.table()).max_connections(1);
        let store = if engine.name == "PostgreSQL" {
            AnyStore::new(PostgresStore::connect_with(url, options).await.unwrap())
        } else {
            AnyStore::new(MySqlStore::connect_with(url, options).await.unwrap())
        };
        let (owner, before, id) = (owner(7), new_id(), new_id());
        create_limited(&store, &before, &owner, limit).await.unwrap();
        proxy.refuse(begin, refused);
        // Long enough for the caller to go meanwhile.
        proxy.delay(Duration::from_secs(3));
        let connections = proxy.connections();
        let login = tokio::spawn({
            let (store, owner) = (store.clone(), owner.clone());
            async move { create_limited(&store, &id, &owner, limit).await }
        });
        until(&format!("{engine:?}: it is not tried on a new connection"), async || proxy.connections() > connections).await;
        login.abort();
        assert!(login.await.is_err_and(|error| error.is_cancelled()), "{engine:?}: it was answered");
        assert_eq!(proxy.refuse_nothing(), [1], "{engine:?}");
        let loaded = store.load(key(&id)).await;
        assert!(matches!(loaded, Ok(Loaded::Missing)), "{engine:?}: it has logged in: {loaded:?}");
        assert_eq!(found(&store, &before).await.data.count, 1, "{engine:?}");
    }
    let postgres: (&[u8], _) = (b"BEGIN ISOLATION", proxy::postgres_error("25006"));
    let mariadb: (&[u8], _) = (b"START TRANSACTION", proxy::mariadb_error(1053));
    tokio::join!(
        check(engine::postgres(), servers::postgres().port(), postgres),
        check(engine::mariadb(), servers::mariadb().port(), mariadb),
    );
}
