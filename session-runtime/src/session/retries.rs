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

pub(crate) struct Retries<'a, T> {
    lines: &'a Arc<Lines<T>>,
    limit: Duration,
    /// When the first conflict was met.
    since: Option<Instant>,
    count: u32,
    place: InLine<T>,
}

enum InLine<T> {
    NotYet,
    /// Until this is dropped it is this change's turn.
    Turn(Place<u64, Line<T>>),
    /// One turn takes so long that its change may not be polled: then each tries for itself.
    Left,
}

/// What a change goes on from.
pub(crate) enum Next<T> {
    Reload,
    Known(Record<T>),
    /// The time is over.
    GiveUp,
}

impl<'a, T> Retries<'a, T> {
    const WITHOUT_WAITING: u32 = 64;
    const LONGEST_WAIT: Duration = Duration::from_millis(2);

    pub(crate) const fn new(lines: &'a Arc<Lines<T>>, limit: Duration) -> Self {
        Self { lines, limit, since: None, count: 0, place: InLine::NotYet }
    }

    /// Others wait in line to change the session, and this change does not yet.
    pub(crate) fn is_to_line_up(&self, id: &SharedId) -> bool {
        matches!(self.place, InLine::NotYet) && self.lines.is_in_use(|| line_of(id))
    }

    pub(crate) async fn wait(&mut self, id: &SharedId) -> Next<T> {
        self.since.get_or_insert_with(Instant::now);
        if matches!(self.place, InLine::NotYet) {
            return self.line_up(id).await;
        }
        let left = self.time_left();
        if left.is_zero() {
            return Next::GiveUp;
        }
        self.count += 1;
        if self.count <= Self::WITHOUT_WAITING {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Self::LONGEST_WAIT.mul_f64(rand::random()).min(left)).await;
        }
        Next::Reload
    }

    fn time_left(&self) -> Duration {
        self.limit.saturating_sub(self.since.map_or(Duration::ZERO, |since| since.elapsed()))
    }

    async fn line_up(&mut self, id: &SharedId) -> Next<T> {
        let place = self.lines.place(line_of(id));
        let mut turns = place.value().turns;
        {
            let mut turn = pin!(place.take(ALL));
            while tokio::time::timeout(self.limit / 2, turn.as_mut()).await.is_err() {
                if self.time_left().is_zero() {
                    return Next::GiveUp;
                }
                if place.value().turns == turns {
                    self.place = InLine::Left;
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
        self.place = InLine::Turn(place);
        // Two sessions may have the same hash.
        left.filter(|(left, _)| left == id).map_or(Next::Reload, |(_, record)| Next::Known(record))
    }

    /// Tells the next in line what has become of the session, unless other processes will have changed it by then.
    pub(crate) fn pass_on(&self, id: &SharedId, record: impl FnOnce() -> Option<Record<T>>) {
        if let InLine::Turn(place) = &self.place
            && self.count == 0
        {
            place.value().left = record().map(|record| (id.clone(), record));
        }
    }
}

fn line_of(id: &SharedId) -> u64 {
    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    HASHER.hash_one(id.as_bytes())
}
