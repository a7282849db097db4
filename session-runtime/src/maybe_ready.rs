//! A future that is often ready immediately, and then costs no allocation.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// An answer that is there already, or a boxed future of it.
#[must_use = "futures do nothing unless polled"]
pub struct MaybeReady<'a, R>(State<'a, R>);

enum State<'a, R> {
    Ready(Option<R>),
    Boxed(Pin<Box<dyn Future<Output = R> + Send + 'a>>),
}

impl<'a, R> MaybeReady<'a, R> {
    /// An answer that is there already.
    pub(crate) const fn ready(value: R) -> Self {
        Self(State::Ready(Some(value)))
    }

    /// An answer that has to be waited for.
    pub(crate) fn boxed(future: impl Future<Output = R> + Send + 'a) -> Self {
        Self(State::Boxed(Box::pin(future)))
    }

    /// The answer if it is there already, else the future.
    ///
    /// # Errors
    ///
    /// Gives the future back where the answer has to be waited for.
    pub(crate) fn try_now(self) -> Result<R, Self> {
        match self.0 {
            State::Ready(Some(value)) => Ok(value),
            other => Err(Self(other)),
        }
    }

    /// Goes on with the answer: immediately where it is there already, else when it comes.
    pub(crate) fn then<S>(self, next: impl FnOnce(R) -> MaybeReady<'a, S> + Send + 'a) -> MaybeReady<'a, S>
    where
        R: Send + 'a,
        S: Send + 'a,
    {
        match self.try_now() {
            Ok(answer) => next(answer),
            Err(waiting) => MaybeReady::boxed(async move { next(waiting.await).await }),
        }
    }
}

/// The answer of a future that has it when it is polled once, and is not polled again.
pub(crate) fn poll_immediate<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

// The value is never pinned: it is moved out when the future is polled.
impl<R> Unpin for MaybeReady<'_, R> {}

impl<R> Future for MaybeReady<'_, R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        match &mut self.0 {
            State::Ready(value) => match value.take() {
                Some(value) => Poll::Ready(value),
                // Polled after it was done, which a caller must not do: nothing will ever come.
                None => Poll::Pending,
            },
            State::Boxed(future) => future.as_mut().poll(context),
        }
    }
}

impl<R> fmt::Debug for MaybeReady<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Ready(_) => "MaybeReady::Ready",
            State::Boxed(_) => "MaybeReady::Boxed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ready_goes_on_without_a_future() {
        let next = |number| MaybeReady::ready(number + 1);
        assert_eq!(MaybeReady::ready(1).then(next).try_now().ok(), Some(2));
    }

    #[tokio::test]
    async fn what_is_waited_for_goes_on_when_it_comes() {
        let next = |number| MaybeReady::boxed(async move { number + 1 });
        assert_eq!(MaybeReady::ready(1).then(next).await, 2);
        assert_eq!(MaybeReady::boxed(async { 1 }).then(next).await, 2);
    }

    #[test]
    fn a_future_that_waits_has_no_immediate_answer() {
        assert_eq!(poll_immediate(async { 1 }), Some(1));
        assert_eq!(poll_immediate(std::future::pending::<u32>()), None);
    }
}
