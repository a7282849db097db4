//! The encoding of the stores that keep bytes: JSON.
//!
//! It describes itself, so that data stays readable when its type changes: a field that is new needs `#[serde(default)]`, one
//! that is gone is skipped. It is text, so that a database's own tools and programs in other languages read it too.

use std::sync::Arc;

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

use super::finite::is_finite;
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
/// session, as [`on_undecodable`](Self::on_undecodable) says; either way it is left as it is until it expires.
///
/// What would not be read back is an error when it is written: [`StoreError::Data`], and the session stays as it was. Such are a NaN and an
/// infinity, which JSON does not have, and data that is nested more than 127 deep. To know that, every write also decodes what it is
/// about to store.
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
    // JSON writes a number that it does not have as `null`: in an `Option` that would be read as `None`.
    if text.contains("null") && !is_finite(data) {
        return Err(StoreError::data(NOT_FINITE));
    }
    // Else the session would be lost: it could be neither read nor changed.
    serde_json::from_str::<T>(&text).map_err(|error| unreadable(&error))?;
    Ok(Arc::new(text.into_bytes()))
}

pub(super) const NOT_FINITE: &str = "the data would not be read back: it holds a NaN or an infinity, which JSON does not have";

fn unreadable(error: &serde_json::Error) -> StoreError {
    // Serde says that by a text alone.
    let kind = if error.to_string().starts_with("recursion limit exceeded") {
        "it is nested more than 127 deep"
    } else {
        "its type writes what it does not read"
    };
    StoreError::data(format!("the data would not be read back: {kind}, at line {} column {}", error.line(), error.column()))
}

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
pub(super) mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::random::for_all;
    use crate::store::Limits;

    /// Data with all that serde knows.
    #[derive(Debug, Clone, PartialEq, serde::Serialize, Deserialize)]
    pub(in crate::store) enum Data {
        Unit,
        Number(Option<f64>),
        Small((f32, i128, u64)),
        Text { text: String, char: char },
        List(Vec<Self>),
        Map(BTreeMap<String, Self>),
        ByNumber(BTreeMap<i32, Option<Box<Self>>>),
    }

    impl Data {
        fn is_finite(&self) -> bool {
            match self {
                Self::Unit | Self::Text { .. } => true,
                Self::Number(number) => number.is_none_or(f64::is_finite),
                Self::Small((number, ..)) => number.is_finite(),
                Self::List(list) => list.iter().all(Self::is_finite),
                Self::Map(map) => map.values().all(Self::is_finite),
                Self::ByNumber(map) => map.values().flatten().all(|data| data.is_finite()),
            }
        }
    }

    pub(in crate::store) fn data() -> impl Strategy<Value = Data> + Clone {
        let leaf = prop_oneof![
            Just(Data::Unit),
            any::<Option<u64>>().prop_map(|bits| Data::Number(bits.map(f64::from_bits))),
            prop::sample::select(vec![f64::NAN, f64::INFINITY, -0.0, f64::MIN_POSITIVE, 1e300])
                .prop_map(|number| Data::Number(Some(number))),
            (any::<u32>(), any::<i128>(), any::<u64>()).prop_map(|(bits, wide, number)| Data::Small((
                f32::from_bits(bits),
                wide,
                number
            ))),
            (".{0,9}|null", any::<char>()).prop_map(|(text, char)| Data::Text { text, char }),
        ];
        leaf.prop_recursive(5, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Data::List),
                btree_map(".{0,3}", inner.clone(), 0..4).prop_map(Data::Map),
                btree_map(any::<i32>(), prop::option::of(inner.prop_map(Box::new)), 0..4).prop_map(Data::ByNumber),
            ]
        })
    }

    /// What is read of stored bytes.
    fn read<T: DeserializeOwned>(bytes: &[u8], answer: OnUndecodable) -> Result<Loaded<T>, StoreError> {
        let limits = Limits::new(std::time::Duration::MAX, None);
        let record = Record::new(Arc::new(bytes.to_vec()), Version(1), limits.idle, limits.idle, None);
        decode(Loaded::Found(record), answer)
    }

    #[test]
    fn what_is_written_is_read_back_as_it_was_and_what_would_not_be_is_refused() {
        let nested = (data(), 0..400_usize).prop_map(|(data, depth)| (0..depth).fold(data, |data, _| Data::List(vec![data])));
        for_all(prop_oneof![4 => data(), 1 => nested], |data| match encode(&data) {
            Ok(bytes) => match read::<Data>(&bytes, OnUndecodable::Fail) {
                Ok(Loaded::Found(record)) => assert!(data.is_finite() && *record.data == data, "{:?}", record.data),
                other => panic!("{other:?}"),
            },
            Err(StoreError::Data(error)) => {
                let depth = serde_json::to_string(&data).unwrap();
                let deepest = depth.bytes().scan(0_i32, |depth, byte| {
                    // More than there are where braces are in texts, too.
                    *depth += i32::from(b"[{".contains(&byte)) - i32::from(b"]}".contains(&byte));
                    Some(*depth)
                });
                assert!(!data.is_finite() || deepest.max() > Some(100), "{error}");
            }
            Err(other) => panic!("{other}"),
        });
    }

    #[test]
    fn a_number_that_is_not_finite_is_refused_wherever_it_is() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(matches!(encode(&Some(number)), Err(StoreError::Data(_))), "{number}");
            assert!(matches!(encode(&Data::List(vec![Data::Number(Some(number))])), Err(StoreError::Data(_))), "{number}");
        }
    }

    #[test]
    fn data_that_is_nested_too_deep_to_be_read_is_refused() {
        let nested = |depth: usize| (1..depth).fold(json!([]), |inner, _| json!([inner]));
        assert!(encode(&nested(127)).is_ok());
        let said = encode(&nested(128)).unwrap_err();
        assert!(matches!(&said, StoreError::Data(error) if error.to_string().contains("127 deep")), "{said:?}");
    }

    #[test]
    fn whatever_is_stored_is_read_or_is_an_error_that_quotes_nothing_of_it() {
        let written = data().prop_map(|data| serde_json::to_vec(&data).unwrap());
        let damaged = (written.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        });
        let deep = (0..100_000_usize).prop_map(|depth| "[".repeat(depth).into_bytes());
        let secret = prop::sample::select(vec![
            r#""hunter2""#,
            r#"{"hunter2":1}"#,
            "[hunter2",
            r#"{"Text":{"text":"hunter2","hunter2":1}}"#,
        ]);
        let secret = secret.prop_map(|text| text.as_bytes().to_vec());
        for_all(prop_oneof![written, damaged, vec(any::<u8>(), 0..64), deep, secret], |bytes| {
            if let Err(error) = read::<Data>(&bytes, OnUndecodable::Fail) {
                let StoreError::Data(said) = &error else { panic!("{error:?}") };
                assert!(!format!("{said} {error:?}").contains("hunter2"));
                assert!(matches!(read::<Data>(&bytes, OnUndecodable::StartAfresh), Ok(Loaded::Missing)));
            }
            let _ = (read::<Value>(&bytes, OnUndecodable::Fail), read::<Vec<u8>>(&bytes, OnUndecodable::Fail));
        });
    }

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
