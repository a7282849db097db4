//! Sessions in Redis or Valkey, standalone or in a cluster.

mod layout;
mod link;
mod queue;
mod scripts;
mod shared;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use self::layout::{Layout, shared_keys};
use self::link::{Link, unavailable};
use self::queue::Ask;
use self::scripts::{By, Change, Script, Scripts};
use super::encoding::Encoded;
use super::{Created, Key, Limits, Loaded, NewSession, Record, Replaced, Rotated, Store, StoreError, StoreFuture, Version};
use crate::maybe_ready::MaybeReady;

#[cfg(test)]
pub(super) use self::link::{client, cluster_client};

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
/// - **Connections:** one for each thread that asks, at most four and at most one a core, made when first asked. One is made anew
///   when it breaks, or when calls are given up without an answer. Reading and touching are tried again once when the connection
///   turns out to be broken; a change is not, since it may have been made: the caller gets the error. A rotation is looked up at
///   its new key.
/// - **On a crash** the server promises what its `appendfsync` says: with the default (`everysec`, if the append-only file is
///   on) up to a second of changes is lost.
/// - **Cluster:** [`connect_cluster`](Self::connect_cluster), or `redis+cluster://` in [`connect`](super::connect). A master answers
///   before its replicas have the change (asynchronous replication): when it dies and a replica takes over, changes that were
///   acknowledged in the last moment may be lost, among them a logout, whose session is then back. Until then, for
///   `cluster-node-timeout` and the election, calls on its sessions fail or wait to the caller's bound; those on other nodes go on.
///   The client sends a call again whose connection broke. A change that was made finds its own version and is not made twice,
///   unless another change has come between the two: that is a conflict, and `update` runs its closure once more.
pub type RedisStore = Encoded<Redis>;

/// What [`RedisStore`] keeps its bytes in.
#[derive(Clone)]
pub struct Redis {
    link: Link,
    layout: Layout,
}

impl RedisStore {
    /// Connects to a server: `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS (feature `tls`), `unix://` or
    /// `redis+unix://` for a socket.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where the URL is none of these, or where the server does not answer within 2 seconds.
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, StoreError> {
        Ok(Self::over(Link::single(url.as_ref()).await?))
    }

    /// Connects to a cluster by the URLs of some of its nodes; the rest is found by asking them. TLS as in
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where a URL is none, or where no node answers.
    pub async fn connect_cluster<U: AsRef<str>>(nodes: impl IntoIterator<Item = U>) -> Result<Self, StoreError> {
        let nodes = nodes.into_iter().map(|url| url.as_ref().to_owned()).collect();
        Ok(Self::over(Link::cluster(nodes).await?))
    }

    fn over(link: Link) -> Self {
        Self::new(Redis { link, layout: Layout::default() })
    }

    /// What the keys begin with; `session:` unless given. Sessions with different types of data that share a server need
    /// different prefixes, else an id of the one could be shown to the other. A store that is
    /// [`fastapi_compatible`](Self::fastapi_compatible) has its own names, and this changes nothing.
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
    fn create<'a>(&'a self, key: Key<'a>, session: NewSession<Vec<u8>>) -> StoreFuture<'a, Created> {
        MaybeReady::boxed(async move { self.insert(key, session.limits, &session.data).await })
    }

    fn load<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, Loaded<Vec<u8>>> {
        MaybeReady::boxed(async move {
            match &self.link {
                Link::Single(single) if self.layout.is_own() => {
                    let answer = single.read(|| Ask::Read(self.layout.own_key(key))).await?;
                    kept(answer.value, answer.now)
                }
                Link::Single(single) => {
                    let answer = single.read(|| Ask::ReadShared(shared_keys(key))).await?;
                    match shared::kept(answer.value, answer.now)? {
                        Some(loaded) => Ok(loaded),
                        None => Box::pin(self.load_by_script(key)).await,
                    }
                }
                Link::Cluster(_) => Box::pin(self.load_by_script(key)).await,
            }
        })
    }

    fn replace<'a>(&'a self, key: Key<'a>, expected: Option<Version>, data: Arc<Vec<u8>>) -> StoreFuture<'a, Replaced> {
        MaybeReady::boxed(async move {
            let next = Next::after(expected);
            let answer = if self.layout.is_own() {
                self.link.change(Change { key: self.layout.own_key(key), next, data }).await?
            } else {
                Box::pin(self.replace_by_script(key, next, &data)).await?
            };
            match text_of(answer)?.as_slice() {
                b"missing" => Ok(Replaced::Missing),
                b"conflict" => Ok(Replaced::Conflict),
                version => Ok(Replaced::Replaced(parse_version(version)?)),
            }
        })
    }

    fn touch<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        MaybeReady::boxed(async move {
            let call = |by| self.command(by, |scripts| &scripts.touch, &[key]);
            Ok(self.link.repeatable(call).await? == Value::Int(1))
        })
    }

    fn rotate<'a>(&'a self, old: Key<'a>, new: Key<'a>, session: Record<Vec<u8>>) -> StoreFuture<'a, Rotated> {
        MaybeReady::boxed(async move {
            if self.link.is_cluster() { self.move_across(old, new, session).await } else { self.swap(old, new, session).await }
        })
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        MaybeReady::boxed(self.remove(key))
    }
}

impl Redis {
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

    async fn insert(&self, key: Key<'_>, limits: Limits, data: &[u8]) -> Result<Created, StoreError> {
        let version = first_version();
        // A limit that is over is not one that there is none.
        let absolute = limits.absolute.map_or(0, |limit| millis(limit).max(1));
        let call = |by| {
            let mut command = self.command(by, |scripts| &scripts.create, &[key]);
            command.arg(&text(version)).arg(millis(limits.idle)).arg(absolute).arg(data);
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
        let answer = match self.link.run(&call).await {
            // Whether it was done stands at the new key, which nobody else knows.
            Err(error) if error.is_connection_dropped() => {
                return match Box::pin(self.load(new)).await {
                    Ok(Loaded::Found(record)) => Ok(Rotated::Rotated(record.version)),
                    _ => Err(unavailable(error)),
                };
            }
            answer => answer.map_err(unavailable)?,
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
        let limits = Limits::new(session.idle, session.absolute_in);
        let Created::Created(version) = self.insert(new, limits, &session.data).await? else {
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

fn text_of(answer: Value) -> Result<Vec<u8>, StoreError> {
    match answer {
        Value::BulkString(text) => Ok(text),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        other => Err(unexpected(&other)),
    }
}

/// The length of the four fields before the data.
const HEADER: usize = 64;

/// What was read, by the server's clock just after it.
fn kept(answer: Value, now: u64) -> Result<Loaded<Vec<u8>>, StoreError> {
    match answer {
        Value::Nil => Ok(Loaded::Missing),
        Value::BulkString(text) => parse(text, |expires| (expires.saturating_sub(now), now)),
        other => Err(unexpected(&other)),
    }
}

/// What the script answered: what is kept, and the milliseconds until it goes.
fn loaded(answer: Value) -> Result<Loaded<Vec<u8>>, StoreError> {
    let (text, left) = match answer {
        Value::Nil => return Ok(Loaded::Missing),
        Value::Array(parts) => match <[Value; 2]>::try_from(parts) {
            Ok([Value::BulkString(text), Value::Int(left)]) => (text, left),
            _ => return Err(foreign()),
        },
        other => return Err(unexpected(&other)),
    };
    // The server drops the key one millisecond before the next one begins, at which the session is expired.
    let left = u64::try_from(left).map_err(|_| foreign())? + 1;
    parse(text, |expires| (left, expires.saturating_sub(left)))
}

/// What is kept, of which the time of its expiry tells the milliseconds that are left and the server's time.
fn parse(mut text: Vec<u8>, times: impl FnOnce(u64) -> (u64, u64)) -> Result<Loaded<Vec<u8>>, StoreError> {
    if text.len() < HEADER {
        return Ok(Loaded::JustRotated);
    }
    let version = parse_version(&text[..16])?;
    let [idle, absolute, expires] = [16, 32, 48].map(|at| parse_millis(&text[at..at + 16]));
    let (idle, absolute, expires) = (idle?, absolute?, expires?);
    let (left, now) = times(expires);
    // It came to its end between the two answers.
    if left == 0 {
        return Ok(Loaded::Missing);
    }
    let absolute_in = (absolute > 0).then(|| Duration::from_millis(absolute.saturating_sub(now)));
    text.drain(..HEADER);
    Ok(Loaded::Found(Record::new(Arc::new(text), version, Duration::from_millis(idle), Duration::from_millis(left), absolute_in)))
}

/// In a cluster a rotation counts the absolute limit anew from what was loaded, by another node's clock. The ways of this answer and
/// of that command to the node are taken off, so that the limit comes closer by them rather than moves away.
fn ahead(loaded: Loaded<Vec<u8>>, trip: Duration) -> Loaded<Vec<u8>> {
    match loaded {
        Loaded::Found(mut record) => {
            record.absolute_in = record.absolute_in.map(|left| left.saturating_sub(2 * trip));
            Loaded::Found(record)
        }
        other => other,
    }
}

/// The longest limit, some 30 000 years: with it times stay below 2^53, which is as far as the server's scripts count.
const MAX_MILLIS: u64 = 1_000_000_000_000_000;

/// Whole milliseconds, rounded up so that no limit becomes none.
fn millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(MAX_MILLIS).min(MAX_MILLIS)
}

fn first_version() -> Version {
    Version(1 << TAG_BITS | random_bits())
}

/// The version that a session must have, if any, and the next one: the whole of it where it is known, else its tag.
#[derive(Clone)]
enum Next {
    After(Version, Version),
    Any(String),
}

impl Next {
    fn after(expected: Option<Version>) -> Self {
        let Some(expected) = expected else { return Self::Any(random_tag()) };
        let count = ((expected.0 >> TAG_BITS) + 1) & (u64::MAX >> TAG_BITS);
        Self::After(expected, Version(count << TAG_BITS | random_bits()))
    }

    fn add_to(&self, command: &mut Cmd) {
        match self {
            Self::After(expected, next) => command.arg(&text(*expected)).arg(&text(*next)),
            Self::Any(tag) => command.arg("").arg(tag),
        };
    }
}

const TAG_BITS: u32 = 40;

fn random_bits() -> u64 {
    rand::random::<u64>() >> (u64::BITS - TAG_BITS)
}

fn random_tag() -> String {
    format!("{:010x}", random_bits())
}

/// A version in 16 hex digits.
fn text(version: Version) -> [u8; 16] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|at| HEX[(version.0 >> (60 - 4 * at) & 15) as usize])
}

/// The version of this text, if it is the one that [`text`] writes. The scripts compare texts: of another spelling (`+f`, `F`) a change
/// would never find the version that it expects.
fn parse_version(text: &[u8]) -> Result<Version, StoreError> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let digits = str::from_utf8(text).ok().filter(|_| text.len() == 16 && text.iter().all(is_digit));
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).map(Version).ok_or_else(foreign)
}

fn parse_millis(text: &[u8]) -> Result<u64, StoreError> {
    let digits = str::from_utf8(text).ok().filter(|_| text.iter().all(u8::is_ascii_digit));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(foreign)
}

/// A value that this store did not write.
fn foreign() -> StoreError {
    StoreError::data("another program's value is stored under the session's key: choose another key prefix")
}

/// An answer that the script or command does not give. Its kind is told, not what it holds.
fn unexpected(answer: &Value) -> StoreError {
    let kind = match answer {
        Value::ServerError(error) => error.code().to_owned(),
        _ => "an answer of another type".to_owned(),
    };
    StoreError::unavailable(format!("the server gave {kind} where a session was asked for"))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use redis::parse_redis_value;

    use super::*;
    use crate::random::for_all;

    /// What a server may answer, with many of these texts in it.
    pub(super) fn answer(texts: impl Strategy<Value = Vec<u8>> + 'static) -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            3 => texts.prop_map(Value::BulkString),
            1 => vec(any::<u8>(), 0..80).prop_map(Value::BulkString),
            1 => Just(Value::Nil),
            1 => prop_oneof![-2..1000_i64, Just(i64::MAX), any::<i64>()].prop_map(Value::Int),
            1 => any::<String>().prop_map(Value::SimpleString),
            1 => any::<f64>().prop_map(Value::Double),
            1 => any::<bool>().prop_map(Value::Boolean),
            1 => Just(Value::Okay),
            1 => Just(parse_redis_value(b"-NOPERM no permission\r\n").unwrap()),
        ];
        leaf.prop_recursive(2, 12, 5, |inner| {
            prop_oneof![vec(inner.clone(), 0..6).prop_map(Value::Array), vec((inner.clone(), inner), 0..3).prop_map(Value::Map),]
        })
    }

    /// 16 characters of a header, or what another program may have in their place.
    pub(super) fn field() -> impl Strategy<Value = Vec<u8>> + Clone {
        prop_oneof![
            20 => (0..10_000_000_000_000_000_u64).prop_map(|number| format!("{number:016}").into_bytes()),
            1 => Just(vec![b'0'; 16]),
            1 => "[+-]?[0-9A-Fa-f_. ]{15,16}".prop_map(String::into_bytes),
            1 => vec(any::<u8>(), 16),
        ]
    }

    /// The same of a version.
    pub(super) fn version() -> impl Strategy<Value = Vec<u8>> + Clone {
        prop_oneof![
            6 => any::<u64>().prop_map(|number| format!("{number:016x}").into_bytes()),
            1 => any::<u64>().prop_map(|number| format!("{number:016X}").into_bytes()),
            1 => any::<u32>().prop_map(|number| format!("+{number:015x}").into_bytes()),
            1 => field(),
        ]
    }

    fn row() -> impl Strategy<Value = Vec<u8>> {
        let whole = (version(), [field(), field(), field()], vec(any::<u8>(), 0..20))
            .prop_map(|(version, fields, data)| [version, fields.concat(), data].concat());
        prop_oneof![8 => whole.clone(), 1 => (whole, 0..90_usize).prop_map(|(row, length)| row.into_iter().take(length).collect())]
    }

    /// What is shown of a row is what stands in it, so that a change finds it as it was read.
    fn assert_is_of(record: &Record<Vec<u8>>, row: &[u8]) {
        assert_eq!(text(record.version), row[..16]);
        assert_eq!(format!("{:016}", record.idle.as_millis()).as_bytes(), &row[16..32]);
        assert_eq!(record.absolute_in.is_some(), row[32..48] != *b"0000000000000000");
        assert_eq!(*record.data, row[64..]);
    }

    #[test]
    fn whatever_the_server_answers_is_a_session_or_an_error() {
        for_all((answer(row()), any::<u64>()), |(answer, now)| {
            if let (Ok(Loaded::Found(record)), Value::BulkString(row)) = (kept(answer.clone(), now), &answer) {
                assert_is_of(&record, row);
            }
            let script = Value::Array(vec![answer.clone(), Value::Int(now.cast_signed())]);
            for answer in [answer, script] {
                if let (Ok(Loaded::Found(record)), Value::Array(parts)) = (loaded(answer.clone()), &answer)
                    && let [Value::BulkString(row), _] = &parts[..]
                {
                    assert_is_of(&record, row);
                }
                if let Ok(text) = text_of(answer)
                    && let Ok(version) = parse_version(&text)
                {
                    assert_eq!(self::text(version), *text);
                }
            }
        });
    }

    #[test]
    fn what_the_scripts_write_is_read_as_it_was_written() {
        let millis = || 0..=MAX_MILLIS;
        let times = (millis(), prop_oneof![Just(None), millis().prop_map(Some)], 1..=MAX_MILLIS, millis());
        for_all((any::<u64>(), times, vec(any::<u8>(), 0..99)), |(version, (idle, absolute, left, now), data)| {
            let (expires, absolute) = (now + left, absolute.map(|left| now + left).filter(|absolute| *absolute > 0));
            let header = format!("{version:016x}{idle:016}{:016}{expires:016}", absolute.unwrap_or(0));
            let row = [header.as_bytes(), &data].concat();
            let script = Value::Array(vec![Value::BulkString(row.clone()), Value::Int(left.cast_signed() - 1)]);
            for loaded in [kept(Value::BulkString(row), now), loaded(script)] {
                let Ok(Loaded::Found(record)) = loaded else { panic!("{loaded:?}") };
                assert_eq!((*record.data == data, record.version), (true, Version(version)));
                assert_eq!((record.idle, record.expires_in), (Duration::from_millis(idle), Duration::from_millis(left)));
                assert_eq!(record.absolute_in, absolute.map(|absolute| Duration::from_millis(absolute - now)));
            }
        });
    }

    #[test]
    fn a_version_that_is_spelled_as_no_script_spells_it_is_another_programs() {
        let row = |version: &str| Value::BulkString(format!("{version}{:016}{:016}{:016}", 1, 0, 9).into_bytes());
        for version in ["000000000000000F", "+00000000000000f"] {
            assert!(matches!(kept(row(version), 1), Err(StoreError::Data(_))), "{version}");
        }
        assert!(matches!(kept(row("000000000000000f"), 1), Ok(Loaded::Found(_))));
    }
}
