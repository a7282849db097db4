//! A step that goes on if the task that makes it is given up.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Dropped before it is done, it goes on in a task of its own, unless `is_in_vain` says by then that nobody needs it.
pub(crate) struct ToItsEnd<F, V>
where
    F: Future<Output: Send> + Send + 'static,
    V: Fn() -> bool + Send + 'static,
{
    step: Option<(Pin<Box<F>>, V)>,
}

impl<F, V> ToItsEnd<F, V>
where
    F: Future<Output: Send> + Send + 'static,
    V: Fn() -> bool + Send + 'static,
{
    pub(crate) fn new(step: F, is_in_vain: V) -> Self {
        Self { step: Some((Box::pin(step), is_in_vain)) }
    }
}

// What is pinned is boxed.
impl<F, V> Unpin for ToItsEnd<F, V>
where
    F: Future<Output: Send> + Send + 'static,
    V: Fn() -> bool + Send + 'static,
{
}

impl<F, V> Future for ToItsEnd<F, V>
where
    F: Future<Output: Send> + Send + 'static,
    V: Fn() -> bool + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // If it panics, it is over.
        let Some((mut step, is_in_vain)) = self.step.take() else { return Poll::Pending };
        let polled = step.as_mut().poll(context);
        if polled.is_pending() {
            self.step = Some((step, is_in_vain));
        }
        polled
    }
}

impl<F, V> Drop for ToItsEnd<F, V>
where
    F: Future<Output: Send> + Send + 'static,
    V: Fn() -> bool + Send + 'static,
{
    fn drop(&mut self) {
        if let Some((mut step, is_in_vain)) = self.step.take()
            && let Ok(runtime) = Handle::try_current()
        {
            // Asked each time: if it is the whole request that is given up, this is dropped before what knows so, and another thread may be at it
            // by then.
            let rest = move |context: &mut Context<'_>| {
                if is_in_vain() { Poll::Ready(()) } else { step.as_mut().poll(context).map(drop) }
            };
            runtime.spawn(poll_fn(rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::maybe_ready::poll_immediate;

    #[tokio::test]
    async fn a_step_that_panicked_is_over() {
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        let step = poll_fn(move |_| -> Poll<()> {
            counted.fetch_add(1, Ordering::Relaxed);
            panic!("a step that panics, as this test has it");
        });
        catch_unwind(AssertUnwindSafe(|| poll_immediate(ToItsEnd::new(step, || false)))).unwrap_err();
        tokio::task::yield_now().await;
        assert_eq!(polls.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_step_that_turns_out_to_be_in_vain_goes_no_further() {
        let (polls, in_vain) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, is_in_vain) = (Arc::clone(&polls), Arc::clone(&in_vain));
        let step = poll_fn(move |context| -> Poll<()> {
            counted.fetch_add(1, Ordering::Relaxed);
            context.waker().wake_by_ref();
            Poll::Pending
        });
        drop(ToItsEnd::new(step, move || is_in_vain.load(Ordering::Relaxed)));
        while polls.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        in_vain.store(true, Ordering::Relaxed);
        let polled = polls.load(Ordering::Relaxed);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(polls.load(Ordering::Relaxed), polled);
    }
}
