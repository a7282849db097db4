//! The options of a session layer as methods, for values that are known only when the program runs.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse;

use crate::callback::{IntoGenerateCallback, IntoMiddleware, IntoOwner, IntoSessionIdCallback, Middleware};
use crate::config::{self, OnStoreError, OnUndecodable, WhenFull};
use crate::cookie::{CookieOptions, SameSite};
use crate::error::{ConfigError, SessionError};
use crate::id::{GenerateCallback, Namespace};
use crate::layer::session_layer::{Config, SessionLayer};
use crate::owner::OwnerOf;
use crate::request::SessionIdCallback;
use crate::session::core::Policy;
use crate::session::driver::{ErrorResponse, Setup};
use crate::store::{AnyStore, Limits, MemoryStore, OwnerLimit, Store, Traced};

/// No default data was given: `T::default()` will be it.
#[derive(Debug)]
pub struct DefaultOf<T>(PhantomData<fn() -> T>);

/// The default data that was given.
#[derive(Debug)]
pub struct Given<T>(Arc<T>);

/// Where a builder takes the default data from.
pub trait DefaultData<T> {
    #[doc(hidden)]
    fn into_data(self) -> Arc<T>;
}

impl<T: Default> DefaultData<T> for DefaultOf<T> {
    fn into_data(self) -> Arc<T> {
        Arc::new(T::default())
    }
}

impl<T> DefaultData<T> for Given<T> {
    fn into_data(self) -> Arc<T> {
        self.0
    }
}

/// A duration: a [`Duration`], or a number of seconds as in the document.
pub trait IntoDuration {
    #[doc(hidden)]
    fn into_duration(self) -> Duration;
}

impl IntoDuration for Duration {
    fn into_duration(self) -> Duration {
        self
    }
}

impl IntoDuration for u64 {
    fn into_duration(self) -> Duration {
        Duration::from_secs(self)
    }
}

impl IntoDuration for u32 {
    fn into_duration(self) -> Duration {
        Duration::from_secs(self.into())
    }
}

/// A negative number counts as zero, which [`build`](SessionLayerBuilder::build) refuses.
impl IntoDuration for i32 {
    fn into_duration(self) -> Duration {
        Duration::from_secs(self.max(0).unsigned_abs().into())
    }
}

/// Sets up a [`SessionLayer`] from values that are known only when the program runs, such as those of a configuration file.
/// The options are those of `session!`, with the same names and defaults.
///
/// ```
/// use std::time::Duration;
/// use session_runtime::{SameSite, SessionLayer};
///
/// #[derive(Clone, Default)]
/// struct Visit { pages: u32 }
///
/// let minutes = 30; // from a configuration file
/// let layer = SessionLayer::<Visit>::builder()
///     .session_expire(Duration::from_secs(minutes * 60))
///     .cookie_name("visit")
///     .same_site(SameSite::Strict)
///     .build()?;
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(layer);
/// # Ok::<(), session_runtime::ConfigError>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct SessionLayerBuilder<T, D = DefaultOf<T>> {
    default_data: D,
    session_id: SessionIdCallback,
    generate: GenerateCallback,
    middleware: Middleware<T>,
    session_expire: Duration,
    absolute_expire: Option<Duration>,
    store: Option<AnyStore<T>>,
    namespace: Option<Cow<'static, str>>,
    cookie: CookieOptions,
    store_timeout: Duration,
    on_store_error: OnStoreError,
    on_undecodable: OnUndecodable,
    error_response: Option<ErrorResponse>,
    owners: OwnerOptions<T>,
}

/// Whose sessions are, and what follows from it.
struct OwnerOptions<T> {
    owner: Option<OwnerOf<T>>,
    limit: Option<u32>,
    when_full: Option<WhenFull>,
    login_path: Option<Cow<'static, str>>,
}

impl<T> Default for OwnerOptions<T> {
    fn default() -> Self {
        Self { owner: None, limit: None, when_full: None, login_path: None }
    }
}

impl<T: Clone + Send + Sync + 'static> SessionLayer<T> {
    /// Sets the layer up from values that are known only when the program runs.
    pub fn builder() -> SessionLayerBuilder<T> {
        SessionLayerBuilder::new()
    }
}

impl<T: Clone + Send + Sync + 'static> SessionLayerBuilder<T> {
    pub(crate) fn new() -> Self {
        Self {
            default_data: DefaultOf(PhantomData),
            session_id: SessionIdCallback::standard(),
            generate: GenerateCallback::standard(),
            middleware: Middleware::standard(),
            session_expire: config::SESSION_EXPIRE,
            absolute_expire: None,
            store: None,
            namespace: None,
            cookie: CookieOptions::default(),
            store_timeout: config::STORE_TIMEOUT,
            on_store_error: OnStoreError::Fail,
            on_undecodable: OnUndecodable::Fail,
            error_response: None,
            owners: OwnerOptions::default(),
        }
    }
}

impl<T, D> SessionLayerBuilder<T, D> {
    /// The data of a new session; `T::default()` unless given.
    pub fn default_data(self, data: T) -> SessionLayerBuilder<T, Given<T>> {
        SessionLayerBuilder {
            default_data: Given(Arc::new(data)),
            session_id: self.session_id,
            generate: self.generate,
            middleware: self.middleware,
            session_expire: self.session_expire,
            absolute_expire: self.absolute_expire,
            store: self.store,
            namespace: self.namespace,
            cookie: self.cookie,
            store_timeout: self.store_timeout,
            on_store_error: self.on_store_error,
            on_undecodable: self.on_undecodable,
            error_response: self.error_response,
            owners: self.owners,
        }
    }

    /// `T::default()`, as `session!` takes it unless `default_data` is given.
    #[doc(hidden)]
    pub fn default_data_unless_given(self) -> SessionLayerBuilder<T, Given<T>>
    where
        T: Default,
    {
        self.default_data(T::default())
    }

    /// How the session id is found in a request; [`standard::fetch_session_id`](crate::standard::fetch_session_id) unless given.
    pub fn session_id_callback<Kind, C>(mut self, callback: C) -> Self
    where
        C: IntoSessionIdCallback<Kind>,
        for<'a> C::Future<'a>: Send,
    {
        self.session_id = callback.into_session_id_callback();
        self
    }

    /// How a new session id is made; [`standard::generate_session_id`](crate::standard::generate_session_id) unless given.
    pub fn generate_session_id_callback<Kind, C>(mut self, callback: C) -> Self
    where
        C: IntoGenerateCallback<Kind>,
        for<'a> C::Future<'a>: Send,
    {
        self.generate = callback.into_generate_callback();
        self
    }

    /// What drives the session; [`standard::session_middleware`](crate::standard::session_middleware) unless given.
    pub fn middleware<Kind, M>(mut self, middleware: M) -> Self
    where
        M: IntoMiddleware<T, Kind>,
        for<'a> M::Future<'a>: Send,
    {
        self.middleware = middleware.into_middleware();
        self
    }

    /// What is registered, or the standard one, of each role that is not given by name, as `session!` finds it: of one type each, so
    /// that the compiler has nothing to infer.
    #[doc(hidden)]
    pub fn registered(
        mut self,
        session_id: Option<SessionIdCallback>,
        generate: Option<GenerateCallback>,
        middleware: Option<Middleware<T>>,
        owner: Option<OwnerOf<T>>,
    ) -> Self {
        self.session_id = session_id.unwrap_or(self.session_id);
        self.generate = generate.unwrap_or(self.generate);
        self.middleware = middleware.unwrap_or(self.middleware);
        self.owners.owner = owner.or(self.owners.owner);
        self
    }

    /// The idle limit: how long a session lives since it was last used, reading included. 24 hours unless given.
    ///
    /// A use that changes nothing is written to the store at most once in a tenth of the limit: one store call then, none else.
    pub fn session_expire(mut self, limit: impl IntoDuration) -> Self {
        self.session_expire = limit.into_duration();
        self
    }

    /// The absolute limit: how long a session lives since it was created, however much it is used. None unless given. It costs no
    /// store call.
    pub fn absolute_expire(mut self, limit: impl IntoDuration) -> Self {
        self.absolute_expire = Some(limit.into_duration());
        self
    }

    /// Where sessions are kept; a [`MemoryStore`] of this layer's own unless given.
    pub fn store(mut self, store: impl Store<T>) -> Self
    where
        T: 'static,
    {
        self.store = Some(AnyStore::new(store));
        self
    }

    /// What keeps the sessions of this layer apart from those of other layers that use the same store; defaults to the cookie's name.
    /// An id of one namespace is unknown in another. Two layers with one store and one namespace share their sessions, so give layers
    /// of different data types different namespaces.
    ///
    /// It is not used by a store that shares its sessions with the FastAPI system, whose keys are the ids alone.
    pub fn namespace(mut self, namespace: impl Into<Cow<'static, str>>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// The cookie's name; `SESSION_ID` unless given. The prefixes `__Host-` and `__Secure-` imply [`secure`](Self::secure).
    pub fn cookie_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.cookie.name = name.into();
        self
    }

    /// The cookie's `SameSite`; [`SameSite::Lax`] unless given. [`SameSite::None`] implies [`secure`](Self::secure).
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.cookie.same_site = same_site;
        self
    }

    /// Whether the cookie is sent over https only. Unless given it is, except that a build with debug assertions leaves `Secure`
    /// out for a loopback `Host`.
    pub fn secure(mut self, secure: bool) -> Self {
        self.cookie.secure = Some(secure);
        self
    }

    /// The cookie's `Path`; `/` unless given.
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.cookie.path = path.into();
        self
    }

    /// The cookie's `Domain`; none unless given, so that the cookie goes to the host alone that set it.
    pub fn domain(mut self, domain: impl Into<Cow<'static, str>>) -> Self {
        self.cookie.domain = Some(domain.into());
        self
    }

    /// Whether the cookie outlives the browser: with `true` it has a `Max-Age`, the time left until the session expires, at most
    /// 400 days, which moves when the session is renewed or changed: one store call more then. `false` unless given.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.cookie.persistent = persistent;
        self
    }

    /// Whether the cookie is kept apart for each top-level site (`Partitioned`, CHIPS). `false` unless given; `true` implies
    /// [`secure`](Self::secure).
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.cookie.partitioned = partitioned;
        self
    }

    /// How long one store call may take before the answer is 503; 2 seconds unless given. Retries of an update that meets
    /// conflicts end then too.
    pub fn store_timeout(mut self, timeout: impl IntoDuration) -> Self {
        self.store_timeout = timeout.into_duration();
        self
    }

    /// What a request gets whose session cannot be read; [`OnStoreError::Fail`] unless given.
    pub fn on_store_error(mut self, answer: OnStoreError) -> Self {
        self.on_store_error = answer;
        self
    }

    /// What a request gets whose session is there, but with data that cannot be read; defaults to [`OnUndecodable::Fail`].
    pub fn on_undecodable(mut self, answer: OnUndecodable) -> Self {
        self.on_undecodable = answer;
        self
    }

    /// Your own answer of a [`SessionError`], a page of your application's, say: a function of it to anything that is a response. It is asked wherever the
    /// session system answers by itself, and where a handler or an extractor under this layer answers a `SessionError`. What the session owes the
    /// client, such as a cookie, is then added to your answer. Of several layers around a route, the innermost that has one answers.
    ///
    /// ```
    /// use axum::response::Html;
    /// use session_runtime::{SessionError, SessionLayer};
    ///
    /// # #[derive(Clone, Default)] struct Visit;
    /// let layer = SessionLayer::<Visit>::builder()
    ///     .error_response(|error| {
    ///         let status = error.status();
    ///         (status, Html(format!("<h1>{status}</h1> <a href='/log-in'>Log in again</a>")))
    ///     })
    ///     .build()?;
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(layer);
    /// # Ok::<(), session_runtime::ConfigError>(())
    /// ```
    pub fn error_response<F, R>(mut self, answer: F) -> Self
    where
        F: Fn(SessionError) -> R + Send + Sync + 'static,
        R: IntoResponse,
    {
        self.error_response = Some(Box::new(move |error| answer(error).into_response()));
        self
    }

    /// Who a session belongs to: a function of its data. Its sessions can then be listed, ended and limited, and a change of the data by which
    /// the session is another owner's also changes its id. Defaults to nobody.
    ///
    /// The function must answer the same whenever it is asked about the same data. `#[session_owner]` checks it and says what it may be.
    ///
    /// ```
    /// use session_runtime::SessionLayer;
    ///
    /// #[derive(Clone, Default)]
    /// struct Visit { user: Option<u64> }
    ///
    /// let layer = SessionLayer::<Visit>::builder().owner(|visit: &Visit| visit.user).owner_limit(5).build()?;
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(layer);
    /// # Ok::<(), session_runtime::ConfigError>(())
    /// ```
    pub fn owner<Kind, F>(mut self, owner: F) -> Self
    where
        F: IntoOwner<T, Kind>,
    {
        self.owners.owner = Some(owner.into_owner());
        self
    }

    /// How many sessions an owner may have at a time; defaults to any number. The store sees to it, so that no two logins pass it together. Zero
    /// is refused by [`build`](Self::build).
    pub fn owner_limit(mut self, sessions: u32) -> Self {
        self.owners.limit = Some(sessions);
        self
    }

    /// What becomes of a login if its owner has as many sessions as [`owner_limit`](Self::owner_limit) allows; defaults to
    /// [`WhenFull::EndOldest`]. Without a limit it is refused by [`build`](Self::build).
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.owners.when_full = Some(when_full);
        self
    }

    /// Where [`SessionOwner`](crate::SessionOwner) sends a browser whose user is not logged in, such as `/login`; the page it wanted follows as
    /// `?next=`. It is a path of this site, which begins with one `/`. Defaults to nowhere: such a request is answered 401.
    pub fn login_path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.owners.login_path = Some(path.into());
        self
    }

    /// The layer.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the option that is wrong: an expiry or timeout of zero, an empty namespace, a cookie name, path or domain that RFC 6265
    /// forbids, `__Host-` with a domain or a path other than `/`, `secure(false)` beside an option that implies `true`, or an
    /// option of owners without what it is about.
    pub fn build(self) -> Result<SessionLayer<T>, ConfigError>
    where
        T: Clone + Send + Sync + 'static,
        D: DefaultData<T>,
    {
        config::not_zero("session_expire", self.session_expire)?;
        config::not_zero("store_timeout", self.store_timeout)?;
        if let Some(limit) = self.absolute_expire {
            config::not_zero("absolute_expire", limit)?;
        }
        if let Some(namespace) = &self.namespace {
            config::not_empty(namespace)?;
        }
        if let Some(limit) = self.owners.limit {
            config::positive("owner_limit", limit)?;
        }
        if let Some(path) = &self.owners.login_path {
            config::login_path(path)?;
        }
        self.cookie.check()?;
        if self.owners.limit.is_some() && self.owners.owner.is_none() {
            return Err(ConfigError::new("owner_limit", "needs to know the owner of a session: give `owner`, too"));
        }
        if self.owners.when_full.is_some() && self.owners.limit.is_none() {
            return Err(ConfigError::new("when_full", "says what becomes of a login beyond `owner_limit`: give that, too"));
        }
        let keeps_owners = self.store.as_ref().is_none_or(AnyStore::keeps_owners);
        if self.owners.owner.is_some() && !keeps_owners {
            return Err(ConfigError::new(
                "owner",
                "needs a store that keeps who its sessions belong to, which this one does not",
            ));
        }
        Ok(self.build_checked())
    }

    /// The layer, where `session!` has checked the options when it was compiled.
    pub(crate) fn build_checked(self) -> SessionLayer<T>
    where
        T: Clone + Send + Sync + 'static,
        D: DefaultData<T>,
    {
        let OwnerOptions { owner, limit, when_full, login_path } = self.owners;
        let limit = limit.and_then(NonZeroU32::new).map(|sessions| OwnerLimit::new(sessions, when_full.unwrap_or_default()));
        let store = self.store.unwrap_or_else(|| AnyStore::new(MemoryStore::new())).into_erased();
        let namespace = self.namespace.unwrap_or_else(|| self.cookie.name.clone());
        let looks_when_needed = self.session_id.is_standard() && !self.middleware.is_custom();
        let setup = Setup {
            default_data: self.default_data.into_data(),
            looks_when_needed,
            starts_immediately: looks_when_needed && self.middleware.is_lazy(),
            begins_immediately: store.is_immediate() && self.generate.is_immediate(),
            lazy: self.middleware.is_lazy(),
            session_id: self.session_id,
            generate: self.generate,
            policy: Policy {
                limits: Limits::new(self.session_expire, self.absolute_expire),
                persistent: self.cookie.persistent,
                on_store_error: self.on_store_error,
                on_undecodable: self.on_undecodable,
            },
            traced_store: Traced(Arc::clone(&store)),
            store,
            namespace: Namespace::new(namespace),
            same_site: self.cookie.same_site,
            cookie: self.cookie.into_template(),
            store_timeout: self.store_timeout,
            error_response: self.error_response,
            owner_limit: limit,
            owner,
            login_path: login_path.map(|path| path.into_owned().into_boxed_str()),
            lines: Arc::default(),
        };
        SessionLayer::new(Config { setup: Arc::new(setup), middleware: self.middleware })
    }
}

impl<T, D> std::fmt::Debug for SessionLayerBuilder<T, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionLayerBuilder").finish_non_exhaustive()
    }
}
