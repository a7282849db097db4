//! Sessions in Redis or Valkey, standalone or in a cluster.

mod keys;
mod link;
mod scripts;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;

use self::keys::KeyPrefix;
use self::link::Link;
use self::scripts::{Call, SCRIPTS};
use super::encoding::Encoded;
use super::{Created, Key, Limits, Loaded, NewSession, Record, Replaced, Rotated, Store, StoreError, StoreFuture, Version};
use crate::maybe_ready::MaybeReady;

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
/// - **Calls:** every operation is one round trip, a script that the server runs as one step. In a cluster a rotation is two,
///   because the two keys may be on different nodes: the new one is written, which nobody knows of yet, then the old one is
///   compared and left, which is the commit.
/// - **Expiry:** by the server, by its clock, to the millisecond. There is nothing to sweep.
/// - **Connection:** one, which all requests share. It is made anew when it breaks, or when calls are given up on it one after
///   the other without an answer. Reading and touching are tried again once when the connection turns out to be broken; a change
///   is not, since it may have been made: the caller gets the error.
/// - **On a crash** the server promises what its `appendfsync` says: with the default (`everysec`, if the append-only file is
///   on) up to a second of changes. A replica that takes over may lack the last changes too.
/// - **Cluster:** [`connect_cluster`](Self::connect_cluster), or `redis+cluster://` in [`connect`](super::connect).
pub type RedisStore = Encoded<Redis>;

/// What [`RedisStore`] keeps its bytes in.
#[derive(Clone)]
pub struct Redis {
    link: Link,
    prefix: KeyPrefix,
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

    /// Connects to a cluster by the URLs of some of its nodes; the rest is found by asking them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] where a URL is none, or where no node answers.
    pub async fn connect_cluster<U: AsRef<str>>(nodes: impl IntoIterator<Item = U>) -> Result<Self, StoreError> {
        let nodes = nodes.into_iter().map(|url| url.as_ref().to_owned()).collect();
        Ok(Self::over(Link::cluster(nodes).await?))
    }

    fn over(link: Link) -> Self {
        Self::new(Redis { link, prefix: KeyPrefix::default() })
    }

    /// What the keys begin with; `session:` unless given. Sessions with different types of data that share a server need
    /// different prefixes, else an id of the one could be shown to the other.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl AsRef<str>) -> Self {
        self.bytes.prefix = KeyPrefix::new(prefix.as_ref());
        self
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Store<Vec<u8>> for Redis {
    fn create<'a>(&'a self, key: Key<'a>, session: NewSession<Vec<u8>>) -> StoreFuture<'a, Created> {
        MaybeReady::boxed(async move {
            let version = first_version();
            self.insert(&self.prefix.key(key), version, session.limits, &session.data).await
        })
    }

    fn load<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, Loaded<Vec<u8>>> {
        MaybeReady::boxed(async move {
            let call = SCRIPTS.load.on(&[&self.prefix.key(key)]);
            loaded(self.link.repeatable(&call).await?)
        })
    }

    fn replace<'a>(&'a self, key: Key<'a>, expected: Option<Version>, data: Arc<Vec<u8>>) -> StoreFuture<'a, Replaced> {
        MaybeReady::boxed(async move {
            let expected = expected.map(text).unwrap_or_default();
            let call = SCRIPTS.replace.on(&[&self.prefix.key(key)]).arg(&expected).arg(random_tag()).arg(&*data);
            match self.run(&call).await?.as_slice() {
                b"missing" => Ok(Replaced::Missing),
                b"conflict" => Ok(Replaced::Conflict),
                version => Ok(Replaced::Replaced(parse_version(version)?)),
            }
        })
    }

    fn touch<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        MaybeReady::boxed(async move {
            let call = SCRIPTS.touch.on(&[&self.prefix.key(key)]);
            Ok(self.link.repeatable(&call).await? == Value::Int(1))
        })
    }

    fn rotate<'a>(&'a self, old: Key<'a>, new: Key<'a>, session: Record<Vec<u8>>) -> StoreFuture<'a, Rotated> {
        MaybeReady::boxed(async move {
            let (old, new) = (self.prefix.key(old), self.prefix.key(new));
            if self.link.is_cluster() {
                self.move_across(&old, &new, session).await
            } else {
                self.swap(&old, &new, session).await
            }
        })
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        MaybeReady::boxed(async move {
            let call = SCRIPTS.delete.on(&[&self.prefix.key(key)]);
            Ok(self.link.once(&call).await? == Value::Int(1))
        })
    }
}

impl Redis {
    async fn insert(&self, key: &str, version: Version, limits: Limits, data: &[u8]) -> Result<Created, StoreError> {
        let absolute = limits.absolute.map_or(0, millis);
        let call = SCRIPTS.create.on(&[key]).arg(text(version)).number(millis(limits.idle)).number(absolute).arg(data);
        match self.run(&call).await?.as_slice() {
            b"exists" => Ok(Created::Exists),
            _ => Ok(Created::Created(version)),
        }
    }

    /// A rotation where one server holds both keys.
    async fn swap(&self, old: &str, new: &str, session: Record<Vec<u8>>) -> Result<Rotated, StoreError> {
        let call = SCRIPTS.rotate.on(&[old, new]).arg(text(session.version)).arg(random_tag()).arg(&*session.data);
        match self.run(&call).await?.as_slice() {
            b"missing" => Ok(Rotated::Missing),
            b"conflict" => Ok(Rotated::Conflict),
            b"exists" => Ok(Rotated::Exists),
            version => Ok(Rotated::Rotated(parse_version(version)?)),
        }
    }

    /// A rotation where the keys may be on different nodes. Nobody knows the new key until the old one is left; if that fails,
    /// the row at the new key goes when it expires.
    async fn move_across(&self, old: &str, new: &str, session: Record<Vec<u8>>) -> Result<Rotated, StoreError> {
        let version = first_version();
        let limits = Limits::new(session.idle, session.absolute_in);
        if self.insert(new, version, limits, &session.data).await? == Created::Exists {
            return Ok(Rotated::Exists);
        }
        let leave = SCRIPTS.leave.on(&[old]).arg(text(session.version)).arg(random_tag());
        let refused = match self.run(&leave).await?.as_slice() {
            b"left" => return Ok(Rotated::Rotated(version)),
            b"conflict" => Rotated::Conflict,
            _ => Rotated::Missing,
        };
        self.link.once(&SCRIPTS.delete.on(&[new])).await?;
        Ok(refused)
    }

    /// Runs a script that answers with a text.
    async fn run(&self, call: &Call) -> Result<Vec<u8>, StoreError> {
        match self.link.once(call).await? {
            Value::BulkString(text) => Ok(text),
            Value::SimpleString(text) => Ok(text.into_bytes()),
            other => Err(unexpected(&other)),
        }
    }
}

/// The length of the four fields before the data.
const HEADER: usize = 64;

fn loaded(answer: Value) -> Result<Loaded<Vec<u8>>, StoreError> {
    let (mut text, left) = match answer {
        Value::Nil => return Ok(Loaded::Missing),
        Value::Array(parts) => match <[Value; 2]>::try_from(parts) {
            Ok([Value::BulkString(text), Value::Int(left)]) => (text, left),
            _ => return Err(foreign()),
        },
        other => return Err(unexpected(&other)),
    };
    if text.len() < HEADER {
        return Ok(Loaded::JustRotated);
    }
    let version = parse_version(&text[..16])?;
    let [idle, absolute, expires] = [16, 32, 48].map(|at| parse_millis(&text[at..at + 16]));
    let (idle, absolute, expires) = (idle?, absolute?, expires?);
    // The server drops the key one millisecond before the next one begins, at which the session is expired.
    let left = u64::try_from(left).map_err(|_| foreign())? + 1;
    let now = expires.saturating_sub(left);
    let absolute_in = (absolute > 0).then(|| Duration::from_millis(absolute.saturating_sub(now)));
    text.drain(..HEADER);
    Ok(Loaded::Found(Record::new(Arc::new(text), version, Duration::from_millis(idle), Duration::from_millis(left), absolute_in)))
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

const TAG_BITS: u32 = 40;

fn random_bits() -> u64 {
    rand::random::<u64>() >> (u64::BITS - TAG_BITS)
}

fn random_tag() -> String {
    format!("{:010x}", random_bits())
}

fn text(version: Version) -> String {
    format!("{:016x}", version.0)
}

fn parse_version(text: &[u8]) -> Result<Version, StoreError> {
    let digits = std::str::from_utf8(text).map_err(|_| foreign())?;
    u64::from_str_radix(digits, 16).map(Version).map_err(|_| foreign())
}

fn parse_millis(text: &[u8]) -> Result<u64, StoreError> {
    std::str::from_utf8(text).ok().and_then(|digits| digits.parse().ok()).ok_or_else(foreign)
}

/// A value that this store did not write.
fn foreign() -> StoreError {
    StoreError::data("another program's value is stored under the session's key: choose another key prefix")
}

/// An answer that the script does not give. Its kind is told, not what it holds.
fn unexpected(answer: &Value) -> StoreError {
    let kind = match answer {
        Value::ServerError(error) => error.code().to_owned(),
        _ => "an answer of another type".to_owned(),
    };
    StoreError::unavailable(format!("the server gave {kind} for a script's answer"))
}
