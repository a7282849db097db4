//! What a check works with: handles of a store in a place of the check's own, and the words for what it finds.

use std::error::Error;
use std::fmt::{self, Debug, Display, Write as _};
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{self, Instant};

use super::clock::{Call, Clock, PATIENCE};
use super::data::ConformanceData;
use super::sessions::fresh_id;
use crate::id::SessionId;
use crate::store::{
    Answer, Change, Created, ErasedStore, Key, Limits, Loaded, Namespace, NewSession, Origin, Record, Replaced, Rotated,
    Rotation, StoreError, Version,
};

/// The polls after which a call that is not done yet is let be.
pub(super) const MAX_POLLS: usize = 16;

/// Why a check did not find its law kept.
#[derive(Debug)]
pub(super) enum Fault {
    /// What the store did, and what it should have done.
    Broken(String),
    /// It cannot be told: the store, or the machine, is too slow for the limits that the check set.
    TooSlow,
    /// The same as `Broken`, unless it is the machine's fault, which it is not if it comes each time.
    Doubtful(String),
}

pub(super) type Verdict<R = ()> = Result<R, Fault>;

pub(super) fn broken(what: impl Display) -> Fault {
    Fault::Broken(what.to_string())
}

/// That the store answered as it should.
#[expect(clippy::needless_pass_by_value, reason = "an answer is written where it is expected")]
pub(super) fn expect<A: PartialEq + Debug>(when: impl Display, got: A, wanted: A) -> Verdict {
    if got == wanted {
        return Ok(());
    }
    Err(broken(format_args!("{when} answered {got:?}; it should have answered {wanted:?}")))
}

/// What was found of something that had to be there: nothing, if it may be over by now.
fn while_sure<R>(is_sure: impl FnOnce() -> bool, found: Verdict<R>) -> Verdict<R> {
    match found {
        Err(Fault::Broken(_)) if !is_sure() => Err(Fault::TooSlow),
        found => found,
    }
}

/// That something holds.
pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Fault::Broken(otherwise())) }
}

/// What the panic of a task said.
pub(super) fn panicked(error: JoinError) -> Fault {
    let said = error.try_into_panic().ok().and_then(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned())
    });
    broken(format_args!("it panicked: {}; a store answers with an error", said.unwrap_or_default()))
}

/// Runs the calls side by side, each as a task.
pub(super) async fn at_once<R: Send + 'static>(
    calls: impl IntoIterator<Item = impl Future<Output = Verdict<R>> + Send + 'static>,
) -> Verdict<Vec<R>> {
    let mut tasks: JoinSet<_> = calls.into_iter().collect();
    let mut answers = Vec::new();
    while let Some(answer) = tasks.join_next().await {
        answers.push(answer.map_err(panicked)??);
    }
    Ok(answers)
}

/// Runs two calls side by side, each as a task; every other time the second one is the first to start.
pub(super) async fn both<A: Send + 'static, B: Send + 'static>(
    round: usize,
    one: impl Future<Output = Verdict<A>> + Send + 'static,
    other: impl Future<Output = Verdict<B>> + Send + 'static,
) -> Verdict<(A, B)> {
    let (one, other) = if round.is_multiple_of(2) {
        (tokio::spawn(one), tokio::spawn(other))
    } else {
        let other = tokio::spawn(other);
        (tokio::spawn(one), other)
    };
    Ok((one.await.map_err(panicked)??, other.await.map_err(panicked)??))
}

/// What a check works with.
pub(super) struct Bench<T> {
    pub(super) store: Handle<T>,
    /// Another handle to the same sessions: of another process, so to speak, where the store can be shared.
    pub(super) twin: Handle<T>,
    /// A store in another place.
    pub(super) apart: Handle<T>,
    /// The same store as `store`, by keys of another namespace.
    pub(super) other_namespace: Handle<T>,
    /// The id under which there are data that cannot be read, if the caller has put some there.
    pub(super) undecodable: Option<SessionId>,
    /// A store that fails, if the caller has one.
    pub(super) failing: Option<Handle<T>>,
    /// A rotation may write the row of the new key before it commits.
    pub(super) two_steps: bool,
    /// A limit that is long enough for the store to answer a few times, and short enough to wait for.
    pub(super) unit: Duration,
}

impl<T> Bench<T> {
    pub(super) fn handles(&self) -> [&Handle<T>; 2] {
        [&self.store, &self.twin]
    }
}

/// A session as it was read, with the clock around the call.
pub(super) struct Read<T> {
    record: Record<T>,
    pub(super) call: Call,
}

impl<T> Clone for Read<T> {
    fn clone(&self) -> Self {
        Self { record: self.record.clone(), ..*self }
    }
}

impl<T> Deref for Read<T> {
    type Target = Record<T>;

    fn deref(&self) -> &Record<T> {
        &self.record
    }
}

impl<T: ConformanceData> Read<T> {
    /// The session with other data, as a caller of `rotate` changes it.
    pub(super) fn with_text(&self, text: &str) -> Self {
        Self { record: Record { data: Arc::new(T::of_text(text)), ..self.record.clone() }, ..*self }
    }
}

/// A store as a check uses it: by id and by text, with every error an offence.
pub(super) struct Handle<T> {
    pub(super) store: Arc<dyn ErasedStore<T>>,
    pub(super) namespace: Arc<Namespace>,
    pub(super) clock: Arc<Clock>,
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        let (store, namespace) = (Arc::clone(&self.store), Arc::clone(&self.namespace));
        Self { store, namespace, clock: Arc::clone(&self.clock) }
    }
}

impl<T: ConformanceData> Handle<T> {
    pub(super) fn key<'a>(&'a self, id: &'a SessionId) -> Key<'a> {
        Key::new(&self.namespace, id)
    }

    pub(super) async fn create(&self, id: &SessionId, text: &str, limits: Limits) -> Verdict<Created> {
        self.create_with(id, NewSession::new(Arc::new(T::of_text(text)), limits, Origin::Change)).await
    }

    pub(super) async fn create_with(&self, id: &SessionId, session: NewSession<T>) -> Verdict<Created> {
        let limits = session.limits;
        let (answer, call) = self.ask("create", &[id], |store| store.create(self.key(id), session)).await?;
        if let Created::Created(_) = answer {
            self.clock.created(id, limits, call);
        }
        Ok(answer)
    }

    pub(super) async fn load(&self, id: &SessionId) -> Verdict<Loaded<T>> {
        Ok(self.ask("load", &[id], |store| store.load(self.key(id))).await?.0)
    }

    pub(super) async fn replace(&self, id: &SessionId, expected: Version, text: &str) -> Verdict<Replaced> {
        self.replace_with(id, expected, T::of_text(text)).await
    }

    pub(super) async fn replace_with(&self, id: &SessionId, expected: Version, data: T) -> Verdict<Replaced> {
        let change = Change::new(Arc::new(data));
        let (answer, call) = self.ask("replace", &[id], |store| store.replace(self.key(id), expected, change)).await?;
        if let Replaced::Replaced(_) = answer {
            self.clock.renewed(id, call);
        }
        Ok(answer)
    }

    pub(super) async fn touch(&self, id: &SessionId) -> Verdict<bool> {
        let (answer, call) = self.ask("touch", &[id], |store| store.touch(self.key(id))).await?;
        if answer {
            self.clock.renewed(id, call);
        }
        Ok(answer)
    }

    pub(super) async fn rotate(&self, old: &SessionId, new: &SessionId, session: Read<T>) -> Verdict<Rotated> {
        let Read { mut record, call: read } = session;
        // A store may go by the limit and the age that it is told, of which a caller takes off and adds the time that has passed.
        record.absolute_in = record.absolute_in.map(|left| left.saturating_sub(read.begun.elapsed()));
        record.age += read.answered.elapsed();
        self.clock.rotates(old, Instant::now());
        let (answer, call) =
            self.ask("rotate", &[old, new], |store| store.rotate(self.key(old), self.key(new), Rotation::new(record))).await?;
        if let Rotated::Rotated(_) = answer {
            self.clock.rotated(old, new, read, call);
        }
        Ok(answer)
    }

    pub(super) async fn delete(&self, id: &SessionId) -> Verdict<bool> {
        Ok(self.ask("delete", &[id], |store| store.delete(self.key(id))).await?.0)
    }

    pub(super) async fn sweep(&self) -> Verdict<u64> {
        Ok(self.ask("sweep", &[], |store| store.sweep()).await?.0)
    }

    /// Makes a call, with the clock around it.
    pub(super) async fn ask<'a, R>(
        &'a self,
        operation: &str,
        ids: &[&SessionId],
        call: impl FnOnce(&'a dyn ErasedStore<T>) -> Answer<'a, R> + Send,
    ) -> Verdict<(R, Call)> {
        let (begun, pace) = (Instant::now(), self.clock.pace);
        let answer = pace.patiently(PATIENCE, call(&*self.store)).await;
        let call = Call { begun, answered: Instant::now() };
        let answer = answer.map_err(|patience| broken(format_args!("{operation} had not answered after {patience:?}")))?;
        answered(operation, ids, answer, pace.is_long(call.took())).map(|answer| (answer, call))
    }

    /// What a `load` shows.
    pub(super) async fn see(&self, id: &SessionId) -> Verdict<Seen> {
        Ok(match self.load(id).await? {
            Loaded::Found(record) => Seen::Found(record.data.text().into_owned()),
            Loaded::Missing => Seen::Missing,
            Loaded::JustRotated => Seen::JustRotated,
            Loaded::Undecodable(_) => Seen::Undecodable,
        })
    }

    pub(super) async fn expect_seen(&self, when: impl Display + Send, id: &SessionId, wanted: Seen) -> Verdict {
        let is_sure = match wanted {
            Seen::Found(_) => Self::while_there,
            Seen::JustRotated => Self::while_marked,
            Seen::Missing | Seen::Undecodable => |_: &Self, _: &SessionId, verdict| verdict,
        };
        let seen = expect(format!("{}, load", when.to_string().trim_end_matches(',')), self.see(id).await?, wanted);
        is_sure(self, id, seen)
    }

    /// What was found of a session that had to be there, unless its limits may be over by now.
    pub(super) fn while_there<R>(&self, id: &SessionId, found: Verdict<R>) -> Verdict<R> {
        while_sure(|| self.clock.is_there(id), found)
    }

    /// What was found of the mark of a rotation, unless its time may be over by now.
    pub(super) fn while_marked<R>(&self, old: &SessionId, found: Verdict<R>) -> Verdict<R> {
        while_sure(|| self.clock.is_marked(old), found)
    }

    /// Reads a session, or says what is there in its place.
    pub(super) async fn read(&self, id: &SessionId) -> Verdict<Result<Read<T>, &'static str>> {
        let (loaded, call) = self.ask("load", &[id], |store| store.load(self.key(id))).await?;
        Ok(match loaded {
            Loaded::Found(record) => Ok(Read { record, call }),
            Loaded::Missing => Err("Missing"),
            Loaded::JustRotated => Err("JustRotated"),
            Loaded::Undecodable(_) => Err("Undecodable"),
        })
    }

    /// Reads a session that must be there.
    pub(super) async fn found(&self, when: impl Display + Send, id: &SessionId) -> Verdict<Read<T>> {
        let other = match self.read(id).await? {
            Ok(read) => return Ok(read),
            Err(other) => other,
        };
        let when = when.to_string();
        let when = when.trim_end_matches(',');
        self.while_there(id, Err(broken(format_args!("{when}, load answered {other}; it should have found the session"))))
    }

    /// A new session.
    pub(super) async fn new_session(&self, text: &str, limits: Limits) -> Verdict<(SessionId, Version)> {
        let id = fresh_id();
        let version = self.created(&id, text, limits).await?;
        Ok((id, version))
    }

    pub(super) async fn created(&self, id: &SessionId, text: &str, limits: Limits) -> Verdict<Version> {
        match self.create(id, text, limits).await? {
            Created::Created(version) => Ok(version),
            other => {
                Err(broken(format_args!("create at a key that is free answered {other:?}; it should have created the session")))
            }
        }
    }

    /// Replaces the data of a session that is there, at the version that it has.
    pub(super) async fn set(&self, id: &SessionId, text: &str) -> Verdict<Version> {
        let version = self.found("before replace", id).await?.version;
        self.replaced(id, version, text).await
    }

    pub(super) async fn replaced(&self, id: &SessionId, expected: Version, text: &str) -> Verdict<Version> {
        match self.replace(id, expected, text).await? {
            Replaced::Replaced(version) => Ok(version),
            other => self.while_there(
                id,
                Err(broken(format_args!(
                    "replace of a session that is there, at its version, answered {other:?}; it should have replaced the data"
                ))),
            ),
        }
    }

    pub(super) async fn touched(&self, id: &SessionId) -> Verdict {
        let touched = expect("touch of a session that is there", self.touch(id).await?, true);
        self.while_there(id, touched)
    }

    pub(super) async fn rotated(&self, old: &SessionId, new: &SessionId, session: Read<T>) -> Verdict<Version> {
        match self.rotate(old, new, session).await? {
            Rotated::Rotated(version) => Ok(version),
            other => self.while_there(
                old,
                Err(broken(format_args!(
                    "rotate of a session that is there, at its version, to a free key answered {other:?}; it should have moved it"
                ))),
            ),
        }
    }
}

/// A store's answer; its errors are offences, the more so if they show an id.
fn answered<R>(operation: &str, ids: &[&SessionId], result: Result<R, StoreError>, took_long: bool) -> Verdict<R> {
    result.map_err(|error| {
        if shows_id(&error, ids) {
            return broken(format_args!("{operation} failed, and its error shows the raw id; no error may"));
        }
        let what = format!("{operation} failed: {}", with_causes(&error));
        // A store may give up waiting where the machine is slow.
        if took_long { Fault::Doubtful(what) } else { Fault::Broken(what) }
    })
}

/// Whether anything that can be read of an error holds an id. Ids that are short enough to stand there by chance do not count.
pub(super) fn shows_id(error: &StoreError, ids: &[&SessionId]) -> bool {
    let said = format!("{error:?} {}", with_causes(error));
    ids.iter().any(|id| id.as_str().len() >= 16 && said.contains(id.as_str()))
}

fn with_causes(error: &StoreError) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(said, ": {error}");
        cause = error.source();
    }
    said
}

/// What stands at a key.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Found(String),
    Missing,
    JustRotated,
    Undecodable,
}

impl Seen {
    pub(super) fn found(text: &str) -> Self {
        Self::Found(text.to_owned())
    }
}

impl Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(text) => write!(f, "Found({})", brief(text)),
            Self::Missing => f.write_str("Missing"),
            Self::JustRotated => f.write_str("JustRotated"),
            Self::Undecodable => f.write_str("Undecodable"),
        }
    }
}

/// A text as a report shows it.
pub(super) fn brief(text: &str) -> String {
    let start: String = text.chars().take(40).collect();
    if start.len() == text.len() { format!("{text:?}") } else { format!("{start:?} and so on, {} bytes", text.len()) }
}

/// Polls a call `times` at most, and leaves it there.
pub(super) async fn polled<F: Future + Unpin>(future: &mut F, times: usize) -> Option<F::Output> {
    let mut left = times;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match std::pin::Pin::new(&mut *future).poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Starts one call, stops it after some polls, makes another, and then, or after the time `hold`, lets the first one go on. Whether
/// it was still under way comes with the answers.
pub(super) async fn overtaken<A: Future, B: Future>(
    late: A,
    polls: usize,
    other: B,
    hold: Duration,
) -> (A::Output, B::Output, bool) {
    let (mut late, mut other) = (pin!(late), pin!(other));
    let mut late_answer = polled(&mut late, polls).await;
    let mut hold = pin!(time::sleep(hold));
    let under_way = late_answer.is_none();
    let mut other_answer = None;
    poll_fn(|context| {
        if other_answer.is_none()
            && let Poll::Ready(answer) = other.as_mut().poll(context)
        {
            other_answer = Some(answer);
        }
        // The other may wait for what the first one holds.
        let goes_on = other_answer.is_some() || hold.as_mut().poll(context).is_ready();
        if goes_on
            && late_answer.is_none()
            && let Poll::Ready(answer) = late.as_mut().poll(context)
        {
            late_answer = Some(answer);
        }
        match (late_answer.take(), other_answer.take()) {
            (Some(late), Some(other)) => Poll::Ready((late, other, under_way)),
            (late, other) => {
                (late_answer, other_answer) = (late, other);
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::conformance::clock::STEP;

    #[test]
    fn an_id_in_an_error_or_in_its_cause_is_seen() {
        let id = fresh_id();
        assert!(!shows_id(&StoreError::unavailable("connection refused"), &[&id]));
        assert!(shows_id(&StoreError::unavailable(format!("no row for {}", id.as_str())), &[&id]));
        let Err(Fault::Broken(what)) = answered("load", &[&id], Err::<(), _>(StoreError::data(id.as_str())), true) else {
            panic!("an error is an offence");
        };
        assert!(what.contains("shows the raw id") && !what.contains(id.as_str()), "{what}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_waits_for_the_one_it_overtakes_lets_it_go_on() {
        let lock = tokio::sync::Mutex::new(());
        let late = async {
            let _held = lock.lock().await;
            tokio::task::yield_now().await;
            1
        };
        let other = async {
            let _held = lock.lock().await;
            2
        };
        assert_eq!(overtaken(late, 1, other, STEP).await, (1, 2, true));
    }
}
