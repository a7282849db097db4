//! Sessions in Redis or Valkey, standalone or in a cluster.

mod cluster;
mod endpoint;
mod health;
mod layout;
mod line;
mod link;
mod options;
mod probe;
mod queue;
mod row;
mod scripts;
mod server;
mod shared;
mod slot;
mod target;
mod tls;
mod verdict;
mod wire;

use std::fmt;
use std::time::{Duration, Instant};

use redis::{Client, Cmd, Value};

use self::health::store_error;
use self::layout::{Layout, shared_keys};
use self::link::{Link, Way, read};
use self::queue::Ask;
use self::row::{
    HEADER, Next, ahead, first_version, kept, loaded, millis, parse_version, random_tag, text, text_of, whole_millis,
};
use self::scripts::{By, Replacement, Script, Scripts};
use super::encoding::{Encoded, or_undecodable};
use super::{Change, Created, Key, Limits, Loaded, NewSession, Record, Replaced, Rotated, Rotation, Store, StoreError, Version};

use self::target::Target;
use self::verdict::Ran;

pub use self::options::{RedisCredentials, RedisOptions};

/// What connecting does with a URL before it talks to anybody.
#[cfg(test)]
pub(super) fn read_url(url: &str) -> Result<(), StoreError> {
    Target::of_url(url, &RedisOptions::new()).map(drop)
}

/// The same of the URLs of a cluster's nodes.
#[cfg(test)]
pub(super) fn read_cluster(nodes: &[String]) -> Result<(), StoreError> {
    Target::of_nodes(nodes, &RedisOptions::new()).map(drop)
}

/// Sessions in Redis (6.2 or later) or Valkey.
///
/// ```no_run
/// use session_runtime::store::RedisStore;
///
/// # async fn connect() -> Result<(), session_runtime::store::StoreError> {
/// let store = RedisStore::connect("redis://127.0.0.1:6379/").await?.key_prefix("shop:session:");
/// # Ok(()) }
/// ```
///
/// - **Calls:** every operation is one round trip and one step of the server: a script, or for reading `MGET`, with `TIME` behind it to
///   tell how long the session lives. Calls that are ready at the same time leave together, all that read in one command and all
///   that replace in one. Each has its own answer or error; none waits for the answers to others.
/// - **In a cluster** every call leaves by itself, as a script. A rotation is two, because the two keys may be on different nodes:
///   the new one is written, which nobody knows of yet, then the old one is compared and left, which is the commit. An absolute
///   limit comes closer there by about the time that a call takes.
/// - **Expiry:** by the server, by its clock, to the millisecond. There is nothing to sweep.
/// - **Connections:** one for each thread that asks, at most four and at most one a core, in each runtime; made when first asked. Each is a task of
///   its own, so a caller that gives up costs no connection. What certainly did not reach the server is sent once more where a connection is
///   over; what may have run is not, but for reading and touching: the caller gets an error. A rotation is looked up at its new key.
///   [Choosing an engine](crate::choosing_an_engine) says what happens at a failover and when the memory is full, and which permissions are needed.
/// - **On a crash** the server promises what its `appendfsync` says: with the default (`everysec`, if the append-only file is
///   on) up to a second of changes is lost.
/// - **Cluster:** [`connect_cluster`](Self::connect_cluster), or `redis+cluster://` in [`connect`](super::connect). A master answers
///   before its replicas have the change (asynchronous replication): when it dies and a replica takes over, changes that were
///   acknowledged in the last moment may be lost, among them a logout, whose session is then back. Until then, for
///   `cluster-node-timeout` and the election, calls on its sessions fail or wait to the caller's bound; those on other nodes go on.
pub type RedisStore = Encoded<Redis>;

/// What [`RedisStore`] keeps its bytes in.
#[derive(Clone)]
pub struct Redis {
    link: Link,
    layout: Layout,
}

impl RedisStore {
    /// Connects to a server: `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS (feature `tls`), `unix://` or
    /// `redis+unix://` for a socket, `redis+sentinel://host:port,host:port/name` for the primary that sentinels know.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the URL is none of these, where the server does not answer within 12 seconds, or where it cannot be used: it
    /// is a replica, it is a node of a cluster, or its user may not run what is needed.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, StoreError> {
        Self::connect_with(url, RedisOptions::new()).await
    }

    /// Connects to a server as [`connect`](Self::connect) does, with these options.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with(url: impl AsRef<str>, options: RedisOptions) -> Result<Self, StoreError> {
        Self::over(Target::of_url(url.as_ref(), &options)?, options).await
    }

    /// Connects to the server of a client that you have made, by what it was told: certificates, user and password. The connections are
    /// the store's own.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn from_client(client: Client, options: RedisOptions) -> Result<Self, StoreError> {
        Self::over(Target::of_client(client, &options)?, options).await
    }

    /// Connects to a cluster by the URLs of some of its nodes; the rest is found by asking them. TLS as in
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where a URL is none, or where no node answers.
    pub async fn connect_cluster<U: AsRef<str>>(nodes: impl IntoIterator<Item = U>) -> Result<Self, StoreError> {
        Self::connect_cluster_with(nodes, RedisOptions::new()).await
    }

    /// Connects to a cluster as [`connect_cluster`](Self::connect_cluster) does, with these options.
    ///
    /// # Errors
    ///
    /// As [`connect_cluster`](Self::connect_cluster).
    pub async fn connect_cluster_with<U: AsRef<str>>(
        nodes: impl IntoIterator<Item = U>,
        options: RedisOptions,
    ) -> Result<Self, StoreError> {
        let nodes: Vec<_> = nodes.into_iter().map(|url| url.as_ref().to_owned()).collect();
        Self::over(Target::of_nodes(&nodes, &options)?, options).await
    }

    async fn over(target: Target, options: RedisOptions) -> Result<Self, StoreError> {
        let mut layout = Layout::default();
        if let Some(prefix) = &options.key_prefix {
            layout.set_prefix(prefix);
        }
        Ok(Self::new(Redis { link: Link::to(target).await?, layout }))
    }

    /// What the keys begin with; defaults to `session:`. Layers may share a prefix: their [namespaces](super::Namespace) keep their
    /// sessions apart. A store that is [`fastapi_compatible`](Self::fastapi_compatible) has its own names, and this changes nothing.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl AsRef<str>) -> Self {
        self.bytes.layout.set_prefix(prefix.as_ref());
        self
    }

    /// Keeps sessions where and as the FastAPI system does (`fastapi-framework` on PyPI), so that a fleet can move from it route
    /// by route: a session that either made, the other reads and changes. The cookie's name, path and ids are the same anyway.
    ///
    /// ```no_run
    /// # use session_runtime::store::RedisStore;
    /// # async fn connect() -> Result<(), session_runtime::store::StoreError> {
    /// let store = RedisStore::connect("redis://127.0.0.1:6379/").await?.fastapi_compatible();
    /// # Ok(()) }
    /// ```
    ///
    /// The value is the data as JSON, at the key `session:id:` and **the id itself**: who reads the server's keys can use the
    /// sessions. The type of the data must have the fields of Python's model; each side drops at its next change what it does not
    /// know. A field that may be missing or `null` is an `Option` here. What Python knows nothing of (the limits, a version, the mark
    /// of a rotation) stands at a second key, `session:beside:{session:id:<id>}`, which Python never asks for: a mark at the value's
    /// key would be a session that it cannot read. Calls per operation are the same, but for the first load of what Python has made
    /// or changed, which is two: a script then gives it its next version.
    ///
    /// What holds, and what cannot, since Python's `update_session` is a `SET` without a condition:
    ///
    /// - Among these stores no update is lost. A change that Python makes between a load and its replace here is a conflict, and
    ///   the closure runs again. But Python overwrites what was changed here between its own `get_data` and `update_session`.
    /// - What was destroyed or rotated here stays so for these stores and for each request of Python's that begins later. A request
    ///   of Python's that is under way may bring it back: by its `update_session`, with the data that it had read. For 30 s after a
    ///   rotation the old id is refused here nevertheless.
    /// - The idle and the absolute limit of a session made here are kept beside it. Python's `update_session` renews it by its own
    ///   `session_expire`, so give both systems the same; it goes beyond the absolute limit only for Python, until it is next used
    ///   here. A session that Python made has no absolute limit, and as its idle limit
    ///   [`fastapi_session_expire`](Self::fastapi_session_expire). Reading renews here; in Python it does not.
    /// - When a session was created here is kept beside it. Python keeps no such time: the age of a session that it made counts from
    ///   when it was first loaded here.
    /// - A layer's namespace has no part in the keys, which Python could not find then: two layers with such a store on one server take
    ///   each other's ids. Use one data type there, as Python does.
    #[must_use]
    pub fn fastapi_compatible(mut self) -> Self {
        self.bytes.layout.share_with_fastapi();
        self
    }

    /// What the FastAPI system's `session_expire` is, if not its default of 24 hours: the idle limit of the sessions that it made,
    /// when they are used here. Implies [`fastapi_compatible`](Self::fastapi_compatible).
    #[must_use]
    pub fn fastapi_session_expire(mut self, limit: Duration) -> Self {
        self.bytes.layout.set_fastapi_expire(limit);
        self
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl Store<Vec<u8>> for Redis {
    async fn create(&self, key: Key<'_>, session: NewSession<Vec<u8>>) -> Result<Created, StoreError> {
        if !self.is_reachable(key) {
            return Ok(Created::Exists);
        }
        self.insert(key, session.limits, Duration::ZERO, &session.data).await
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<Vec<u8>>, StoreError> {
        let loaded = match &self.link.way {
            Way::Single(server) if self.layout.is_own() => {
                let answer = read(server, || Ask::Read(self.layout.own_key(key))).await?;
                kept(answer.value, answer.now)
            }
            Way::Single(server) => {
                let answer = read(server, || Ask::ReadShared(shared_keys(key))).await?;
                match shared::kept(answer.value, answer.now) {
                    Ok(Some(loaded)) => Ok(loaded),
                    Ok(None) => Box::pin(self.load_by_script(key)).await,
                    Err(error) => Err(error),
                }
            }
            Way::Cluster(_) if !self.is_reachable(key) => Ok(Loaded::Missing),
            Way::Cluster(_) => Box::pin(self.load_by_script(key)).await,
        };
        or_undecodable(loaded)
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<Vec<u8>>) -> Result<Replaced, StoreError> {
        let (next, data) = (Next::after(expected), change.data);
        if !self.is_reachable(key) {
            return Ok(Replaced::Missing);
        }
        self.link.check_size(HEADER + data.len())?;
        let answer = if self.layout.is_own() {
            self.link.change(Replacement { key: self.layout.own_key(key), next, data }).await?
        } else {
            Box::pin(self.replace_by_script(key, next, &data)).await?
        };
        match text_of(answer)?.as_slice() {
            b"missing" => Ok(Replaced::Missing),
            b"conflict" => Ok(Replaced::Conflict),
            version => Ok(Replaced::Replaced(parse_version(version)?)),
        }
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        if !self.is_reachable(key) {
            return Ok(false);
        }
        let call = |by| self.command(by, |scripts| &scripts.touch, &[key]);
        Ok(self.link.repeatable(call).await? == Value::Int(1))
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, rotation: Rotation<Vec<u8>>) -> Result<Rotated, StoreError> {
        let session = rotation.session;
        if !self.is_reachable(old) {
            return Ok(Rotated::Missing);
        }
        if !self.is_reachable(new) {
            return Ok(Rotated::Exists);
        }
        self.link.check_size(HEADER + session.data.len())?;
        if self.link.is_cluster() { self.move_across(old, new, session).await } else { self.swap(old, new, session).await }
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        if self.is_reachable(key) { self.remove(key).await } else { Ok(false) }
    }

    /// Lets what was begun end, and closes the connections.
    async fn close(&self) -> Result<(), StoreError> {
        self.link.close().await;
        Ok(())
    }

    fn name(&self) -> &'static str {
        "RedisStore"
    }
}

impl Redis {
    /// Whether there can be a session under this key.
    fn is_reachable(&self, key: Key<'_>) -> bool {
        !self.link.is_cluster() || self.layout.is_in_one_slot(key)
    }

    /// A command that runs a script on these sessions.
    fn command(&self, by: By, script: fn(&'static Scripts) -> &'static Script, sessions: &[Key<'_>]) -> Cmd {
        let mut command = script(self.layout.scripts()).command(by, self.layout.keys() * sessions.len());
        for session in sessions {
            self.layout.add_keys(*session, &mut command);
        }
        command.arg(self.layout.idle());
        command
    }

    async fn load_by_script(&self, key: Key<'_>) -> Result<Loaded<Vec<u8>>, StoreError> {
        let start = Instant::now();
        let answer = self.link.repeatable(|by| self.command(by, |scripts| &scripts.load, &[key])).await?;
        let loaded = loaded(answer)?;
        Ok(if self.link.is_cluster() { ahead(loaded, start.elapsed()) } else { loaded })
    }

    async fn replace_by_script(&self, key: Key<'_>, next: Next, data: &[u8]) -> Result<Value, StoreError> {
        let call = |by| {
            let mut command = self.command(by, |scripts| &scripts.replace, &[key]);
            next.add_to(&mut command);
            command.arg(data);
            command
        };
        self.link.once(call).await
    }

    async fn insert(&self, key: Key<'_>, limits: Limits, age: Duration, data: &[u8]) -> Result<Created, StoreError> {
        self.link.check_size(HEADER + data.len())?;
        let version = first_version();
        // A limit that is over is not one that there is none.
        let absolute = limits.absolute.map_or(0, |limit| millis(limit).max(1));
        let call = |by| {
            let mut command = self.command(by, |scripts| &scripts.create, &[key]);
            command.arg(&text(version)).arg(millis(limits.idle)).arg(absolute).arg(whole_millis(age)).arg(data);
            command
        };
        match self.run(call).await?.as_slice() {
            b"exists" => Ok(Created::Exists),
            _ => Ok(Created::Created(version)),
        }
    }

    /// A rotation where one server holds both keys.
    async fn swap(&self, old: Key<'_>, new: Key<'_>, session: Record<Vec<u8>>) -> Result<Rotated, StoreError> {
        let tag = random_tag();
        let call = |by| {
            let mut command = self.command(by, |scripts| &scripts.rotate, &[old, new]);
            command.arg(&text(session.version)).arg(&tag).arg(&*session.data);
            command
        };
        let answer = match self.link.run(&call, false).await {
            // Whether it was done stands at the new key, which nobody else knows.
            Err(failed) if failed.verdict.ran == Ran::Perhaps => {
                return match Box::pin(Store::load(self, new)).await {
                    Ok(Loaded::Found(record)) => Ok(Rotated::Rotated(record.version)),
                    _ => Err(store_error(&failed)),
                };
            }
            answer => answer.map_err(|failed| store_error(&failed))?,
        };
        match text_of(answer)?.as_slice() {
            b"missing" => Ok(Rotated::Missing),
            b"conflict" => Ok(Rotated::Conflict),
            b"exists" => Ok(Rotated::Exists),
            version => Ok(Rotated::Rotated(parse_version(version)?)),
        }
    }

    /// A rotation where the keys may be on different nodes. Nobody knows the new key until the old one is left; if that fails,
    /// the row at the new key goes when it expires.
    async fn move_across(&self, old: Key<'_>, new: Key<'_>, session: Record<Vec<u8>>) -> Result<Rotated, StoreError> {
        let session = session.at_present();
        let limits = Limits::new(session.idle, session.absolute_in);
        let Created::Created(version) = self.insert(new, limits, session.age, &session.data).await? else {
            return Ok(Rotated::Exists);
        };
        let tag = random_tag();
        let leave = |by| {
            let mut command = self.command(by, |scripts| &scripts.leave, &[old]);
            command.arg(&text(session.version)).arg(&tag);
            command
        };
        let refused = match self.run(leave).await?.as_slice() {
            b"left" => return Ok(Rotated::Rotated(version)),
            b"conflict" => Rotated::Conflict,
            _ => Rotated::Missing,
        };
        self.remove(new).await?;
        Ok(refused)
    }

    async fn remove(&self, key: Key<'_>) -> Result<bool, StoreError> {
        let call = |by| self.command(by, |scripts| &scripts.delete, &[key]);
        Ok(self.link.once(call).await? == Value::Int(1))
    }

    /// Runs a script that answers with a text.
    async fn run(&self, call: impl Fn(By) -> Cmd + Sync) -> Result<Vec<u8>, StoreError> {
        text_of(self.link.once(call).await?)
    }
}
