//! Expiry is the store's, to the instant.

use std::time::Duration;

use tokio::time::{self, Instant};

use super::bench::{Bench, HOUR, Handle, STEP, Seen, Verdict, at_once, broken, ensure, expect, fresh_id, in_time, with_text};
use super::data::ConformanceData;
use super::deleting::Late;
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
        let before = Instant::now();
        let (id, _) = bench.store.new_session("data", limits).await?;
        let record = bench.store.found_within("before its limit", &id, before, bench.unit).await?;
        sessions.push((late, id, record));
    }
    let (to_create, _) = bench.store.new_session("expired", limits).await?;
    let (to_rotate_to, _) = bench.store.new_session("expired", limits).await?;
    let (to_watch, _) = bench.store.new_session("data", limits).await?;
    let end = Instant::now() + bench.unit;

    let watched = watch_the_end(&bench.store, &to_watch, end).await;
    time::sleep_until(end).await;
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
async fn watch_the_end<T: ConformanceData>(handle: &Handle<T>, id: &SessionId, end: Instant) -> Verdict {
    const NEAR: Duration = Duration::from_millis(4);
    time::sleep_until(end - NEAR).await;
    let start = std::time::Instant::now();
    while start.elapsed() < 2 * NEAR {
        match handle.load(id).await? {
            Loaded::Found(record) if record.expires_in.is_zero() => {
                return Err(broken("load found a session with no time left; at the instant of expiry it should answer Missing"));
            }
            Loaded::Found(_) => {}
            _ => break,
        }
    }
    Ok(())
}

pub(super) async fn sub_second_limits_are_kept<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let limit = bench.unit.min(Duration::from_millis(700));
    for limits in [Limits::new(limit, None), Limits::new(HOUR, Some(limit))] {
        let before = Instant::now();
        let (id, _) = bench.store.new_session("data", limits).await?;
        let end = Instant::now() + limit;
        let record = bench.store.found_within(format!("soon after create with {limits:?}"), &id, before, limit).await?;
        ensure(record.expires_in <= limit + STEP, || {
            format!("a session with {limits:?} has expires_in {:?}; it should have no more than its limit", record.expires_in)
        })?;
        time::sleep_until(end).await;
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
    let end = Instant::now() + bench.unit;
    bench.store.touch(&id).await?;
    time::sleep_until(end).await;
    bench.store.expect_seen(format!("after the absolute limit of {limits:?}"), &id, Seen::Missing).await
}

async fn keeps_for_ages<T: ConformanceData>(handle: &Handle<T>, limits: Limits) -> Verdict {
    let (mut id, _) = handle.new_session("data", limits).await?;
    for step in ["create", "touch", "replace", "rotate"] {
        match step {
            "touch" => expect("touch of a session that is there", handle.touch(&id).await?, true)?,
            "replace" => drop(handle.replaced(&id, None, "data").await?),
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
enum Use {
    Replace,
    Set,
    Touch,
    Rotate,
}

impl Use {
    const ALL: [Self; 4] = [Self::Replace, Self::Set, Self::Touch, Self::Rotate];

    /// Uses the session; its id from then on. `within` is what it has left since `before`.
    async fn run<T: ConformanceData>(
        self,
        handle: &Handle<T>,
        id: &SessionId,
        before: Instant,
        within: Duration,
    ) -> Verdict<SessionId> {
        let record = handle.found_within("before its limit", id, before, within).await?;
        let new = fresh_id();
        let answer = match self {
            Self::Replace => handle.replaced(id, Some(record.version), "used").await.map(|_| *id),
            Self::Set => handle.replaced(id, None, "used").await.map(|_| *id),
            Self::Touch => expect("touch of a session that is there", handle.touch(id).await?, true).map(|()| *id),
            Self::Rotate => handle.rotated(id, &new, with_text(&record, "used")).await.map(|_| new),
        };
        in_time(before, within, answer)
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
            let id = used.run(&handle, &id, created, unit).await?;
            let after = Instant::now();
            let when = format!("after {used:?}, when the limit since creation was over and the one since use was not,");
            time::sleep_until(before + unit.mul_f64(0.7)).await;
            handle.found_within(when, &id, before, unit).await?;
            time::sleep_until(after + unit).await;
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
    let end = Instant::now() + unit;
    for quarter in 1..4_u32 {
        time::sleep_until(before + unit * quarter / 4).await;
        for handle in bench.handles() {
            let left = end.saturating_duration_since(Instant::now()) + STEP;
            let record = handle.found_within("before its limit", &id, before, unit).await?;
            ensure(record.expires_in <= left, || {
                format!("load gave expires_in {:?}, when {left:?} were left at most; reading renews nothing", record.expires_in)
            })?;
        }
    }
    time::sleep_until(end).await;
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
            let end = Instant::now() + absolute;
            let mut renewed = created;
            for part in [0.5, 1.0] {
                time::sleep_until(created + unit.mul_f64(part)).await;
                let now = Instant::now();
                id = used.run(&handle, &id, renewed, unit).await?;
                renewed = now;
                let record = handle.found_within("before its absolute limit", &id, now, unit / 2).await?;
                let left = end.saturating_duration_since(now) + STEP;
                let told = record.absolute_in.unwrap_or(Duration::MAX).max(record.expires_in);
                ensure(told <= left, || {
                    format!("after {used:?}, load gave {told:?} until the absolute limit, when {left:?} were left at most")
                })?;
            }
            time::sleep_until(end).await;
            handle.expect_seen(format!("at the absolute limit, after {used:?} twice"), &id, Seen::Missing).await
        }
    }))
    .await
    .map(drop)
}

pub(super) async fn limits_stick_to_their_session<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let day = 24 * HOUR;
    for limits in [Limits::new(HOUR / 2, None), Limits::new(HOUR, Some(2 * HOUR)), Limits::new(30 * day, Some(10 * day))] {
        let before = Instant::now();
        let (mut id, _) = bench.store.new_session("data", limits).await?;
        for used in [Use::Touch, Use::Replace, Use::Rotate, Use::Set, Use::Rotate, Use::Touch, Use::Replace] {
            id = used.run(&bench.twin, &id, before, HOUR / 2).await?;
            let record = bench.store.found(format!("after {used:?}"), &id).await?;
            let near = |told: Duration, limit: Duration| told <= limit + STEP && told + before.elapsed() + STEP >= limit;
            let absolute = match (record.absolute_in, limits.absolute) {
                (Some(told), Some(limit)) => near(told, limit),
                (told, limit) => told.is_none() && limit.is_none(),
            };
            let life = limits.absolute.map_or(limits.idle, |absolute| absolute.min(limits.idle));
            ensure(near(record.idle, limits.idle) && near(record.expires_in, life) && absolute, || {
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
