//! The encoding of the stores that keep bytes: JSON.
//!
//! It describes itself, so that data stays readable when its type changes: a field that is new needs `#[serde(default)]`, one
//! that is gone is skipped. It is text, so that a database's own tools and programs in other languages read it too.

use std::sync::Arc;

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;
use serde_json::Value;

use super::finite::is_finite;
use super::hand_on::{as_it_is, hand_on_without_data};
use super::{
    Change, Created, Key, Listed, Loaded, NewSession, Owner, Record, Replaced, Rotated, Rotation, SessionHandle, Store,
    StoreError, Version, Which,
};

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
/// `Option` or carries `#[serde(default)]`; a field that is gone is skipped. What cannot be read is
/// [`Undecodable`](Loaded::Undecodable): the layer's option `on_undecodable` says whether that is an error or no session. Either way it
/// is left as it is until it expires.
///
/// What would not be read back as it is is an error when it is written: [`StoreError::Data`], and the session stays as it was. Such are a NaN and an
/// infinity, which JSON does not have, data that is nested more than 127 deep, and a type that does not read what it writes, as with
/// `#[serde(skip_serializing)]` on a field without a default. To know that, every write also decodes what it is about to store, and
/// encodes that again.
#[derive(Debug, Clone)]
pub struct Encoded<S> {
    pub(super) bytes: S,
}

impl<S> Encoded<S> {
    /// A store that keeps its data in `bytes`.
    #[must_use]
    pub const fn new(bytes: S) -> Self {
        Self { bytes }
    }
}

impl<S: Store<Vec<u8>>> Encoded<S> {
    /// Writes out and closes what the store has open, as [`Store::close`] does.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where that fails.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.bytes.close().await
    }
}

impl<S, T> Store<T> for Encoded<S>
where
    S: Store<Vec<u8>>,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    const IMMEDIATE: bool = S::IMMEDIATE;

    async fn create(&self, key: Key<'_>, session: NewSession<T>) -> Result<Created, StoreError> {
        let data = encode(&*session.data)?;
        let NewSession { limits, origin, attributes, owner, .. } = session;
        self.bytes.create(key, NewSession { data, limits, origin, attributes, owner }).await
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<T>, StoreError> {
        Ok(decode(self.bytes.load(key).await?))
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<T>) -> Result<Replaced, StoreError> {
        self.bytes.replace(key, expected, encoded(change)?).await
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, rotation: Rotation<T>) -> Result<Rotated, StoreError> {
        let data = encode(&*rotation.session.data)?;
        let rotation = Rotation { session: with_data(&rotation.session, data), owner: rotation.owner };
        self.bytes.rotate(old, new, rotation).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Listed<T>>, StoreError> {
        let listed = self.bytes.list(owner).await?.into_iter();
        Ok(listed
            .map(|Listed { handle, session, unused }| Listed {
                handle,
                session: session.and_then(|record| decoded(&record)),
                unused,
            })
            .collect())
    }

    async fn replace_listed(
        &self,
        owner: &Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<T>,
    ) -> Result<Replaced, StoreError> {
        self.bytes.replace_listed(owner, handle, expected, encoded(change)?).await
    }

    hand_on_without_data!(self => self.bytes, by as_it_is);
}

/// A store in memory that refuses what the stores that keep bytes refuse, so that a program that is tried with the one works with the others.
pub(super) struct Checked<S>(pub(super) S);

impl<S, T> Store<T> for Checked<S>
where
    S: Store<T>,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    const IMMEDIATE: bool = S::IMMEDIATE;

    async fn create(&self, key: Key<'_>, session: NewSession<T>) -> Result<Created, StoreError> {
        encode(&*session.data)?;
        self.0.create(key, session).await
    }

    async fn load(&self, key: Key<'_>) -> Result<Loaded<T>, StoreError> {
        self.0.load(key).await
    }

    async fn replace(&self, key: Key<'_>, expected: Version, change: Change<T>) -> Result<Replaced, StoreError> {
        encode(&*change.data)?;
        self.0.replace(key, expected, change).await
    }

    async fn rotate(&self, old: Key<'_>, new: Key<'_>, rotation: Rotation<T>) -> Result<Rotated, StoreError> {
        encode(&*rotation.session.data)?;
        self.0.rotate(old, new, rotation).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Listed<T>>, StoreError> {
        self.0.list(owner).await
    }

    async fn replace_listed(
        &self,
        owner: &Owner,
        handle: SessionHandle,
        expected: Version,
        change: Change<T>,
    ) -> Result<Replaced, StoreError> {
        encode(&*change.data)?;
        self.0.replace_listed(owner, handle, expected, change).await
    }

    hand_on_without_data!(self => self.0, by as_it_is);
}

fn encoded<T: Serialize + DeserializeOwned>(change: Change<T>) -> Result<Change<Vec<u8>>, StoreError> {
    Ok(Change { data: encode(&*change.data)?, lifetime: change.lifetime })
}

fn encode<T: Serialize + DeserializeOwned>(data: &T) -> Result<Arc<Vec<u8>>, StoreError> {
    let text = serde_json::to_string(data).map_err(StoreError::data)?;
    // JSON writes a number that it does not have as `null`: in an `Option` that would be read as `None`.
    if text.contains("null") && !is_finite(data) {
        return Err(StoreError::data(NOT_FINITE));
    }
    // Else the session would be lost: it could be neither read nor changed.
    let read: T = serde_json::from_str(&text).map_err(|error| unreadable::<T>(&text, &error))?;
    // Else another session would be read than was written.
    let again = serde_json::to_string(&read).map_err(StoreError::data)?;
    if again != text && !is_the_same(&text, &again) {
        return Err(StoreError::data(OTHERWISE));
    }
    Ok(Arc::new(text.into_bytes()))
}

pub(super) const NOT_FINITE: &str = "the data would not be read back: it holds a NaN or an infinity, which JSON does not have";

const OTHERWISE: &str = "the data would be read back as other data: its type does not read what it writes";

#[cold]
fn unreadable<T: DeserializeOwned>(text: &str, error: &serde_json::Error) -> StoreError {
    // Serde says that by a text alone.
    if error.to_string().starts_with("recursion limit exceeded") {
        return StoreError::data("the data would not be read back: it is nested more than 127 deep");
    }
    let read: Result<T, _> = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text));
    let place = read.err().map(|error| error.path().to_string()).filter(|path| path != ".");
    StoreError::data(format!(
        "the data would not be read back: its type writes what it does not read, at {}",
        place.map_or_else(|| "the top".to_owned(), |path| format!("`{path}`"))
    ))
}

/// Whether two texts are the same data, but for the order of what has none, such as a set.
#[cold]
fn is_the_same(one: &str, other: &str) -> bool {
    fn in_order(value: &Value) -> String {
        match value {
            Value::Array(values) => {
                let mut values: Vec<_> = values.iter().map(in_order).collect();
                values.sort_unstable();
                format!("[{}]", values.join(","))
            }
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name:?}:{}", in_order(value))).collect();
                fields.sort_unstable();
                format!("{{{}}}", fields.join(","))
            }
            other => other.to_string(),
        }
    }
    let values = [one, other].map(serde_json::from_str::<Value>);
    matches!(values, [Ok(one), Ok(other)] if in_order(&one) == in_order(&other))
}

fn decode<T: DeserializeOwned>(loaded: Loaded<Vec<u8>>) -> Loaded<T> {
    let record = match loaded {
        Loaded::Found(record) => record,
        Loaded::Missing => return Loaded::Missing,
        Loaded::JustRotated => return Loaded::JustRotated,
        Loaded::Undecodable(error) => return Loaded::Undecodable(error),
    };
    decoded(&record).map_or_else(Loaded::Undecodable, Loaded::Found)
}

fn decoded<T: DeserializeOwned>(record: &Record<Vec<u8>>) -> Result<Record<T>, StoreError> {
    match serde_json::from_slice(&record.data) {
        Ok(data) => Ok(with_data(record, Arc::new(data))),
        // What serde says may quote the data, which is nobody's business in a log; where it stumbled is enough to find it.
        Err(error) => Err(StoreError::data(place(&error))),
    }
}

/// What was read, where data that are not as the store writes them are an answer.
#[cfg(any(feature = "redis", feature = "_sql", feature = "tower-sessions"))]
pub(super) fn or_undecodable<T>(loaded: Result<Loaded<T>, StoreError>) -> Result<Loaded<T>, StoreError> {
    match loaded {
        Err(error @ StoreError::Data(_)) => Ok(Loaded::Undecodable(error)),
        loaded => loaded,
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
    let Record { version, idle, expires_in, absolute_in, age, at, .. } = *record;
    Record { data, version, idle, expires_in, absolute_in, age, attributes: record.attributes.clone(), at }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::random::for_all;

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
    fn read<T: DeserializeOwned>(bytes: &[u8]) -> Loaded<T> {
        let record = Record::new(Arc::new(bytes.to_vec()), Version(1), Duration::MAX, Duration::MAX, None, Duration::ZERO);
        decode(Loaded::Found(record))
    }

    #[test]
    fn what_is_written_is_read_back_as_it_was_and_what_would_not_be_is_refused() {
        let nested = (data(), 0..400_usize).prop_map(|(data, depth)| (0..depth).fold(data, |data, _| Data::List(vec![data])));
        for_all(prop_oneof![4 => data(), 1 => nested], |data| match encode(&data) {
            Ok(bytes) => match read::<Data>(&bytes) {
                Loaded::Found(record) => assert!(data.is_finite() && *record.data == data, "{:?}", record.data),
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

    /// What each writes is not what it reads.
    mod otherwise {
        use super::*;

        #[derive(Debug, Default, serde::Serialize, Deserialize)]
        pub struct IntegerKeys {
            pub id: u32,
            #[serde(flatten)]
            pub counts: BTreeMap<u32, u32>,
        }

        #[derive(Debug, Default, serde::Serialize, Deserialize)]
        pub struct Skipped {
            pub carts: Vec<Cart>,
        }

        #[derive(Debug, Default, serde::Serialize, Deserialize)]
        pub struct Cart {
            #[serde(skip_serializing)]
            pub price: u32,
        }

        #[derive(Debug, PartialEq, serde::Serialize, Deserialize)]
        #[serde(untagged)]
        pub enum Number {
            Real(f64),
            Whole(u64),
        }

        #[derive(Debug, Default, serde::Serialize, Deserialize)]
        pub struct Renamed {
            #[serde(default, rename(serialize = "user", deserialize = "name"))]
            pub user: Option<String>,
        }
    }

    #[test]
    fn a_type_that_does_not_read_what_it_writes_is_refused_with_the_field_if_serde_tells_it() {
        use otherwise::{Cart, IntegerKeys, Number, Renamed, Skipped};

        let refused = |result: Result<Arc<Vec<u8>>, StoreError>| match result {
            Err(StoreError::Data(error)) => error.to_string(),
            other => panic!("{other:?}"),
        };
        assert!(encode(&IntegerKeys::default()).is_ok());
        let said = refused(encode(&IntegerKeys { id: 1, counts: [(1, 2)].into() }));
        assert!(said.contains("does not read"), "{said}");
        let skipped = Skipped { carts: vec![Cart { price: 1 }] };
        assert_eq!(skipped.carts[0].price, 1);
        let said = refused(encode(&skipped));
        assert!(said.ends_with("at `carts[0]`"), "{said}");
        assert_eq!(refused(encode(&Number::Whole(1))), OTHERWISE);
        assert!(encode(&Number::Real(1.0)).is_ok());
        assert_eq!(refused(encode(&Renamed { user: Some("ada".into()) })), OTHERWISE);
        assert!(encode(&Renamed::default()).is_ok());
    }

    #[test]
    fn a_set_is_the_same_in_any_order() {
        for _ in 0..20 {
            let set: std::collections::HashSet<String> = (0..50).map(|number| number.to_string()).collect();
            let map: std::collections::HashMap<String, Vec<_>> = [("a".to_owned(), vec![set.clone(), set])].into();
            assert!(encode(&map).is_ok());
        }
        assert!(is_the_same(r#"[{"a":1,"b":[2,3]},4]"#, r#"[4,{"b":[3,2],"a":1}]"#));
        for other in ["[1,1,2]", "[1,2]", "[1,2,2.0]", "[1,2,\"2\"]"] {
            assert!(!is_the_same("[1,2,2]", other), "{other}");
        }
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
            if let Loaded::Undecodable(error) = read::<Data>(&bytes) {
                let StoreError::Data(said) = &error else { panic!("{error:?}") };
                assert!(!format!("{said} {error:?}").contains("hunter2"));
            }
            let _ = (read::<Value>(&bytes), read::<Vec<u8>>(&bytes));
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
