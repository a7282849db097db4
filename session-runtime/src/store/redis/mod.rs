//! Sessions in Redis or Valkey, standalone or in a cluster.

mod across;
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
mod steps;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod verdict;
mod wire;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join;
use redis::{Client, Cmd, Value};
use tokio::time::timeout;

use self::across::{Across, Entered, Entering, PATIENCE, owner_in};
use self::health::store_error;
use self::layout::{Keys, Layout, shared_keys};
use self::link::{Link, Way, read};
use self::queue::Ask;
use self::row::{
    HEADER, Next, ahead, beside, first_version, kept, listed, loaded, millis, parse_version, push_hex, random_tag, text, text_of,
    unexpected, whole_millis,
};
use self::scripts::{ACROSS, By, OWNERS, Owners, Replacement, Script, Scripts};
use self::steps::{Caller, Steps};
use super::encoding::{Encoded, or_undecodable};
use super::hand_over::by_caller;
use super::{
    Belonging, Change, Created, Key, Limits, Listed, Loaded, NewLifetime, NewSession, Owner, Record, Replaced, Rotated, Rotation,
    SessionHandle, Store, StoreError, Version, WhenFull, Which,
};

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
///   the new one is written, which nobody knows of yet, then the old one is compared and left, which is the commit. If the caller has given up by then, the
///   new one is taken back. An absolute
///   limit comes closer there by about the time that a call takes.
/// - **Expiry:** by the server, by its clock, to the millisecond. There is nothing to sweep.
/// - **Owners:** each owner has a list, a hash at `<prefix>owner:<hash>`, which every script that makes, moves or ends a session changes with it. Who reads it
///   looks at the sessions as well, so what has expired neither shows nor counts. A list, an end, a count and a change of a listed session are
///   one call each, and their work grows with the owner's sessions alone. A session with an owner takes 113 bytes more, and its entry some 80.
/// - **Owners in a cluster**, where a list and its sessions are on different nodes: a session enters the list before its row is written, and leaves it after its row is deleted.
///   So nothing that is there is ever missing in the list, and what does not show yet is ended with the others: its key is barred for 30 s. The steps go on in a task of their own, so a caller
///   that gives up leaves nothing half done. A process that dies between two of these steps
///   leaves an entry that does not show; whoever looks at the list 10 s later takes it out. Until then such an entry takes a place where the number of sessions is limited. What is
///   promised ends with a command that takes longer than that to reach its node: a session may then be written that is in no list. Creating a session with an
///   owner is two calls, moving it four, or five from one owner to another, deleting it two; a list, and an end, is two and one for each of the owner's sessions, side by side.
///   A login that finds the list full looks at the sessions first, and then ends the oldest.
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

/// So long a call whose step is done waits for a list on another node, which hears of it. Without any wait, the next call might find the list as it was.
const TELLING: Duration = Duration::from_millis(500);

/// What [`RedisStore`] keeps its bytes in.
#[derive(Clone)]
pub struct Redis {
    link: Link,
    layout: Layout,
    steps: Steps,
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
    /// [`StoreError::Unavailable`] where a URL is none, where no node answers within 15 seconds, or where a primary that answers cannot be used, as where its user may not
    /// run what is needed. A primary that does not answer keeps nobody from the others.
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
        Ok(Self::new(Redis { link: Link::to(target).await?, layout, steps: Steps::default() }))
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
    /// - Such a store [keeps no owners](super::Store::keeps_owners): Python, which knows no list of them, could make and end sessions beside it. Lifetimes, and what is
    ///   kept beside the data, are kept.
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
        let NewSession { data, limits, attributes, owner, .. } = session;
        let beside = beside(attributes.as_deref(), owner.as_deref().map(|belonging| &belonging.owner));
        let (new, keys) = (New { limits, age: Duration::ZERO, data, beside }, self.layout.keys(key));
        match owner {
            Some(belonging) if self.link.is_cluster() => {
                let store = self.clone();
                let entering = self.over_nodes(|caller| async move {
                    let entered = store.insert_entered(&keys, &new, &belonging, None, &caller).await?;
                    Ok(entered.unwrap_or(Created::Exists))
                });
                Box::pin(entering).await
            }
            belonging => self.insert(&keys, &new, belonging.as_deref()).await,
        }
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
        let answer = if let Some(lifetime) = change.lifetime {
            Box::pin(self.replace_for_life(key, next, &data, &lifetime)).await?
        } else if self.layout.is_own() {
            self.link.change(Replacement { key: self.layout.own_key(key), next, data }).await?
        } else {
            Box::pin(self.replace_by_script(key, next, &data)).await?
        };
        if let Value::BulkString(text) = &answer
            && text.len() > 16
        {
            self.tell_list(&self.layout.keys(key), &text[16..]).await;
        }
        replaced(answer)
    }

    async fn touch(&self, key: Key<'_>) -> Result<bool, StoreError> {
        if !self.is_reachable(key) {
            return Ok(false);
        }
        let keys = self.layout.keys(key);
        let call = |by| self.command(by, |scripts| &scripts.touch, &[&keys]);
        let answer = self.link.repeatable(call).await?;
        if let Value::BulkString(told) = &answer {
            self.tell_list(&keys, told).await;
        }
        Ok(answer != Value::Int(0))
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, rotation: Rotation<Vec<u8>>) -> Result<Rotated, StoreError> {
        let Rotation { session, owner } = rotation;
        if !self.is_reachable(old) {
            return Ok(Rotated::Missing);
        }
        if !self.is_reachable(new) {
            return Ok(Rotated::Exists);
        }
        self.link.check_size(HEADER + session.data.len())?;
        if self.link.is_cluster() {
            let (store, old, new) = (self.clone(), self.layout.keys(old), self.layout.keys(new));
            let moving =
                self.over_nodes(|caller| async move { store.move_across(&old, &new, session, owner.as_deref(), &caller).await });
            Box::pin(moving).await
        } else {
            self.swap(old, new, session, owner.as_deref()).await
        }
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        if !self.is_reachable(key) {
            return Ok(false);
        }
        let keys = self.layout.keys(key);
        if !self.link.is_cluster() || !self.layout.is_own() {
            return Ok(self.remove(&keys).await? != Value::Int(0));
        }
        // Only the answer tells whether a list is to hear of it: where it has no owner, this is one step, and no task.
        let (store, part) = (self.clone(), self.steps.part());
        let deleting = by_caller(move |stage| async move {
            stage.begin();
            let answer = store.remove(&keys).await?;
            if let Value::BulkString(beside) = &answer {
                store.leave_list(&keys, beside).await;
            }
            drop(part);
            Ok(answer != Value::Int(0))
        });
        self.link.watched(deleting).await.unwrap_or_else(|| Err(StoreError::unavailable("deleting a session has panicked")))
    }

    fn keeps_owners(&self) -> bool {
        self.layout.is_own()
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Listed<Vec<u8>>>, StoreError> {
        let list = self.list_key(owner)?;
        if self.link.is_cluster() {
            let across = self.across();
            return Box::pin(across.list(&across.whose(hex(owner)))).await;
        }
        listed(self.link.repeatable(|by| self.on_list(by, |owners| &owners.list, &list)).await?)
    }

    async fn end(&self, owner: &Owner, which: Which) -> Result<u64, StoreError> {
        let list = self.list_key(owner)?;
        if self.link.is_cluster() {
            let (store, owner) = (self.clone(), hex(owner));
            let ending = self.over_nodes(|_| async move {
                let across = store.across();
                across.end(&across.whose(owner), which).await
            });
            return Box::pin(ending).await;
        }
        let (which, one) = match which {
            Which::One(handle) => ("one", handle.to_string()),
            Which::Others(handle) => ("others", handle.to_string()),
            Which::All => ("all", String::new()),
        };
        let call = |by| {
            let mut command = self.on_list(by, |owners| &owners.end, &list);
            command.arg(which).arg(&one);
            command
        };
        number(&self.link.repeatable(call).await?)
    }

    async fn replace_listed(
        &self,
        owner: &Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<Vec<u8>>,
    ) -> Result<Replaced, StoreError> {
        let (list, next) = (self.list_key(owner)?, Next::after(expected));
        self.link.check_size(HEADER + change.data.len())?;
        if self.link.is_cluster() {
            let across = self.across();
            let whose = across.whose(hex(owner));
            return replaced(Box::pin(across.replace(&whose, handle, &next, &change.data)).await?);
        }
        let handle = handle.to_string();
        let call = |by| {
            let mut command = self.on_list(by, |owners| &owners.replace, &list);
            command.arg(&handle);
            next.add_to(&mut command);
            command.arg(&*change.data);
            command
        };
        replaced(self.link.once(call).await?)
    }

    async fn count(&self, owner: &Owner) -> Result<u64, StoreError> {
        let list = self.list_key(owner)?;
        if self.link.is_cluster() {
            let across = self.across();
            return Ok(Box::pin(across.list(&across.whose(hex(owner)))).await?.len() as u64);
        }
        number(&self.link.repeatable(|by| self.on_list(by, |owners| &owners.count, &list)).await?)
    }

    /// Lets what was begun end, and closes the connections.
    async fn close(&self) -> Result<(), StoreError> {
        self.steps.close().await;
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
    fn command(&self, by: By, script: fn(&'static Scripts) -> &'static Script, sessions: &[&Keys]) -> Cmd {
        let keys = sessions.iter().map(|session| session.all().len()).sum();
        let mut command = script(self.layout.scripts()).command(by, keys);
        for session in sessions {
            command.arg(session.all());
        }
        command.arg(self.about_layout());
        command
    }

    /// The same of a script that knows the lists of owners.
    fn owned(&self, by: By, script: fn(&'static Owners) -> &'static Script, sessions: &[&Keys]) -> Cmd {
        let mut command = script(&OWNERS).command(by, sessions.len());
        for session in sessions {
            command.arg(session.all());
        }
        command.arg(self.about_layout());
        command
    }

    /// A command that runs a script on the list of an owner.
    fn on_list(&self, by: By, script: fn(&'static Owners) -> &'static Script, list: &str) -> Cmd {
        let mut command = script(&OWNERS).command(by, 1);
        command.arg(list).arg(self.about_layout());
        command
    }

    /// What the first argument of each script says.
    fn about_layout(&self) -> u64 {
        if self.layout.is_own() { self.link.lists().argument() } else { self.layout.idle() }
    }

    fn list_key(&self, owner: &Owner) -> Result<String, StoreError> {
        if self.keeps_owners() { Ok(self.layout.list_key(owner)) } else { Err(StoreError::NoOwners) }
    }

    const fn across(&self) -> Across<'_> {
        Across { link: &self.link, layout: &self.layout }
    }

    /// A step over several nodes, which goes on to its end whatever becomes of the caller.
    async fn over_nodes<F, R>(&self, step: impl FnOnce(Caller) -> F) -> Result<R, StoreError>
    where
        F: Future<Output = Result<R, StoreError>> + Send + 'static,
        R: Send + 'static,
    {
        self.link.watched(self.steps.run(step)).await
    }

    /// What a list on another node hears of a step that is done. It is begun in any case; but whether the step is done does not depend on it, so it is waited
    /// for only as long as the list's node is there: who looks at the list next does what was left.
    async fn afterwards(&self, told: impl Future<Output = ()> + Send + 'static) {
        let part = self.steps.part();
        let told = tokio::spawn(async move {
            told.await;
            drop(part);
        });
        let _ = timeout(TELLING, told).await;
    }

    /// A list on another node hears that a session lives on. If that fails, it hears the next time, before it goes.
    #[cold]
    async fn tell_list(&self, keys: &Keys, told: &[u8]) {
        let (store, name, told) = (self.clone(), keys.name().to_owned(), told.to_vec());
        self.afterwards(async move {
            let _ = store.across().hear(&name, &told).await;
        })
        .await;
    }

    /// A list on another node hears that a session is gone from this key. If that fails, who looks at it next sees that.
    #[cold]
    async fn leave_list(&self, keys: &Keys, beside: &[u8]) {
        let Some(owner) = owner_in(beside) else { return };
        let (store, name) = (self.clone(), keys.name().to_owned());
        self.afterwards(async move {
            let across = store.across();
            let _ = across.leave(&across.whose(owner), &name).await;
        })
        .await;
    }

    /// What was to enter a list does not.
    async fn take_out(&self, keys: &Keys, owner: String) {
        let (store, name) = (self.clone(), keys.name().to_owned());
        self.afterwards(async move {
            let across = store.across();
            let _ = across.drop(&across.whose(owner), [name.as_str()]).await;
        })
        .await;
    }

    /// What a deletion answers.
    async fn remove(&self, keys: &Keys) -> Result<Value, StoreError> {
        self.link.once(|by| self.command(by, |scripts| &scripts.delete, &[keys])).await
    }

    async fn load_by_script(&self, key: Key<'_>) -> Result<Loaded<Vec<u8>>, StoreError> {
        let start = Instant::now();
        let keys = self.layout.keys(key);
        let answer = self.link.repeatable(|by| self.command(by, |scripts| &scripts.load, &[&keys])).await?;
        let loaded = loaded(answer)?;
        Ok(if self.link.is_cluster() { ahead(loaded, start.elapsed()) } else { loaded })
    }

    async fn replace_by_script(&self, key: Key<'_>, next: Next, data: &[u8]) -> Result<Value, StoreError> {
        let keys = self.layout.keys(key);
        let call = |by| {
            let mut command = self.command(by, |scripts| &scripts.replace, &[&keys]);
            next.add_to(&mut command);
            command.arg(data);
            command
        };
        self.link.once(call).await
    }

    async fn replace_for_life(&self, key: Key<'_>, next: Next, data: &[u8], lifetime: &NewLifetime) -> Result<Value, StoreError> {
        let (beside, keys) = (beside(lifetime.attributes.as_deref(), None), self.layout.keys(key));
        let call = |by| {
            let mut command = self.command(by, |scripts| &scripts.lifetime, &[&keys]);
            next.add_to(&mut command);
            command.arg(millis(lifetime.limits.idle)).arg(absolute(lifetime.limits)).arg(data).arg(&beside);
            command
        };
        self.link.once(call).await
    }

    async fn insert(&self, keys: &Keys, new: &New, owner: Option<&Belonging>) -> Result<Created, StoreError> {
        let New { limits, age, data, beside } = new;
        self.link.check_size(HEADER + beside.len() + data.len())?;
        let (version, limits, age) = (first_version(), *limits, *age);
        let call = |by| {
            let mut command = match owner {
                Some(_) if self.link.is_cluster() => {
                    let mut command = ACROSS.create.command(by, 1);
                    command.arg(keys.all()).arg(self.about_layout());
                    command
                }
                Some(_) => self.owned(by, |owners| &owners.create, &[keys]),
                None => self.command(by, |scripts| &scripts.create, &[keys]),
            };
            command.arg(&text(version)).arg(millis(limits.idle)).arg(absolute(limits)).arg(whole_millis(age)).arg(&**data);
            command.arg(beside);
            add_limit(owner, &mut command);
            command
        };
        match self.run(call).await?.as_slice() {
            b"exists" => Ok(Created::Exists),
            b"toomany" => Ok(Created::TooMany),
            _ => Ok(Created::Created(version)),
        }
    }

    /// Enters the list of an owner, then writes the row. `None` where what a rotation moves is ended. A session that was ended between the two was
    /// created all the same.
    async fn insert_entered(
        &self,
        keys: &Keys,
        new: &New,
        belonging: &Belonging,
        rotation: Option<(&str, &str)>,
        caller: &Caller,
    ) -> Result<Option<Created>, StoreError> {
        let (across, name, start) = (self.across(), keys.name(), Instant::now());
        let whose = across.whose(hex(&belonging.owner));
        let (tag, from) = rotation.unwrap_or(("----------", ""));
        let idle = millis(new.limits.idle);
        let entering = Entering { name, beside: &new.beside, age: whole_millis(new.age), tag, from, idle, belonging };
        match across.enter(&whose, &entering).await? {
            Entered::TooMany => return Ok(Some(Created::TooMany)),
            Entered::Missing => return Ok(None),
            Entered::Taken => return Ok(Some(Created::Exists)),
            Entered::Done => {}
        }
        let is_late = start.elapsed() >= PATIENCE;
        if is_late || caller.is_gone() {
            self.take_out(keys, hex(&belonging.owner)).await;
            return Err(if is_late { too_slow() } else { Caller::gave_up() });
        }
        let created = self.insert(keys, new, Some(belonging)).await?;
        if created == Created::Exists {
            self.take_out(keys, hex(&belonging.owner)).await;
        }
        Ok(Some(created))
    }

    /// A rotation where one server holds both keys.
    async fn swap(
        &self,
        old: Key<'_>,
        new: Key<'_>,
        session: Record<Vec<u8>>,
        owner: Option<&Belonging>,
    ) -> Result<Rotated, StoreError> {
        let (tag, keys) = (random_tag(), [self.layout.keys(old), self.layout.keys(new)]);
        let beside = beside(session.attributes.as_deref(), owner.map(|belonging| &belonging.owner));
        let call = |by| {
            let mut command = match owner {
                Some(_) => self.owned(by, |owners| &owners.rotate, &keys.each_ref()),
                None => self.command(by, |scripts| &scripts.rotate, &keys.each_ref()),
            };
            command.arg(&text(session.version)).arg(&tag).arg(&*session.data).arg(&beside);
            add_limit(owner, &mut command);
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
            b"toomany" => Ok(Rotated::TooMany),
            version => Ok(Rotated::Rotated(parse_version(version)?)),
        }
    }

    /// A rotation where the keys may be on different nodes. Nobody knows the new key until the old one is left: where the caller has gone by then, it is
    /// taken back, so that who does not hear of the new id keeps the session. If leaving fails, the row at the new key goes when it expires.
    async fn move_across(
        &self,
        old: &Keys,
        new: &Keys,
        session: Record<Vec<u8>>,
        owner: Option<&Belonging>,
        caller: &Caller,
    ) -> Result<Rotated, StoreError> {
        let session = session.at_present();
        let limits = Limits::new(session.idle, session.absolute_in);
        let beside = beside(session.attributes.as_deref(), owner.map(|belonging| &belonging.owner));
        let row = New { limits, age: session.age, data: session.data, beside };
        let tag = random_tag();
        let created = match owner {
            Some(belonging) => match self.insert_entered(new, &row, belonging, Some((&tag, old.name())), caller).await? {
                Some(created) => created,
                None => return Ok(Rotated::Missing),
            },
            None => self.insert(new, &row, None).await?,
        };
        let version = match created {
            Created::Created(version) => version,
            Created::Exists => return Ok(Rotated::Exists),
            Created::TooMany => return Ok(Rotated::TooMany),
        };
        if caller.is_gone() {
            self.take_back(new, owner).await;
            return Err(Caller::gave_up());
        }
        let leave = |by| {
            let mut command = self.command(by, |scripts| &scripts.leave, &[old]);
            command.arg(&text(session.version)).arg(&tag);
            command
        };
        let answer = self.run(leave).await?;
        let refused = match answer.as_slice() {
            b"conflict" => Rotated::Conflict,
            b"missing" => Rotated::Missing,
            left => {
                self.settle(old, new, owner, left.get(4..).unwrap_or_default()).await;
                return Ok(Rotated::Rotated(version));
            }
        };
        self.take_back(new, owner).await;
        Ok(refused)
    }

    /// A rotation is refused after its new row was written.
    async fn take_back(&self, new: &Keys, owner: Option<&Belonging>) {
        let [by_hash, by_source] = [By::Hash, By::Source].map(|by| self.command(by, |scripts| &scripts.delete, &[new]));
        let (store, name, owner) = (self.clone(), new.name().to_owned(), owner.map(|belonging| hex(&belonging.owner)));
        self.afterwards(async move {
            let delete = |by| match by {
                By::Hash => by_hash.clone(),
                By::Source => by_source.clone(),
            };
            // Where the answer is lost it is sent again: nobody else knows the key.
            if store.link.repeatable(delete).await.is_ok()
                && let Some(owner) = owner
            {
                let across = store.across();
                let _ = across.drop(&across.whose(owner), [name.as_str()]).await;
            }
        })
        .await;
    }

    /// A rotation is done, and the lists hear of it. If that fails, who looks at them next sees it.
    async fn settle(&self, old: &Keys, new: &Keys, owner: Option<&Belonging>, beside: &[u8]) {
        let (before, after) = (owner_in(beside), owner.map(|belonging| hex(&belonging.owner)));
        let (store, old, new) = (self.clone(), old.name().to_owned(), new.name().to_owned());
        self.afterwards(async move {
            let across = store.across();
            let left = before.filter(|before| after.as_ref() != Some(before)).map(|owner| across.whose(owner));
            let settled = after.map(|owner| across.whose(owner));
            let settle = async {
                if let Some(whose) = &settled {
                    let _ = across.settle(whose, &new, &old, true).await;
                }
            };
            let leave = async {
                if let Some(whose) = &left {
                    let _ = across.leave(whose, &old).await;
                }
            };
            join(settle, leave).await;
        })
        .await;
    }

    /// Runs a script that answers with a text.
    async fn run(&self, call: impl Fn(By) -> Cmd + Sync) -> Result<Vec<u8>, StoreError> {
        text_of(self.link.once(call).await?)
    }
}

/// A session has entered a list so long ago that its row must not be written any more.
fn too_slow() -> StoreError {
    StoreError::unavailable("the cluster was too slow: the session was not written")
}

/// A row that is to be written.
struct New {
    limits: Limits,
    age: Duration,
    data: Arc<Vec<u8>>,
    beside: String,
}

/// The milliseconds of the absolute limit, or 0. A limit that is over is not one that there is none.
fn absolute(limits: Limits) -> u64 {
    limits.absolute.map_or(0, |limit| millis(limit).max(1))
}

/// How many sessions the owner may have, for a script.
fn add_limit(owner: Option<&Belonging>, command: &mut Cmd) {
    let Some(belonging) = owner else { return };
    let limit = belonging.limit;
    command.arg(limit.map_or(0, |limit| limit.sessions.get()));
    command.arg(u8::from(limit.is_some_and(|limit| limit.when_full == WhenFull::Refuse)));
}

fn replaced(answer: Value) -> Result<Replaced, StoreError> {
    match text_of(answer)?.as_slice() {
        b"missing" => Ok(Replaced::Missing),
        b"conflict" => Ok(Replaced::Conflict),
        // What follows is for the list of its owner's.
        version => Ok(Replaced::Replaced(parse_version(version.get(..16).unwrap_or(version))?)),
    }
}

fn number(answer: &Value) -> Result<u64, StoreError> {
    match answer {
        Value::Int(number) => u64::try_from(*number).map_err(|_| unexpected(answer)),
        other => Err(unexpected(other)),
    }
}

/// The hash of an owner.
fn hex(owner: &Owner) -> String {
    let mut text = String::with_capacity(64);
    push_hex(&mut text, &owner.sha256());
    text
}
