//! Creating inserts, and never overwrites.

use super::bench::{Bench, HOUR, LONG, Seen, Verdict, at_once, broken, ensure, expect, fresh_id};
use super::clock::STEP;
use super::data::ConformanceData;
use crate::store::{Created, Limits};

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

async fn one_of_many_creates<T: ConformanceData>(bench: &Bench<T>) -> Verdict {
    let id = fresh_id();
    let creates = (0..8).map(|number| {
        let handle = bench.handles()[number % 2].clone();
        async move { Ok((number, handle.create(&id, &number.to_string(), LONG).await?)) }
    });
    let answers = at_once(creates).await?;
    let mut winners = answers.into_iter().filter_map(|(number, answer)| match answer {
        Created::Created(version) => Some((number, version)),
        Created::Exists => None,
    });
    let (Some((number, version)), None) = (winners.next(), winners.next()) else {
        return Err(broken("of 8 creates at one key at once, none or several answered Created; exactly one should have"));
    };
    let record = bench.store.found("after 8 creates at once", &id).await?;
    expect("after 8 creates at one key at once, load found the data of the one", &*record.data.text(), &number.to_string())?;
    expect("after 8 creates at one key at once, load found the version that", record.version, version)
}
