//! A future that is often ready at once, and then costs no allocation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The answer of a callback or a store: a value that is there already, or a boxed future of it.
///
/// A store that keeps its sessions in memory answers with [`ready`](Self::ready), which allocates nothing; one that
/// talks to a server answers with [`boxed`](Self::boxed), one allocation a call.
///
/// ```
/// use session_runtime::MaybeReady;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(MaybeReady::ready(1).await, 1);
/// assert_eq!(MaybeReady::boxed(async { 2 }).await, 2);
/// # }
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct MaybeReady<'a, R>(State<'a, R>);

enum State<'a, R> {
    Ready(Option<R>),
    Boxed(Pin<Box<dyn Future<Output = R> + Send + 'a>>),
}

impl<'a, R> MaybeReady<'a, R> {
    /// An answer that is there already.
    pub const fn ready(value: R) -> Self {
        Self(State::Ready(Some(value)))
    }

    /// An answer that has to be waited for.
    pub fn boxed(future: impl Future<Output = R> + Send + 'a) -> Self {
        Self(State::Boxed(Box::pin(future)))
    }

    /// The answer if it is there already, else the future.
    ///
    /// # Errors
    ///
    /// Gives the future back where the answer has to be waited for.
    pub fn try_now(self) -> Result<R, Self> {
        match self.0 {
            State::Ready(Some(value)) => Ok(value),
            other => Err(Self(other)),
        }
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
