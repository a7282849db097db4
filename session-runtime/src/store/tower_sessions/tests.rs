//! Records of any kind, as another program may have left them.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::SystemTime;

use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde_json::json;
use tower_sessions_memory_store::MemoryStore;

use super::*;
use crate::SessionId;
use crate::random::for_all;
use crate::store::encoding::tests::{Data, data};
use crate::store::{Namespace, Origin, ROTATION_MARK, Record};

/// Numbers, among them many at which arithmetic ends.
fn number() -> impl Strategy<Value = Value> + Clone {
    prop_oneof![
        prop::sample::select(vec![0, 1, 1 << 53, u64::MAX - 1, u64::MAX]).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
    ]
}

fn json() -> impl Strategy<Value = Value> + Clone {
    let number = prop_oneof![number(), any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from)];
    let leaf = prop_oneof![4 => number, 1 => any::<bool>().prop_map(Value::from), 1 => "[a-z]{0,4}".prop_map(Value::from), 1 => Just(Value::Null)];
    leaf.prop_recursive(2, 8, 4, |inner| prop_oneof![vec(inner, 0..4).prop_map(Value::from)])
}

/// An id of tower-sessions, so that it is one in a store that keeps existing sessions.
const ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

static NAMESPACE: LazyLock<Namespace> = LazyLock::new(|| Namespace::new("sid"));

/// What says of a record under that id that it is of this namespace.
static PLAIN: LazyLock<String> = LazyLock::new(|| {
    let id = SessionId::parse(ID).unwrap();
    let rows = TowerSessionsStore::new(MemoryStore::default()).keep_existing("session").rows;
    rows.place(Key::new(&NAMESPACE, &id)).plain_text().unwrap()
});

/// What says how long a session lives, or may be taken for that.
fn terms() -> impl Strategy<Value = Value> {
    let number = || prop_oneof![8 => number(), 1 => json()].boxed();
    let flag = || prop_oneof![any::<bool>().prop_map(Value::from), json()].boxed();
    // One in three is that of the id which the test asks for.
    let plain = prop_oneof![1 => Just(Value::from(PLAIN.as_str())), 2 => json()].boxed();
    let field = |name: &'static str, often: f64, value| prop::option::weighted(often, (Just(name.to_owned()), value));
    let fields = [
        field("version", 0.95, number()),
        field("idle", 0.95, number()),
        field("expires_at", 0.95, number()),
        field("absolute_at", 0.5, number()),
        field("created_at", 0.9, number()),
        field("plain", 0.3, plain),
        field("rotated", 0.1, flag()),
    ];
    prop_oneof![8 => fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect())), 1 => json()]
}

/// What lies in a record.
fn values() -> impl Strategy<Value = HashMap<String, Value>> {
    let number = prop_oneof![3 => any::<u32>().prop_map(Value::from), 1 => json()];
    (hash_map("[a-z]{1,3}", json(), 0..2), prop::option::weighted(0.9, terms()), prop::option::weighted(0.9, number)).prop_map(
        |(mut values, terms, data)| {
            values.extend(terms.map(|terms| ("session_runtime".to_owned(), terms)));
            values.extend(data.map(|data| ("session".to_owned(), data)));
            values
        },
    )
}

/// Whatever a store is asked about a record, it answers, and what it shows of it can be changed.
async fn assert_answers(values: HashMap<String, Value>, seconds: u64, keeps_existing: bool) {
    let records = MemoryStore::default();
    let store = TowerSessionsStore::new(records.clone());
    let store = if keeps_existing { store.keep_existing("session") } else { store };
    let [id, other] = [ID, "AAAAAAAAAAAAAAAAAAAAAg"].map(|id| SessionId::parse(id).unwrap());
    let [key, other] = [&id, &other].map(|id| Key::new(&NAMESPACE, id));
    let expiry_date = (SystemTime::now() + Duration::from_secs(seconds)).into();
    let entry = Entry { id: store.rows.place(key).id(), data: values, expiry_date };
    let fill = async || records.save(&entry).await.unwrap();

    fill().await;
    let loaded: Result<Loaded<u32>, _> = store.load(key).await;
    // What is about to expire may have, by the next call.
    if let Ok(Loaded::Found(record)) = loaded
        && record.expires_in > Duration::from_secs(60 * 60)
    {
        let replaced = Store::<u32>::replace(&store, key, record.version, Change::new(Arc::new(7))).await.unwrap();
        let Replaced::Replaced(version) = replaced else { panic!("{replaced:?}") };
        assert_ne!(version, record.version);
        fill().await;
        assert!(Store::<u32>::touch(&store, key).await.unwrap());
        fill().await;
        let rotated = store.rotate(key, other, Rotation::new(record)).await.unwrap();
        assert!(matches!(rotated, Rotated::Rotated(_)), "{rotated:?}");
    } else {
        Store::<u32>::replace(&store, key, Version(0), Change::new(Arc::new(7))).await.unwrap();
        fill().await;
        Store::<u32>::touch(&store, key).await.unwrap();
        let record = Record::new(Arc::new(7), Version(1), Duration::MAX, Duration::MAX, None, Duration::ZERO);
        store.rotate(key, other, Rotation::new(record)).await.unwrap();
    }
    fill().await;
    let session = NewSession::new(Arc::new(7), Limits::new(Duration::MAX, None), Origin::Change);
    Store::<u32>::create(&store, key, session).await.unwrap();
    fill().await;
    Store::<u32>::delete(&store, key).await.unwrap();
}

#[test]
fn whatever_lies_in_a_record_every_operation_answers() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for_all((values(), 0..1_000_000_000_u64, any::<bool>()), |(values, seconds, keeps_existing)| {
        runtime.block_on(assert_answers(values, seconds, keeps_existing));
    });
}

#[tokio::test]
async fn numbers_at_which_arithmetic_ends_are_no_panic() {
    let terms = json!({ "version": u64::MAX, "idle": u64::MAX, "expires_at": u64::MAX });
    let values = HashMap::from([("session_runtime".to_owned(), terms), ("session".to_owned(), json!(1))]);
    assert_answers(values, 60, false).await;
}

#[test]
fn what_is_written_is_read_back_as_it_was() {
    for_all(data(), |data| {
        if let Ok(value) = encode(&data) {
            assert_eq!(serde_json::from_value::<Data>(value).unwrap(), data);
        }
    });
    assert!(matches!(encode(&Some(f64::NAN)), Err(StoreError::Data(_))));
}

#[tokio::test]
async fn a_clock_that_is_set_back_lengthens_no_session_beyond_its_limit_from_then_on() {
    const MINUTE: u64 = 60_000;

    // The absolute limit, when the session was created by the clock that was ahead, and the age at which it was proven.
    for (absolute, created, proven) in [(None, 60, 0), (Some(50), 60, 0), (Some(500), -60, 100)] {
        let records = MemoryStore::default();
        let store = TowerSessionsStore::new(records.clone());
        let id = SessionId::parse(ID).unwrap();
        let key = Key::new(&NAMESPACE, &id);
        // As the machine sees it after its clock was set back by an hour.
        let now = i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let at = |minutes: i64| now + minutes * 60_000;
        let absolute_at = absolute.map(|absolute| at(created + absolute));
        let terms = json!({
            "version": 1, "idle": 10 * MINUTE, "expires_at": at(70), "absolute_at": absolute_at, "created_at": at(created), "proven": proven * MINUTE,
        });
        let data = HashMap::from([("session_runtime".to_owned(), terms), ("session".to_owned(), json!(1))]);
        let expiry_date = (SystemTime::now() + Duration::from_secs(70 * 60)).into();
        let id = store.rows.place(key).id();
        records.save(&Entry { id, data, expiry_date }).await.unwrap();

        let Ok(Loaded::<u32>::Found(record)) = store.load(key).await else { panic!("it is there") };
        assert!(record.expires_in <= Duration::from_secs(10 * 60), "{:?}", record.expires_in);
        let absolute_limit = |absolute: i64| Duration::from_secs(absolute.cast_unsigned() * 60);
        assert!(record.absolute_in <= absolute.map(absolute_limit), "{:?}", record.absolute_in);
        let proven = record.attributes.as_ref().and_then(|attributes| attributes.proven).unwrap();
        assert!(proven <= record.age, "it was proven when it was {proven:?} old, and it is {:?} old", record.age);
        // It is so from then on, though nobody uses it again.
        let kept = records.load(&id).await.unwrap().unwrap();
        assert!(kept.expiry_date <= SystemTime::now() + Duration::from_secs(10 * 60 + 1), "{}", kept.expiry_date);
    }
}

/// Another machine's clock may be ahead of this one's: the mark of its rotation is one all the same, since the client that was late must not lose its new cookie.
#[tokio::test]
async fn a_rotation_is_known_by_its_mark_also_if_the_clock_that_made_it_was_a_little_ahead() {
    for (ahead, is_known) in [(0, true), (20, true), (3600, false)] {
        let records = MemoryStore::default();
        let store = TowerSessionsStore::new(records.clone());
        let id = SessionId::parse(ID).unwrap();
        let key = Key::new(&NAMESPACE, &id);
        let end = SystemTime::now() + ROTATION_MARK + Duration::from_secs(ahead);
        let expires_at = end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let terms = json!({ "rotated": true, "expires_at": u64::try_from(expires_at).unwrap() });
        let data = HashMap::from([("session_runtime".to_owned(), terms)]);
        records.save(&Entry { id: store.rows.place(key).id(), data, expiry_date: end.into() }).await.unwrap();
        let loaded = Store::<u32>::load(&store, key).await;
        assert_eq!(matches!(loaded, Ok(Loaded::JustRotated)), is_known, "{ahead} s: {loaded:?}");
    }
}
