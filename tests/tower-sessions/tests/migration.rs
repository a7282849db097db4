//! Sessions that tower-sessions made, and goes on making, in a store that is used here as well.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use session_runtime::store::TowerSessionsStore;
use session_runtime::{OnUndecodable, SessionData, SessionLayer, standard};
use tokio::sync::watch;
use tower::ServiceExt;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{ExpiredDeletion, Result};
use tower_sessions::{Session, SessionManagerLayer, SessionStore};
use tower_sessions_sqlx_store::SqliteStore;

mod stores;

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Default, Serialize, Deserialize)]
struct Visit {
    pages: u32,
}

/// The program before.
fn before<S: SessionStore + Clone>(store: S) -> Router {
    async fn page(session: Session) -> String {
        let mut visit: Visit = session.get("visit").await.unwrap().unwrap_or_default();
        visit.pages += 1;
        session.insert("visit", &visit).await.unwrap();
        visit.pages.to_string()
    }
    let theme = async |session: Session| session.insert("theme", "dark").await.unwrap();
    let show = async |session: Session| format!("{:?}", session.get::<String>("theme").await.unwrap());
    Router::new()
        .route("/", post(page))
        .route("/theme", get(show).post(theme))
        .layer(SessionManagerLayer::new(store).with_secure(false))
}

/// The program after.
fn after<S: SessionStore>(store: TowerSessionsStore<S>) -> Router {
    after_where("id", OnUndecodable::Fail, store)
}

fn after_where<S: SessionStore>(
    namespace: &'static str,
    on_undecodable: OnUndecodable,
    store: TowerSessionsStore<S>,
) -> Router {
    let page = async |session: SessionData<Visit>| {
        let change = |visit: &mut Visit| {
            visit.pages += 1;
            visit.pages.to_string()
        };
        session.update(change).await
    };
    let layer = SessionLayer::<Visit>::builder()
        .store(store)
        .on_undecodable(on_undecodable)
        .cookie_name("id")
        .namespace(namespace)
        // Longer than any machine takes.
        .store_timeout(HOUR)
        .secure(false)
        .middleware(standard::lazy_session_middleware)
        .build()
        .unwrap();
    Router::new()
        .route("/", post(page))
        .route("/login", post(async |session: SessionData<Visit>| session.rotate().await))
        .route("/logout", post(async |session: SessionData<Visit>| session.destroy().await))
        .layer(layer)
}

/// Sends a request with the client's cookie, and keeps the one that comes back; the answer's body.
async fn send(app: &Router, method: &str, path: &str, cookie: &mut String) -> String {
    let request = Request::builder().method(method).uri(path).header(header::HOST, "example.com");
    let request = request.header(header::COOKIE, &*cookie).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    if let Some(set) = response.headers().get(header::SET_COOKIE) {
        set.to_str().unwrap().split(';').next().unwrap().clone_into(cookie);
    }
    assert!(response.status().is_success() || response.status() == 401, "{path}: {}", response.status());
    String::from_utf8(to_bytes(response.into_body(), 1000).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_session_of_tower_sessions_goes_on_with_its_id_and_its_other_values() {
    async fn check<S: SessionStore + Clone>(name: &str, store: S) {
        let before = before(store.clone());
        let mut cookie = String::new();
        assert_eq!(send(&before, "POST", "/", &mut cookie).await, "1", "{name}");
        send(&before, "POST", "/theme", &mut cookie).await;
        let first = cookie.clone();
        let after = after(TowerSessionsStore::new(store).keep_existing("visit"));
        assert_eq!(send(&after, "POST", "/", &mut cookie).await, "2", "{name}");
        assert_eq!(send(&after, "POST", "/", &mut cookie).await, "3", "{name}");
        assert_eq!(cookie, first, "{name}: the cookie stays");
        assert_eq!(send(&before, "POST", "/", &mut cookie).await, "4", "{name}: and the way back is open");
        assert_eq!(send(&before, "GET", "/theme", &mut cookie).await, "Some(\"dark\")", "{name}");
    }
    with_each_store!(check);
}

#[tokio::test]
async fn a_login_gives_it_an_id_that_the_store_does_not_show_and_a_logout_ends_it() {
    async fn check<S: SessionStore + Clone>(name: &str, store: S) {
        let mut cookie = String::new();
        send(&before(store.clone()), "POST", "/", &mut cookie).await;
        let old = cookie.clone();
        let after = after(TowerSessionsStore::new(store.clone()).keep_existing("visit"));
        send(&after, "POST", "/login", &mut cookie).await;
        assert_eq!(cookie.len(), "id=".len() + 100, "{name}: {cookie}");
        assert_eq!(send(&after, "POST", "/", &mut cookie).await, "2", "{name}");
        let mut stale = old.clone();
        assert_eq!(send(&before(store), "POST", "/", &mut stale).await, "1", "{name}: the old id leads to nothing");
        let mut kept = cookie.clone();
        send(&after, "POST", "/logout", &mut cookie).await;
        assert_eq!(send(&after, "POST", "/", &mut kept).await, "1", "{name}: a session of its own");
    }
    with_each_store!(check);
}

#[tokio::test]
async fn the_id_that_stands_in_the_store_lets_nobody_in() {
    use session_runtime::SessionId;
    use session_runtime::store::{Key, Limits, Loaded, Namespace, NewSession, Origin, Store};
    use std::sync::{Arc, Mutex};

    /// Shows the ids that are written.
    #[derive(Debug, Clone, Default)]
    struct Seen(tower_sessions::MemoryStore, Arc<Mutex<Vec<Id>>>);

    #[async_trait::async_trait]
    impl SessionStore for Seen {
        async fn create(&self, record: &mut Record) -> Result<()> {
            self.1.lock().unwrap().push(record.id);
            self.0.create(record).await
        }

        async fn save(&self, record: &Record) -> Result<()> {
            self.0.save(record).await
        }

        async fn load(&self, id: &Id) -> Result<Option<Record>> {
            self.0.load(id).await
        }

        async fn delete(&self, id: &Id) -> Result<()> {
            self.0.delete(id).await
        }
    }

    let seen = Seen::default();
    let store = TowerSessionsStore::new(seen.clone()).keep_existing("visit");
    let id = SessionId::parse(&"x".repeat(100)).unwrap();
    let session = NewSession::new(Arc::new(Visit { pages: 7 }), Limits::new(HOUR, None), Origin::Change);
    let namespace = Namespace::new("id");
    store.create(Key::new(&namespace, &id), session).await.unwrap();
    let stands_there = seen.1.lock().unwrap()[0];
    assert!(seen.load(&stands_there).await.unwrap().is_some());
    let stolen = SessionId::parse(&stands_there.to_string()).unwrap();
    assert!(matches!(Store::<Visit>::load(&store, Key::new(&namespace, &stolen)).await, Ok(Loaded::Missing)));
    assert!(!Store::<Visit>::delete(&store, Key::new(&namespace, &stolen)).await.unwrap());
    assert!(matches!(Store::<Visit>::load(&store, Key::new(&namespace, &id)).await, Ok(Loaded::Found(_))));
}

#[tokio::test]
async fn a_session_of_tower_sessions_is_none_unless_it_is_asked_for_and_fits() {
    async fn check<S: SessionStore + Clone>(name: &str, store: S) {
        let mut cookie = String::new();
        send(&before(store.clone()), "POST", "/", &mut cookie).await;
        let first = cookie.clone();
        let fresh = [TowerSessionsStore::new(store.clone()), TowerSessionsStore::new(store.clone()).keep_existing("account")];
        for store in fresh {
            let mut cookie = first.clone();
            assert_eq!(send(&after(store), "POST", "/", &mut cookie).await, "1", "{name}");
            assert_ne!(cookie, first, "{name}: under an id of its own");
        }
        send(&before(store.clone()), "POST", "/theme", &mut cookie).await;
        let other_value = TowerSessionsStore::new(store.clone()).keep_existing("theme");
        let mut other = first.clone();
        let discards = after_where("id", OnUndecodable::Discard, other_value);
        assert_eq!(send(&discards, "POST", "/", &mut other).await, "1", "{name}: a text is no visit");
        assert_eq!(send(&before(store), "POST", "/", &mut cookie).await, "2", "{name}: it is still there");
    }
    with_each_store!(check);
}

/// Until it is changed here, nobody knows whose session a record of tower-sessions is.
#[tokio::test]
async fn a_session_of_tower_sessions_is_the_layers_that_first_changed_it() {
    async fn check<S: SessionStore + Clone>(name: &str, store: S) {
        let mut cookie = String::new();
        send(&before(store.clone()), "POST", "/", &mut cookie).await;
        let first = cookie.clone();
        let shared = TowerSessionsStore::new(store).keep_existing("visit");
        let [shop, admin] = ["shop", "admin"].map(|namespace| after_where(namespace, OnUndecodable::Fail, shared.clone()));
        assert_eq!(send(&shop, "POST", "/", &mut cookie).await, "2", "{name}");
        assert_eq!(cookie, first, "{name}");
        assert_eq!(send(&admin, "POST", "/", &mut cookie).await, "1", "{name}: it is unknown to the other layer");
        assert_ne!(cookie, first, "{name}");
        let mut cookie = first.clone();
        assert_eq!(send(&shop, "POST", "/", &mut cookie).await, "3", "{name}: nothing else has touched it");
    }
    with_each_store!(check);
}

/// Lets time pass for the session with this cookie, and nobody has to wait for it: what is kept of times is moved into the past.
async fn let_pass<S: SessionStore>(store: &S, cookie: &str, time: Duration) {
    let id = cookie.split_once('=').unwrap().1.parse().unwrap();
    let mut record = store.load(&id).await.unwrap().unwrap();
    record.expiry_date -= time;
    for name in ["absolute_at", "created_at", "expires_at"] {
        let Some(at) = record.data.get_mut("session_runtime").map(|terms| &mut terms[name]) else { continue };
        *at = (at.as_u64().unwrap() - u64::try_from(time.as_millis()).unwrap()).into();
    }
    store.save(&record).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_tower_sessions_ends_when_it_was_to_end() {
    async fn check<S: SessionStore + Clone>(name: &str, store: S) {
        use tower_sessions::Expiry;

        let page = async |session: Session| session.insert("visit", Visit { pages: 1 }).await.unwrap();
        let expiry = Expiry::OnInactivity(tower_sessions::cookie::time::Duration::hours(3));
        let layer = SessionManagerLayer::new(store.clone()).with_secure(false).with_expiry(expiry);
        let before = Router::new().route("/", post(page)).layer(layer);
        let mut cookie = String::new();
        send(&before, "POST", "/", &mut cookie).await;
        let first = cookie.clone();
        let after = after(TowerSessionsStore::new(store.clone()).keep_existing("visit"));
        for pages in ["2", "3"] {
            let_pass(&store, &cookie, HOUR).await;
            assert_eq!(send(&after, "POST", "/", &mut cookie).await, pages, "{name}");
        }
        let_pass(&store, &cookie, HOUR).await;
        assert_eq!(send(&after, "POST", "/", &mut cookie).await, "1", "{name}: it is over");
        assert_ne!(cookie, first, "{name}");
    }
    with_each_store!(check);
}

/// Counts the sweeps that fail.
#[derive(Debug, Clone)]
struct Failures(SqliteStore, watch::Sender<u32>);

#[async_trait::async_trait]
impl SessionStore for Failures {
    async fn save(&self, record: &Record) -> Result<()> {
        self.0.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.0.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.delete(id).await
    }
}

#[async_trait::async_trait]
impl ExpiredDeletion for Failures {
    async fn delete_expired(&self) -> Result<()> {
        let result = self.0.delete_expired().await;
        self.1.send_modify(|failures| *failures += u32::from(result.is_err()));
        result
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeping_goes_on_after_an_error() {
    use tower_sessions_sqlx_store::sqlx::{self, SqlitePool};

    let options = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool: SqlitePool = options.connect("sqlite::memory:").await.unwrap();
    let (store, failures) = (SqliteStore::new(pool.clone()), watch::Sender::new(0));
    let _store = TowerSessionsStore::new(Failures(store.clone(), failures.clone())).sweep_every(Duration::from_millis(50));
    // The table is not there yet: each sweep fails.
    failures.subscribe().wait_for(|failures| *failures >= 3).await.unwrap();
    store.migrate().await.unwrap();
    let dead = "INSERT INTO tower_sessions (id, data, expiry_date) VALUES ('dead', X'', '2020-01-01T00:00:00Z')";
    sqlx::query(dead).execute(&pool).await.unwrap();
    let start = Instant::now();
    loop {
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM tower_sessions").fetch_one(&pool).await.unwrap();
        if rows == 0 {
            return;
        }
        // Longer than any machine takes.
        assert!(start.elapsed() < Duration::from_secs(120), "it is never removed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
