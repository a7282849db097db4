//! Who a session belongs to changes with its row, what was ended is ended, and nobody has more sessions than allowed.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time;

use super::bench::{Bench, Handle, Read, Seen, Verdict, at_once, both, broken, ensure, expect};
use super::data::ConformanceData;
use super::sessions::{HOUR, LONG, fresh_id};
use crate::SessionId;
use crate::config::WhenFull;
use crate::owner::{Owner, SessionHandle};
use crate::store::{
    Attributes, Belonging, Change, Created, Limits, Listed, NewLifetime, NewSession, Origin, OwnerLimit, Replaced, Rotated,
    Rotation, Version, Which,
};

/// What a list shows: the data of each session, by what it is called.
type Shown = BTreeMap<SessionHandle, String>;

/// An owner that no session has.
fn somebody<T: ConformanceData>(handle: &Handle<T>) -> Owner {
    Owner::new(&handle.namespace, &rand::random::<u128>())
}

fn attributes_of(handle: SessionHandle, proven: Duration) -> Arc<Attributes> {
    Arc::new(Attributes { handle: Some(handle), proven: Some(proven), persistent: None })
}

/// A session as it is kept.
#[derive(Clone)]
struct Owned {
    id: SessionId,
    handle: SessionHandle,
}

impl<T: ConformanceData> Handle<T> {
    async fn create_owned(
        &self,
        owner: &Owner,
        text: &str,
        limits: Limits,
        limit: Option<OwnerLimit>,
    ) -> Verdict<(Owned, Created)> {
        let (id, handle) = (fresh_id(), SessionHandle::random());
        let mut session = NewSession::new(Arc::new(T::of_text(text)), limits, Origin::Change);
        session.attributes = Some(attributes_of(handle, Duration::ZERO));
        session.owner = Some(Box::new(Belonging { owner: owner.clone(), limit }));
        Ok((Owned { id, handle }, self.create_with(&id, session).await?))
    }

    /// A new session of `owner`.
    async fn owned(&self, owner: &Owner, text: &str) -> Verdict<Owned> {
        match self.create_owned(owner, text, LONG, None).await? {
            (kept, Created::Created(_)) => Ok(kept),
            (_, other) => {
                Err(broken(format_args!("create at a key that is free answered {other:?}; it should have created the session")))
            }
        }
    }

    /// Moves a session to a new key, and to an owner.
    async fn hand_over(
        &self,
        old: &SessionId,
        session: Read<T>,
        owner: Option<(&Owner, SessionHandle, Option<OwnerLimit>)>,
    ) -> Verdict<(SessionId, Rotated)> {
        let new = fresh_id();
        let owner = owner.map(|(owner, handle, limit)| (Belonging { owner: owner.clone(), limit }, handle));
        let answer = self.rotate_to(old, &new, session, owner).await?;
        Ok((new, answer))
    }

    async fn handed_over(
        &self,
        old: &SessionId,
        session: Read<T>,
        owner: Option<(&Owner, SessionHandle, Option<OwnerLimit>)>,
    ) -> Verdict<SessionId> {
        match self.hand_over(old, session, owner).await? {
            (new, Rotated::Rotated(_)) => Ok(new),
            (_, other) => Err(broken(format_args!(
                "rotate of a session that is there, at its version, to a free key answered {other:?}; it should have moved it"
            ))),
        }
    }

    async fn rotate_to(
        &self,
        old: &SessionId,
        new: &SessionId,
        session: Read<T>,
        owner: Option<(Belonging, SessionHandle)>,
    ) -> Verdict<Rotated> {
        let mut rotation = Rotation::new((*session).clone());
        rotation.session.attributes = owner.as_ref().map(|(_, handle)| attributes_of(*handle, Duration::from_secs(1)));
        rotation.owner = owner.map(|(belonging, _)| Box::new(belonging));
        Ok(self.ask("rotate", &[old, new], |store| store.rotate(self.key(old), self.key(new), rotation)).await?.0)
    }

    async fn listed(&self, owner: &Owner) -> Verdict<Vec<Listed<T>>> {
        Ok(self.ask("list", &[], |store| store.list(owner)).await?.0)
    }

    async fn shown(&self, owner: &Owner) -> Verdict<Shown> {
        let mut shown = Shown::new();
        for Listed { handle, session, .. } in self.listed(owner).await? {
            let record = session.map_err(|error| broken(format_args!("list gave a session that cannot be read: {error}")))?;
            let text = record.data.text().into_owned();
            ensure(shown.insert(handle, text).is_none(), || "list gave one session twice".to_owned())?;
        }
        Ok(shown)
    }

    async fn end(&self, owner: &Owner, which: Which) -> Verdict<u64> {
        Ok(self.ask("end", &[], |store| store.end(owner, which)).await?.0)
    }

    async fn count(&self, owner: &Owner) -> Verdict<u64> {
        Ok(self.ask("count", &[], |store| store.count(owner)).await?.0)
    }

    async fn replace_listed(&self, owner: &Owner, handle: SessionHandle, expected: Version, text: &str) -> Verdict<Replaced> {
        let change = Change::new(Arc::new(T::of_text(text)));
        Ok(self.ask("replace_listed", &[], |store| store.replace_listed(owner, handle, expected, change)).await?.0)
    }

    /// Gives a session that is there, at its version, other limits.
    async fn given_lifetime(&self, id: &SessionId, expected: Version, lifetime: NewLifetime) -> Verdict {
        let limits = lifetime.limits;
        let mut change = Change::new(Arc::new(T::of_text("data")));
        change.lifetime = Some(Box::new(lifetime));
        let (answer, call) = self.ask("replace", &[id], |store| store.replace(self.key(id), expected, change)).await?;
        self.clock.limited(id, limits, call);
        ensure(matches!(answer, Replaced::Replaced(_)), || format!("replace with a lifetime answered {answer:?}"))
    }

    async fn expect_shown(&self, when: &str, owner: &Owner, wanted: &[(SessionHandle, &str)]) -> Verdict {
        let wanted: Shown = wanted.iter().map(|(handle, text)| (*handle, (*text).to_owned())).collect();
        expect(format!("{when}, count"), self.count(owner).await?, wanted.len() as u64)?;
        expect(format!("{when}, list"), self.shown(owner).await?, wanted)
    }
}

pub(super) async fn a_list_is_exact<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for (store, twin) in [(&bench.store, &bench.twin), (&bench.twin, &bench.store)] {
        let (one, other) = (somebody(store), somebody(store));
        let elsewhere = Owner::new(&bench.other_namespace.namespace, &7);
        twin.expect_shown("before anything", &one, &[]).await?;
        let first = store.owned(&one, "first").await?;
        let second = twin.owned(&one, "second").await?;
        let others = store.owned(&other, "others").await?;
        let (nobodys, _) = store.new_session("nobodys", LONG).await?;
        let two = [(first.handle, "first"), (second.handle, "second")];
        twin.expect_shown("after two creates with an owner", &one, &two).await?;
        store.expect_shown("in another namespace", &elsewhere, &[]).await?;

        store.set(&first.id, "changed").await?;
        store.touched(&second.id).await?;
        let changed = [(first.handle, "changed"), (second.handle, "second")];
        twin.expect_shown("after replace and touch", &one, &changed).await?;

        let read = twin.found("before rotate", &first.id).await?;
        let moved = store.handed_over(&first.id, read, Some((&one, first.handle, None))).await?;
        twin.expect_shown("after rotate", &one, &changed).await?;

        let read = store.found("before rotate", &moved).await?;
        let given = twin.handed_over(&moved, read, Some((&other, first.handle, None))).await?;
        store.expect_shown("after rotate to another owner", &one, &[(second.handle, "second")]).await?;
        let both = [(first.handle, "changed"), (others.handle, "others")];
        store.expect_shown("after rotate to another owner, of that", &other, &both).await?;

        let read = twin.found("before rotate", &given).await?;
        let freed = store.handed_over(&given, read, None).await?;
        twin.expect_seen("after rotate to nobody", &freed, Seen::found("changed")).await?;
        twin.expect_shown("after rotate to nobody", &other, &[(others.handle, "others")]).await?;

        let (read, taken) = (store.found("before rotate", &nobodys).await?, SessionHandle::random());
        let taken_id = twin.handed_over(&nobodys, read, Some((&other, taken, None))).await?;
        let both = [(taken, "nobodys"), (others.handle, "others")];
        store.expect_shown("after rotate from nobody", &other, &both).await?;

        expect("delete of a session with an owner", twin.delete(&taken_id).await?, true)?;
        expect("delete of a session with an owner", store.delete(&second.id).await?, true)?;
        twin.expect_shown("after delete", &other, &[(others.handle, "others")]).await?;
        store.expect_shown("after delete of the last one", &one, &[]).await?;
    }
    Ok(())
}

pub(super) async fn what_has_expired_is_not_listed<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (store, owner) = (&bench.store, somebody(&bench.store));
    let limit = OwnerLimit::new(NonZeroU32::MIN, WhenFull::Refuse);
    for limits in [Limits::new(bench.unit / 4, None), Limits::new(LONG.idle, Some(bench.unit / 4))] {
        let (expiring, created) = store.create_owned(&owner, "expiring", limits, Some(limit)).await?;
        ensure(matches!(created, Created::Created(_)), || format!("create with room for one answered {created:?}"))?;
        store.clock.over(&expiring.id).await;
        bench.twin.expect_shown("when it has expired", &owner, &[]).await?;
        expect("end of all when they have expired", bench.twin.end(&owner, Which::All).await?, 0)?;
    }
    // What has expired takes nobody's place, whether it was swept or not.
    let (_, created) = store.create_owned(&owner, "next", LONG, Some(limit)).await?;
    ensure(matches!(created, Created::Created(_)), || {
        format!("create when what its owner had has expired answered {created:?}; it should have created the session")
    })
}

pub(super) async fn a_list_tells_of_each_session_and_renews_none<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (store, owner) = (&bench.store, somebody(&bench.store));
    let limits = Limits::new(HOUR * 24, Some(HOUR * 48));
    let begun = time::Instant::now();
    let (unused, _) = store.create_owned(&owner, "unused", limits, None).await?;
    let (used, _) = store.create_owned(&owner, "used", limits, None).await?;
    time::sleep(bench.unit / 2).await;
    store.touched(&used.id).await?;
    let listed = bench.twin.listed(&owner).await?;
    // As far as the clock proves it.
    let most = begun.elapsed() + Duration::from_millis(2);
    let half = (bench.unit / 2).saturating_sub(Duration::from_millis(2));
    for Listed { handle, session, unused: since, .. } in listed {
        let record = session.map_err(|error| broken(format_args!("list gave a session that cannot be read: {error}")))?;
        let (least, most) = if handle == used.handle { (Duration::ZERO, most.saturating_sub(half)) } else { (half, most) };
        ensure(least <= since && since <= most, || {
            format!("list gave {since:?} since the last use, of a session that was used between {least:?} and {most:?} ago")
        })?;
        expect("the idle limit that list gave,", record.idle, limits.idle)?;
        ensure(record.absolute_in.is_some_and(|left| left <= HOUR * 48), || {
            format!("list gave {:?} until the absolute limit", record.absolute_in)
        })?;
        let attributes = record.attributes.as_deref().copied().unwrap_or_default();
        expect("the handle among the attributes that list gave,", attributes.handle, Some(handle))?;
        expect("the age at the proof that list gave,", attributes.proven, Some(Duration::ZERO))?;
    }
    let left = store.found("after list", &unused.id).await?.expires_in;
    ensure(left <= limits.idle.saturating_sub(bench.unit / 2) + Duration::from_millis(2), || {
        format!("after list, load gave {left:?} until the session expires; a list renews none")
    })
}

pub(super) async fn what_was_ended_is_gone<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (store, twin) = (&bench.store, &bench.twin);
    let (one, other) = (somebody(store), somebody(store));
    let [a, b, c, d] = [
        store.owned(&one, "a").await?,
        twin.owned(&one, "b").await?,
        store.owned(&one, "c").await?,
        twin.owned(&one, "d").await?,
    ];
    let others = store.owned(&other, "others").await?;
    let read = store.found("before end", &a.id).await?;
    expect("end of another's session", twin.end(&other, Which::One(a.handle)).await?, 0)?;
    expect("end of one by a handle of none", twin.end(&one, Which::One(SessionHandle::random())).await?, 0)?;
    twin.expect_seen("after end by another owner", &a.id, Seen::found("a")).await?;
    expect("end of one", twin.end(&one, Which::One(a.handle)).await?, 1)?;
    expect("end of one that was ended", store.end(&one, Which::One(a.handle)).await?, 0)?;
    store.expect_shown("after end of one", &one, &[(b.handle, "b"), (c.handle, "c"), (d.handle, "d")]).await?;
    expect("replace of a session that was ended", store.replace(&a.id, read.version, "late").await?, Replaced::Missing)?;
    expect("touch of a session that was ended", store.touch(&a.id).await?, false)?;
    let (new, answer) = store.hand_over(&a.id, read, Some((&one, a.handle, None))).await?;
    expect("rotate of a session that was ended", answer, Rotated::Missing)?;
    twin.expect_seen("after rotate of a session that was ended", &new, Seen::Missing).await?;

    let read = store.found("before rotate", &b.id).await?;
    let moved = store.handed_over(&b.id, read, Some((&one, b.handle, None))).await?;
    expect("end of the others", store.end(&one, Which::Others(c.handle)).await?, 2)?;
    for id in [&moved, &d.id] {
        twin.expect_seen("after end of the others", id, Seen::Missing).await?;
    }
    twin.expect_shown("after end of the others", &one, &[(c.handle, "c")]).await?;
    expect("end of all", twin.end(&one, Which::All).await?, 1)?;
    store.expect_seen("after end of all", &c.id, Seen::Missing).await?;
    store.expect_shown("after end of all", &one, &[]).await?;
    store.expect_shown("after end of all, of another owner", &other, &[(others.handle, "others")]).await?;
    let again = store.owned(&one, "again").await?;
    twin.expect_shown("after create when all were ended", &one, &[(again.handle, "again")]).await
}

pub(super) async fn ending_wins_over_what_is_under_way<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for round in 0..48 {
        let (store, twin) = if round % 4 < 2 { (&bench.store, &bench.twin) } else { (&bench.twin, &bench.store) };
        let (owner, other) = (somebody(store), somebody(store));
        let kept = store.owned(&owner, "data").await?;
        let read = twin.found("before end", &kept.id).await?;
        let to = match round % 3 {
            0 => Some((owner.clone(), kept.handle)),
            1 => Some((other, SessionHandle::random())),
            _ => None,
        };
        let late = {
            let (twin, id) = (twin.clone(), kept.id);
            async move {
                let owner = to.as_ref().map(|(owner, handle)| (owner, *handle, None));
                twin.hand_over(&id, read, owner).await
            }
        };
        let ending = {
            let (store, owner, handle) = (store.clone(), owner.clone(), kept.handle);
            let which = if round % 2 == 0 { Which::All } else { Which::One(handle) };
            async move { store.end(&owner, which).await }
        };
        let ((new, answer), ended) = both(round / 12, late, ending).await?;
        let seen = [store.see(&kept.id).await?, store.see(&new).await?];
        let lives = seen.iter().any(|seen| matches!(seen, Seen::Found(_)));
        // A rotation to another owner may have come first: then the session was not the owner's any more.
        let left_before = round % 3 != 0 && ended == 0 && matches!(answer, Rotated::Rotated(_));
        ensure(!lives || left_before, || {
            format!(
                "after end beside a rotate that answered {answer:?}, load answered {seen:?} at the old and the new key; end said that {ended} went"
            )
        })?;
        ensure(lives || ended == 1, || {
            format!("end beside a rotate that answered {answer:?} said that {ended} went; one is gone")
        })?;
        store.expect_shown("after end beside a rotate", &owner, &[]).await?;
    }
    Ok(())
}

pub(super) async fn nobody_has_more_than_allowed<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    const MOST: u32 = 3;
    let rounds = [8, 0, 4].into_iter().flat_map(|creates| [(creates, WhenFull::EndOldest), (creates, WhenFull::Refuse)]);
    for (round, (creates, when_full)) in rounds.enumerate() {
        let owner = somebody(&bench.store);
        let limit = Some(OwnerLimit::new(NonZeroU32::MIN.saturating_add(MOST - 1), when_full));
        let mut guests = Vec::new();
        for number in creates..8 {
            let (id, _) = bench.handles()[number % 2].new_session(&format!("guest {number}"), LONG).await?;
            let read = bench.store.found("before rotate", &id).await?;
            guests.push((id, read));
        }
        let creates = (0..creates).map(|number| {
            let (handle, owner) = (bench.handles()[(number + round) % 2].clone(), owner.clone());
            Box::pin(async move {
                let (kept, created) = handle.create_owned(&owner, &number.to_string(), LONG, limit).await?;
                Ok((kept.id, matches!(created, Created::Created(_)), format!("{created:?}")))
            }) as std::pin::Pin<Box<dyn Future<Output = Verdict<(SessionId, bool, String)>> + Send>>
        });
        let logins = guests.into_iter().enumerate().map(|(number, (id, read))| {
            let (handle, owner) = (bench.handles()[(number + round) % 2].clone(), owner.clone());
            Box::pin(async move {
                let (new, answer) = handle.hand_over(&id, read, Some((&owner, SessionHandle::random(), limit))).await?;
                Ok((new, matches!(answer, Rotated::Rotated(_)), format!("{answer:?}")))
            }) as _
        });
        let answers = at_once(creates.chain(logins)).await?;
        let said: Vec<_> = answers.iter().map(|(.., said)| said.as_str()).collect();
        let made = answers.iter().filter(|(_, made, _)| *made).count();
        let mut live = 0;
        for (id, ..) in &answers {
            live += u32::from(matches!(bench.store.see(id).await?, Seen::Found(_)));
        }
        ensure(live == MOST, || {
            format!("of 8 logins at once with room for {MOST}, by {when_full:?}, {live} live, after {said:?}")
        })?;
        let expected = if when_full == WhenFull::Refuse { MOST as usize } else { 8 };
        ensure(made == expected, || {
            format!("of 8 logins at once with room for {MOST}, by {when_full:?}, {made} succeeded and not {expected}: {said:?}")
        })?;
        expect("after 8 logins at once, count", bench.twin.count(&owner).await?, u64::from(MOST))?;
    }
    Ok(())
}

pub(super) async fn the_one_that_goes_is_the_one_proven_first<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (store, owner) = (&bench.store, somebody(&bench.store));
    let limit = OwnerLimit::new(NonZeroU32::MIN.saturating_add(1), WhenFull::EndOldest);
    let first = store.owned(&owner, "first").await?;
    time::sleep(Duration::from_millis(5)).await;
    let second = store.owned(&owner, "second").await?;
    // It is used, and still the oldest.
    time::sleep(Duration::from_millis(5)).await;
    store.touched(&first.id).await?;
    time::sleep(Duration::from_millis(5)).await;
    let (third, created) = bench.twin.create_owned(&owner, "third", LONG, Some(limit)).await?;
    ensure(matches!(created, Created::Created(_)), || format!("create by EndOldest answered {created:?}"))?;
    let two = [(second.handle, "second"), (third.handle, "third")];
    store.expect_shown("after create with room for two", &owner, &two).await?;
    store.expect_seen("after create with room for two, of the oldest", &first.id, Seen::Missing).await?;
    // A session that its owner has already takes nobody's place.
    let read = store.found("before rotate", &second.id).await?;
    store.handed_over(&second.id, read, Some((&owner, second.handle, None))).await?;
    store.expect_shown("after rotate of one of two", &owner, &two).await
}

pub(super) async fn a_listed_session_is_replaced_and_not_renewed<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (store, twin) = (&bench.store, &bench.twin);
    let (owner, other) = (somebody(store), somebody(store));
    let (kept, _) = store.create_owned(&owner, "data", LONG, None).await?;
    time::sleep(bench.unit / 2).await;
    let version = twin.found("before replace_listed", &kept.id).await?.version;
    let answer = twin.replace_listed(&other, kept.handle, version, "other").await?;
    expect("replace_listed of another's session", answer, Replaced::Missing)?;
    let answer = twin.replace_listed(&owner, kept.handle, Version(version.0 + 1000), "other").await?;
    expect("replace_listed at another version", answer, Replaced::Conflict)?;
    let answer = twin.replace_listed(&owner, kept.handle, version, "changed").await?;
    let Replaced::Replaced(changed) = answer else {
        return Err(broken(format_args!("replace_listed at the version answered {answer:?}; it should have replaced the data")));
    };
    let read = store.found("after replace_listed", &kept.id).await?;
    expect("after replace_listed, the data that load found, which", &*read.data.text(), "changed")?;
    expect("after replace_listed, the version that load found, which", read.version, changed)?;
    ensure(read.expires_in <= LONG.idle.saturating_sub(bench.unit / 2) + Duration::from_millis(2), || {
        format!("after replace_listed, load gave {:?} until the session expires; it is not renewed", read.expires_in)
    })?;
    expect("replace at the version before replace_listed", store.replace(&kept.id, version, "late").await?, Replaced::Conflict)?;
    let moved = store.handed_over(&kept.id, read, Some((&owner, kept.handle, None))).await?;
    let version = store.found("after rotate", &moved).await?.version;
    let answer = twin.replace_listed(&owner, kept.handle, version, "changed again").await?;
    ensure(matches!(answer, Replaced::Replaced(_)), || {
        format!("replace_listed of a session that was rotated answered {answer:?}")
    })?;
    store.expect_seen("after replace_listed", &moved, Seen::found("changed again")).await?;
    store.end(&owner, Which::All).await?;
    let answer = twin.replace_listed(&owner, kept.handle, version, "late").await?;
    expect("replace_listed of a session that was ended", answer, Replaced::Missing)
}

pub(super) async fn what_is_beside_the_data_is_kept<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (store, twin) = (&bench.store, &bench.twin);
    for persistent in [None, Some(true), Some(false)] {
        for proven in [None, Some(Duration::from_millis(1500))] {
            let attributes = Attributes { handle: None, proven, persistent };
            let beside = (attributes != Attributes::new()).then(|| Arc::new(attributes));
            let id = fresh_id();
            let mut session = NewSession::new(Arc::new(T::of_text("data")), LONG, Origin::Change);
            session.attributes.clone_from(&beside);
            store.create_with(&id, session).await?;
            let see = async |when: &str, id: &SessionId| {
                let found = twin.found(when, id).await?;
                expect(
                    format!("{when}, the attributes that load gave, which"),
                    found.attributes.as_deref().copied().unwrap_or_default(),
                    attributes,
                )?;
                Ok(found)
            };
            see("after create", &id).await?;
            store.set(&id, "changed").await?;
            store.touched(&id).await?;
            let read = see("after replace and touch", &id).await?;
            let new = fresh_id();
            store.rotated(&id, &new, read).await?;
            see("after rotate", &new).await?;
        }
    }
    Ok(())
}

pub(super) async fn a_lifetime_sticks<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (store, twin, clock) = (&bench.store, &bench.twin, &bench.store.clock);
    let (id, version) = store.new_session("data", Limits::new(HOUR, Some(HOUR))).await?;
    let attributes = Attributes { persistent: Some(true), ..Attributes::new() };
    let limits = Limits::new(HOUR * 12, Some(HOUR * 48));
    // So that it is seen from when the absolute limit counts.
    time::sleep(bench.unit / 4).await;
    store.given_lifetime(&id, version, NewLifetime::new(limits, Some(Arc::new(attributes)))).await?;
    let see = async |when: &str, id: &SessionId| {
        let found = twin.found(when, id).await?;
        expect(format!("{when}, the idle limit that load gave, which"), found.idle, limits.idle)?;
        let fits = clock.fits_the_end(id, found.expires_in, found.call);
        ensure(fits, || format!("{when}, load gave {:?} until it expires", found.expires_in))?;
        let fits = clock.fits_the_absolute_limit(id, found.absolute_in, found.call);
        ensure(fits, || {
            format!(
                "{when}, load gave {:?} until the absolute limit; that counts from the creation of the session",
                found.absolute_in
            )
        })?;
        let kept = found.attributes.as_deref().copied().unwrap_or_default();
        expect(format!("{when}, the attributes that load gave, which"), kept, attributes)?;
        Ok(found)
    };
    see("after replace with a lifetime", &id).await?;
    store.set(&id, "changed").await?;
    store.touched(&id).await?;
    let read = see("after that, replace and touch", &id).await?;
    let new = fresh_id();
    store.rotated(&id, &new, read).await?;
    let read = see("after that, rotate", &new).await?;

    // And back, to what is nearly over.
    store.given_lifetime(&new, read.version, NewLifetime::new(Limits::new(bench.unit / 4, None), None)).await?;
    clock.over(&new).await;
    twin.expect_seen("when a lifetime that was set is over", &new, Seen::Missing).await
}
