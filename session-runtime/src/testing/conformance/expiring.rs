//! Expiry is the store's, to the instant.

use std::time::Duration;

use tokio::time::{self, Instant};

use super::bench::{Bench, Handle, Seen, Verdict, at_once, broken, ensure};
use super::clock::STEP;
use super::data::ConformanceData;
use super::deleting::Late;
use super::sessions::{HOUR, fresh_id};
use crate::SessionId;
use crate::store::{Created, Limits, Loaded, Rotated};

/// A hundred years: what a limit that is too long to be kept may become at least.
const AGES: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

pub(super) async fn the_idle_limit_ends_at_the_instant<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    ends_at_the_instant(&bench, Limits::new(bench.unit, None)).await
}

pub(super) async fn the_absolute_limit_ends_at_the_instant<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    ends_at_the_instant(&bench, Limits::new(HOUR, Some(bench.unit))).await
}

/// Makes a session for each operation, waits for the instant of expiry, and tries them.
async fn ends_at_the_instant<T: ConformanceData>(bench: &Bench<T>, limits: Limits) -> Verdict {
    let mut sessions = Vec::new();
    for late in Late::ALL {
        let (id, _) = bench.store.new_session("data", limits).await?;
        let record = bench.store.found("before its limit", &id).await?;
        sessions.push((late, id, record));
    }
    let (to_create, _) = bench.store.new_session("expired", limits).await?;
    let (to_rotate_to, _) = bench.store.new_session("expired", limits).await?;
    let (to_watch, _) = bench.store.new_session("data", limits).await?;
    let watched = watch_the_end(&bench.store, &to_watch).await;
    // The last one that was made is the last one to end.
    bench.store.clock.over(&to_watch).await;
    for (late, id, record) in sessions {
        late.finds_nothing("at the instant of expiry", &bench.twin, &id, &record).await?;
    }
    let (old, _) = bench.store.new_session("moved", Limits::new(HOUR, None)).await?;
    let record = bench.store.found("after create", &old).await?;
    let answer = bench.store.create(&to_create, "another", Limits::new(HOUR, None)).await?;
    ensure(answer != Created::Exists, || "create at the key of an expired session answered Exists; the key is free".into())?;
    let answer = bench.store.rotate(&old, &to_rotate_to, record).await?;
    ensure(matches!(answer, Rotated::Rotated(_)), || {
        format!("rotate to the key of an expired session answered {answer:?}; the key is free")
    })?;
    bench.store.expect_seen("after create at the key of an expired session", &to_create, Seen::found("another")).await?;
    bench.store.expect_seen("after rotate to the key of an expired session", &to_rotate_to, Seen::found("moved")).await?;
    watched
}

/// Reads a session again and again when its end is near: what is found has time left.
async fn watch_the_end<T: ConformanceData>(handle: &Handle<T>, id: &SessionId) -> Verdict {
    const NEAR: Duration = Duration::from_millis(4);
    let (earliest, latest) = handle.clock.ends(id);
    // The instant itself, if this call is on its way to the store for as long as the one that made the session.
    time::sleep_until(earliest.min(latest - NEAR)).await;
    has_time_left(handle, id).await?;
    time::sleep_until(latest - NEAR).await;
    let start = std::time::Instant::now();
    while start.elapsed() < 2 * NEAR && has_time_left(handle, id).await? {}
    Ok(())
}

/// Whether a session is found.
async fn has_time_left<T: ConformanceData>(handle: &Handle<T>, id: &SessionId) -> Verdict<bool> {
    match handle.load(id).await? {
        Loaded::Found(record) if record.expires_in.is_zero() => {
            Err(broken("load found a session with no time left; at the instant of expiry it should answer Missing"))
        }
        Loaded::Found(_) => Ok(true),
        _ => Ok(false),
    }
}

pub(super) async fn sub_second_limits_are_kept<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let limit = with_a_fraction(bench.unit);
    for limits in [Limits::new(limit, None), Limits::new(HOUR, Some(limit))] {
        let (id, _) = bench.store.new_session("data", limits).await?;
        let record = bench.store.found(format!("soon after create with {limits:?}"), &id).await?;
        ensure(bench.store.clock.fits_the_end(&id, record.expires_in, record.call), || {
            format!("a session with {limits:?} has expires_in {:?}; it should have what is left of its limit", record.expires_in)
        })?;
        bench.store.clock.over(&id).await;
        bench.store.expect_seen(format!("{limit:?} after create with {limits:?}"), &id, Seen::Missing).await?;
    }
    let shortest = Duration::from_nanos(1);
    for limits in [Limits::new(shortest, None), Limits::new(HOUR, Some(shortest)), Limits::new(shortest, Some(shortest))] {
        let (id, _) = bench.store.new_session("data", limits).await?;
        time::sleep(STEP).await;
        let when = format!("{STEP:?} after create with {limits:?}, which is short and not endless,");
        bench.store.expect_seen(when, &id, Seen::Missing).await?;
    }
    Ok(())
}

/// A limit that is not a whole number of seconds: below one, unless the store is slow.
fn with_a_fraction(limit: Duration) -> Duration {
    const FRACTION: Duration = Duration::from_millis(700);
    if limit < FRACTION { limit } else { Duration::from_secs(limit.as_secs()) + FRACTION }
}

pub(super) async fn huge_limits_saturate<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let huge =
        [AGES * 10, Duration::from_nanos(u64::MAX), Duration::from_millis(u64::MAX), Duration::from_secs(1 << 62), Duration::MAX];
    for limit in huge {
        for limits in [Limits::new(limit, None), Limits::new(limit, Some(limit)), Limits::new(Duration::MAX, Some(limit))] {
            keeps_for_ages(&bench.store, limits).await?;
        }
    }
    let limits = Limits::new(Duration::MAX, Some(bench.unit));
    let (id, _) = bench.store.new_session("data", limits).await?;
    bench.store.touch(&id).await?;
    bench.store.clock.over(&id).await;
    bench.store.expect_seen(format!("after the absolute limit of {limits:?}"), &id, Seen::Missing).await
}

async fn keeps_for_ages<T: ConformanceData>(handle: &Handle<T>, limits: Limits) -> Verdict {
    let (mut id, _) = handle.new_session("data", limits).await?;
    for step in ["create", "touch", "replace", "rotate"] {
        match step {
            "touch" => handle.touched(&id).await?,
            "replace" => drop(handle.set(&id, "data").await?),
            "rotate" => {
                let (new, record) = (fresh_id(), handle.found("before rotate", &id).await?);
                handle.rotated(&id, &new, record).await?;
                id = new;
            }
            _ => {}
        }
        let record = handle.found(format!("after {step} with {limits:?}"), &id).await?;
        let long = record.expires_in >= AGES && record.idle >= AGES && record.absolute_in.is_none_or(|left| left >= AGES);
        ensure(long, || {
            format!(
                "after {step} with {limits:?}, load gave idle {:?}, expires_in {:?}, absolute_in {:?}; what is too long to be \
                 kept becomes the longest that can be",
                record.idle, record.expires_in, record.absolute_in
            )
        })?;
        ensure(limits.absolute.is_some() || record.absolute_in.is_none(), || {
            format!("after {step} with {limits:?}, load gave an absolute limit; there is none")
        })?;
    }
    Ok(())
}

/// What renews the idle limit.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    Replace,
    Touch,
    Rotate,
}

impl Use {
    const ALL: [Self; 3] = [Self::Replace, Self::Touch, Self::Rotate];

    /// Uses the session; its id from then on.
    pub(super) async fn run<T: ConformanceData>(self, handle: &Handle<T>, id: &SessionId) -> Verdict<SessionId> {
        let record = handle.found("before its limit", id).await?;
        let new = fresh_id();
        match self {
            Self::Replace => handle.replaced(id, record.version, "used").await.map(|_| *id),
            Self::Touch => handle.touched(id).await.map(|()| *id),
            Self::Rotate => handle.rotated(id, &new, record.with_text("used")).await.map(|_| new),
        }
    }
}

pub(super) async fn use_renews_the_idle_limit<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let unit = bench.unit;
    at_once(Use::ALL.map(|used| {
        let handle = bench.store.clone();
        async move {
            let created = Instant::now();
            let (id, _) = handle.new_session("data", Limits::new(unit, None)).await?;
            time::sleep_until(created + unit.mul_f64(0.6)).await;
            let before = Instant::now();
            let id = used.run(&handle, &id).await?;
            let when = format!("after {used:?}, when the limit since creation was over and the one since use was not,");
            time::sleep_until(before + unit.mul_f64(0.7)).await;
            handle.found(when, &id).await?;
            handle.clock.over(&id).await;
            let when = format!("when the idle limit since {used:?} was over");
            handle.expect_seen(when, &id, Seen::Missing).await
        }
    }))
    .await
    .map(drop)
}

pub(super) async fn a_load_renews_nothing<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (unit, before) = (bench.unit, Instant::now());
    let (id, _) = bench.store.new_session("data", Limits::new(unit, None)).await?;
    for quarter in 1..4_u32 {
        time::sleep_until(before + unit * quarter / 4).await;
        for handle in bench.handles() {
            let record = handle.found("before its limit", &id).await?;
            ensure(handle.clock.fits_the_end(&id, record.expires_in, record.call), || {
                format!(
                    "load, {:?} after create with the limit {unit:?}, gave expires_in {:?}; reading renews nothing",
                    record.call.answered - before,
                    record.expires_in
                )
            })?;
        }
    }
    bench.store.clock.over(&id).await;
    bench.store.expect_seen("at the idle limit, after several loads", &id, Seen::Missing).await
}

pub(super) async fn the_absolute_limit_holds_through_use<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let unit = bench.unit;
    let absolute = unit * 3 / 2;
    at_once(Use::ALL.map(|used| {
        let handle = bench.store.clone();
        async move {
            let created = Instant::now();
            let (mut id, _) = handle.new_session("data", Limits::new(unit, Some(absolute))).await?;
            for part in [0.5, 1.0] {
                time::sleep_until(created + unit.mul_f64(part)).await;
                id = used.run(&handle, &id).await?;
                let record = handle.found("before its absolute limit", &id).await?;
                let fits = handle.clock.fits_the_absolute_limit(&id, record.absolute_in, record.call)
                    && handle.clock.fits_the_end(&id, record.expires_in, record.call);
                ensure(fits, || {
                    format!(
                        "after {used:?}, {:?} after create, load gave absolute_in {:?} and expires_in {:?}, when {absolute:?} was \
                         the time from create until the absolute limit",
                        record.call.answered - created,
                        record.absolute_in,
                        record.expires_in
                    )
                })?;
            }
            handle.clock.over(&id).await;
            handle.expect_seen(format!("at the absolute limit, after {used:?} twice"), &id, Seen::Missing).await
        }
    }))
    .await
    .map(drop)
}

pub(super) async fn limits_stick_to_their_session<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let day = 24 * HOUR;
    for limits in [Limits::new(HOUR / 2, None), Limits::new(HOUR, Some(2 * HOUR)), Limits::new(30 * day, Some(10 * day))] {
        let (mut id, _) = bench.store.new_session("data", limits).await?;
        for used in [Use::Touch, Use::Replace, Use::Rotate, Use::Replace, Use::Rotate, Use::Touch, Use::Replace] {
            id = used.run(&bench.twin, &id).await?;
            let record = bench.store.found(format!("after {used:?}"), &id).await?;
            let keeps = record.idle.abs_diff(limits.idle) <= STEP
                && bench.store.clock.fits_the_end(&id, record.expires_in, record.call)
                && bench.store.clock.fits_the_absolute_limit(&id, record.absolute_in, record.call);
            ensure(keeps, || {
                format!(
                    "after {used:?} of a session with {limits:?}, load gave idle {:?}, expires_in {:?}, absolute_in {:?}; a \
                     session keeps its limits",
                    record.idle, record.expires_in, record.absolute_in
                )
            })?;
        }
    }
    Ok(())
}
