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
//! The accounts are `ada`/`lovelace`, `linus`/`torvalds`, and `grace`/`hopper`, who is an administrator; a new password lasts as long as the process. A form or JSON goes in, JSON comes out, for
//! refusals too (`{"error":".."}`). What another site sends is refused, unless it only reads. What the environment says:
//!
//! | variable | what it is | default |
//! | --- | --- | --- |
//! | `SESSION_STORE` | where the sessions are | `memory:` |
//! | `OWNER_LIMIT` | sessions of a user; one more ends the oldest | 5 |
//! | `FRESH` | seconds for which a login or a confirmation lets a user change the password | 300 |
//! | `IDLE` | seconds that a session lives since it was last used | 1800 |
//! | `REMEMBER` | the same, if `remember=on` came with the login | 2592000 |
//! | `PORT` | where it listens | 3000 |

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Display;
use std::num::NonZero;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::de::DeserializeOwned;
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
    hashing: Arc<Semaphore>,
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
        Self { hashes: Mutex::new(hashes.into()), nobody: hash("nobody's"), hashing: Arc::new(Semaphore::new(at_once)) }
    }

    fn hash_of(&self, name: &str) -> Option<String> {
        self.hashes.lock().unwrap().get(name).cloned()
    }

    async fn set_password(&self, name: &str, password: String) -> Result<(), Refused> {
        let hash = self.hash(move || hash(&password)).await;
        let hash = hash.ok_or_else(|| Refused::with(StatusCode::INTERNAL_SERVER_ERROR, "the password was not changed"))?;
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
        let permit = Arc::clone(&self.hashing).acquire_owned().await.ok()?;
        // The work goes on if the client hangs up, so the permit goes with it.
        let work = move || {
            let result = work();
            drop(permit);
            result
        };
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
    With(StatusCode, Cow<'static, str>),
}

impl Refused {
    fn with(status: StatusCode, why: impl Into<Cow<'static, str>>) -> Self {
        Self::With(status, why.into())
    }
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
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_json = content_type.to_ascii_lowercase().starts_with("application/json");
        let fields = if is_json {
            Json::from_request(request, state).await.map(|Json(fields)| fields).map_err(|error| error.status())
        } else {
            Form::from_request(request, state).await.map(|Form(fields)| fields).map_err(|error| error.status())
        };
        fields.map(Self).map_err(|status| match status {
            StatusCode::PAYLOAD_TOO_LARGE => Refused::with(status, "too large"),
            _ => Refused::with(StatusCode::UNPROCESSABLE_ENTITY, "neither a form nor JSON"),
        })
    }
}

impl Fields {
    fn text(&self, name: &str) -> Result<&str, Refused> {
        let text = self.0.get(name).and_then(Value::as_str);
        text.ok_or_else(|| Refused::with(StatusCode::UNPROCESSABLE_ENTITY, format!("the field `{name}` is missing")))
    }

    fn is_on(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Value::Bool(true))) || self.0.get(name).and_then(Value::as_str) == Some("on")
    }
}

/// What the path names.
struct Named<T>(T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let named = Path::from_request_parts(parts, state).await.map(|Path(named)| Self(named));
        named.map_err(|_| Refused::with(StatusCode::BAD_REQUEST, "the path is not UTF-8"))
    }
}

/// Another site must not log a visitor in, as somebody whose cart it knows: a login takes no cookie, so `SameSite` does not prevent that. Where subdomains
/// belong to others, it does not prevent the rest either.
async fn refuse_other_sites(request: Request, next: Next) -> Result<Response, Refused> {
    if request.method().is_safe() || is_from_own_site(&request) {
        return Ok(next.run(request).await);
    }
    Err(Refused::with(StatusCode::FORBIDDEN, "only from this site"))
}

/// A browser says where a request comes from (Fetch Metadata); an old one says it by `Origin`. What says neither is not a browser.
fn is_from_own_site(request: &Request) -> bool {
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return true };
    // What ends TLS in front of the program changes the scheme. HTTP/2 has the host in the URI.
    let from = origin.split_once("://").map(|(_, host)| host);
    let to = text(HOST.as_str()).or_else(|| request.uri().authority().map(|host| host.as_str()));
    from.zip(to).is_some_and(|(from, to)| from.eq_ignore_ascii_case(to))
}

async fn log_in(State(app): State<App>, session: Session, headers: HeaderMap, fields: Fields) -> Answer {
    let wrong = || Refused::with(StatusCode::FORBIDDEN, "wrong name or password");
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

async fn add_to_cart(session: Session, Named(item): Named<String>) -> Answer {
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

async fn end_device(_: SessionOwner<Visit>, session: Session, Named(handle): Named<String>) -> Answer {
    let none = || Refused::with(StatusCode::NOT_FOUND, "no such device");
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
    verified.ok_or_else(|| Refused::with(StatusCode::FORBIDDEN, "wrong password"))?;
    session.confirm().await?;
    Ok(Json(json!({ "user": *user })))
}

async fn change_password(
    State(app): State<App>,
    user: Option<SessionOwner<Visit>>,
    session: Session,
    fields: Result<Fields, Refused>,
) -> Answer {
    // A guest never is.
    session.require_fresh(app.settings.fresh)?;
    let user = user.ok_or(SessionError::NotExists)?.into_inner();
    let new = fields?.text("new")?.to_owned();
    if new.is_empty() {
        return Err(Refused::with(StatusCode::UNPROCESSABLE_ENTITY, "a password has letters"));
    }
    // The form may have taken long to come, and somebody may have ended this session meanwhile: it fails then. Whoever has a copy of the cookie is out.
    session.rotate().await?;
    app.accounts.set_password(&user, new).await?;
    // Whoever knew the old one is out.
    let ended = session.end_others().await?;
    Ok(Json(json!({ "user": user, "ended": ended })))
}

fn require_administrator(session: &Session) -> Result<(), Refused> {
    if session.role == "administrator" {
        return Ok(());
    }
    Err(Refused::with(StatusCode::FORBIDDEN, "administrators only"))
}

async fn set_role(
    _: SessionOwner<Visit>,
    session: Session,
    sessions: Sessions<Visit>,
    Named((name, role)): Named<(String, String)>,
) -> Answer {
    require_administrator(&session)?;
    let changed = sessions.update_each(name, |visit| visit.role.clone_from(&role)).await?;
    Ok(Json(json!({ "changed": changed })))
}

async fn end_all_of(_: SessionOwner<Visit>, session: Session, sessions: Sessions<Visit>, Named(name): Named<String>) -> Answer {
    require_administrator(&session)?;
    Ok(Json(json!({ "ended": sessions.end_all(name).await? })))
}

fn router(layer: SessionLayer<Visit>, settings: Settings) -> Router {
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
        .fallback(async || Refused::with(StatusCode::NOT_FOUND, "there is nothing here"))
        .method_not_allowed_fallback(async || Refused::with(StatusCode::METHOD_NOT_ALLOWED, "not by this method"))
        .with_state(App { accounts: Arc::new(Accounts::new()), settings })
        .layer(layer)
        // It needs no session.
        .layer(middleware::from_fn(refuse_other_sites))
}

/// What the environment says.
fn variable<V: FromStr<Err: Display>>(name: &str, default: V) -> Result<V, String> {
    let Some(text) = std::env::var_os(name) else { return Ok(default) };
    let text = text.to_string_lossy();
    text.parse().map_err(|error| format!("{name}={text}: {error}"))
}

async fn serve() -> Result<(), Box<dyn Error>> {
    const HALF_AN_HOUR: NonZero<u32> = NonZero::new(30 * 60).unwrap();
    const THIRTY_DAYS: NonZero<u32> = NonZero::new(30 * 86_400).unwrap();
    const FIVE: NonZero<u32> = NonZero::new(5).unwrap();

    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let settings = Settings {
        fresh: seconds(variable("FRESH", 5 * 60)?),
        idle: seconds(variable("IDLE", HALF_AN_HOUR)?.get()),
        remember: seconds(variable("REMEMBER", THIRTY_DAYS)?.get()),
    };
    let (limit, port) = (variable("OWNER_LIMIT", FIVE)?.get(), variable("PORT", 3000_u16)?);
    let url: String = variable("SESSION_STORE", "memory:".to_owned())?;
    let store: AnyStore<Visit> = store::connect(&url).await?;
    // The builder takes values that are known only when the program runs.
    let layer = SessionLayer::<Visit>::builder()
        .middleware(standard::lazy_session_middleware)
        .session_expire(settings.idle)
        .owner(owner)
        .owner_limit(limit)
        .error_response(in_json)
        .store(store)
        .build()?;

    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router(layer, settings)).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("account: {error}");
            ExitCode::FAILURE
        }
    }
}
