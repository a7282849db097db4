//! tower-sessions: 0.15 with its memory store, and 0.14 with the stores that are made for that version.

use std::error::Error;

use axum::Router;
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};

/// More sessions than any measurement makes.
const MOST_SESSIONS: u64 = 20_000_000;

/// The connections to Redis, as in the example of the store.
const CONNECTIONS: usize = 6;

/// The two versions have the same interface, in types of their own.
macro_rules! handlers {
    ($version:ident, $tower_sessions:ident) => {
        mod $version {
            use std::hint::black_box;

            use axum::Router;
            use axum::http::StatusCode;
            use axum::routing::get;
            use workloads::{Account, Data};
            use $tower_sessions::cookie::time::Duration;
            use $tower_sessions::session::Error;
            use $tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

            const KEY: &str = "account";

            pub(super) fn router(store: impl SessionStore + Clone) -> Router {
                Router::new()
                    .route("/untouched", get(async || "ok"))
                    .route("/read", get(async |session: Session| answer(read(session).await)))
                    .route("/write", get(async |session: Session| answer(write(session).await)))
                    .route("/new", get(async |session: Session| answer(session.insert(KEY, Account::sample()).await)))
                    .route("/rotate", get(async |session: Session| answer(rotate(session).await)))
                    .route("/counted", get(counted))
                    .layer(SessionManagerLayer::new(store).with_expiry(Expiry::OnInactivity(Duration::days(1))))
            }

            fn answer(result: Result<(), Error>) -> Result<&'static str, StatusCode> {
                result.map(|()| "ok").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
            }

            async fn read(session: Session) -> Result<(), Error> {
                let account: Account = session.get(KEY).await?.unwrap_or_default();
                black_box(account.sum());
                Ok(())
            }

            async fn write(session: Session) -> Result<(), Error> {
                let mut account: Account = session.get(KEY).await?.unwrap_or_default();
                black_box(account.sum());
                account.count();
                session.insert(KEY, account).await
            }

            async fn rotate(session: Session) -> Result<(), Error> {
                let mut account: Account = session.get(KEY).await?.unwrap_or_default();
                account.count();
                session.cycle_id().await?;
                session.insert(KEY, account).await
            }

            async fn counted(session: Session) -> Result<String, StatusCode> {
                let account: Result<Option<Account>, Error> = session.get(KEY).await;
                account
                    .map(|account| account.unwrap_or_default().counted().to_string())
                    .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    };
}

handlers!(newest, tower_sessions);
handlers!(before, tower_sessions_14);

pub(super) fn memory() -> Router {
    newest::router(tower_sessions::MemoryStore::default())
}

pub(super) fn moka() -> Router {
    before::router(tower_sessions_moka_store::MokaStore::new(Some(MOST_SESSIONS)))
}

/// Its Redis store, set up as in its example.
pub async fn over_redis(url: &str) -> Result<Router, Box<dyn Error>> {
    let pool = Pool::new(Config::from_url(url)?, None, None, None, CONNECTIONS)?;
    pool.connect();
    pool.wait_for_connect().await?;
    Ok(before::router(RedisStore::new(pool)).with_state(()))
}

/// The moka store with as many sessions that expire in so many seconds, and its router.
pub fn reclaiming_moka(sessions: usize, seconds: i64) -> Router {
    use tower_sessions_14::SessionStore;
    use tower_sessions_14::cookie::time::{Duration, OffsetDateTime};
    use tower_sessions_14::session::{Id, Record};

    let store = tower_sessions_moka_store::MokaStore::new(Some(MOST_SESSIONS));
    let expiry_date = OffsetDateTime::now_utc() + Duration::seconds(seconds);
    let account = serde_json::to_value(<workloads::Account as workloads::Data>::sample()).expect("plain data");
    for _ in 0..sessions {
        let mut record = Record { id: Id::default(), data: [("account".to_owned(), account.clone())].into(), expiry_date };
        workloads::client::at_once(store.create(&mut record)).expect("memory");
    }
    before::router(store).with_state(())
}
