//! What a session is kept as: the version, three times, the time of its expiry, what stands beside the data, then the data.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};

use crate::store::{Attributes, Listed, Loaded, Owner, Record, SessionHandle, StoreError, Version};

pub(super) fn text_of(answer: Value) -> Result<Vec<u8>, StoreError> {
    match answer {
        Value::BulkString(text) => Ok(text),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        other => Err(unexpected(&other)),
    }
}

/// The length of the six fields before the data.
pub(super) const HEADER: usize = 96;

/// The sixth field, where nothing stands beside the data, and where something does.
const NONE: &[u8] = b"0000000000000000";
const SOME: &[u8] = b"0000000000000113";

/// The time of the last use, and what stands beside the data.
const BEFORE_DATA: usize = 16 + BESIDE;

/// What stands beside the data: its age when its user last proved who they are, what it is called in the list of its owner's, its owner, and whether its
/// cookie outlives the browser.
pub(super) const BESIDE: usize = 16 + 16 + 64 + 1;

/// What stands beside the data of a session, as it is kept; empty where nothing does.
pub(super) fn beside(attributes: Option<&Attributes>, owner: Option<&Owner>) -> String {
    let mut kept = attributes.copied().unwrap_or_default();
    if owner.is_some() && kept.handle.is_none() {
        kept.handle = Some(SessionHandle::random());
    }
    if owner.is_none() && kept == Attributes::new() {
        return String::new();
    }
    let mut text = String::with_capacity(BESIDE);
    let dashes = || DASHES.to_owned();
    text.push_str(&kept.proven.map_or_else(dashes, |age| format!("{:016}", whole_millis(age))));
    text.push_str(&kept.handle.map_or_else(dashes, |handle| handle.to_string()));
    match owner {
        Some(owner) => push_hex(&mut text, &owner.sha256()),
        None => (0..4).for_each(|_| text.push_str(DASHES)),
    }
    text.push(match kept.persistent {
        Some(true) => 't',
        Some(false) => 'f',
        None => '-',
    });
    text
}

/// The attributes in what [`beside`] wrote.
pub(super) fn attributes(beside: &[u8]) -> Result<Option<Arc<Attributes>>, StoreError> {
    if beside.len() != BESIDE {
        return Err(foreign());
    }
    let (proven, handle) = (&beside[..16], &beside[16..32]);
    let mut attributes = Attributes::new();
    if proven != DASHES.as_bytes() {
        attributes.proven = Some(Duration::from_millis(parse_millis(proven)?));
    }
    if handle != DASHES.as_bytes() {
        attributes.handle = Some(parse_handle(handle)?);
    }
    attributes.persistent = match beside[BESIDE - 1] {
        b't' => Some(true),
        b'f' => Some(false),
        b'-' => None,
        _ => return Err(foreign()),
    };
    Ok((attributes != Attributes::new()).then(|| Arc::new(attributes)))
}

/// What bars a key under which a session that was ended might still come.
const ENDED: &[u8] = b"ended";

/// What stands there for a while where a session was ended that another node's list spoke of.
const GONE: &[u8] = b"gone";

const DASHES: &str = "----------------";

fn parse_handle(text: &[u8]) -> Result<SessionHandle, StoreError> {
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or_else(foreign)
}

pub(super) fn push_hex(text: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

/// The sessions of an owner, as the script lists them: the server's time, then what each is called and what is kept of it.
pub(super) fn listed(answer: Value) -> Result<Vec<Listed<Vec<u8>>>, StoreError> {
    let Value::Array(parts) = answer else { return Err(unexpected(&answer)) };
    let mut parts = parts.into_iter();
    let now = match parts.next() {
        Some(Value::Int(now)) => now.unsigned_abs(),
        other => return Err(unexpected(&other.unwrap_or(Value::Nil))),
    };
    let mut listed = Vec::with_capacity(parts.len() / 2);
    while let (Some(handle), Some(kept)) = (parts.next(), parts.next()) {
        listed.extend(listed_row(&text_of(handle)?, kept, now)?);
    }
    Ok(listed)
}

/// A session that is called so in the list of its owner's, unless it has expired since the script looked.
pub(super) fn listed_row(handle: &[u8], kept: Value, now: u64) -> Result<Option<Listed<Vec<u8>>>, StoreError> {
    let handle = parse_handle(handle)?;
    let used = match &kept {
        Value::BulkString(text) => text.get(HEADER..HEADER + 16).map_or(Ok(now), parse_millis).unwrap_or(now),
        _ => now,
    };
    let session = match self::kept(kept, now) {
        Ok(Loaded::Found(record)) => Ok(record),
        Ok(_) => return Ok(None),
        Err(error) => Err(error),
    };
    Ok(Some(Listed::new(handle, session, Duration::from_millis(now.saturating_sub(used)))))
}

/// What was read, by the server's clock just after it.
pub(super) fn kept(answer: Value, now: u64) -> Result<Loaded<Vec<u8>>, StoreError> {
    match answer {
        Value::Nil => Ok(Loaded::Missing),
        Value::BulkString(text) => parse(text, |expires| (expires.saturating_sub(now), now)),
        other => Err(unexpected(&other)),
    }
}

/// What the script answered: what is kept, and the milliseconds until it goes.
pub(super) fn loaded(answer: Value) -> Result<Loaded<Vec<u8>>, StoreError> {
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
    if text == ENDED || text == GONE {
        return Ok(Loaded::Missing);
    }
    if text.len() < HEADER {
        return Ok(Loaded::JustRotated);
    }
    let version = parse_version(&text[..16])?;
    let [idle, absolute, created, expires] = [16, 32, 48, 64].map(|at| parse_millis(&text[at..at + 16]));
    let (idle, absolute, created, expires) = (idle?, absolute?, created?, expires?);
    let (left, now) = times(expires);
    // It came to its end between the two answers.
    if left == 0 {
        return Ok(Loaded::Missing);
    }
    let absolute_in = (absolute > 0).then(|| Duration::from_millis(absolute.saturating_sub(now)));
    let age = Duration::from_millis(now.saturating_sub(created));
    let (header, attributes) = match &text[80..HEADER] {
        NONE => (HEADER, None),
        SOME => {
            let beside = text.get(HEADER + 16..HEADER + BEFORE_DATA).ok_or_else(foreign)?;
            (HEADER + BEFORE_DATA, attributes(beside)?)
        }
        _ => return Err(foreign()),
    };
    text.drain(..header);
    let (idle, left) = (Duration::from_millis(idle), Duration::from_millis(left));
    let mut record = Record::new(Arc::new(text), version, idle, left, absolute_in, age);
    record.attributes = attributes;
    Ok(Loaded::Found(record))
}

/// In a cluster a rotation counts the absolute limit anew from what was loaded, by another node's clock. The ways of this answer and
/// of that command to the node are taken off, so that the limit comes closer by them rather than moves away.
pub(super) fn ahead(loaded: Loaded<Vec<u8>>, trip: Duration) -> Loaded<Vec<u8>> {
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
pub(super) fn millis(limit: Duration) -> u64 {
    u64::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(MAX_MILLIS).min(MAX_MILLIS)
}

/// Whole milliseconds of a time that has passed.
pub(super) fn whole_millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(MAX_MILLIS).min(MAX_MILLIS)
}

pub(super) fn first_version() -> Version {
    Version(1 << TAG_BITS | random_bits())
}

/// The version that a session must have, and the next one.
#[derive(Clone)]
pub(super) struct Next {
    expected: Version,
    next: Version,
}

impl Next {
    pub(super) fn after(expected: Version) -> Self {
        let count = ((expected.0 >> TAG_BITS) + 1) & (u64::MAX >> TAG_BITS);
        Self { expected, next: Version(count << TAG_BITS | random_bits()) }
    }

    pub(super) fn add_to(&self, command: &mut Cmd) {
        command.arg(&text(self.expected)).arg(&text(self.next));
    }
}

const TAG_BITS: u32 = 40;

fn random_bits() -> u64 {
    rand::random::<u64>() >> (u64::BITS - TAG_BITS)
}

pub(super) fn random_tag() -> String {
    format!("{:010x}", random_bits())
}

/// A version in 16 hex digits.
pub(super) fn text(version: Version) -> [u8; 16] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|at| HEX[(version.0 >> (60 - 4 * at) & 15) as usize])
}

/// The version of this text, if it is the one that [`text`] writes. The scripts compare texts: of another spelling (`+f`, `F`) a change
/// would never find the version that it expects.
pub(super) fn parse_version(text: &[u8]) -> Result<Version, StoreError> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let digits = str::from_utf8(text).ok().filter(|_| text.len() == 16 && text.iter().all(is_digit));
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).map(Version).ok_or_else(foreign)
}

pub(super) fn parse_millis(text: &[u8]) -> Result<u64, StoreError> {
    let digits = str::from_utf8(text).ok().filter(|_| text.iter().all(u8::is_ascii_digit));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(foreign)
}

/// A value that this store did not write.
pub(super) fn foreign() -> StoreError {
    StoreError::data("another program's value is stored under the session's key: choose another key prefix")
}

/// An answer that the script or command does not give. Its kind is told, not what it holds.
pub(super) fn unexpected(answer: &Value) -> StoreError {
    let kind = match answer {
        Value::ServerError(error) => error.code().to_owned(),
        _ => "an answer of another type".to_owned(),
    };
    StoreError::unavailable(format!("the server gave {kind} where a session was asked for"))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use redis::parse_redis_value;

    use super::*;
    use crate::random::for_all;
    use crate::store::Namespace;

    /// What a server may answer, with many of these texts in it.
    pub(in crate::store::redis) fn answer(texts: impl Strategy<Value = Vec<u8>> + 'static) -> impl Strategy<Value = Value> {
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
    pub(in crate::store::redis) fn field() -> impl Strategy<Value = Vec<u8>> + Clone {
        prop_oneof![
            20 => (0..10_000_000_000_000_000_u64).prop_map(|number| format!("{number:016}").into_bytes()),
            1 => Just(vec![b'0'; 16]),
            1 => "[+-]?[0-9A-Fa-f_. ]{15,16}".prop_map(String::into_bytes),
            1 => vec(any::<u8>(), 16),
        ]
    }

    /// The same of a version.
    pub(in crate::store::redis) fn version() -> impl Strategy<Value = Vec<u8>> + Clone {
        prop_oneof![
            6 => any::<u64>().prop_map(|number| format!("{number:016x}").into_bytes()),
            1 => any::<u64>().prop_map(|number| format!("{number:016X}").into_bytes()),
            1 => any::<u32>().prop_map(|number| format!("+{number:015x}").into_bytes()),
            1 => field(),
        ]
    }

    /// What stands beside data, and the owner in it.
    pub(in crate::store::redis) fn any_beside() -> impl Strategy<Value = (Option<Attributes>, Option<Owner>)> + Clone {
        let attributes = (
            prop::option::of(any::<u64>().prop_map(SessionHandle::from_u64)),
            prop::option::of((0..=MAX_MILLIS).prop_map(Duration::from_millis)),
            any::<Option<bool>>(),
        )
            .prop_map(|(handle, proven, persistent)| Attributes { handle, proven, persistent })
            .prop_filter("some", |attributes| *attributes != Attributes::new());
        let owner = prop::option::of(any::<u64>().prop_map(|user| Owner::new(&Namespace::new("shop"), &user)));
        (prop::option::of(attributes), owner).prop_map(|(attributes, owner)| {
            let is_called = attributes.is_some_and(|attributes: Attributes| attributes.handle.is_some());
            (attributes, owner.filter(|_| is_called))
        })
    }

    fn written(beside: &str, used: u64) -> Vec<u8> {
        if beside.is_empty() { NONE.to_vec() } else { [SOME, format!("{used:016}").as_bytes(), beside.as_bytes()].concat() }
    }

    /// The sixth field and what follows it before the data, or what another program may have in its place.
    fn after() -> impl Strategy<Value = Vec<u8>> + Clone {
        prop_oneof![
            8 => (any_beside(), 0..MAX_MILLIS).prop_map(|((attributes, owner), used)| {
                written(&beside(attributes.as_ref(), owner.as_ref()), used)
            }),
            2 => vec(any::<u8>(), BEFORE_DATA).prop_map(|beside| [SOME, &beside].concat()),
            1 => field(),
        ]
    }

    fn row() -> impl Strategy<Value = Vec<u8>> {
        let whole = (version(), [field(), field(), field(), field()], after(), vec(any::<u8>(), 0..20))
            .prop_map(|(version, fields, after, data)| [version, fields.concat(), after, data].concat());
        prop_oneof![8 => whole.clone(), 1 => (whole, 0..250_usize).prop_map(|(row, length)| row.into_iter().take(length).collect())]
    }

    /// What is shown of a row is what stands in it, so that a change finds it as it was read.
    fn assert_is_of(record: &Record<Vec<u8>>, row: &[u8]) {
        assert_eq!(text(record.version), row[..16]);
        assert_eq!(format!("{:016}", record.idle.as_millis()).as_bytes(), &row[16..32]);
        assert_eq!(record.absolute_in.is_some(), row[32..48] != *b"0000000000000000");
        let data = match &row[80..96] {
            SOME => {
                let kept = &row[HEADER + 16..HEADER + BEFORE_DATA];
                let shown = record.attributes.as_deref().copied().unwrap_or_default();
                let again = beside(Some(&Attributes { persistent: shown.persistent.or(Some(true)), ..shown }), None);
                assert_eq!(again.as_bytes()[..32], kept[..32]);
                &row[HEADER + BEFORE_DATA..]
            }
            NONE => &row[HEADER..],
            other => panic!("{other:?}"),
        };
        assert_eq!(*record.data, data);
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
        let times = (millis(), prop_oneof![Just(None), millis().prop_map(Some)], 1..=MAX_MILLIS, millis(), millis());
        for_all((any::<u64>(), times, any_beside(), vec(any::<u8>(), 0..99)), |(version, times, (attributes, owner), data)| {
            let (idle, absolute, left, now, age) = times;
            let beside = beside(attributes.as_ref(), owner.as_ref());
            let created = now.saturating_sub(age);
            let (expires, absolute) = (now + left, absolute.map(|left| now + left).filter(|absolute| *absolute > 0));
            let header = format!("{version:016x}{idle:016}{:016}{created:016}{expires:016}", absolute.unwrap_or(0));
            let row = [header.as_bytes(), &written(&beside, now), &data].concat();
            let script = Value::Array(vec![Value::BulkString(row.clone()), Value::Int(left.cast_signed() - 1)]);
            for loaded in [kept(Value::BulkString(row), now), loaded(script)] {
                let Ok(Loaded::Found(record)) = loaded else { panic!("{loaded:?}") };
                assert_eq!((*record.data == data, record.version), (true, Version(version)));
                assert_eq!((record.idle, record.expires_in), (Duration::from_millis(idle), Duration::from_millis(left)));
                assert_eq!(record.absolute_in, absolute.map(|absolute| Duration::from_millis(absolute - now)));
                assert_eq!(record.age, Duration::from_millis(now - created));
                assert_eq!(record.attributes.as_deref(), attributes.as_ref());
            }
        });
    }

    #[test]
    fn a_version_that_is_spelled_as_no_script_spells_it_is_another_programs() {
        let row =
            |version: &str| Value::BulkString(format!("{version}{:016}{:016}{:016}{:016}{:016}", 1, 0, 1, 9, 0).into_bytes());
        for version in ["000000000000000F", "+00000000000000f"] {
            assert!(matches!(kept(row(version), 1), Err(StoreError::Data(_))), "{version}");
        }
        assert!(matches!(kept(row("000000000000000f"), 1), Ok(Loaded::Found(_))));
    }
}
