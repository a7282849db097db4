//! `axum_session`, in memory alone or with its Redis pool behind the memory.

use std::error::Error;
use std::hint::black_box;

use axum::Router;
use axum::routing::get;
use axum_session::{DatabasePool, Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};
use axum_session_redispool::SessionRedisPool;
use redis_pool::SingleRedisPool;
use workloads::client::at_once;
use workloads::{Account, Data};

const KEY: &str = "account";

/// What a user's pool type must be.
trait Pool: DatabasePool + Clone + std::fmt::Debug + Send + Sync + 'static {}

impl<P: DatabasePool + Clone + std::fmt::Debug + Send + Sync + 'static> Pool for P {}

pub(super) fn memory() -> Router {
    let store = at_once(SessionStore::<SessionNullPool>::new(None, SessionConfig::default()));
    router(store.expect("memory"))
}

/// Its Redis pool, set up as in its example.
pub async fn over_redis(url: &str) -> Result<Router, Box<dyn Error>> {
    let pool = SingleRedisPool::from(redis::Client::open(url)?);
    let store = SessionStore::<SessionRedisPool>::new(Some(pool.into()), SessionConfig::default()).await?;
    Ok(router(store).with_state(()))
}

fn router<P: Pool>(store: SessionStore<P>) -> Router {
    Router::new()
        .route("/untouched", get(async || "ok"))
        .route("/read", get(read::<P>))
        .route("/write", get(write::<P>))
        .route("/new", get(new::<P>))
        .route("/rotate", get(rotate::<P>))
        .route("/counted", get(counted::<P>))
        .layer(SessionLayer::new(store))
}

async fn read<P: Pool>(session: Session<P>) -> &'static str {
    let account: Account = session.get(KEY).unwrap_or_default();
    black_box(account.sum());
    "ok"
}

async fn write<P: Pool>(session: Session<P>) -> &'static str {
    let mut account: Account = session.get(KEY).unwrap_or_default();
    black_box(account.sum());
    account.count();
    session.set(KEY, account);
    "ok"
}

async fn new<P: Pool>(session: Session<P>) -> &'static str {
    session.set(KEY, Account::sample());
    "ok"
}

async fn rotate<P: Pool>(session: Session<P>) -> &'static str {
    let mut account: Account = session.get(KEY).unwrap_or_default();
    account.count();
    session.renew();
    session.set(KEY, account);
    "ok"
}

async fn counted<P: Pool>(session: Session<P>) -> String {
    session.get::<Account>(KEY).unwrap_or_default().counted().to_string()
}
