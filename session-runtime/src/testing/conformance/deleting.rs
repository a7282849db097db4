//! Delete wins: nothing brings a session back.

use super::bench::{Bench, Handle, MAX_POLLS, Read, Seen, Verdict, both, broken, expect, overtaken};
use super::data::ConformanceData;
use super::sessions::{LONG, fresh_id};
use crate::SessionId;
use crate::store::{Replaced, Rotated};

/// What may still be on its way to a session that is gone.
#[derive(Debug, Clone, Copy)]
pub(super) enum Late {
    Replace,
    Touch,
    Rotate,
    Load,
    Delete,
}

impl Late {
    pub(super) const ALL: [Self; 5] = [Self::Replace, Self::Touch, Self::Rotate, Self::Load, Self::Delete];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Touch => "touch",
            Self::Rotate => "rotate",
            Self::Load => "load",
            Self::Delete => "delete",
        }
    }

    /// Makes the call with what was read before; whether it answered that there was a session.
    pub(super) async fn run<T: ConformanceData>(
        self,
        handle: &Handle<T>,
        id: &SessionId,
        new: &SessionId,
        record: &Read<T>,
    ) -> Verdict<Result<(), String>> {
        let answer = match self {
            Self::Replace => match handle.replace(id, record.version, "late").await? {
                Replaced::Missing => Ok(()),
                other => Err(format!("{other:?}; it should have answered Missing")),
            },
            Self::Rotate => match handle.rotate(id, new, record.with_text("late")).await? {
                Rotated::Missing => Ok(()),
                other => Err(format!("{other:?}; it should have answered Missing")),
            },
            Self::Load => match handle.see(id).await? {
                Seen::Missing => Ok(()),
                other => Err(format!("{other:?}; it should have answered Missing")),
            },
            Self::Touch if handle.touch(id).await? => Err("true; it should have answered false".into()),
            Self::Delete if handle.delete(id).await? => Err("true; it should have answered false".into()),
            Self::Touch | Self::Delete => Ok(()),
        };
        Ok(answer)
    }

    /// The same, where there is no session any more.
    pub(super) async fn finds_nothing<T: ConformanceData>(
        self,
        when: &str,
        handle: &Handle<T>,
        id: &SessionId,
        record: &Read<T>,
    ) -> Verdict {
        let (name, new) = (self.name(), fresh_id());
        if let Err(answer) = self.run(handle, id, &new, record).await? {
            return Err(broken(format!("{when}, {name} answered {answer}")));
        }
        handle.expect_seen(format!("{when} and a late {name}"), id, Seen::Missing).await?;
        handle.expect_seen(format!("{when} and a late {name}, at its new key"), &new, Seen::Missing).await
    }
}

pub(super) async fn delete_wins<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for late in Late::ALL {
        for (deleting, other) in [(&bench.store, &bench.twin), (&bench.twin, &bench.store)] {
            let (id, _) = bench.store.new_session("data", LONG).await?;
            let record = other.found("after create", &id).await?;
            expect("delete of a session that is there", deleting.delete(&id).await?, true)?;
            late.finds_nothing("after delete", other, &id, &record).await?;
            deleting.expect_seen("after delete", &id, Seen::Missing).await?;
            other.created(&id, "another", LONG).await?;
        }
    }
    Ok(())
}

pub(super) async fn delete_is_idempotent<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (id, _) = bench.store.new_session("data", LONG).await?;
    expect("delete of a session that is there", bench.store.delete(&id).await?, true)?;
    for handle in bench.handles() {
        expect("delete of a session that was deleted", handle.delete(&id).await?, false)?;
    }
    expect("delete where there never was a session", bench.store.delete(&fresh_id()).await?, false)?;
    bench.store.expect_seen("after two deletes", &id, Seen::Missing).await
}

/// Each call is stopped after each of its polls, overtaken by a delete, and goes on.
pub(super) async fn delete_wins_over_what_is_under_way<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for late in Late::ALL {
        for polls in 0..MAX_POLLS {
            if !overtaken_by_delete(&bench, late, polls).await? {
                break;
            }
        }
        for round in 0..RACES {
            races_a_delete(&bench, round, late).await?;
        }
    }
    Ok(())
}

/// How often calls are made side by side.
const RACES: usize = 4;

async fn overtaken_by_delete<T: ConformanceData>(bench: &Bench<T>, late: Late, polls: usize) -> Verdict<bool> {
    let ((id, _), new) = (bench.store.new_session("data", LONG).await?, fresh_id());
    let record = bench.store.found("after create", &id).await?;
    let (call, hold) = (Box::pin(late.run(&bench.twin, &id, &new, &record)), bench.store.clock.pace.hold());
    let (answer, deleted, under_way) = overtaken(call, polls, bench.store.delete(&id), hold).await;
    let moved = answer?.is_err() && matches!(late, Late::Rotate);
    is_gone(bench, late, moved, deleted?, (&id, &new)).await?;
    Ok(under_way)
}

async fn races_a_delete<T: ConformanceData>(bench: &Bench<T>, round: usize, late: Late) -> Verdict {
    let ((id, _), new) = (bench.store.new_session("data", LONG).await?, fresh_id());
    let record = bench.store.found("after create", &id).await?;
    let (handle, deleting) = (bench.twin.clone(), bench.store.clone());
    let (answer, deleted) =
        both(round, async move { late.run(&handle, &id, &new, &record).await }, async move { deleting.delete(&id).await })
            .await?;
    is_gone(bench, late, answer.is_err() && matches!(late, Late::Rotate), deleted, (&id, &new)).await
}

/// What is left of a session that was deleted while another call was under way: nothing, unless that moved it first.
async fn is_gone<T: ConformanceData>(
    bench: &Bench<T>,
    late: Late,
    moved: bool,
    deleted: bool,
    (id, new): (&SessionId, &SessionId),
) -> Verdict {
    let name = late.name();
    if !matches!(late, Late::Delete) {
        let when = format!("delete, while {name} was under way{},", if moved { " and won" } else { "" });
        expect(when, deleted, !moved)?;
    }
    let gone = if moved { Seen::JustRotated } else { Seen::Missing };
    for handle in bench.handles() {
        handle.expect_seen(format!("after a delete beside {name}"), id, gone.clone()).await?;
        let new_seen = if moved { Seen::found("late") } else { Seen::Missing };
        handle.expect_seen(format!("after a delete beside {name}, at its new key"), new, new_seen).await?;
    }
    Ok(())
}

pub(super) async fn every_handle_sees_a_change_at_once<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let pairs = [(&bench.store, &bench.twin), (&bench.twin, &bench.store), (&bench.store, &bench.store)];
    for (writer, reader) in pairs {
        let (id, version) = writer.new_session("first", LONG).await?;
        reader.expect_seen("after create through another handle", &id, Seen::found("first")).await?;
        writer.replaced(&id, version, "second").await?;
        reader.expect_seen("after replace through another handle", &id, Seen::found("second")).await?;
        let (new, record) = (fresh_id(), reader.found("after replace", &id).await?);
        writer.rotated(&id, &new, record).await?;
        reader.expect_seen("after rotate through another handle", &id, Seen::JustRotated).await?;
        reader.expect_seen("after rotate through another handle", &new, Seen::found("second")).await?;
        expect("delete of a session that is there", writer.delete(&new).await?, true)?;
        reader.expect_seen("after delete through another handle", &new, Seen::Missing).await?;
        reads_under_way_hide_nothing(writer, reader).await?;
    }
    Ok(())
}

/// What is read while a change or a rotation is made must not stay for what is there after it.
async fn reads_under_way_hide_nothing<T: ConformanceData>(writer: &Handle<T>, reader: &Handle<T>) -> Verdict {
    for polls in 0..MAX_POLLS {
        let (id, version) = writer.new_session("first", LONG).await?;
        let (call, hold) = (Box::pin(reader.load(&id)), reader.clock.pace.hold());
        let (read, set, under_way) = overtaken(call, polls, writer.replaced(&id, version, "second"), hold).await;
        read?;
        set?;
        reader.expect_seen("after a replace that overtook a load", &id, Seen::found("second")).await?;
        if !under_way {
            break;
        }
    }
    for polls in 0..MAX_POLLS {
        let ((id, _), new) = (writer.new_session("first", LONG).await?, fresh_id());
        let record = writer.found("after create", &id).await?;
        let (call, hold) = (Box::pin(reader.load(&id)), reader.clock.pace.hold());
        let (read, rotated, under_way) = overtaken(call, polls, writer.rotated(&id, &new, record), hold).await;
        read?;
        rotated?;
        reader.expect_seen("after a rotate that overtook a load, at the old key", &id, Seen::JustRotated).await?;
        reader.expect_seen("after a rotate that overtook a load, at the new key", &new, Seen::found("first")).await?;
        if !under_way {
            break;
        }
    }
    Ok(())
}
