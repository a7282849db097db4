//! Creating inserts, and never overwrites.

use std::sync::Arc;

use tokio::time;

use super::bench::{Bench, Seen, Verdict, at_once, broken, ensure, expect};
use super::clock::STEP;
use super::data::ConformanceData;
use super::expiring::Use;
use super::sessions::{HOUR, LONG, fresh_id};
use crate::store::{Created, Limits, NewSession, Origin};

pub(super) async fn a_new_session_is_found_as_it_was_given<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for (idle, absolute) in [(HOUR, None), (HOUR, Some(2 * HOUR)), (HOUR, Some(HOUR / 2))] {
        let (id, version) = bench.store.new_session("data", Limits::new(idle, absolute)).await?;
        for handle in bench.handles() {
            let record = handle.found("after create", &id).await?;
            expect("after create, the data that load found", &*record.data.text(), "data")?;
            expect("after create, the version that load found, other than create's,", record.version, version)?;
            ensure(record.idle >= idle && record.idle <= idle + STEP, || {
                format!("load gave the idle limit as {:?}; it was created with {idle:?}", record.idle)
            })?;
            let life = absolute.map_or(idle, |absolute| absolute.min(idle));
            ensure(bench.store.clock.fits_the_end(&id, record.expires_in, record.call), || {
                format!("load of a new session gave expires_in as {:?}; it should be close to {life:?}", record.expires_in)
            })?;
            ensure(bench.store.clock.fits_the_absolute_limit(&id, record.absolute_in, record.call), || {
                format!("load of a new session gave absolute_in as {:?}; it should be close to {absolute:?}", record.absolute_in)
            })?;
        }
    }
    bench.store.expect_seen("at a key that was never used", &fresh_id(), Seen::Missing).await
}

pub(super) async fn create_never_overwrites<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (id, version) = bench.store.new_session("first", LONG).await?;
    for handle in bench.handles() {
        expect("create at a taken key", handle.create(&id, "second", Limits::new(HOUR / 2, None)).await?, Created::Exists)?;
        let record = handle.found("after create at a taken key", &id).await?;
        expect("after create at a taken key, the data that load found, which", &*record.data.text(), "first")?;
        expect("after create at a taken key, the version that load found, which", record.version, version)?;
        ensure(record.idle >= HOUR, || {
            "create at a taken key changed the limits of the session there; it changes nothing".into()
        })?;
    }
    one_of_many_creates(&bench).await
}

pub(super) async fn a_session_of_either_origin_is_kept<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    for origin in [Origin::Visit, Origin::Change] {
        let id = fresh_id();
        let session = NewSession::new(Arc::new(T::of_text("data")), LONG, origin);
        let answer = bench.store.create_with(&id, session).await?;
        ensure(matches!(answer, Created::Created(_)), || {
            format!("create by a {origin:?} at a key that is free answered {answer:?}; it should have created the session")
        })?;
        // Others come after it, of either origin.
        for other in [Origin::Visit, Origin::Change] {
            bench.store.create_with(&fresh_id(), NewSession::new(Arc::new(T::of_text("other")), LONG, other)).await?;
        }
        bench.twin.expect_seen(format!("after create by a {origin:?}"), &id, Seen::found("data")).await?;
        let (version, new) = (bench.store.set(&id, "changed").await?, fresh_id());
        let record = bench.twin.found(format!("after replace of a session that a {origin:?} created"), &id).await?;
        expect("after replace, the version that load found, other than the answer's,", record.version, version)?;
        bench.store.rotated(&id, &new, record).await?;
        let when = format!("after rotate of a session that a {origin:?} created, at the new key");
        bench.twin.expect_seen(when, &new, Seen::found("changed")).await?;
    }
    Ok(())
}

pub(super) async fn the_age_counts_from_creation<T: ConformanceData>(bench: Bench<T>) -> Verdict {
    let (mut id, _) = bench.store.new_session("data", LONG).await?;
    for used in [None, Some(Use::Touch), Some(Use::Replace), Some(Use::Rotate), Some(Use::Replace), Some(Use::Rotate)] {
        if let Some(used) = used {
            time::sleep(bench.unit / 4).await;
            id = used.run(&bench.store, &id).await?;
        }
        let when = used.map_or_else(|| "create".to_owned(), |used| format!("{used:?}"));
        for handle in bench.handles() {
            let record = handle.found(format!("after {when}"), &id).await?;
            ensure(bench.store.clock.fits_the_age(&id, record.age, record.call), || {
                format!("after {when}, load gave the age as {:?}; it is the time since the session was created", record.age)
            })?;
        }
    }
    Ok(())
}

async fn one_of_many_creates<T: ConformanceData>(bench: &Bench<T>) -> Verdict {
    let id = fresh_id();
    let creates = (0..8).map(|number| {
        let handle = bench.handles()[number % 2].clone();
        async move { Ok((number, handle.create(&id, &number.to_string(), LONG).await?)) }
    });
    let answers = at_once(creates).await?;
    let mut winners = answers.into_iter().filter_map(|(number, answer)| match answer {
        Created::Created(version) => Some((number, version)),
        _ => None,
    });
    let (Some((number, version)), None) = (winners.next(), winners.next()) else {
        return Err(broken("of 8 creates at one key at once, none or several answered Created; exactly one should have"));
    };
    let record = bench.store.found("after 8 creates at once", &id).await?;
    expect("after 8 creates at one key at once, load found the data of the one", &*record.data.text(), &number.to_string())?;
    expect("after 8 creates at one key at once, load found the version that", record.version, version)
}
