//! What is left when something goes wrong between the calls: one of the states that may be.

use std::sync::Arc;
use std::time::Duration;

use super::bench::{Bench, Fault, Handle, MAX_POLLS, Seen, Verdict, broken, ensure, expect, polled, shows_id};
use super::changing::change;
use super::data::ConformanceData;
use super::sessions::{HOUR, LONG, fresh_id};
use crate::SessionId;
use crate::store::{Answer, Change, Created, NewSession, Origin, Record, Replaced, Rotated, Rotation, Version};

/// Repeats each call as a caller does that never got the answer.
pub(super) async fn a_call_whose_answer_was_lost_is_done_once<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (id, first) = bench.store.new_session("first", LONG).await?;
    let again = bench.store.create(&id, "first", LONG).await?;
    ensure(again == Created::Exists || again == Created::Created(first), || {
        format!("create, repeated, answered {again:?}; it should have answered Exists, or what it answered before")
    })?;
    let second = bench.store.replaced(&id, first, "second").await?;
    let again = bench.store.replace(&id, first, "second").await?;
    ensure(again == Replaced::Conflict || again == Replaced::Replaced(second), || {
        format!("replace, repeated, answered {again:?}; it should have answered Conflict, or what it answered before")
    })?;
    let record = bench.store.found("after a repeated replace", &id).await?;
    expect("after a repeated replace, the version that load found, which", record.version, second)?;
    let new = fresh_id();
    let third = bench.store.rotated(&id, &new, record.clone()).await?;
    let again = bench.store.rotate(&id, &new, record).await?;
    ensure(matches!(again, Rotated::Missing | Rotated::Exists) || again == Rotated::Rotated(third), || {
        format!("rotate, repeated, answered {again:?}; it should have answered Missing, or what it answered before")
    })?;
    bench.store.expect_seen("after a repeated rotate, at the old key", &id, Seen::JustRotated).await?;
    let record = bench.store.found("after a repeated rotate, at the new key", &new).await?;
    expect("after a repeated rotate, the version that load found, which", record.version, third)
}

/// What is stopped on its way.
#[derive(Debug, Clone, Copy)]
enum Stopped {
    Create,
    Replace,
    Touch,
    Delete,
}

/// Stops each call for good after each of its polls: its caller went away.
pub(super) async fn a_call_that_is_stopped_is_done_or_not<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for stopped in [Stopped::Create, Stopped::Replace, Stopped::Touch, Stopped::Delete] {
        for polls in 0..MAX_POLLS {
            if stopped.at(&bench, polls).await? {
                break;
            }
        }
    }
    Ok(())
}

impl Stopped {
    /// Whether the call was done before it was stopped.
    async fn at<T: ConformanceData>(self, bench: &Bench<T>, polls: usize) -> Verdict<bool> {
        let handle = &bench.store;
        let (id, version) = match self {
            Self::Create => (fresh_id(), Version(0)),
            _ => handle.new_session("before", LONG).await?,
        };
        let done = self.stop(handle, &id, version, polls).await?;
        let allowed: &[Seen] = match self {
            Self::Create => &[Seen::Missing, Seen::found("after")],
            Self::Replace => &[Seen::found("before"), Seen::found("after")],
            Self::Touch => &[Seen::found("before")],
            Self::Delete => &[Seen::found("before"), Seen::Missing],
        };
        for seen in [bench.twin.see(&id).await?, handle.see(&id).await?] {
            ensure(allowed.contains(&seen), || {
                format!(
                    "after {self:?} that was stopped at poll {polls}, load answered {seen:?}; it should be one of {allowed:?}"
                )
            })?;
        }
        self.go_on(&bench.twin, &id).await?;
        Ok(done)
    }

    async fn stop<T: ConformanceData>(self, handle: &Handle<T>, id: &SessionId, version: Version, polls: usize) -> Verdict<bool> {
        let done = match self {
            Self::Create => polled(&mut Box::pin(handle.create(id, "after", LONG)), polls).await.transpose()?.is_some(),
            Self::Replace => polled(&mut Box::pin(handle.replace(id, version, "after")), polls).await.transpose()?.is_some(),
            Self::Touch => polled(&mut Box::pin(handle.touch(id)), polls).await.transpose()?.is_some(),
            Self::Delete => polled(&mut Box::pin(handle.delete(id)), polls).await.transpose()?.is_some(),
        };
        Ok(done)
    }

    /// The next caller gets on with whatever is left.
    async fn go_on<T: ConformanceData>(self, handle: &Handle<T>, id: &SessionId) -> Verdict {
        match self {
            Self::Create => {
                handle.create(id, "after", LONG).await?;
                handle.expect_seen("after create that was stopped, and another,", id, Seen::found("after")).await
            }
            Self::Replace | Self::Touch => {
                // A server may still do what was stopped here.
                change(handle, id, |_| Ok("last".to_owned())).await?;
                handle.expect_seen(format!("after {self:?} that was stopped, and another,"), id, Seen::found("last")).await
            }
            Self::Delete => {
                handle.delete(id).await?;
                handle.expect_seen("after delete that was stopped, and another,", id, Seen::Missing).await
            }
        }
    }
}

/// A caller that adds the round's number to a list, again and again, and is stopped every now and then.
pub(super) async fn stopped_changes_are_done_once_or_not_at_all<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (id, _) = bench.store.new_session("-1", LONG).await?;
    let mut answered = Vec::new();
    for round in 0..24_usize {
        let number = round.to_string();
        let more = |text: &str| format!("{text},{number}");
        if round % 3 != 0 {
            change(bench.handles()[round % 2], &id, |text| Ok(more(text))).await?;
            answered.push(number);
            continue;
        }
        let record = bench.store.found("amid changes", &id).await?;
        let text = more(&record.data.text());
        let mut stopped = Box::pin(bench.store.replace(&id, record.version, &text));
        match polled(&mut stopped, 1 + round / 3).await.transpose()? {
            Some(Replaced::Replaced(_)) => answered.push(number),
            // A change that was stopped before may have come between; of one that is stopped now nobody knows.
            Some(Replaced::Conflict) | None => {}
            Some(Replaced::Missing) => return Err(broken("replace of a session that is there answered Missing")),
        }
    }
    let text = bench.twin.found("after many changes, some of them stopped,", &id).await?.data.text().into_owned();
    let done: Vec<&str> = text.split(',').collect();
    let times = |number: &str| done.iter().filter(|done| **done == number).count();
    ensure(answered.iter().all(|number| times(number) == 1) && done.iter().all(|number| times(number) == 1), || {
        format!("of changes, some of them stopped, {answered:?} were answered, and {text:?} are what was done; each is done once")
    })
}

/// How long the store that fails may take, at least, to say so of a call.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn errors_show_no_id<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    // Without a store that fails, the errors of the other checks alone are looked at.
    let Some(failing) = bench.failing else { return Ok(()) };
    let (id, new, data) = (fresh_id(), fresh_id(), || Arc::new(T::of_text("data")));
    let (key, store) = (failing.key(&id), &failing.store);
    let record = Record::new(data(), Version(1), HOUR, HOUR, None, Duration::ZERO);
    fails(&failing, "create", store.create(key, NewSession::new(data(), LONG, Origin::Change)), &[&id]).await?;
    fails(&failing, "load", store.load(key), &[&id]).await?;
    fails(&failing, "replace", store.replace(key, Version(1), Change::new(data())), &[&id]).await?;
    fails(&failing, "touch", store.touch(key), &[&id]).await?;
    fails(&failing, "rotate", store.rotate(key, failing.key(&new), Rotation::new(record)), &[&id, &new]).await?;
    fails(&failing, "delete", store.delete(key), &[&id]).await
}

async fn fails<T, R>(failing: &Handle<T>, operation: &str, call: Answer<'_, R>, ids: &[&SessionId]) -> Verdict {
    let answer = failing.clock.pace.patiently(PATIENCE, call).await.map_err(|patience| {
        broken(format!("the store that fails had not said so of {operation} after {patience:?}; a store bounds its waiting"))
    })?;
    let error = answer.err().ok_or_else(|| {
        Fault::Broken(format!("{operation} succeeded on the store that was given as one that fails; an outage is an error"))
    })?;
    ensure(!shows_id(&error, ids), || format!("the error of {operation} shows the raw id; no error may"))
}
