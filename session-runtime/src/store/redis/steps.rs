//! Steps over several nodes of a cluster, each in a task of its own: what others can see of them is never left half done, whatever becomes of the caller.
//! So only a process that ends leaves them undone, or an answer that is lost.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::store::StoreError;

/// How long closing waits for them.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(6);

/// Those of a store that are under way.
#[derive(Clone, Default)]
pub(super) struct Steps(Arc<State>);

#[derive(Default)]
struct State {
    under_way: AtomicUsize,
    is_closed: AtomicBool,
    /// One has ended.
    ended: Notify,
}

/// A step, or a part of it, that is under way until this is dropped.
pub(super) struct UnderWay(Steps);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.under_way.fetch_sub(1, Ordering::SeqCst);
        self.0.0.ended.notify_waiters();
    }
}

/// Who waits for a step.
pub(super) struct Caller(oneshot::Sender<()>);

impl Caller {
    /// Whether it does not any more. What nobody knows of is taken back then.
    pub(super) fn is_gone(&self) -> bool {
        self.0.is_closed()
    }

    /// What nobody hears.
    pub(super) fn gave_up() -> StoreError {
        StoreError::unavailable("the caller gave up")
    }
}

impl Steps {
    /// What is part of a step that is under way, or may be of one: it begins also while the store is being closed.
    pub(super) fn part(&self) -> UnderWay {
        self.0.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(self.clone())
    }

    /// Goes on to the end of the step, whether or not the caller waits for it.
    pub(super) async fn run<F, R>(&self, step: impl FnOnce(Caller) -> F) -> Result<R, StoreError>
    where
        F: Future<Output = Result<R, StoreError>> + Send + 'static,
        R: Send + 'static,
    {
        let under_way = self.part();
        if self.0.is_closed.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the session store is closed"));
        }
        let (caller, waits) = oneshot::channel();
        let step = step(Caller(caller));
        let answer = tokio::spawn(async move {
            let answer = step.await;
            drop(under_way);
            answer
        })
        .await;
        drop(waits);
        answer.unwrap_or_else(|_| Err(StoreError::unavailable("the task that talked to the cluster ended before it was done")))
    }

    /// From now on none begins. Waits for those that were begun.
    pub(super) async fn close(&self) {
        self.0.is_closed.store(true, Ordering::SeqCst);
        let all_ended = async {
            loop {
                let ended = self.0.ended.notified();
                if self.0.under_way.load(Ordering::SeqCst) == 0 {
                    return;
                }
                ended.await;
            }
        };
        let _ = timeout(CLOSE_TIMEOUT, all_ended).await;
    }
}
