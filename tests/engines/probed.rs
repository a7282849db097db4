//! What a store needs of its database is tried out when it is opened, and what is wrong is named.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use session_runtime::SessionId;
use session_runtime::store::{
    AnyStore, Attributes, Change, Created, Loaded, MySqlStore, OwnerLimit, PostgresStore, Rotated, SqlOptions, SqliteStore,
    Store, StoreError, WhenFull, Which,
};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, MySqlPool, PgPool, Row};

use crate::app::{Counter, connect, key, new_session, until};
use crate::engine::Engine;
use crate::failover::{counter, create, found, mariadb_account, new_id};
use crate::owners::{create_limited, owner};
use crate::proxy::Proxy;
use crate::servers;

async fn refused(url: &str) -> String {
    match session_runtime::store::connect::<Counter>(url).await {
        Ok(_) => panic!("it is refused"),
        Err(error) => error.to_string(),
    }
}

/// Everything that a store does, so that no privilege is missing.
async fn works(store: &AnyStore<Counter>) {
    let (id, new) = (new_id(), new_id());
    create(store, &id).await;
    let record = found(store, &id).await;
    store.replace(key(&id), record.version, Change::new(counter(2).into())).await.unwrap();
    assert!(store.touch(key(&id)).await.unwrap());
    let record = found(store, &id).await;
    assert!(matches!(
        store.rotate(key(&id), key(&new), session_runtime::store::Rotation::new(record)).await,
        Ok(Rotated::Rotated(_))
    ));
    assert!(store.delete(key(&new)).await.unwrap());
    let owner = owner(rand::random());
    let one = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::EndOldest));
    for id in [new_id(), new_id()] {
        assert!(matches!(create_limited(store, &id, &owner, one).await, Ok(Created::Created(_))));
    }
    assert_eq!(store.list(&owner).await.unwrap().len(), 1);
    assert_eq!(store.end(&owner, Which::All).await.unwrap(), 1);
    store.sweep().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_privileges_in_the_docs_are_enough_and_one_that_lacks_is_named() {
    // PostgreSQL.
    let server = servers::start_postgres();
    let pool = PgPool::connect(server.url()).await.unwrap();
    connect(server.url()).await;
    for privilege in ["SELECT", "INSERT", "UPDATE", "DELETE"] {
        let user = format!("without_{}", privilege.to_lowercase());
        let sql = format!(
            "CREATE USER {user}; GRANT SELECT, INSERT, UPDATE, DELETE ON session_runtime TO {user}; \
             REVOKE {privilege} ON session_runtime FROM {user}"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await.unwrap();
        let said = refused(&server.url().replace("app@", &format!("{user}@"))).await;
        // Without SELECT it cannot be known whether the table is there.
        let names = if privilege == "SELECT" { "permission denied" } else { &format!("lacks the privilege {privilege}") };
        assert!(said.contains(names) && said.contains("session_runtime"), "{said}");
    }
    sqlx::raw_sql("CREATE USER least; GRANT SELECT, INSERT, UPDATE, DELETE ON session_runtime TO least")
        .execute(&pool)
        .await
        .unwrap();
    works(&connect(&server.url().replace("app@", "least@")).await).await;
    sqlx::raw_sql("CREATE USER creates; GRANT CREATE ON SCHEMA public TO creates").execute(&pool).await.unwrap();
    works(&connect(&format!("{}?table=another", server.url().replace("app@", "creates@"))).await).await;
    // MariaDB.
    let server = servers::start_mariadb();
    let pool = MySqlPool::connect(server.url()).await.unwrap();
    connect(server.url()).await;
    for privilege in ["INSERT", "UPDATE", "DELETE"] {
        let others = ["SELECT", "INSERT", "UPDATE", "DELETE"].into_iter().filter(|other| *other != privilege);
        let grants = format!("{} ON app.session_runtime", others.collect::<Vec<_>>().join(", "));
        let user = format!("without_{}", privilege.to_lowercase());
        let said = refused(&mariadb_account(&pool, server.url(), &user, &grants).await).await;
        assert!(said.contains(&format!("lacks the privilege {privilege}")) && said.contains("session_runtime"), "{said}");
    }
    let grants = "SELECT, INSERT, UPDATE, DELETE ON app.session_runtime";
    works(&connect(&mariadb_account(&pool, server.url(), "least", grants).await).await).await;
    let grants = "SELECT, INSERT, UPDATE, DELETE, CREATE, INDEX ON app.another";
    let url = mariadb_account(&pool, server.url(), "creates", grants).await;
    works(&connect(&format!("{url}?table=another")).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_another_release_is_named() {
    let pool = PgPool::connect(servers::postgres().url()).await.unwrap();
    let columns =
        "id bytea PRIMARY KEY, version bigint, idle bigint, absolute_at bigint, created_at bigint, expires_at bigint, data bytea";
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE TABLE older ({columns})"))).execute(&pool).await.unwrap();
    let said = refused(&format!("{}?table=older", servers::postgres().url())).await;
    assert!(said.contains("`older`") && said.contains("this release") && said.contains("sweep_at"), "{said}");
    let pool = MySqlPool::connect(servers::mariadb().url()).await.unwrap();
    let columns = columns.replace("bytea PRIMARY KEY", "BINARY(32) PRIMARY KEY").replace("bytea", "LONGBLOB");
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE TABLE older ({columns})"))).execute(&pool).await.unwrap();
    let said = refused(&format!("{}?table=older", servers::mariadb().url())).await;
    assert!(said.contains("`older`") && said.contains("sweep_at"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_autocommit_is_off_what_is_acknowledged_is_committed_or_the_pool_is_refused() {
    let server = servers::start_mariadb();
    let pool = MySqlPool::connect(server.url()).await.unwrap();
    sqlx::raw_sql("SET GLOBAL init_connect = 'SET autocommit = 0'").execute(&pool).await.unwrap();
    sqlx::raw_sql("SET GLOBAL autocommit = 0").execute(&pool).await.unwrap();
    let url = mariadb_account(&pool, server.url(), "shop", "ALL ON app.*").await;
    let store = connect(&url).await;
    let id = new_id();
    create(&store, &id).await;
    let record = found(&store, &id).await;
    store.replace(key(&id), record.version, Change::new(counter(5).into())).await.unwrap();
    // Another connection sees what is committed alone.
    assert_eq!(found(&connect(&url).await, &id).await.data.count, 5);
    let given = MySqlPoolOptions::new().connect(&url).await.unwrap();
    let said = MySqlStore::from_pool(given, SqlOptions::new()).await.map(drop).unwrap_err();
    assert!(format!("{said:?}").contains("autocommit"), "{said:?}");
}

#[tokio::test]
async fn a_parameter_that_is_not_known_is_refused_with_the_one_that_is_meant() {
    for (url, meant) in [
        ("postgres://app@127.0.0.1:1/db?tabel=visits", "table"),
        ("postgres://app@127.0.0.1:1/db?ssl_mode=require", "sslmode"),
        ("mysql://app@127.0.0.1:1/db?key_prefx=a:", "key_prefix"),
        ("mysql://app@127.0.0.1:1/db?sokcet=/run/m.sock", "socket"),
        ("sqlite::memory:?tabel=visits", "table"),
        ("sqlite::memory:?mdoe=rwc", "mode"),
    ] {
        let said = refused(url).await;
        assert!(said.contains(&format!("did you mean `{meant}`")), "{url}: {said}");
    }
    let said = refused("mysql://app@127.0.0.1:1/db?passwordhunter2=1").await;
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn parameters_are_percent_decoded() {
    let folder = servers::temporary_folder("decoded");
    let url = format!("sqlite://{}/with%20a%3F.db?%74able=%76isits", folder.display());
    let store = connect(&url).await;
    create(&store, &new_id()).await;
    assert!(folder.join("with a?.db").is_file());
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("with a?.db"));
    connection = connection.read_only(true);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM visits")
        .fetch_one(&mut sqlx::ConnectOptions::connect(&connection).await.unwrap())
        .await
        .unwrap();
    assert_eq!(rows, 1);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_sqlite_file_that_cannot_be_opened_is_named() {
    let said = refused("sqlite:///no/such/folder/sessions.db").await;
    assert!(said.contains("/no/such/folder/sessions.db"), "{said}");
}

#[tokio::test]
async fn an_interval_of_zero_is_refused() {
    let options = SqlOptions::new().sweep_every(Duration::ZERO);
    let error = SqliteStore::connect_with("sqlite::memory:", options).await.map(drop).unwrap_err();
    assert!(format!("{error:?}").contains("sweep_every"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_is_larger_than_the_server_takes_is_told_with_its_size_and_the_limit() {
    let server = servers::start_mariadb();
    let pool = MySqlPool::connect(server.url()).await.unwrap();
    sqlx::raw_sql("SET GLOBAL max_allowed_packet = 65536").execute(&pool).await.unwrap();
    let store = connect(server.url()).await;
    let given = MySqlPoolOptions::new().connect(server.url()).await.unwrap();
    let given = AnyStore::new(MySqlStore::from_pool(given, SqlOptions::new()).await.unwrap());
    for store in [store, given] {
        let id: SessionId = new_id();
        create(&store, &id).await;
        let record = found(&store, &id).await;
        let large = Counter { count: 1, name: Some("x".repeat(70_000)) };
        let replaced = store.replace(key(&id), record.version, Change::new(large.clone().into())).await;
        let created = store.create(key(&new_id()), new_session(large, Duration::from_secs(60), None)).await;
        for error in [replaced.map(drop).unwrap_err(), created.map(drop).unwrap_err()] {
            let said = format!("{error:?}");
            assert!(matches!(error, StoreError::Data(_)), "{said}");
            assert!(said.contains("too large") && said.contains("700") && said.contains("64512"), "{said}");
        }
        assert_eq!(found(&store, &id).await.data.count, 1, "it is as it was, and the connection too");
        let fits = Counter { count: 2, name: Some("x".repeat(60_000)) };
        assert!(matches!(
            store.create(key(&new_id()), new_session(fits, Duration::from_secs(60), None)).await,
            Ok(Created::Created(_))
        ));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_lengthens_no_session_beyond_its_limit_from_then_on() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    // The limits, and whether the session is used between the setback of the clock and the sweep, which renews it by the new time.
    for (idle, absolute, is_used) in
        [(minutes(10), minutes(50), false), (minutes(10), minutes(50), true), (minutes(90), minutes(20), false)]
    {
        let name = format!("{idle:?}, {absolute:?}, {is_used}");
        let engine = crate::engine::sqlite();
        let store = AnyStore::new(SqliteStore::connect(&engine.url).await.unwrap());
        let [fresh, older] = [new_id(), new_id()];
        for id in [&fresh, &older] {
            let mut attributes = Attributes::new();
            attributes.proven = Some(if *id == fresh { Duration::ZERO } else { minutes(5) });
            let mut session = new_session(counter(1), idle, Some(absolute));
            session.attributes = Some(Arc::new(attributes));
            store.create(key(id), session).await.unwrap();
        }
        // As the machine sees it after its clock was set back by an hour. One session is older than that; it was proven since.
        let columns = ["absolute_at", "created_at", "expires_at", "sweep_at", "used_at"];
        let back = columns.map(|column| format!("{column} = {column} + 3600000")).join(", ");
        let sql = format!(
            "UPDATE session_runtime SET {back}; \
             UPDATE session_runtime SET created_at = created_at - 7200000, absolute_at = created_at + 90000000, proven = 7200000 \
             WHERE proven > 0"
        );
        let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&engine.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        let record = found(&store, &fresh).await;
        assert!(record.expires_in <= idle, "{name}: {:?}", record.expires_in);
        if is_used {
            assert!(store.touch(key(&fresh)).await.unwrap());
            assert!(store.touch(key(&older)).await.unwrap());
        }
        store.sweep().await.unwrap();
        for id in [&fresh, &older] {
            // As long as it is there.
            let Ok(Loaded::Found(record)) = store.load(key(id)).await else { panic!("{name}") };
            assert!(record.expires_in <= idle, "{name}: {:?}", record.expires_in);
            assert!(*id == older || record.absolute_in <= Some(absolute), "{name}: {:?}", record.absolute_in);
            let proven = record.attributes.as_ref().and_then(|attributes| attributes.proven).unwrap();
            assert!(proven <= record.age, "{name}: it was proven when it was {proven:?} old, and it is {:?} old", record.age);
        }
        let times: Vec<(i64, i64, i64)> = sqlx::query_as(
            "SELECT created_at, used_at, CAST(strftime('%s', 'now') AS INTEGER) * 1000 + 1000 FROM session_runtime",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        assert!(times.iter().all(|(created, used, now)| created <= now && used <= now), "{name}: {times:?}");
        engine.let_pass("", idle.min(absolute).max(Duration::from_secs(1))).await;
        for id in [&fresh, &older] {
            let over = *id == fresh || idle <= absolute;
            assert_eq!(matches!(store.load(key(id)).await, Ok(Loaded::Missing)), over, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_to_the_time_of_a_statement_that_is_longer_than_a_server_takes_is_the_longest_that_it_takes() {
    let options = |engine: &Engine| SqlOptions::new().table(engine.table()).statement_timeout(Duration::MAX);
    let [postgres, mariadb, sqlite] = [crate::engine::postgres(), crate::engine::mariadb(), crate::engine::sqlite()];
    let base = |engine: &Engine| engine.url.split('?').next().unwrap().to_owned();
    let stores = [
        AnyStore::new(PostgresStore::connect_with(base(&postgres), options(&postgres)).await.unwrap()),
        AnyStore::new(MySqlStore::connect_with(base(&mariadb), options(&mariadb)).await.unwrap()),
        AnyStore::new(SqliteStore::connect_with(base(&sqlite), options(&sqlite)).await.unwrap()),
    ];
    for store in stores {
        works(&store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_store_whose_account_may_not_create_the_table_says_so() {
    let server = servers::start_postgres();
    let pool = PgPool::connect(server.url()).await.unwrap();
    sqlx::raw_sql("CREATE USER reader").execute(&pool).await.unwrap();
    let url = server.url().replace("app@", "reader@");
    let error = PostgresStore::connect(&url).await.map(drop).unwrap_err();
    assert!(format!("{error:?}").contains("is missing and was not created"), "{error:?}");
}

/// Whether a pooler keeps statements apart is looked at in transactions, none of which is left open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_a_store_is_opened_on_has_no_connection_in_a_transaction() {
    const MOST: u32 = 4;

    let engine = crate::engine::postgres();
    for gives_up in [false, true] {
        let proxy = Proxy::to(servers::postgres().port()).await;
        let url = proxy.url(servers::postgres().url(), servers::postgres().port());
        let options = PgPoolOptions::new().max_connections(MOST).test_before_acquire(false);
        let pool = options.connect(&url).await.unwrap();
        let all = async || join_all((0..MOST).map(|_| async { pool.acquire().await.unwrap() })).await;
        drop(all().await);
        proxy.hold_back_from(b"BEGIN\0", Duration::from_millis(1500));
        let open = PostgresStore::from_pool(pool.clone(), SqlOptions::new().table(engine.table()));
        let has_begun = until("nothing is begun", async || proxy.holds_back());
        if gives_up {
            tokio::select! {
                opened = open => panic!("it is open already: {:?}", opened.map(drop)),
                () = has_begun => {}
            }
        } else {
            let (opened, ()) = tokio::join!(open, has_begun);
            opened.unwrap();
        }
        proxy.hold_back(Duration::ZERO);
        for mut connection in all().await {
            // Not a prepared one, whose transaction begins with the preparation.
            let row = sqlx::raw_sql("SELECT now() = statement_timestamp()").fetch_one(&mut *connection).await.unwrap();
            assert!(row.get::<bool, _>(0), "a transaction goes on; given up: {gives_up}");
        }
    }
}
