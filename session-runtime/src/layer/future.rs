//! The response of a layer: the handler's, with what the session owes the client.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::response::{IntoResponse, Response};
use pin_project_lite::pin_project;

use crate::session::driver::Driver;

pin_project! {
    /// The response of a [`SessionService`].
    pub struct ResponseFuture<F, T> {
        #[pin]
        stage: Stage<F, T>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<F, T> {
        Direct { #[pin] inner: F, driver: Arc<Driver<T>> },
        Boxed { response: Pin<Box<dyn Future<Output = Response> + Send>> },
    }
}

impl<F, T> ResponseFuture<F, T> {
    pub(super) const fn direct(inner: F, driver: Arc<Driver<T>>) -> Self {
        Self { stage: Stage::Direct { inner, driver } }
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
            let Err(depart) = driver.try_depart(&mut response) else { return Poll::Ready(Ok(response)) };
            let driver = Arc::clone(driver);
            let response = Box::pin(async move {
                driver.depart(depart, &mut response).await;
                response
            });
            stage.set(Stage::Boxed { response });
        }
        match stage.project() {
            StageProjection::Boxed { response } => response.as_mut().poll(context).map(Ok),
            // Boxed above.
            StageProjection::Direct { .. } => Poll::Pending,
        }
    }
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
