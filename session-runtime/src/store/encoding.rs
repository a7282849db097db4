//! The encoding of the stores that keep bytes: JSON.
//!
//! It describes itself, so that data stays readable when its type changes: a field that is new needs `#[serde(default)]`, one
//! that is gone is skipped. It is text, so that a database's own tools and programs in other languages read it too.

use std::sync::Arc;

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

use super::{Created, Key, Loaded, NewSession, Record, Replaced, Rotated, Store, StoreError, StoreFuture, Version};
use crate::maybe_ready::MaybeReady;

/// A store of bytes as a store of any data that serde knows, kept as JSON.
///
/// Every engine that comes with the crate is one. Write a `Store<Vec<u8>>` of your own, and this makes it a store for every
/// type of data:
///
/// ```
/// use session_runtime::store::{Encoded, Store};
///
/// fn store_of_my_own<S: Store<Vec<u8>>>(bytes: S) -> Encoded<S> {
///     Encoded::new(bytes)
/// }
/// ```
///
/// When the type of the data changes, sessions that are stored already are read as the new type. A new field reads if it is an
/// `Option` or carries `#[serde(default)]`; a field that is gone is skipped. What cannot be read is an error, or is taken for no
/// session, as [`on_undecodable`](Self::on_undecodable) says; either way it is left as it is until it expires. A NaN or an infinity, which
/// JSON does not have, is an error when it is written: [`StoreError::Data`], and the session stays as it was.
#[derive(Debug, Clone)]
pub struct Encoded<S> {
    pub(super) bytes: S,
    on_undecodable: OnUndecodable,
}

/// What a session reads as whose stored data does not fit its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUndecodable {
    /// [`StoreError::Data`]: the request is answered 500, and the client keeps its session for when the program reads it again.
    #[default]
    Fail,
    /// As no session: the client starts afresh under a new id. The old data is not touched; it goes when it expires.
    StartAfresh,
}

impl<S> Encoded<S> {
    /// A store that keeps its data in `bytes`.
    #[must_use]
    pub const fn new(bytes: S) -> Self {
        Self { bytes, on_undecodable: OnUndecodable::Fail }
    }

    /// What a session reads as whose stored data does not fit its type; [`OnUndecodable::Fail`] unless given.
    #[must_use]
    pub fn on_undecodable(mut self, answer: OnUndecodable) -> Self {
        self.on_undecodable = answer;
        self
    }
}

impl<S, T> Store<T> for Encoded<S>
where
    S: Store<Vec<u8>>,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn create<'a>(&'a self, key: Key<'a>, session: NewSession<T>) -> StoreFuture<'a, Created> {
        match encode(&*session.data) {
            Ok(data) => self.bytes.create(key, NewSession::new(data, session.limits)),
            Err(error) => MaybeReady::ready(Err(error)),
        }
    }

    fn load<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, Loaded<T>> {
        let loaded = self.bytes.load(key);
        MaybeReady::boxed(async move { decode(loaded.await?, self.on_undecodable) })
    }

    fn replace<'a>(&'a self, key: Key<'a>, expected: Option<Version>, data: Arc<T>) -> StoreFuture<'a, Replaced> {
        match encode(&*data) {
            Ok(data) => self.bytes.replace(key, expected, data),
            Err(error) => MaybeReady::ready(Err(error)),
        }
    }

    fn touch<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        self.bytes.touch(key)
    }

    fn rotate<'a>(&'a self, old: Key<'a>, new: Key<'a>, session: Record<T>) -> StoreFuture<'a, Rotated> {
        match encode(&*session.data) {
            Ok(data) => self.bytes.rotate(old, new, with_data(&session, data)),
            Err(error) => MaybeReady::ready(Err(error)),
        }
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> StoreFuture<'a, bool> {
        self.bytes.delete(key)
    }

    fn sweep(&self) -> StoreFuture<'_, u64> {
        self.bytes.sweep()
    }
}

fn encode<T: Serialize + DeserializeOwned>(data: &T) -> Result<Arc<Vec<u8>>, StoreError> {
    let text = serde_json::to_string(data).map_err(StoreError::data)?;
    // JSON writes a number that it does not have as `null`, which does not read as a number: the session would be lost.
    if text.contains("null") && serde_json::from_str::<T>(&text).is_err() {
        return Err(StoreError::data(UNREADABLE));
    }
    Ok(Arc::new(text.into_bytes()))
}

pub(super) const UNREADABLE: &str =
    "the data would not be read back: it holds a value that JSON does not have, such as NaN or an infinity";

fn decode<T: DeserializeOwned>(loaded: Loaded<Vec<u8>>, answer: OnUndecodable) -> Result<Loaded<T>, StoreError> {
    let record = match loaded {
        Loaded::Found(record) => record,
        Loaded::Missing => return Ok(Loaded::Missing),
        Loaded::JustRotated => return Ok(Loaded::JustRotated),
    };
    match serde_json::from_slice(&record.data) {
        Ok(data) => Ok(Loaded::Found(with_data(&record, Arc::new(data)))),
        Err(error) if answer == OnUndecodable::StartAfresh => {
            tracing::warn!(place = %place(&error), "a stored session does not fit its type and is taken for none");
            Ok(Loaded::Missing)
        }
        // What serde says may quote the data, which is nobody's business in a log; where it stumbled is enough to find it.
        Err(error) => Err(StoreError::data(place(&error))),
    }
}

/// Where the data stopped making sense.
fn place(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "a value or field of another type than expected, or a field missing",
        _ => "not JSON",
    };
    format!("{kind}, at line {} column {} of what is stored", error.line(), error.column())
}

fn with_data<A, B>(record: &Record<A>, data: Arc<B>) -> Record<B> {
    Record::new(data, record.version, record.idle, record.expires_in, record.absolute_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_to_the_last_bit() {
        let numbers = std::iter::repeat_with(|| f64::from_bits(rand::random())).filter(|number| number.is_finite());
        for number in numbers.take(10_000) {
            let text = encode(&number).unwrap();
            let back: f64 = serde_json::from_slice(&text).unwrap();
            assert_eq!(back.to_bits(), number.to_bits(), "{number:e}");
        }
    }

    #[test]
    fn what_would_not_be_read_back_is_not_written() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(matches!(encode(&number), Err(StoreError::Data(_))), "{number}");
            assert!(matches!(encode(&vec![(1.0, number)]), Err(StoreError::Data(_))), "{number}");
        }
        assert_eq!(**encode(&(None::<f64>, "null".to_owned())).unwrap(), *br#"[null,"null"]"#);
    }
}
