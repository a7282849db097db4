//! Changing is compare-and-swap; it never creates.

use std::collections::HashSet;

use tokio::task::yield_now;

use super::bench::{Bench, Handle, Seen, Verdict, at_once, broken, ensure, expect};
use super::data::ConformanceData;
use super::sessions::{LONG, fresh_id};
use crate::SessionId;
use crate::store::{Replaced, Version};

pub(super) async fn compare_and_swap<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (id, first) = bench.store.new_session("first", LONG).await?;
    let second = bench.twin.replaced(&id, first, "second").await?;
    let unknown = Version(first.0 ^ 0x5555);
    for stale in [first, unknown, Version(0), Version(u64::MAX)] {
        let answer = bench.store.replace(&id, stale, "stale").await?;
        expect("replace at a version that the session does not have", answer, Replaced::Conflict)?;
        let record = bench.store.found("after a conflict", &id).await?;
        expect("after a conflict, the data that load found, which", &*record.data.text(), "second")?;
        expect("after a conflict, the version that load found, which", record.version, second)?;
    }
    bench.store.replaced(&id, second, "third").await?;
    bench.twin.expect_seen("after replace", &id, Seen::found("third")).await
}

const TASKS: usize = 12;
const CHANGES: usize = 5;

pub(super) async fn parallel_changes_lose_none<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (id, _) = bench.store.new_session("0", LONG).await?;
    at_once((0..TASKS).map(|task| {
        let handle = bench.handles()[task % 2].clone();
        async move {
            for _ in 0..CHANGES {
                add_one(&handle, &id).await?;
            }
            Ok(())
        }
    }))
    .await?;
    let when = format!("after {TASKS} tasks added one {CHANGES} times each, by compare-and-swap,");
    bench.store.expect_seen(when, &id, Seen::found(&(TASKS * CHANGES).to_string())).await
}

async fn add_one<T: ConformanceData>(handle: &Handle<T>, id: &SessionId) -> Verdict {
    change(handle, id, |text| {
        let number: usize = text.parse().map_err(|_| broken(format!("load found {text:?} where a number was stored")))?;
        Ok((number + 1).to_string())
    })
    .await
}

/// More conflicts than changes that others make: each conflict is one of those.
const MOST_CONFLICTS: usize = 1000;

/// Changes the data by compare-and-swap, beginning anew after each conflict.
pub(super) async fn change<T: ConformanceData>(
    handle: &Handle<T>,
    id: &SessionId,
    change: impl Fn(&str) -> Verdict<String> + Send,
) -> Verdict {
    for _ in 0..MOST_CONFLICTS {
        let record = handle.found("while others change the session", id).await?;
        // So that the others come between, in a store that answers at once too.
        yield_now().await;
        let text = change(&record.data.text())?;
        match handle.replace(id, record.version, &text).await? {
            Replaced::Replaced(_) => return Ok(()),
            Replaced::Conflict => {}
            Replaced::Missing => {
                return Err(broken("replace of a session that is there answered Missing, while others changed it"));
            }
        }
    }
    Err(broken(format_args!(
        "replace at the version that was just read answered Conflict {MOST_CONFLICTS} times; somebody should get on"
    )))
}

pub(super) async fn a_change_never_creates<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for expected in [Version(0), Version(1), Version(u64::MAX)] {
        let id = fresh_id();
        let answer = bench.store.replace(&id, expected, "new").await?;
        expect("replace where there is no session", answer, Replaced::Missing)?;
        bench.store.expect_seen("after replace where there is no session", &id, Seen::Missing).await?;
        bench.store.created(&id, "created", LONG).await?;
    }
    Ok(())
}

pub(super) async fn versions_grow_with_each_change<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (mut id, mut version) = bench.store.new_session("same", LONG).await?;
    let mut seen = HashSet::from([version]);
    for step in 0..24 {
        let when = ["replace", "replace through another handle", "rotate"][step % 3];
        let next = match step % 3 {
            0 => bench.store.replaced(&id, version, "same").await?,
            1 => bench.twin.replaced(&id, version, "same").await?,
            _ => {
                let (new, record) = (fresh_id(), bench.store.found("before rotate", &id).await?);
                let version = bench.store.rotated(&id, &new, record.with_text("same")).await?;
                id = new;
                version
            }
        };
        ensure(seen.insert(next), || {
            format!("{when} gave the session version {next:?}, which it had before; each change gives one that it never had")
        })?;
        ensure(step % 3 == 2 || next > version, || {
            format!("{when} gave version {next:?} after {version:?}; under one key versions grow, which tells newer from older")
        })?;
        let record = bench.store.found("after a change", &id).await?;
        expect(format!("after {when}, the version that load found, other than the answer's,"), record.version, next)?;
        version = next;
    }
    Ok(())
}

pub(super) async fn a_touch_leaves_data_and_version<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (id, version) = bench.store.new_session("data", LONG).await?;
    for handle in bench.handles() {
        handle.touched(&id).await?;
        let record = handle.found("after touch", &id).await?;
        expect("after touch, the data that load found, which", &*record.data.text(), "data")?;
        expect("after touch, the version that load found, which", record.version, version)?;
    }
    bench.store.replaced(&id, version, "changed").await.map(drop)
}

pub(super) async fn a_touch_never_creates<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let id = fresh_id();
    expect("touch where there is no session", bench.store.touch(&id).await?, false)?;
    bench.store.expect_seen("after touch where there is no session", &id, Seen::Missing).await?;
    bench.store.created(&id, "created", LONG).await.map(drop)
}
