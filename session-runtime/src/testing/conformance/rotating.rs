//! A rotation moves a session in one commit, and leaves a mark.

use tokio::time::{self, Instant};

use super::bench::{Bench, MAX_POLLS, Read, Seen, Verdict, at_once, both, broken, ensure, expect, polled};
use super::clock::STEP;
use super::data::ConformanceData;
use super::sessions::{HOUR, LONG, fresh_id};
use crate::SessionId;
use crate::store::{Created, Limits, ROTATION_MARK, Replaced, Rotated, Version};

pub(super) async fn a_rotation_moves_the_session<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for (rotating, other) in [(&bench.store, &bench.twin), (&bench.twin, &bench.store)] {
        let ((old, _), new) = (rotating.new_session("data", LONG).await?, fresh_id());
        other.expect_seen("before rotate, at the new key", &new, Seen::Missing).await?;
        let record = other.found("before rotate", &old).await?;
        let version = rotating.rotated(&old, &new, record.with_text("changed")).await?;
        for handle in [rotating, other] {
            handle.expect_seen("after rotate, at the old key", &old, Seen::JustRotated).await?;
            let moved = handle.found("after rotate, at the new key", &new).await?;
            expect("after rotate with changed data, the data that load found, which", &*moved.data.text(), "changed")?;
            expect("after rotate, the version that load found, other than the answer's,", moved.version, version)?;
        }
        // It is a session as any other: it changes, moves on, and ends.
        let version = other.replaced(&new, version, "changed again").await?;
        let (newer, record) = (fresh_id(), other.found("after replace", &new).await?);
        expect("after replace of a rotated session, the version that load found", record.version, version)?;
        rotating.rotated(&new, &newer, record).await?;
        expect("delete of a session that was rotated", other.delete(&newer).await?, true)?;
        rotating.expect_seen("after delete of a session that was rotated", &newer, Seen::Missing).await?;
    }
    Ok(())
}

pub(super) async fn a_rotation_needs_a_session<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (gone, _) = bench.store.new_session("data", LONG).await?;
    let record = bench.store.found("after create", &gone).await?;
    bench.store.delete(&gone).await?;
    let (moved, _) = bench.store.new_session("data", LONG).await?;
    let moved_record = bench.store.found("after create", &moved).await?;
    bench.store.rotated(&moved, &fresh_id(), moved_record.clone()).await?;
    let cases = [
        ("a deleted session", gone, record.clone()),
        ("a session that never was", fresh_id(), record),
        ("a mark", moved, moved_record),
    ];
    for (what, old, record) in cases {
        let new = fresh_id();
        expect(format!("rotate of {what}"), bench.twin.rotate(&old, &new, record).await?, Rotated::Missing)?;
        bench.store.expect_seen(format!("after rotate of {what}, at the new key"), &new, Seen::Missing).await?;
        bench.store.created(&new, "created", LONG).await?;
    }
    Ok(())
}

pub(super) async fn a_rotation_needs_the_version<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let ((old, first), new) = (bench.store.new_session("first", LONG).await?, fresh_id());
    let stale = bench.store.found("after create", &old).await?;
    let version = bench.twin.replaced(&old, first, "second").await?;
    let answer = bench.store.rotate(&old, &new, stale.with_text("stale")).await?;
    expect("rotate at a version that the session does not have", answer, Rotated::Conflict)?;
    bench.store.expect_seen("after a conflict, at the new key", &new, Seen::Missing).await?;
    let record = bench.store.found("after a conflict, at the old key", &old).await?;
    expect("after a conflict, the data that load found, which", &*record.data.text(), "second")?;
    expect("after a conflict, the version that load found, which", record.version, version)
}

pub(super) async fn a_rotation_never_overwrites<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (old, version) = bench.store.new_session("mine", LONG).await?;
    let (taken, taken_version) = bench.store.new_session("another's", Limits::new(HOUR / 2, None)).await?;
    let (moved, _) = bench.store.new_session("moved", LONG).await?;

    for (what, key) in [("a taken key", taken), ("the key of a mark", moved)] {
        if key == moved {
            let record = bench.store.found("after create", &moved).await?;
            bench.store.rotated(&moved, &fresh_id(), record).await?;
        }
        let record = bench.twin.found("after create", &old).await?;
        let exists = expect(format!("rotate to {what}"), bench.twin.rotate(&old, &key, record).await?, Rotated::Exists);
        bench.store.while_marked(&key, exists)?;
        let record = bench.store.found(format!("after rotate to {what}, at the old key"), &old).await?;
        expect(format!("after rotate to {what}, the data at the old key"), &*record.data.text(), "mine")?;
        expect(format!("after rotate to {what}, the version at the old key"), record.version, version)?;
    }
    let record = bench.store.found("after another session was rotated to its key", &taken).await?;
    expect("after rotate to a taken key, the data there", &*record.data.text(), "another's")?;
    expect("after rotate to a taken key, the version there", record.version, taken_version)?;
    bench.store.expect_seen("after rotate to the key of a mark", &moved, Seen::JustRotated).await
}

pub(super) async fn of_parallel_rotations_one_wins<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for _ in 0..3 {
        let (old, _) = bench.store.new_session("data", LONG).await?;
        let record = bench.store.found("after create", &old).await?;
        let rotations = (0..8).map(|number| {
            let (handle, record, new) = (bench.handles()[number % 2].clone(), record.clone(), fresh_id());
            async move { Ok((new, handle.rotate(&old, &new, record).await?)) }
        });
        let (mut winners, answers) = (0, at_once(rotations).await?);
        // At once, while the mark is there.
        let marked = bench.store.expect_seen("after 8 rotations at once, at the old key", &old, Seen::JustRotated).await;
        for (new, answer) in answers {
            let seen = bench.store.see(&new).await?;
            let wanted = match answer {
                Rotated::Rotated(_) => Seen::found("data"),
                Rotated::Missing | Rotated::Conflict => Seen::Missing,
                other => return Err(broken(format_args!("rotate to a free key, beside others, answered {other:?}"))),
            };
            winners += usize::from(wanted != Seen::Missing);
            expect(format!("of 8 rotations at once, at the new key of one that answered {answer:?}, load"), seen, wanted)?;
        }
        ensure(winners == 1, || {
            format!("of 8 rotations of one session at once {winners} answered Rotated; exactly one should have")
        })?;
        marked?;
    }
    Ok(())
}

/// Makes other calls at the keys of a rotation while that is made.
pub(super) async fn a_rotation_is_one_step_beside_others<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for round in 0..4 {
        beside_a_change(&bench, round).await?;
        beside_a_touch(&bench, round).await?;
        beside_a_create(&bench, round).await?;
        beside_a_rotation_to_its_key(&bench).await?;
    }
    Ok(())
}

async fn beside_a_change<T: ConformanceData>(bench: &Bench<T>, round: usize) -> Verdict {
    let ((old, version), new) = (bench.store.new_session("data", LONG).await?, fresh_id());
    let record = bench.store.found("after create", &old).await?;
    let (rotating, changing) = (bench.store.clone(), bench.twin.clone());
    let (rotated, replaced) =
        both(round, async move { rotating.rotate(&old, &new, record.with_text("moved")).await }, async move {
            changing.replace(&old, version, "changed").await
        })
        .await?;
    let wanted = match (rotated, replaced) {
        (Rotated::Rotated(_), Replaced::Missing) => (Seen::JustRotated, Seen::found("moved")),
        (Rotated::Conflict, Replaced::Replaced(_)) => (Seen::found("changed"), Seen::Missing),
        _ => {
            return Err(broken(format!(
                "rotate and replace of one version at once answered {rotated:?} and {replaced:?}; one should have won, and the \
                 other have found Conflict or Missing"
            )));
        }
    };
    bench.store.expect_seen("after rotate and replace at once, at the old key", &old, wanted.0).await?;
    bench.store.expect_seen("after rotate and replace at once, at the new key", &new, wanted.1).await
}

async fn beside_a_touch<T: ConformanceData>(bench: &Bench<T>, round: usize) -> Verdict {
    let ((old, _), new) = (bench.store.new_session("data", LONG).await?, fresh_id());
    let record = bench.store.found("after create", &old).await?;
    let (rotating, touching) = (bench.store.clone(), bench.twin.clone());
    let (rotated, _) =
        both(round, async move { rotating.rotate(&old, &new, record).await }, async move { touching.touch(&old).await }).await?;
    ensure(matches!(rotated, Rotated::Rotated(_)), || {
        format!("rotate beside a touch answered {rotated:?}; a touch leaves the version, so it should have moved the session")
    })?;
    bench.store.expect_seen("after rotate and touch at once, at the old key", &old, Seen::JustRotated).await?;
    bench.store.expect_seen("after rotate and touch at once, at the new key", &new, Seen::found("data")).await
}

async fn beside_a_create<T: ConformanceData>(bench: &Bench<T>, round: usize) -> Verdict {
    let ((old, _), new) = (bench.store.new_session("moved", LONG).await?, fresh_id());
    let record = bench.store.found("after create", &old).await?;
    let (rotating, creating) = (bench.store.clone(), bench.twin.clone());
    let (rotated, created) = both(round, async move { rotating.rotate(&old, &new, record).await }, async move {
        creating.create(&new, "created", LONG).await
    })
    .await?;
    let wanted = match (rotated, created) {
        (Rotated::Rotated(_), Created::Exists) => (Seen::JustRotated, Seen::found("moved")),
        (Rotated::Exists, Created::Created(_)) => (Seen::found("moved"), Seen::found("created")),
        _ => {
            return Err(broken(format!(
                "rotate to a key and create at it at once answered {rotated:?} and {created:?}; one should have won, and the other \
                 have answered Exists"
            )));
        }
    };
    bench.store.expect_seen("after rotate to a key and create at it at once, at the old key", &old, wanted.0).await?;
    bench.store.expect_seen("after rotate to a key and create at it at once, at that key", &new, wanted.1).await
}

async fn beside_a_rotation_to_its_key<T: ConformanceData>(bench: &Bench<T>) -> Verdict {
    let new = fresh_id();
    let mut rotations = Vec::new();
    for handle in bench.handles() {
        let (old, _) = handle.new_session("moved", LONG).await?;
        let (handle, record) = (handle.clone(), handle.found("after create", &old).await?);
        rotations.push(async move { Ok((old, handle.rotate(&old, &new, record).await?)) });
    }
    let mut winners = 0;
    for (old, answer) in at_once(rotations).await? {
        let wanted = match answer {
            Rotated::Rotated(_) => Seen::JustRotated,
            Rotated::Exists => Seen::found("moved"),
            other => return Err(broken(format!("of two rotations to one key at once, one answered {other:?}"))),
        };
        winners += usize::from(wanted == Seen::JustRotated);
        let when = format!("of two rotations to one key at once, at the old key of one that answered {answer:?}");
        bench.store.expect_seen(when, &old, wanted).await?;
    }
    ensure(winners == 1, || format!("of two rotations to one key at once {winners} answered Rotated; one should have"))
}

/// Stops a rotation for good after each of its polls: its caller went away.
pub(super) async fn a_rotation_commits_once<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let mut left = Vec::new();
    for polls in 0..MAX_POLLS {
        let ((old, _), new) = (bench.store.new_session("data", LONG).await?, fresh_id());
        let record = bench.store.found("after create", &old).await?;
        let done = {
            let mut rotation = Box::pin(bench.store.rotate(&old, &new, record));
            polled(&mut rotation, polls).await.transpose()?.is_some()
        };
        one_of_two_keys_works(&bench, polls, &old, &new).await?;
        left.push((polls, old, new));
        if done {
            break;
        }
    }
    // What a server was asked to do it may have done after all, or do while it is looked at.
    time::sleep(bench.store.clock.pace.hold()).await;
    for (polls, old, new) in left {
        one_of_two_keys_works(&bench, polls, &old, &new).await?;
        let Some(record) = bench.twin.read(&old).await?.ok() else { continue };
        let newer = fresh_id();
        match bench.twin.rotate(&old, &newer, record).await? {
            Rotated::Rotated(_) => drop(one_of_two_keys_works(&bench, polls, &old, &newer).await?),
            Rotated::Missing if one_of_two_keys_works(&bench, polls, &old, &new).await? => {}
            other => {
                return Err(broken(format_args!(
                    "after a rotation that was stopped at poll {polls} and not done, another one answered {other:?}; it should have \
                     moved the session"
                )));
            }
        }
    }
    Ok(())
}

/// Whether it is the new one, and has been since before this was asked.
async fn one_of_two_keys_works<T: ConformanceData>(
    bench: &Bench<T>,
    polls: usize,
    old: &SessionId,
    new: &SessionId,
) -> Verdict<bool> {
    let mut states = Vec::new();
    for handle in bench.handles() {
        let mut state = (handle.see(old).await?, handle.see(new).await?);
        if matches!(state, (Seen::Found(_), Seen::Found(_))) {
            // It may have been committed between the two looks.
            state.0 = handle.see(old).await?;
        }
        let before = matches!(state, (Seen::Found(_), Seen::Missing));
        let undisclosed = bench.two_steps && matches!(state, (Seen::Found(_), Seen::Found(_)));
        // The mark goes when its time is over.
        let is_left = state.0 == Seen::JustRotated || state.0 == Seen::Missing && !handle.clock.is_marked(old);
        let after = is_left && matches!(state.1, Seen::Found(_));
        ensure(before || undisclosed || after, || {
            format!(
                "after a rotation that was stopped at poll {polls}, load answered {:?} at the old key and {:?} at the new one; \
                 either the old one holds the session and the new one is Missing, or the old one is JustRotated and the new one \
                 holds it",
                state.0, state.1
            )
        })?;
        states.push(after);
    }
    ensure(states[0] <= states[1], || {
        format!("after a rotation that was stopped at poll {polls}, one handle saw it done, and another one later did not")
    })?;
    Ok(states[0])
}

pub(super) async fn a_rotation_leaves_a_mark<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for handle in bench.handles() {
        let mut mark = Mark::new(&bench).await?;
        handle.expect_seen("after rotate, at the old key", &mark.key, Seen::JustRotated).await?;
        mark = mark.or_a_new_one(&bench).await?;
        let taken = expect("create at the key of a mark", handle.create(&mark.key, "new", LONG).await?, Created::Exists);
        handle.while_marked(&mark.key, taken)?;
        mark = mark.or_a_new_one(&bench).await?;
        expect("delete at the key of a mark", handle.delete(&mark.key).await?, false)?;
        mark = mark.or_a_new_one(&bench).await?;
        expect("touch at the key of a mark", handle.touch(&mark.key).await?, false)?;
        for expected in [mark.session.version, Version(0)] {
            mark = mark.or_a_new_one(&bench).await?;
            let answer = handle.replace(&mark.key, expected, "late").await?;
            expect("replace at the key of a mark", answer, Replaced::Missing)?;
        }
        mark = mark.or_a_new_one(&bench).await?;
        let answer = handle.rotate(&mark.key, &fresh_id(), mark.session.clone()).await?;
        expect("rotate at the key of a mark", answer, Rotated::Missing)?;
        mark = mark.or_a_new_one(&bench).await?;
        handle.sweep().await?;
        mark.is_there(&bench).await?;
    }
    Ok(())
}

/// The mark of a rotation, and the session that left it.
struct Mark<T> {
    key: SessionId,
    session: Read<T>,
}

impl<T: ConformanceData> Mark<T> {
    async fn new(bench: &Bench<T>) -> Verdict<Self> {
        let (key, _) = bench.store.new_session("data", LONG).await?;
        let session = bench.store.found("after create", &key).await?;
        bench.store.rotated(&key, &fresh_id(), session.clone()).await?;
        Ok(Self { key, session })
    }

    /// Another one, if the store is so slow that this one may soon be over. It has to be there still.
    async fn or_a_new_one(self, bench: &Bench<T>) -> Verdict<Self> {
        if bench.store.clock.is_marked_for(&self.key, ROTATION_MARK / 3 * 2) {
            return Ok(self);
        }
        self.is_there(bench).await?;
        Self::new(bench).await
    }

    async fn is_there(&self, bench: &Bench<T>) -> Verdict {
        bench.store.expect_seen("after every operation at the key of a mark", &self.key, Seen::JustRotated).await
    }
}

/// The mark has a time of its own, whatever the session's.
pub(super) async fn a_mark_outlives_its_session<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let limit = bench.unit.min(ROTATION_MARK / 3);
    let ((old, _), new) = (bench.store.new_session("data", Limits::new(limit, None)).await?, fresh_id());
    let record = bench.store.found("before its limit", &old).await?;
    bench.store.rotated(&old, &new, record).await?;
    bench.store.clock.over(&new).await;
    bench.store.sweep().await?;
    bench.store.expect_seen("when the session had expired that left a mark, at the old key", &old, Seen::JustRotated).await?;
    bench.store.expect_seen("at its limit, a rotated session", &new, Seen::Missing).await?;

    let ((old, _), new) = (bench.store.new_session("data", LONG).await?, fresh_id());
    let record = bench.store.found("after create", &old).await?;
    bench.store.rotated(&old, &new, record).await?;
    bench.store.delete(&new).await?;
    bench.store.expect_seen("when the session was deleted that left a mark, at the old key", &old, Seen::JustRotated).await
}

/// Takes as long as a mark stays.
pub(super) async fn a_mark_goes_after_30_s<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (old, _) = bench.store.new_session("data", LONG).await?;
    let record = bench.store.found("after create", &old).await?;
    let before = Instant::now();
    bench.store.rotated(&old, &fresh_id(), record).await?;
    // The slower the store, the earlier: the answer has to come in time, too.
    let early = bench.unit.clamp(50 * STEP, ROTATION_MARK / 5 * 2);
    time::sleep_until(before + ROTATION_MARK - early).await;
    let when = format!("{early:?} before its time is over, of a mark");
    bench.store.expect_seen(when, &old, Seen::JustRotated).await?;
    bench.store.clock.mark_over(&old).await;
    bench.store.expect_seen(format!("{ROTATION_MARK:?} after rotate, at the old key"), &old, Seen::Missing).await?;
    bench.store.created(&old, "created", LONG).await.map(drop)
}
