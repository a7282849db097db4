//! The stores of tower-sessions pass the conformance kit, in one process.

use session_runtime::store::TowerSessionsStore;
use session_runtime::testing::{Conformance, conformance};
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{MemoryStore, SessionStore};
use tower_sessions_moka_store::MokaStore;

mod stores;

/// Fails, and says so in words that quote the id.
#[derive(Debug)]
struct Down;

fn failure<T>(id: Id) -> Result<T> {
    Err(Error::Backend(format!("no connection for {id}")))
}

#[async_trait::async_trait]
impl SessionStore for Down {
    async fn save(&self, record: &Record) -> Result<()> {
        failure(record.id)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        failure(*id)
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        failure(*id)
    }
}

fn all_laws<'a, S: SessionStore>(open: impl AsyncFn(&str) -> TowerSessionsStore<S> + 'a) -> Conformance<'a, String> {
    conformance(open).rotates_in_two_steps()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_memory_store() {
    let open = async |_: &str| TowerSessionsStore::new(MemoryStore::default());
    all_laws(open).failing(TowerSessionsStore::new(Down)).await;
    conformance::<Vec<u8>, _>(open).rotates_in_two_steps().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_memory_store_where_sessions_of_tower_sessions_are_kept() {
    let open = async |_: &str| TowerSessionsStore::new(MemoryStore::default()).keep_existing("data");
    all_laws(open).failing(TowerSessionsStore::new(Down).keep_existing("data")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_moka_store() {
    all_laws(async |_| TowerSessionsStore::new(MokaStore::new(None))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_sqlite_store() {
    all_laws(async |_| TowerSessionsStore::new(stores::sqlite().await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_sqlite_store_behind_its_moka_store() {
    all_laws(async |_| TowerSessionsStore::new(stores::cached().await)).await;
}

/// All stores wait at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mark_of_a_rotation_goes_after_30_s() {
    fn only(checks: Conformance<'_, String>) -> Conformance<'_, String> {
        checks.only("a_mark_goes_after_30_s").slow()
    }
    tokio::join!(
        only(all_laws(async |_| TowerSessionsStore::new(MemoryStore::default()))),
        only(all_laws(async |_| TowerSessionsStore::new(MokaStore::new(None)))),
        only(all_laws(async |_| TowerSessionsStore::new(stores::sqlite().await))),
        only(all_laws(async |_| TowerSessionsStore::new(stores::cached().await))),
    );
}
