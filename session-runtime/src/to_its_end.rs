//! A step that goes on if the task that makes it is given up.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;

/// Dropped before it is done, it goes on in a task of its own, unless `is_in_vain` says by then that nobody needs it.
pub(crate) struct ToItsEnd<F, V>
where
    F: Future<Output: Send> + Send + 'static,
    V: FnOnce() -> bool + Send + 'static,
{
    step: Option<(Pin<Box<F>>, V)>,
}

impl<F, V> ToItsEnd<F, V>
where
    F: Future<Output: Send> + Send + 'static,
    V: FnOnce() -> bool + Send + 'static,
{
    pub(crate) fn new(step: F, is_in_vain: V) -> Self {
        Self { step: Some((Box::pin(step), is_in_vain)) }
    }
}

// What is pinned is boxed.
impl<F, V> Unpin for ToItsEnd<F, V>
where
    F: Future<Output: Send> + Send + 'static,
    V: FnOnce() -> bool + Send + 'static,
{
}

impl<F, V> Future for ToItsEnd<F, V>
where
    F: Future<Output: Send> + Send + 'static,
    V: FnOnce() -> bool + Send + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some((step, _)) = &mut self.step else { return Poll::Pending };
        let done = ready!(step.as_mut().poll(context));
        self.step = None;
        Poll::Ready(done)
    }
}

impl<F, V> Drop for ToItsEnd<F, V>
where
    F: Future<Output: Send> + Send + 'static,
    V: FnOnce() -> bool + Send + 'static,
{
    fn drop(&mut self) {
        if let Some((step, is_in_vain)) = self.step.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                // Asked later: if it is the whole request that is given up, this is dropped before what knows so.
                if !is_in_vain() {
                    step.await;
                }
            });
        }
    }
}
