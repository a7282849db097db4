//! The tries of a change that meets conflicts.
//!
//! It gets in line with the other changes of this layer that met one over the same session, so that the one whose turn it is meets only other processes. Of
//! those, one succeeds each time, so it tries again immediately: whoever waited longer the more often it failed would fail more and more often. What meets conflicts
//! even so does not spin: it waits a little, until the time is over (law 2).

use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::id::SharedId;
use crate::locks::{ALL, Locks, Place};
use crate::store::Record;

/// The lines of all sessions, by a hash of the id.
pub(crate) type Lines<T> = Locks<u64, Line<T>>;

/// The line of the changes of one session that met a conflict, and of those that came since.
pub(crate) struct Line<T> {
    turns: u64,
    /// What the last one made of the session, for the next.
    left: Option<(SharedId, Record<T>)>,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { turns: 0, left: None }
    }
}

/// Nearly every change meets no conflict, so what it meets is boxed.
pub(crate) struct Retries<T>(Option<Box<Met<T>>>);

/// A change that met a conflict.
struct Met<T> {
    since: Instant,
    count: u32,
    /// Until this is dropped it is this change's turn. `None` if one turn takes so long that its change may not be polled: then each tries for itself.
    turn: Option<Place<u64, Line<T>>>,
}

/// What a change goes on from.
pub(crate) enum Next<T> {
    Reload,
    Known(Record<T>),
    /// The time is over.
    GiveUp,
}

impl<T> Retries<T> {
    const WITHOUT_WAITING: u32 = 64;
    const LONGEST_WAIT: Duration = Duration::from_millis(2);

    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Others wait in line to change the session, and this change does not yet.
    pub(crate) fn is_to_line_up(&self, lines: &Arc<Lines<T>>, id: &SharedId) -> bool {
        self.0.is_none() && lines.is_in_use(|| line_of(id))
    }

    /// Waits for the next try, until `limit` is over since the first wait.
    pub(crate) async fn wait(&mut self, lines: &Arc<Lines<T>>, limit: Duration, id: &SharedId) -> Next<T> {
        let Some(met) = &mut self.0 else {
            let met = self.0.insert(Box::new(Met { since: Instant::now(), count: 0, turn: None }));
            return met.line_up(lines, limit, id).await;
        };
        let left = met.time_left(limit);
        if left.is_zero() {
            return Next::GiveUp;
        }
        met.count += 1;
        if met.count <= Self::WITHOUT_WAITING {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Self::LONGEST_WAIT.mul_f64(rand::random()).min(left)).await;
        }
        Next::Reload
    }

    /// Tells the next in line what has become of the session, unless other processes will have changed it by then.
    pub(crate) fn pass_on(&self, id: &SharedId, record: impl FnOnce() -> Option<Record<T>>) {
        if let Some(met) = &self.0
            && let (Some(turn), 0) = (&met.turn, met.count)
        {
            turn.value().left = record().map(|record| (id.clone(), record));
        }
    }
}

impl<T> Met<T> {
    fn time_left(&self, limit: Duration) -> Duration {
        limit.saturating_sub(self.since.elapsed())
    }

    async fn line_up(&mut self, lines: &Arc<Lines<T>>, limit: Duration, id: &SharedId) -> Next<T> {
        let place = lines.place(line_of(id));
        let mut turns = place.value().turns;
        {
            let mut turn = pin!(place.take(ALL));
            while tokio::time::timeout(limit / 2, turn.as_mut()).await.is_err() {
                if self.time_left(limit).is_zero() {
                    return Next::GiveUp;
                }
                if place.value().turns == turns {
                    return Next::Reload;
                }
                turns = place.value().turns;
            }
        }
        let left = {
            let mut line = place.value();
            line.turns += 1;
            line.left.take()
        };
        self.turn = Some(place);
        // Two sessions may have the same hash.
        left.filter(|(left, _)| left == id).map_or(Next::Reload, |(_, record)| Next::Known(record))
    }
}

fn line_of(id: &SharedId) -> u64 {
    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    HASHER.hash_one(id.as_bytes())
}
