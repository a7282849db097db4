//! A raw id appears in no log, Debug, error or store key.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::request::Parts;
use axum::routing::post;
use session_runtime::{OnStoreError, Session, SessionData, SessionId, SessionRequestExt};

use crate::support::Client;
use crate::support::log::log_everything;
use crate::support::visit::{Visit, client, lazy, standard};

#[tokio::test]
async fn no_id_is_logged_whatever_goes_wrong() {
    let (log, _guard) = log_everything();
    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder.on_store_error(OnStoreError::Anonymous));
        let mut ids = vec![client.post("/add").await.id().unwrap().to_owned()];
        ids.push(client.post("/rotate").await.id().unwrap().to_owned());
        store.set_down(true);
        for path in ["/add", "/rotate", "/logout", "/set/x"] {
            let answer = client.post(path).await;
            assert!(ids.iter().all(|id| !answer.body.contains(id)));
        }
        store.set_down(false);
        client.post("/logout").await;
        for id in ids {
            assert!(!log.text().contains(&id), "{}", log.text());
            assert!(!log.text().contains(&id[..16]));
        }
    }
    assert!(log.text().contains("goes on without its session"), "the outage is logged: {}", log.text());
}

#[tokio::test]
async fn a_callback_that_panics_answers_500_logs_its_name_and_stores_nothing() {
    fn bad_find(_: &mut Parts) {
        panic!("as the test wants");
    }
    async fn bad_find_later(_: &mut Parts) {
        tokio::task::yield_now().await;
        panic!("as the test wants");
    }
    fn bad_generate() -> String {
        panic!("as the test wants");
    }

    let (log, _guard) = log_everything();
    for make in [lazy as fn() -> (crate::support::visit::Builder, crate::support::visit::Store), standard] {
        for case in 0..3 {
            let (builder, store) = make();
            let (builder, name) = match case {
                0 => (builder.session_id_callback(bad_find), "bad_find"),
                1 => (builder.session_id_callback(bad_find_later), "bad_find_later"),
                _ => (builder.generate_session_id_callback(bad_generate), "bad_generate"),
            };
            let answer = client(builder).post("/add").await;
            assert_eq!(answer.status.as_u16(), 500, "{name}");
            assert_eq!(answer.set_cookie(), None);
            assert!(log.text().contains(name), "{name}: {}", log.text());
            assert!(store.take().is_empty());
        }
    }
}

#[tokio::test]
async fn no_debug_output_shows_an_id() {
    let shown = Arc::new(Mutex::new(String::new()));
    let show = Arc::clone(&shown);
    let (builder, _) = lazy();
    let layer = builder.build().unwrap();
    let debug_of_layer = format!("{layer:?}");
    let app = Router::new()
        .route("/add", post(async |session: SessionData<Visit>| crate::support::visit::add(&session).await))
        .route(
            "/show",
            post(async move |system: Session<Visit>, session: SessionData<Visit>, parts: Parts| {
                let id: SessionId = *parts.session_id().unwrap();
                *show.lock().unwrap() = format!("{system:?} {session:?} {id:?} {:?}", parts.extensions);
                session.session_id().unwrap().as_str().to_owned()
            }),
        )
        .layer(layer);
    let mut client = Client::of(app);
    client.post("/add").await;
    let id = client.post("/show").await.body;
    assert_eq!(id.len(), 100);
    let shown = shown.lock().unwrap();
    assert!(!shown.contains(&id) && shown.contains("SessionId(..)"), "{shown}");
    assert!(!debug_of_layer.contains(&id));
}

/// The key that a store is given shows a hash of the id at most.
#[tokio::test]
async fn a_store_key_does_not_show_the_id() {
    use session_runtime::store::*;

    struct Spy(Arc<Mutex<Vec<String>>>);
    impl Spy {
        fn see(&self, key: Key<'_>) {
            self.0.lock().unwrap().push(format!("{key:?} {:x}", key.keyed_hash(&HashSecret::random())));
        }
    }
    impl Store<Visit> for Spy {
        async fn create(&self, key: Key<'_>, _: NewSession<Visit>) -> Result<Created, StoreError> {
            self.see(key);
            Ok(Created::Created(Version(1)))
        }
        async fn load(&self, key: Key<'_>) -> Result<Loaded<Visit>, StoreError> {
            self.see(key);
            Ok(Loaded::Missing)
        }
        async fn replace(&self, key: Key<'_>, _: Version, _: Change<Visit>) -> Result<Replaced, StoreError> {
            self.see(key);
            Ok(Replaced::Missing)
        }
        async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
            self.see(key);
            Ok(false)
        }
        async fn rotate(&self, old: Key<'_>, new: Key<'_>, _: Rotation<Visit>) -> Result<Rotated, StoreError> {
            self.see(old);
            self.see(new);
            Ok(Rotated::Missing)
        }
        async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
            self.see(key);
            Ok(false)
        }
    }

    let seen = Arc::new(Mutex::new(Vec::new()));
    let (builder, _) = lazy();
    let mut client = client(builder.store(Spy(Arc::clone(&seen))));
    let id = client.post("/add").await.id().unwrap().to_owned();
    client.get("/read").await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|key| !key.contains(&id)), "{seen:?}");
}
