//! Set-Cookie only when something changed for the client, and then with every attribute.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, SET_COOKIE, VARY};
use axum::http::{HeaderMap, HeaderValue, Request};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::post;
use session_runtime::{SameSite, SessionData};

use crate::support::Client;
use crate::support::visit::{Builder, Store, Visit, client, lazy, standard};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test]
async fn the_cookie_is_sent_when_the_session_is_new_rotated_or_destroyed_and_not_otherwise() {
    for (builder, _) in [lazy(), standard()] {
        let mut client = client(builder);
        assert!(client.post("/add").await.set_cookie().is_some());
        for path in ["/add", "/name/ada", "/set/bob"] {
            assert_eq!(client.post(path).await.set_cookie(), None, "{path}");
        }
        for path in ["/read", "/untouched"] {
            assert_eq!(client.get(path).await.set_cookie(), None, "{path}");
        }
        assert!(client.post("/rotate").await.set_cookie().is_some());
        assert!(client.post("/login/ada").await.set_cookie().is_some());
        let gone = client.post("/logout").await;
        assert_eq!(gone.set_cookie().unwrap(), "SESSION_ID=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0");
    }
}

#[tokio::test]
async fn the_default_attributes_are_the_safe_ones() {
    let (builder, _) = lazy();
    let answer = client(builder).post("/add").await;
    let (pair, attributes) = answer.set_cookie().unwrap().split_once(';').unwrap();
    assert!(pair.starts_with("SESSION_ID=") && pair.len() == "SESSION_ID=".len() + 100);
    assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax; Secure");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn every_option_shows_in_the_cookie_and_in_its_removal() {
    let (builder, _) = lazy();
    let builder = builder
        .cookie_name("__Secure-sid")
        .same_site(SameSite::None)
        .path("/")
        .domain("example.com")
        .persistent(true)
        .partitioned(true)
        .session_expire(60_u64);
    let mut client = client(builder);
    let set = client.post("/add").await;
    let (_, attributes) = set.set_cookie().unwrap().split_once(';').unwrap();
    assert_eq!(attributes, " Path=/; HttpOnly; SameSite=None; Domain=example.com; Partitioned; Secure; Max-Age=60");
    let removed = client.post("/logout").await;
    assert_eq!(
        removed.set_cookie().unwrap(),
        "__Secure-sid=; Path=/; HttpOnly; SameSite=None; Domain=example.com; Partitioned; Secure; Max-Age=0"
    );
}

#[tokio::test]
async fn a_host_prefixed_cookie_is_written_and_read_back() {
    let (builder, _) = lazy();
    let mut client = client(builder.cookie_name("__Host-sid"));
    let set = client.post("/add").await;
    assert!(set.set_cookie().unwrap().starts_with("__Host-sid="));
    assert!(set.set_cookie().unwrap().ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"));
    assert_eq!(client.post("/add").await.body, "2");
    let id = client.cookie.clone().unwrap().replace("__Host-sid=", "");
    for name in ["__HOST-sid", "__host-sid", "%5F_Host-sid", "=__Host-sid", " =__Host-sid", "__Host-sid "] {
        let answer = client.with_cookie(format!("{name}={id}")).get("/read").await;
        assert_eq!(answer.body, " 0", "{name}");
    }
}

/// A build with debug assertions, as this one, leaves `Secure` out for a loopback host only, and only where nothing asks for it.
#[tokio::test]
async fn secure_is_left_out_for_a_loopback_host_in_a_debug_build_alone() {
    let set_cookie = async |builder: crate::support::visit::Builder, host: &str| {
        let request = Request::post("/add").header("host", host).body(Body::empty()).unwrap();
        client(builder).request(request).await.set_cookie().unwrap().to_owned()
    };
    for host in ["localhost:3000", "127.0.0.1:3000", "[::1]:3000", "app.localhost"] {
        assert_eq!(set_cookie(lazy().0, host).await.contains("Secure"), !cfg!(debug_assertions), "{host}");
        assert!(set_cookie(lazy().0.secure(true), host).await.contains("Secure"), "{host}");
        assert!(set_cookie(lazy().0.cookie_name("__Host-a"), host).await.contains("Secure"), "{host}");
        assert!(!set_cookie(lazy().0.secure(false), host).await.contains("Secure"), "{host}");
    }
    for host in ["example.com", "127.0.0.1.example.com", "localhost.example.com"] {
        assert!(set_cookie(lazy().0, host).await.contains("Secure"), "{host}");
    }
}

#[tokio::test]
async fn vary_stands_on_every_response_whose_session_was_read_or_changed() {
    for (builder, _) in [lazy(), standard()] {
        let mut client = client(builder);
        for _ in 0..2 {
            assert_eq!(client.get("/read").await.header("vary"), Some("cookie"));
            assert_eq!(client.post("/add").await.header("vary"), Some("cookie"));
        }
        assert_eq!(client.post("/logout").await.header("vary"), Some("cookie"));
    }
}

#[tokio::test]
async fn what_the_handler_set_stays() {
    let (builder, _) = lazy();
    let app = Router::new()
        .route(
            "/",
            post(async |session: SessionData<Visit>| {
                session.update(|visit| visit.count += 1).await.unwrap();
                let mut headers = HeaderMap::new();
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
                headers.insert(VARY, HeaderValue::from_static("Accept, Cookie"));
                (headers, AppendHeaders([(SET_COOKIE, "a=1"), (SET_COOKIE, "b=2")])).into_response()
            }),
        )
        .layer(builder.build().unwrap());
    let answer = Client::of(app).request(Request::post("/").body(Body::empty()).unwrap()).await;
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(&cookies[..2], ["a=1", "b=2"]);
    assert!(cookies[2].starts_with("SESSION_ID="));
    assert_eq!(cookies.len(), 3);
    assert_eq!(answer.header("cache-control"), Some("private"));
    assert_eq!(answer.headers.get_all("vary").iter().count(), 1);
}

/// An id that came in another header than the cookie never comes back in one, though a touch is due that would move its `Max-Age`.
#[tokio::test(start_paused = true)]
async fn no_cookie_is_sent_for_an_id_that_came_from_elsewhere() {
    use axum::http::request::Parts;

    fn bearer(request: &Parts) -> Option<String> {
        Some(request.headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")?.to_owned())
    }

    let (builder, store) = lazy();
    let builder = builder.session_id_callback(bearer).persistent(true).session_expire(HOUR);
    let client = client(builder);
    let created = client.clone().post("/add").await;
    let id = created.id().unwrap().to_owned();
    tokio::time::advance(HOUR / 5).await;
    for (method, path) in [("GET", "/read"), ("POST", "/add"), ("POST", "/rotate"), ("GET", "/untouched")] {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {id}"));
        let answer = client.request(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.set_cookie()), (200, None), "{path}");
    }
    assert_eq!(store.store.len(), 1);
}

/// Nor where a middleware behind the layer sets it, when a session was created for the request already.
#[tokio::test]
async fn no_cookie_carries_an_id_that_was_set_behind_the_layer() {
    use std::sync::Arc;

    use crate::support::yielding::Yielding;
    use axum::middleware::{Next, from_fn};
    use axum::response::Response;
    use axum::routing::get;
    use session_runtime::store::MemoryStore;
    use session_runtime::{SessionLayer, SessionRequestExt as _};

    async fn bearer(mut request: Request<Body>, next: Next) -> Response {
        if let Some(id) = request.headers().get("authorization").cloned() {
            request.set_session_id(id.to_str().unwrap());
        }
        next.run(request).await
    }

    let memory = Arc::new(MemoryStore::<Visit>::new());
    let builder = SessionLayer::<Visit>::builder;
    for builder in [builder().store(Arc::clone(&memory)), builder().store(Yielding::sharing(memory))] {
        let handler = async |session: SessionData<Visit>| session.session_id().unwrap().as_str().to_owned();
        let app = Router::new().route("/", get(handler)).layer(from_fn(bearer)).layer(builder.build().unwrap());
        let mut client = Client::of(app);
        let id = client.get("/").await.body;
        let request = Request::get("/").header("authorization", &id).body(Body::empty()).unwrap();
        let answer = client.request(request).await;
        assert_eq!(answer.body, id);
        assert_ne!(answer.id(), Some(id.as_str()));
    }
}

/// Ids are taken from the configured source only, on the second request, too.
#[tokio::test]
async fn a_cookie_is_not_read_where_the_callback_does_not_read_it() {
    use axum::http::request::Parts;

    let (builder, _) = lazy();
    let mut client = client(builder.session_id_callback(|_: &Parts| None::<String>));
    assert_eq!(client.post("/add").await.body, "1");
    assert_eq!(client.post("/add").await.body, "1");
}

/// Whatever a middleware says after the cookie was added: one around the standard one, and one that adds it by hand.
#[tokio::test]
async fn a_middleware_around_the_cookie_does_not_make_it_public() {
    use axum::extract::Request;
    use axum::middleware::Next;
    use axum::response::Response;
    use session_runtime::{Session, SessionError, SessionRequestExt as _, standard as middlewares};

    fn public(mut response: Response) -> Response {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
        response.headers_mut().insert("cdn-cache-control", HeaderValue::from_static("max-age=60"));
        response
    }

    async fn around(session: Session<Visit>, request: Request, next: Next) -> Response {
        public(middlewares::session_middleware(session, request, next).await)
    }

    async fn by_hand(session: Session<Visit>, mut request: Request, next: Next) -> Result<Response, SessionError> {
        session.fetch_session_id(&mut request).await;
        if session.session_exists(&request).await? {
            return Ok(public(next.run(request).await));
        }
        let id = session.create_session().await?;
        request.set_session_id(id);
        Ok(public(session.add_session_id(next.run(request).await, &id)))
    }

    for mut client in [client(standard().0.middleware(around)), client(standard().0.middleware(by_hand))] {
        let answer = client.get("/read").await;
        assert!(answer.set_cookie().is_some());
        assert_eq!((answer.header("cache-control"), answer.header("cdn-cache-control")), (Some("no-store"), None));
        let answer = client.get("/read").await;
        assert_eq!((answer.set_cookie(), answer.header("cache-control")), (None, Some("public, max-age=60")));
        assert_eq!(client.post("/rotate").await.header("cache-control"), Some("no-store"));
    }
}

/// A dead bearer token, or one that is somebody else's, beside the cookie of a session: the answer would take that cookie's place.
#[tokio::test]
async fn no_new_session_takes_the_place_of_a_cookie_that_is_not_read() {
    use axum::http::StatusCode;
    use axum::http::request::Parts;
    use session_runtime::SessionRequestExt as _;

    fn bearer_or_cookie(request: &Parts) -> Option<&str> {
        let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        header.and_then(|value| value.strip_prefix("Bearer ")).or_else(|| request.cookie("SESSION_ID"))
    }

    for (builder, store) in [lazy(), standard()] {
        let mut client = client(builder.session_id_callback(bearer_or_cookie));
        client.post("/login/ada").await;
        for token in ["0123456789abcdef0123456789abcdef", &"eyJ.".repeat(100)] {
            let send = async |method, path| {
                let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
                client.request(request.header("cookie", client.cookie.as_ref().unwrap()).body(Body::empty()).unwrap()).await
            };
            let answer = send("GET", "/read").await;
            assert_eq!((answer.status, &*answer.body, answer.set_cookie()), (StatusCode::OK, " 0", None));
            let answer = send("POST", "/add").await;
            assert_eq!((answer.status, answer.set_cookie()), (StatusCode::UNAUTHORIZED, None));
            assert_eq!(store.store.len(), 1);
        }
        assert_eq!(client.get("/read").await.body, "ada 0");
        let login = Request::post("/login/eve").header("authorization", "Bearer 0123456789abcdef0123456789abcdef");
        let login = login.header("cookie", client.cookie.as_ref().unwrap()).body(Body::empty()).unwrap();
        assert!(client.request(login).await.id().is_some(), "who logs in means it");
    }
}

/// Of another framework, or of a session that has expired: it was read, by what is the id to the callback, and is replaced.
#[tokio::test]
async fn a_cookie_of_which_a_callback_makes_an_id_of_its_own_is_read() {
    use axum::http::request::Parts;
    use session_runtime::SessionRequestExt as _;

    fn without_signature(request: &Parts) -> Option<String> {
        let cookie = request.cookie("SESSION_ID")?;
        let signed = cookie.strip_prefix("s%3A").unwrap_or(cookie);
        signed.split('.').next().map(str::to_owned)
    }

    fn decoded(request: &Parts) -> Option<String> {
        request.cookie("SESSION_ID").map(|cookie| cookie.replace("%3A", ":").replace("%20", " "))
    }

    fn as_it_came(request: &Parts) -> Option<String> {
        let header = request.headers.get("cookie").and_then(|value| value.to_str().ok());
        header.and_then(|value| value.strip_prefix("SESSION_ID=")).map(str::to_owned)
    }

    let with = |(builder, store): (Builder, Store), callback: fn(&Parts) -> Option<String>| {
        (client(builder.session_id_callback(callback)), store)
    };
    for start in [lazy, standard] {
        for (callback, came) in [
            (without_signature as fn(&Parts) -> Option<String>, "s%3A0123456789abcdef0123456789abcdef.c2lnbmF0dXJl"),
            (decoded, "s%3A0123456789abcdef0123456789abcdef"),
            (decoded, "a%20b"),
            (as_it_came, "\"0123456789abcdef0123456789abcdef\""),
        ] {
            let (client, store) = with(start(), callback);
            let mut client = client.with_cookie(format!("SESSION_ID={came}"));
            for count in ["1", "2"] {
                assert_eq!(client.post("/add").await.body, count, "{came}");
            }
            assert_eq!(store.store.len(), 1);
        }
    }
}
