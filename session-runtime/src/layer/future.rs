//! The response of a layer: the handler's, with what the session owes the client.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::response::{IntoResponse, Response};
use pin_project_lite::pin_project;

use crate::session::core::Depart;
use crate::session::driver::{Driver, Leaving};

type Departing = Pin<Box<dyn Future<Output = Response> + Send>>;

pin_project! {
    /// The response of a [`SessionService`].
    pub struct ResponseFuture<F, T> {
        #[pin]
        stage: Stage<F, T>,
    }
}

pin_project! {
    #[project = StageProjection]
    #[project_replace = StageReplaced]
    enum Stage<F, T> {
        Direct { #[pin] inner: F, driver: Leaving<T> },
        Boxed { response: Departing },
    }
}

impl<F, T> ResponseFuture<F, T> {
    pub(super) const fn direct(inner: F, driver: Arc<Driver<T>>) -> Self {
        Self { stage: Stage::Direct { inner, driver: Leaving(driver) } }
    }

    pub(super) fn boxed(response: impl Future<Output = Response> + Send + 'static) -> Self {
        Self { stage: Stage::Boxed { response: Box::pin(response) } }
    }
}

impl<F, R, T> Future for ResponseFuture<F, T>
where
    F: Future<Output = Result<R, Infallible>>,
    R: IntoResponse,
    T: Clone + Send + Sync + 'static,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        if let StageProjection::Direct { inner, driver } = stage.as_mut().project() {
            let mut response = infallible(ready!(inner.poll(context))).into_response();
            let Err(depart) = driver.0.try_depart(&mut response) else { return Poll::Ready(Ok(response)) };
            wait(stage.as_mut(), depart, response);
        }
        match stage.project() {
            StageProjection::Boxed { response } => response.as_mut().poll(context).map(Ok),
            // Boxed above.
            StageProjection::Direct { .. } => Poll::Pending,
        }
    }
}

#[cold]
#[inline(never)]
fn wait<F, T: Clone + Send + Sync + 'static>(mut stage: Pin<&mut Stage<F, T>>, depart: Depart, mut response: Response) {
    let taken = stage.as_mut().project_replace(Stage::Boxed { response: Box::pin(pending()) });
    let StageReplaced::Direct { driver, .. } = taken else { return };
    let response = Box::pin(async move {
        driver.0.depart(depart, &mut response).await;
        response
    });
    stage.set(Stage::Boxed { response });
}

pub(super) fn infallible<R>(result: Result<R, Infallible>) -> R {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

impl<F, T> fmt::Debug for ResponseFuture<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
