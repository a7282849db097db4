//! What is read of a session that is shared with the FastAPI system, where no script needs to look at it: the same as `load.lua` on
//! the layout of `fastapi.lua` makes of it.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use sha1_smol::Sha1;

use super::row::{attributes, parse_millis, parse_version, unexpected};
use crate::store::{Loaded, Record, StoreError};

/// The version, idle and absolute limit and time of creation, 16 characters each, before the digest.
const HEADER: usize = 64;

/// The length of the digest; behind it may be what stands beside the data in the other layout.
const DIGEST: usize = 40;

/// What was read by the server's clock `now`: the value and what stands beside it, and the milliseconds until they go. Nothing where
/// a script has to see to it: Python has made or changed the session, or renewed it beyond its absolute limit or beyond what stands
/// beside it, or it went between the answers.
pub(super) fn kept(answer: Value, now: u64) -> Result<Option<Loaded<Vec<u8>>>, StoreError> {
    let (data, beside, left, beside_left) = parse(answer)?;
    Ok(match (data, beside) {
        (_, Value::BulkString(mark)) if mark.len() < HEADER => Some(Loaded::JustRotated),
        (Value::Nil, _) => Some(Loaded::Missing),
        (Value::BulkString(data), Value::BulkString(beside)) => found(data, &beside, [left, beside_left], now)?,
        _ => None,
    })
}

fn parse(answer: Value) -> Result<(Value, Value, i64, i64), StoreError> {
    let parts: [Value; 4] = redis::from_redis_value(answer).unwrap_or_default();
    match parts {
        [data, beside, Value::Int(left), Value::Int(beside_left)] => Ok((data, beside, left, beside_left)),
        [other, ..] => Err(unexpected(&other)),
    }
}

fn found(data: Vec<u8>, beside: &[u8], left: [i64; 2], now: u64) -> Result<Option<Loaded<Vec<u8>>>, StoreError> {
    let (fields, rest) = beside.split_at(HEADER);
    let (digest, beside) = rest.split_at_checked(DIGEST).unwrap_or((rest, &[]));
    if digest != Sha1::from(&data).digest().to_string().as_bytes() {
        return Ok(None);
    }
    let [Ok(left), Ok(beside_left)] = left.map(u64::try_from) else { return Ok(None) };
    let version = parse_version(&fields[..16])?;
    let [idle, absolute, created] = [16, 32, 48].map(|at| parse_millis(&fields[at..at + 16]));
    let (idle, absolute, created) = (idle?, absolute?, created?);
    if beside_left < left || absolute > 0 && absolute <= now {
        return Ok(None);
    }
    let absolute_in = (absolute > 0).then(|| Duration::from_millis(absolute - now));
    // The server drops the key one millisecond before the next one begins, at which the session is expired.
    let expires_in = Duration::from_millis(left + 1);
    let age = Duration::from_millis(now.saturating_sub(created));
    let idle = Duration::from_millis(idle);
    let mut record = Record::new(Arc::new(data), version, idle, expires_in, absolute_in, age);
    if !beside.is_empty() {
        record.attributes = attributes(beside)?;
    }
    Ok(Some(Loaded::Found(record)))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::row::tests::{answer, any_beside, field, version};
    use super::super::row::{beside, text};
    use super::*;
    use crate::random::for_all;

    fn digest(data: &[u8]) -> Vec<u8> {
        Sha1::from(data).digest().to_string().into_bytes()
    }

    /// A value and what stands beside it, mostly of that value.
    fn kept_together() -> impl Strategy<Value = [Value; 2]> {
        let side = (
            vec(any::<u8>(), 0..40),
            version(),
            [field(), field(), field()],
            prop::option::weighted(0.1, vec(any::<u8>(), 0..50)),
            any_beside(),
        );
        side.prop_map(|(data, version, fields, other, (attributes, _))| {
            let beside = beside(attributes.as_ref(), None).into_bytes();
            let digest = other.unwrap_or_else(|| digest(&data));
            [Value::BulkString(data), Value::BulkString([version, fields.concat(), digest, beside].concat())]
        })
    }

    #[test]
    fn whatever_the_server_answers_is_a_session_or_an_error_or_left_to_the_script() {
        let time = || prop_oneof![Just(-1), 0..i64::MAX, any::<i64>()].prop_map(Value::Int);
        let near = (kept_together(), time(), time())
            .prop_map(|([data, beside], left, beside_left)| Value::Array(vec![data, beside, left, beside_left]));
        let far = vec(answer(field()), 0..6).prop_map(Value::Array);
        for_all((prop_oneof![near, far, answer(field())], any::<u64>()), |(answer, now)| {
            let Ok(Some(Loaded::Found(record))) = kept(answer.clone(), now) else { return };
            let Ok((Value::BulkString(data), Value::BulkString(beside), ..)) = parse(answer) else { panic!("of nothing") };
            assert_eq!((&*record.data, &text(record.version)[..]), (&data, &beside[..16]));
            assert_eq!(format!("{:016}", record.idle.as_millis()).as_bytes(), &beside[16..32]);
            assert_eq!(digest(&data), &beside[HEADER..HEADER + DIGEST]);
        });
    }

    #[test]
    fn what_the_scripts_write_is_read_as_it_was_written() {
        let millis = || 0..1_000_000_000_000_000_u64;
        let numbers = (any::<u64>(), millis(), 1..1_000_000_000_000_000_u64, millis(), millis());
        for_all((numbers, any::<bool>(), any_beside(), vec(any::<u8>(), 0..99)), |(numbers, limited, (attributes, _), data)| {
            let (version, idle, left, now, age) = numbers;
            let after = self::beside(attributes.as_ref(), None);
            let created = now.saturating_sub(age);
            let absolute = if limited { now + left } else { 0 };
            let beside =
                [format!("{version:016x}{idle:016}{absolute:016}{created:016}").into_bytes(), digest(&data), after.into_bytes()]
                    .concat();
            let ttl = Value::Int(left.cast_signed() - 1);
            let answer = vec![Value::BulkString(data.clone()), Value::BulkString(beside), ttl.clone(), ttl];
            let loaded = kept(Value::Array(answer), now);
            let Ok(Some(Loaded::Found(record))) = loaded else { panic!("{loaded:?}") };
            assert_eq!((&*record.data, record.version.0), (&data, version));
            assert_eq!((record.idle, record.expires_in), (Duration::from_millis(idle), Duration::from_millis(left)));
            assert_eq!(record.absolute_in, limited.then(|| Duration::from_millis(left)));
            assert_eq!(record.attributes.as_deref(), attributes.as_ref());
            assert_eq!(record.age, Duration::from_millis(now - created));
        });
    }
}
