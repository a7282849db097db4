//! What is read of a session that is shared with the FastAPI system, where no script needs to look at it: the same as `load.lua` on
//! the layout of `fastapi.lua` makes of it.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use sha1_smol::Sha1;

use super::{parse_millis, parse_version, unexpected};
use crate::store::{Loaded, Record, StoreError};

/// The version, idle and absolute limit, 16 characters each, before the digest.
const HEADER: usize = 48;

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
    let (fields, digest) = beside.split_at(HEADER);
    if digest != Sha1::from(&data).digest().to_string().as_bytes() {
        return Ok(None);
    }
    let [Ok(left), Ok(beside_left)] = left.map(u64::try_from) else { return Ok(None) };
    let version = parse_version(&fields[..16])?;
    let (idle, absolute) = (parse_millis(&fields[16..32])?, parse_millis(&fields[32..])?);
    if beside_left < left || absolute > 0 && absolute <= now {
        return Ok(None);
    }
    let absolute_in = (absolute > 0).then(|| Duration::from_millis(absolute - now));
    // The server drops the key one millisecond before the next one begins, at which the session is expired.
    let expires_in = Duration::from_millis(left + 1);
    Ok(Some(Loaded::Found(Record::new(Arc::new(data), version, Duration::from_millis(idle), expires_in, absolute_in))))
}
