//! Owners in SQL databases: what is ended is ended, nobody has more sessions than allowed, and neither costs more with others' sessions.

use std::num::NonZeroU32;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use session_runtime::store::{
    AnyStore, Attributes, Belonging, Change, Created, Loaded, MySqlStore, Namespace, Owner, OwnerLimit, PostgresStore, Replaced,
    Rotated, Rotation, SqlOptions, Store, StoreError, WhenFull, Which,
};
use session_runtime::testing::{Conformance, conformance};
use session_runtime::{SessionData, SessionError, SessionHandle, SessionId, SessionLayer, standard};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection, Row, SqliteConnection};

use crate::app::{Counter, OWNERS, PATIENCE, Process, connect, key, new_session, usually};
use crate::begun::hold_rows;
use crate::engine::{self, Engine};
use crate::failover::{counter, fill, found, new_id};
use crate::proxy::{self, Proxy};
use crate::servers;
use crate::wire::Client;

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    user: Option<u64>,
}

/// How many sessions a user of the site may have.
const LIMIT: u32 = 5;

/// A site for a process of its own, which does so with one session more.
pub fn router(store: AnyStore<Visit>, when_full: &str) -> Router {
    let when_full = if when_full == "refuse" { WhenFull::Refuse } else { WhenFull::EndOldest };
    let layer = SessionLayer::<Visit>::builder()
        .store(store)
        .secure(false)
        .store_timeout(PATIENCE)
        .middleware(standard::lazy_session_middleware)
        .owner(|visit: &Visit| visit.user)
        .owner_limit(LIMIT)
        .when_full(when_full)
        .build()
        .unwrap();
    Router::new().route("/login/{user}", post(log_in)).route("/me", get(me)).layer(layer)
}

async fn log_in(session: SessionData<Visit>, Path(user): Path<u64>) -> Result<(), SessionError> {
    session.rotate_with(|visit| visit.user = Some(user)).await
}

async fn me(session: SessionData<Visit>) -> StatusCode {
    if session.user.is_some() { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
}

/// The databases, each with a table of the test's own.
fn databases() -> [Engine; 3] {
    [engine::sqlite(), engine::postgres(), engine::mariadb()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_logins_at_once_in_two_processes_exactly_as_many_live_as_are_allowed() {
    for engine in databases() {
        for when_full in ["end the oldest", "refuse"] {
            let start = || Process::start_with(&engine.url, [(OWNERS, FilePath::new(when_full))]);
            let processes = [start(), start()];
            let users = u64::from(usually(6, 20));
            for user in 0..users {
                fifty_logins(&processes, user, when_full == "refuse").await;
                println!("{engine:?}: user {user} has {LIMIT} sessions after 50 logins; {when_full}");
            }
            // The next ones have none of these.
            let connection = connect(&engine.url).await;
            for user in 0..users {
                let owner = Owner::new(&Namespace::new("SESSION_ID"), &user);
                assert_eq!(connection.end(&owner, Which::All).await.unwrap(), u64::from(LIMIT), "{engine:?}");
            }
        }
    }
}

/// Logs a user in fifty times at once, in turn in each of two processes; then as many clients are logged in as are allowed.
async fn fifty_logins(processes: &[Process; 2], user: u64, is_refused: bool) {
    let mut logins = Vec::new();
    for number in 0..50 {
        let mut client = Client::to(&processes[number % 2].address).await;
        logins.push(tokio::spawn(async move {
            let mut answer = client.post(&format!("/login/{user}")).await;
            // Where the machine is too busy, the server ends the wait for the logins before, and nothing is done.
            for _ in 0..20 {
                if answer.status != 503 {
                    break;
                }
                answer = client.post(&format!("/login/{user}")).await;
            }
            (client, answer)
        }));
    }
    let (mut live, mut clients, mut logged_in) = (0, Vec::new(), 0);
    for login in logins {
        let (client, answer) = login.await.unwrap();
        assert!(answer.status == 200 || (is_refused && answer.status == 409), "{answer:?}");
        logged_in += u32::from(answer.status == 200);
        clients.push(client);
    }
    for mut client in clients {
        live += u32::from(client.get("/me").await.status == 200);
    }
    assert_eq!(live, LIMIT);
    assert_eq!(logged_in, if is_refused { LIMIT } else { 50 });
}

pub fn owner(number: u128) -> Owner {
    Owner::new(&Namespace::new("SESSION_ID"), &number)
}

async fn create_owned(store: &AnyStore<Counter>, id: &SessionId, owner: &Owner) {
    assert!(matches!(create_limited(store, id, owner, None).await, Ok(Created::Created(_))));
}

pub async fn create_limited(
    store: &AnyStore<Counter>,
    id: &SessionId,
    owner: &Owner,
    limit: Option<OwnerLimit>,
) -> Result<Created, StoreError> {
    let mut attributes = Attributes::new();
    attributes.handle = Some(SessionHandle::random());
    let mut session = new_session(counter(1), HOUR, None);
    session.attributes = Some(Arc::new(attributes));
    let mut belonging = Belonging::new(owner.clone());
    belonging.limit = limit;
    session.owner = Some(Box::new(belonging));
    store.create(key(id), session).await
}

/// Moves a session from key to key for as long as it is there; the keys it had, and when each move was answered.
async fn move_on(store: AnyStore<Counter>, mut id: SessionId, owner: Owner, moves: usize) -> (Vec<SessionId>, Vec<Instant>) {
    let (mut ids, mut answered) = (vec![id], Vec::new());
    for _ in 0..moves {
        let Ok(Loaded::Found(record)) = store.load(key(&id)).await else { break };
        let new = new_id();
        let mut rotation = Rotation::new(record);
        rotation.owner = Some(Box::new(Belonging::new(owner.clone())));
        ids.push(new);
        let rotated = store.rotate(key(&id), key(&new), rotation).await.unwrap();
        answered.push(Instant::now());
        match rotated {
            Rotated::Rotated(_) => id = new,
            // Another has changed it.
            Rotated::Conflict => {}
            Rotated::Missing => break,
            other => panic!("{other:?}"),
        }
    }
    (ids, answered)
}

async fn change_on(store: AnyStore<Counter>, id: SessionId, changes: usize) {
    for _ in 0..changes {
        let Ok(Loaded::Found(record)) = store.load(key(&id)).await else { break };
        let changed = store.replace(key(&id), record.version, Change::new(counter(2).into())).await.unwrap();
        if changed == Replaced::Missing {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_ended_is_gone_whatever_was_under_way() {
    for engine in databases() {
        let (here, there) = (connect(&engine.url).await, connect(&engine.url).await);
        let (mut under_way, rounds) = (0, u64::from(usually(300, 1000)));
        for round in 0..rounds {
            let owner = owner(rand::random());
            let ids = [new_id(), new_id()];
            for id in &ids {
                create_owned(&here, id, &owner).await;
            }
            let moving = ids.map(|id| tokio::spawn(move_on(there.clone(), id, owner.clone(), 6)));
            let changing = tokio::spawn(change_on(there.clone(), ids[0], 6));
            tokio::time::sleep(Duration::from_micros(round % 10 * 300)).await;
            let begin = Instant::now();
            here.end(&owner, Which::All).await.unwrap();
            // Before the others are done.
            assert_eq!(here.count(&owner).await.unwrap(), 0, "{engine:?}, round {round}");
            assert!(there.list(&owner).await.unwrap().is_empty(), "{engine:?}, round {round}");
            changing.await.unwrap();
            for moving in moving {
                let (ids, answered) = moving.await.unwrap();
                under_way += answered.iter().filter(|at| **at > begin).count();
                for id in &ids {
                    let loaded = there.load(key(id)).await.unwrap();
                    assert!(matches!(loaded, Loaded::Missing | Loaded::JustRotated), "{engine:?}, round {round}: {loaded:?}");
                }
            }
        }
        println!("{engine:?}: {rounds} rounds, {under_way} rotations were answered after the end was begun");
        assert!(under_way > 0, "{engine:?}: nothing was under way");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_and_listing_cost_the_same_beside_many_sessions_of_others() {
    let rows = |id: &str, owner: &str, from: &str| {
        let times = "floor(extract(epoch from now()) * 1000) + 3600000";
        let (until, from) = if from.starts_with("seq") { ("(UNIX_TIMESTAMP() + 3600) * 1000", from) } else { (times, from) };
        format!("SELECT {id}, 1, 3600000, 4000000000000000, 1, {until}, {until}, '7', 1, seq, NULL, NULL, {owner} FROM {from}")
    };
    let others = usually(10_000, 1_000_000);
    let postgres = engine::postgres();
    let fill = format!(
        "INSERT INTO {table} {rows}; ANALYZE {table}",
        table = postgres.table(),
        rows =
            rows("sha256(seq::text::bytea)", "sha256((seq / 2)::text::bytea)", &format!("generate_series(1, {others}) AS seq"))
    );
    let mariadb = engine::mariadb();
    let filled = format!(
        "INSERT INTO {table} {rows}; ANALYZE TABLE {table}",
        table = mariadb.table(),
        rows = rows("UNHEX(SHA2(seq, 256))", "UNHEX(SHA2(seq DIV 2, 256))", &format!("seq_1_to_{others}"))
    );
    for (engine, port, fill) in [(postgres, servers::postgres().port(), fill), (mariadb, servers::mariadb().port(), filled)] {
        let proxy = Proxy::to(port).await;
        let store = connect(&proxy.url(&engine.url, port)).await;
        let owner = owner(7);
        let cost = async || {
            let mut cost = Vec::new();
            // The first time each statement is prepared.
            for _ in 0..2 {
                create_owned(&store, &new_id(), &owner).await;
                proxy.trips();
                let listed = store.list(&owner).await.unwrap().len();
                let list = proxy.trips();
                let ended = store.end(&owner, Which::All).await.unwrap();
                cost = vec![listed as u64, list, ended, proxy.trips()];
            }
            cost
        };
        let alone = cost().await;
        let sql = AssertSqlSafe(fill);
        let explain =
            |start: &str| format!("EXPLAIN {start} FROM {} WHERE owner = {{}} AND (1 = 1 OR handle = 7)", engine.table());
        let mut plans = Vec::new();
        if engine.name == "PostgreSQL" {
            let mut connection = PgConnection::connect(servers::postgres().url()).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            for start in ["DELETE", "SELECT count(*)"] {
                let explain = AssertSqlSafe(explain(start).replace("{}", "sha256('7')"));
                let rows = sqlx::raw_sql(explain).fetch_all(&mut connection).await.unwrap();
                plans.push(rows.iter().map(|row| row.get::<String, _>(0)).collect::<String>());
            }
        } else {
            let mut connection = MySqlConnection::connect(servers::mariadb().url()).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            for start in ["DELETE", "SELECT count(*)"] {
                let explain = AssertSqlSafe(explain(start).replace("{}", "UNHEX(SHA2(7, 256))"));
                let row = sqlx::raw_sql(explain).fetch_one(&mut connection).await.unwrap();
                plans.push(row.get::<Option<String>, _>("key").unwrap_or_default());
            }
        }
        for plan in plans {
            assert!(plan.contains(&format!("{}_owner", engine.table())), "{engine:?}: {plan}");
        }
        assert_eq!(cost().await, alone, "{engine:?}: listed, round trips, ended, round trips");
        println!("{engine:?}, beside {others} sessions: list is {} round trip, end of all {}", alone[1], alone[3]);
    }
    let engine = engine::sqlite();
    let store = connect(&engine.url).await;
    create_owned(&store, &new_id(), &owner(7)).await;
    let mut connection = SqliteConnection::connect(&engine.url).await.unwrap();
    for start in ["DELETE", "SELECT count(*)"] {
        let explain = format!("EXPLAIN QUERY PLAN {start} FROM session_runtime WHERE owner = ? AND (? = 1 OR handle = ?)");
        let query = sqlx::query(AssertSqlSafe(explain)).bind(vec![7_u8; 32]).bind(1).bind(7);
        let row = query.fetch_one(&mut connection).await.unwrap();
        assert!(row.get::<String, _>("detail").contains("session_runtime_owner"), "{:?}", row.get::<String, _>("detail"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_shows_neither_an_id_nor_an_owner() {
    let engine = engine::postgres();
    let store = connect(&engine.url).await;
    let (id, new) = (new_id(), new_id());
    let name = "ada.lovelace";
    let owner = Owner::new(&Namespace::new("SESSION_ID"), &name);
    create_owned(&store, &id, &owner).await;
    let mut rotation = Rotation::new(found(&store, &id).await);
    rotation.owner = Some(Box::new(Belonging::new(owner.clone())));
    assert!(matches!(store.rotate(key(&id), key(&new), rotation).await, Ok(Rotated::Rotated(_))));
    assert_eq!(store.count(&owner).await.unwrap(), 1);
    let mut connection = PgConnection::connect(servers::postgres().url()).await.unwrap();
    let sql = AssertSqlSafe(format!("SELECT t::text FROM {} AS t", engine.table()));
    let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    assert_eq!(rows.len(), 2, "the session and the mark");
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for secret in [id.as_str(), new.as_str(), name] {
        for row in &rows {
            assert!(!row.contains(secret) && !row.contains(&hex(secret)), "{row}");
        }
    }
}

/// What is run in a transaction of several statements is done whole or not at all, whichever of their answers is lost; and where it is that
/// of the last, the store knows that it is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_within_a_limit_whose_answer_is_lost_is_done_whole_or_not_at_all() {
    let limit = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::EndOldest));
    for (engine, port) in [(engine::postgres(), servers::postgres().port()), (engine::mariadb(), servers::mariadb().port())] {
        let proxy = Proxy::to(port).await;
        let (store, direct) = (connect(&proxy.url(&engine.url, port)).await, connect(&engine.url).await);
        let [mut creations, mut rotations] = [0, 0];
        for answers in (0..16).cycle().take(160) {
            if creations > 0 && rotations > 0 && answers == 0 {
                break;
            }
            let owner = owner(rand::random());
            let [before, created, guest, moved] = [(); 4].map(|()| new_id());
            // What is sent to a new connection is prepared first.
            create_limited(&store, &before, &owner, limit).await.unwrap();
            let connections = proxy.connections();
            proxy.swallow_the_answer_after(answers);
            let answer = create_limited(&store, &created, &owner, limit).await;
            proxy.swallow_the_answer_after(u64::MAX);
            let [old, new] = [&before, &created].map(|id| direct.load(key(id)));
            let there = [old.await.unwrap(), new.await.unwrap()].map(|loaded| matches!(loaded, Loaded::Found(_)));
            assert_eq!(there, [answer.is_err(), answer.is_ok()], "{engine:?}, {answers}: {answer:?}");
            creations += u32::from(answer.is_ok() && proxy.connections() > connections);

            let last = if answer.is_ok() { created } else { before };
            assert!(matches!(direct.create(key(&guest), new_session(counter(1), HOUR, None)).await, Ok(Created::Created(_))));
            let mut rotation = Rotation::new(found(&store, &guest).await);
            let mut belonging = Belonging::new(owner.clone());
            belonging.limit = limit;
            rotation.owner = Some(Box::new(belonging));
            let connections = proxy.connections();
            proxy.swallow_the_answer_after(answers);
            let answer = store.rotate(key(&guest), key(&moved), rotation).await;
            proxy.swallow_the_answer_after(u64::MAX);
            let [last, old, new] = [&last, &guest, &moved].map(|id| direct.load(key(id)));
            let there =
                [last.await.unwrap(), old.await.unwrap(), new.await.unwrap()].map(|loaded| matches!(loaded, Loaded::Found(_)));
            assert_eq!(there, [answer.is_err(), answer.is_err(), answer.is_ok()], "{engine:?}, {answers}: {answer:?}");
            rotations += u32::from(answer.is_ok() && proxy.connections() > connections);
            assert_eq!(direct.count(&owner).await.unwrap(), 1, "{engine:?}, {answers}");
        }
        assert!(creations > 0 && rotations > 0, "{engine:?}: no answer was lost after which it was known what was done");
    }
}

/// The checks of the conformance kit that depend on what is seen of what is under way.
async fn owners_are_kept<S: Store<String>>(level: &str, open: impl AsyncFn(&str) -> S + Clone) {
    println!("{level}");
    for check in ["ending_wins_over_what_is_under_way", "nobody_has_more_than_allowed", "a_list_is_exact"] {
        let checks: Conformance<'_, String> = conformance(open.clone());
        checks.shared().only(check).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_are_kept_in_postgres_at_every_level_of_isolation() {
    for level in ["read committed", "repeatable read", "serializable"] {
        let set = format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}");
        let pool = PgPoolOptions::new().max_connections(6).after_connect(move |connection, _| {
            let set = AssertSqlSafe(set.clone());
            Box::pin(async move { sqlx::raw_sql(set).execute(connection).await.map(drop) })
        });
        let pool = pool.connect(servers::postgres().url()).await.unwrap();
        owners_are_kept(level, async move |place: &str| {
            PostgresStore::from_pool(pool.clone(), SqlOptions::new().table(place)).await.unwrap()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_are_kept_in_mariadb_at_every_level_of_isolation() {
    for level in ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let set = format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}");
        let pool = MySqlPoolOptions::new().max_connections(6).after_connect(move |connection, _| {
            let set = AssertSqlSafe(set.clone());
            Box::pin(async move { sqlx::raw_sql(set).execute(connection).await.map(drop) })
        });
        let pool = pool.connect(servers::mariadb().url()).await.unwrap();
        owners_are_kept(level, async move |place: &str| {
            MySqlStore::from_pool(pool.clone(), SqlOptions::new().table(place)).await.unwrap()
        })
        .await;
    }
}

/// A server that answers the end of a transaction by an error, after which the connection could be used on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_goes_on_in_a_transaction_that_was_not_ended() {
    let refuse = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::Refuse));
    let (postgres, mariadb) = (servers::postgres().port(), servers::mariadb().port());
    let refused_postgres: (&[u8], _) = (b"ROLLBACK\0", proxy::postgres_error("57014"));
    let refused_mariadb: (&[u8], _) = (b"\x03ROLLBACK", proxy::mariadb_error(1317));
    for (engine, port, (said, answer)) in
        [(engine::postgres(), postgres, refused_postgres), (engine::mariadb(), mariadb, refused_mariadb)]
    {
        let proxy = Proxy::to(port).await;
        let (store, direct) = (connect(&proxy.url(&engine.url, port)).await, connect(&engine.url).await);
        let owner = owner(7);
        assert!(matches!(create_limited(&store, &new_id(), &owner, refuse).await, Ok(Created::Created(_))), "{engine:?}");
        proxy.refuse(said, answer);
        let there = create_limited(&store, &new_id(), &owner, refuse).await;
        assert!(matches!(there, Ok(Created::TooMany)), "{engine:?}: {there:?}");
        assert_eq!(proxy.refuse_nothing(), [1], "{engine:?}");
        let end_oldest = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::EndOldest));
        let there = create_limited(&direct, &new_id(), &owner, end_oldest).await;
        assert!(matches!(there, Ok(Created::Created(_))), "{engine:?}: somebody is at the fence: {there:?}");
        assert_eq!(direct.count(&owner).await.unwrap(), 1, "{engine:?}");
    }
}

/// What ended a transaction in place of its `ROLLBACK` has ended the other connections too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_down_at_the_end_of_a_transaction_is_left_on_all_connections() {
    let refuse = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::Refuse));
    let (postgres, mariadb) = (servers::postgres().port(), servers::mariadb().port());
    let down_postgres: (&[u8], _) = (b"ROLLBACK\0", proxy::postgres_error("57P01"));
    let down_mariadb: (&[u8], _) = (b"\x03ROLLBACK", proxy::mariadb_error(1053));
    for (engine, port, (said, answer)) in
        [(engine::postgres(), postgres, down_postgres), (engine::mariadb(), mariadb, down_mariadb)]
    {
        let proxy = Proxy::to(port).await;
        let store = connect(&proxy.url(&engine.url, port)).await;
        let (owner, id) = (owner(7), new_id());
        assert!(matches!(create_limited(&store, &id, &owner, refuse).await, Ok(Created::Created(_))), "{engine:?}");
        fill(&store, &id).await;
        proxy.refuse(said, answer);
        let there = create_limited(&store, &new_id(), &owner, refuse).await;
        assert!(matches!(there, Ok(Created::TooMany)), "{engine:?}: {there:?}");
        assert_eq!(proxy.refuse_nothing(), [1], "{engine:?}");
        let connections = proxy.connections();
        assert_eq!(found(&store, &id).await.data.count, 1, "{engine:?}");
        assert!(proxy.connections() > connections, "{engine:?}: one that was idle meanwhile is used");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_may_be_committed_is_not_done_again_because_the_end_of_its_transaction_fails() {
    let (engine, port) = (engine::mariadb(), servers::mariadb().port());
    let proxy = Proxy::to(port).await;
    let store = connect(&proxy.url(&engine.url, port)).await;
    let limit = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::EndOldest));
    create_limited(&store, &new_id(), &owner(7), limit).await.unwrap();
    // On one node of several it may stand; then the server goes down.
    proxy.refuse(b"\x03COMMIT", proxy::mariadb_error(1180));
    proxy.refuse(b"\x03ROLLBACK", proxy::mariadb_error(1053));
    let created = create_limited(&store, &new_id(), &owner(7), limit).await;
    assert!(created.is_err(), "{created:?}");
    assert_eq!(proxy.refuse_nothing(), [1, 1]);
    let created = create_limited(&store, &new_id(), &owner(7), limit).await;
    assert!(matches!(created, Ok(Created::Created(_))), "{created:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_may_take_longer_than_one_statement() {
    let limit = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::EndOldest));
    for (engine, port) in [(engine::postgres(), servers::postgres().port()), (engine::mariadb(), servers::mariadb().port())] {
        let proxy = Proxy::to(port).await;
        let url = proxy.url(engine.url.split('?').next().unwrap(), port);
        let options = SqlOptions::new().table(engine.table()).statement_timeout(Duration::from_secs(1));
        let store = if engine.name == "PostgreSQL" {
            AnyStore::new(PostgresStore::connect_with(url, options).await.unwrap())
        } else {
            AnyStore::new(MySqlStore::connect_with(url, options).await.unwrap())
        };
        create_limited(&store, &new_id(), &owner(7), limit).await.unwrap();
        // Each of the six answers long before the limit, all of them together after it, and after the store's patience with one.
        proxy.hold_back(Duration::from_millis(400));
        let created = create_limited(&store, &new_id(), &owner(7), limit).await;
        assert!(matches!(created, Ok(Created::Created(_))), "{engine:?}: {created:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_that_wait_for_each_other_leave_the_connections_to_others() {
    const MOST: u32 = 3;

    let limit = Some(OwnerLimit::new(NonZeroU32::MIN, WhenFull::EndOldest));
    for engine in [engine::postgres(), engine::mariadb()] {
        // Longer than the test goes on.
        let patience = 2 * PATIENCE;
        let options = SqlOptions::new().table(engine.table()).max_connections(MOST).statement_timeout(patience);
        let url = engine.url.split('?').next().unwrap();
        let store = if engine.name == "PostgreSQL" {
            AnyStore::new(PostgresStore::connect_with(url, options).await.unwrap())
        } else {
            AnyStore::new(MySqlStore::connect_with(url, options).await.unwrap())
        };
        create_limited(&store, &new_id(), &owner(7), limit).await.unwrap();
        let other = new_id();
        create_owned(&store, &other, &owner(8)).await;
        // The fence, too.
        let holder = hold_rows(&engine, false).await;
        let ids: Vec<SessionId> = (0..20).map(|_| new_id()).collect();
        let logins: Vec<_> = ids
            .iter()
            .map(|id| {
                let (store, id) = (store.clone(), *id);
                tokio::spawn(async move { create_limited(&store, &id, &owner(7), limit).await })
            })
            .collect();
        let others = async {
            for _ in 0..50 {
                assert_eq!(found(&store, &other).await.data.count, 1);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, others).await.unwrap_or_else(|_| panic!("{engine:?}: the logins have all connections"));
        assert!(logins.iter().all(|login| !login.is_finished()), "{engine:?}: nobody waits");
        holder.commit().await;
        for login in logins {
            assert!(matches!(login.await.unwrap(), Ok(Created::Created(_))), "{engine:?}");
        }
        assert_eq!(store.count(&owner(7)).await.unwrap(), 1, "{engine:?}");
    }
}
