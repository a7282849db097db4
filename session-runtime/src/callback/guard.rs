//! Panics of callbacks, caught and answered.

use std::any::type_name;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;

use crate::error::SessionError;

/// Calls the callback `F`; a panic becomes an error that names it.
///
/// What the callback was changing when it panicked is the request's head alone, and that request ends with the error.
pub(super) fn call<F, R>(callback: impl FnOnce() -> R) -> Result<R, SessionError> {
    catch_unwind(AssertUnwindSafe(callback)).map_err(|_payload| panicked::<F>())
}

/// Waits for the `future` of the callback `F`; a panic at any poll becomes an error that names the callback.
pub(super) async fn wait<F, R>(future: impl Future<Output = R>) -> Result<R, SessionError> {
    let mut future = pin!(future);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))
            .map_or_else(|_payload| Err(panicked::<F>()).into(), |poll| poll.map(Ok))
    })
    .await
}

/// The panic's message is not logged here: it may hold an id. Rust's panic hook has printed it.
fn panicked<F>() -> SessionError {
    let callback = type_name::<F>();
    tracing::error!(callback, "a session callback panicked");
    SessionError::CallbackPanicked { callback }
}
