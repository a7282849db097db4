//! Accounts: log in and out, a list of devices, "remember me", a limit of sessions, roles, and a second look at the password.
//!
//! ```sh
//! cargo run --example account
//! curl -c jar -b jar -X POST localhost:3000/cart/tea                              # a guest's cart
//! curl -c jar -b jar -d name=ada -d password=lovelace localhost:3000/login        # a new id; the cart stays
//! curl -c jar -b jar localhost:3000/me
//! curl -c jar -b jar localhost:3000/devices
//! curl -c jar -b jar -X POST localhost:3000/devices/end-others
//! curl -c jar -b jar -d password=lovelace localhost:3000/confirm                  # proves again who it is
//! curl -c jar -b jar -d new=analytical localhost:3000/password                    # and may change the password
//! curl -c jar -b jar -X POST localhost:3000/logout
//! ```
//!
//! The accounts are `ada`/`lovelace`, `linus`/`torvalds`, and `grace`/`hopper`, who is an administrator; a new password lasts as long as the process. A form or JSON goes in, JSON comes out. What
//! the environment says:
//!
//! | variable | what it is | default |
//! | --- | --- | --- |
//! | `SESSION_STORE` | where the sessions are | `memory:` |
//! | `OWNER_LIMIT` | sessions of a user; one more ends the oldest | 5 |
//! | `FRESH` | seconds for which a login or a confirmation lets a user change the password | 300 |
//! | `IDLE` | seconds that a session lives since it was last used | 1800 |
//! | `REMEMBER` | the same, if `remember=on` came with the login | 2592000 |
//! | `PORT` | where it listens | 3000 |

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use session_runtime::store::{self, AnyStore};
use session_runtime::{
    Lifetime, SessionData, SessionError, SessionInfo, SessionLayer, SessionOwner, Sessions, session_owner, standard,
};
use tokio::sync::Semaphore;

/// What a session holds.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Visit {
    user: Option<String>,
    role: String,
    cart: Vec<String>,
    /// The browser that logged in, for the list of devices.
    agent: String,
}

#[session_owner(Visit)]
fn owner(visit: &Visit) -> Option<&str> {
    visit.user.as_deref()
}

type Session = SessionData<Visit>;

/// What is known of the users, for as long as the process runs.
struct Accounts {
    hashes: Mutex<HashMap<String, String>>,
    /// Of a password that nobody has: an unknown name takes as long as a known one.
    nobody: String,
    /// Hashing takes memory and a processor, and must not take all of them. A site on the internet counts failures, too.
    hashing: Semaphore,
}

#[derive(Clone)]
struct App {
    accounts: Arc<Accounts>,
    settings: Settings,
}

#[derive(Clone, Copy)]
struct Settings {
    fresh: Duration,
    idle: Duration,
    remember: Duration,
}

impl Accounts {
    fn new() -> Self {
        let known = [("ada", "lovelace"), ("grace", "hopper"), ("linus", "torvalds")];
        let hashes = known.map(|(name, password)| (name.to_owned(), hash(password)));
        let at_once = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { hashes: Mutex::new(hashes.into()), nobody: hash("nobody's"), hashing: Semaphore::new(at_once) }
    }

    fn hash_of(&self, name: &str) -> Option<String> {
        self.hashes.lock().unwrap().get(name).cloned()
    }

    async fn set_password(&self, name: &str, password: String) -> Result<(), Refused> {
        let hash = self.hash(move || hash(&password)).await;
        let hash = hash.ok_or(Refused::With(StatusCode::INTERNAL_SERVER_ERROR, "the password was not changed"))?;
        self.hashes.lock().unwrap().insert(name.to_owned(), hash);
        Ok(())
    }

    /// The user's hash, if this is their password.
    async fn verify(&self, name: &str, password: String) -> Option<String> {
        let known = self.hash_of(name);
        let hash = known.clone().unwrap_or_else(|| self.nobody.clone());
        let is_right = self.hash(move || verify(&password, &hash)).await?;
        known.filter(|_| is_right)
    }

    /// It takes a while, and would hold up other requests of this thread.
    async fn hash<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
        let _permit = self.hashing.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }
}

fn hash(password: &str) -> String {
    let salt = SaltString::generate(&mut OsRng);
    Argon2::default().hash_password(password.as_bytes(), &salt).expect("a password can be hashed").to_string()
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// An answer that is not what was asked for.
enum Refused {
    Session(SessionError),
    With(StatusCode, &'static str),
}

impl From<SessionError> for Refused {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            // The layer makes JSON of it, by `error_response`.
            Self::Session(error) => error.into_response(),
            Self::With(status, why) => (status, Json(json!({ "error": why }))).into_response(),
        }
    }
}

type Answer = Result<Json<Value>, Refused>;

fn in_json(error: SessionError) -> Response {
    let why = match &error {
        SessionError::NotExists => "not logged in",
        SessionError::NotFresh { .. } => "not fresh",
        SessionError::TooManySessions => "too many sessions",
        error => error.status().canonical_reason().unwrap_or("error"),
    };
    let (status, headers) = (error.status(), error.into_response().headers().clone());
    let mut response = (status, Json(json!({ "error": why }))).into_response();
    // Such as what has to be done for a 401, and when to try again.
    for name in ["www-authenticate", "retry-after"] {
        if let Some(value) = headers.get(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// The fields of a form, or of JSON.
struct Fields(HashMap<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let wrong = || Refused::With(StatusCode::UNPROCESSABLE_ENTITY, "neither a form nor JSON");
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_json = content_type.starts_with("application/json");
        if is_json {
            return Json::from_request(request, state).await.map(|Json(fields)| Self(fields)).map_err(|_| wrong());
        }
        let Form(fields) = Form::<HashMap<String, String>>::from_request(request, state).await.map_err(|_| wrong())?;
        Ok(Self(fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect()))
    }
}

impl Fields {
    fn text(&self, name: &'static str) -> Result<&str, Refused> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.ok_or(Refused::With(StatusCode::UNPROCESSABLE_ENTITY, "a field is missing"))
    }

    fn is_on(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Value::Bool(true))) || self.0.get(name).and_then(Value::as_str) == Some("on")
    }
}

async fn log_in(State(app): State<App>, session: Session, headers: HeaderMap, fields: Fields) -> Answer {
    // Else another site could log a visitor in as somebody whose cart it knows.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(Refused::With(StatusCode::FORBIDDEN, "log in on this site"));
    }
    let wrong = || Refused::With(StatusCode::FORBIDDEN, "wrong name or password");
    let (name, password) = (fields.text("name")?.to_owned(), fields.text("password")?.to_owned());
    let hash = app.accounts.verify(&name, password).await.ok_or_else(wrong)?;
    // The role is the session's, as the cart is. A site keeps it with the account, and changes it there first.
    let role = if name == "grace" { "administrator" } else { "customer" };
    let agent: String =
        headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("unknown").chars().take(200).collect();
    let was_logged_in = session.user.is_some();
    session
        .rotate_with(|visit| {
            // A guest's cart stays, and nobody else's.
            if visit.user.as_ref().is_some_and(|user| *user != name) {
                visit.cart.clear();
            }
            visit.user = Some(name.clone());
            role.clone_into(&mut visit.role);
            visit.agent.clone_from(&agent);
        })
        .await?;
    let lived = if fields.is_on("remember") {
        session.set_lifetime(Lifetime::idle(app.settings.remember).persistent(true)).await
    } else if was_logged_in {
        // It may have been remembered.
        session.set_lifetime(Lifetime::idle(app.settings.idle).persistent(false)).await
    } else {
        Ok(())
    };
    if let Err(error) = lived {
        session.destroy().await?;
        return Err(error.into());
    }
    // Whoever changed the password meanwhile has ended the sessions that there were, and this one came later.
    if app.accounts.hash_of(&name) != Some(hash) {
        session.destroy().await?;
        return Err(wrong());
    }
    Ok(Json(json!({ "user": name })))
}

async fn log_out(session: Session) -> Answer {
    session.destroy().await?;
    Ok(Json(json!({})))
}

async fn me(user: SessionOwner<Visit>, session: Session) -> Json<Value> {
    Json(json!({ "user": *user, "role": session.role, "cart": session.cart }))
}

async fn add_to_cart(session: Session, Path(item): Path<String>) -> Answer {
    let cart = session
        .update(|visit| {
            visit.cart.push(item.clone());
            visit.cart.clone()
        })
        .await?;
    Ok(Json(json!({ "cart": cart })))
}

async fn devices(_: SessionOwner<Visit>, session: Session) -> Answer {
    let device = |info: &SessionInfo<Visit>| {
        json!({
            "handle": info.handle(),
            "agent": info.data().agent,
            "created": seconds(info.created_at()),
            "last_used": seconds(info.last_used_at()),
            "current": info.is_current(),
        })
    };
    Ok(Json(session.list().await?.iter().map(device).collect()))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

async fn end_device(_: SessionOwner<Visit>, session: Session, Path(handle): Path<String>) -> Answer {
    let none = || Refused::With(StatusCode::NOT_FOUND, "no such device");
    let handle = handle.parse().map_err(|_| none())?;
    if session.end(&handle).await? { Ok(Json(json!({ "ended": 1 }))) } else { Err(none()) }
}

async fn end_others(_: SessionOwner<Visit>, session: Session) -> Answer {
    Ok(Json(json!({ "ended": session.end_others().await? })))
}

async fn end_all(_: SessionOwner<Visit>, session: Session) -> Answer {
    Ok(Json(json!({ "ended": session.end_all().await? })))
}

async fn confirm(State(app): State<App>, user: SessionOwner<Visit>, session: Session, fields: Fields) -> Answer {
    let verified = app.accounts.verify(&user, fields.text("password")?.to_owned()).await;
    verified.ok_or(Refused::With(StatusCode::FORBIDDEN, "wrong password"))?;
    session.confirm().await?;
    Ok(Json(json!({ "user": *user })))
}

async fn change_password(State(app): State<App>, user: SessionOwner<Visit>, session: Session, fields: Fields) -> Answer {
    session.require_fresh(app.settings.fresh)?;
    let new = fields.text("new")?.to_owned();
    if new.is_empty() {
        return Err(Refused::With(StatusCode::UNPROCESSABLE_ENTITY, "a password has letters"));
    }
    // The form may have taken long to come, and somebody may have ended this session meanwhile: it fails then. Whoever has a copy of the cookie is out.
    session.rotate().await?;
    app.accounts.set_password(&user, new).await?;
    // Whoever knew the old one is out.
    let ended = session.end_others().await?;
    Ok(Json(json!({ "user": *user, "ended": ended })))
}

fn require_administrator(session: &Session) -> Result<(), Refused> {
    if session.role == "administrator" {
        return Ok(());
    }
    Err(Refused::With(StatusCode::FORBIDDEN, "administrators only"))
}

async fn set_role(
    _: SessionOwner<Visit>,
    session: Session,
    sessions: Sessions<Visit>,
    Path((name, role)): Path<(String, String)>,
) -> Answer {
    require_administrator(&session)?;
    let changed = sessions.update_each(name, |visit| visit.role.clone_from(&role)).await?;
    Ok(Json(json!({ "changed": changed })))
}

async fn end_all_of(_: SessionOwner<Visit>, session: Session, sessions: Sessions<Visit>, Path(name): Path<String>) -> Answer {
    require_administrator(&session)?;
    Ok(Json(json!({ "ended": sessions.end_all(name).await? })))
}

fn router(layer: SessionLayer<Visit>, settings: Settings) -> Router {
    static ACCOUNTS: LazyLock<Arc<Accounts>> = LazyLock::new(|| Arc::new(Accounts::new()));

    Router::new()
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .route("/me", get(me))
        .route("/cart/{item}", post(add_to_cart))
        .route("/devices", get(devices))
        .route("/devices/{handle}/end", post(end_device))
        .route("/devices/end-others", post(end_others))
        .route("/devices/end-all", post(end_all))
        .route("/confirm", post(confirm))
        .route("/password", post(change_password))
        .route("/admin/{name}/role/{role}", post(set_role))
        .route("/admin/{name}/end-all", post(end_all_of))
        .with_state(App { accounts: Arc::clone(&ACCOUNTS), settings })
        .layer(layer)
}

/// A number that the environment says.
fn number(name: &str, default: u32) -> Result<u32, String> {
    std::env::var(name).map_or(Ok(default), |text| text.parse().map_err(|_| format!("{name} is not a number: {text:?}")))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = |name, default| number(name, default).map(|seconds| Duration::from_secs(seconds.into()));
    let settings =
        Settings { fresh: seconds("FRESH", 300)?, idle: seconds("IDLE", 1800)?, remember: seconds("REMEMBER", 2_592_000)? };
    let url = std::env::var("SESSION_STORE").unwrap_or_else(|_| "memory:".to_owned());
    let store: AnyStore<Visit> = store::connect(&url).await.map_err(|error| error.to_string())?;
    // The builder takes values that are known only when the program runs.
    let layer = SessionLayer::<Visit>::builder()
        .middleware(standard::lazy_session_middleware)
        .session_expire(settings.idle)
        .owner(owner)
        .owner_limit(number("OWNER_LIMIT", 5)?)
        .error_response(in_json)
        .store(store)
        .build()?;

    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router(layer, settings)).await?;
    Ok(())
}
