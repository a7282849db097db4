//! The layer at work: a request goes in with its session's state, and its response comes out with what that owes the client.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use pin_project_lite::pin_project;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service};

use crate::callback::{CustomMiddleware, MiddlewareKind};
use crate::layer::Config;
use crate::session::Session;
use crate::standard;
use crate::state::State;

/// A service with sessions: what [`SessionLayer`](crate::SessionLayer) makes of the service that it is around.
pub struct SessionService<S, T> {
    config: Arc<Config<T>>,
    inner: Inner<S>,
}

#[derive(Clone)]
enum Inner<S> {
    /// Under a standard middleware.
    Direct(S),
    /// With a middleware of the user's around it, which takes axum's `Next`.
    Custom(BoxCloneSyncService<Request, Response, Infallible>),
}

impl<S, T> SessionService<S, T>
where
    T: Clone + Send + Sync + 'static,
    S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    pub(crate) fn new(config: Arc<Config<T>>, inner: S) -> Self {
        let inner = match &config.middleware.0 {
            MiddlewareKind::Standard | MiddlewareKind::Lazy => Inner::Direct(inner),
            MiddlewareKind::Custom(middleware) => Inner::Custom(with_middleware(middleware.clone(), inner)),
        };
        Self { config, inner }
    }
}

fn with_middleware<S, T>(middleware: CustomMiddleware<T>, inner: S) -> BoxCloneSyncService<Request, Response, Infallible>
where
    T: Clone + Send + Sync + 'static,
    S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    let run = move |request: Request, next| {
        let middleware = middleware.clone();
        async move {
            match Session::of(request.extensions()) {
                Ok(session) => middleware(session, request, next).await,
                Err(error) => error.into_response(),
            }
        }
    };
    BoxCloneSyncService::new(from_fn(run).layer(inner))
}

impl<S, T> Service<Request> for SessionService<S, T>
where
    T: Clone + Send + Sync + 'static,
    S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future, T>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match &mut self.inner {
            Inner::Direct(inner) => inner.poll_ready(context),
            Inner::Custom(inner) => inner.poll_ready(context),
        }
    }

    #[inline]
    fn call(&mut self, mut request: Request) -> Self::Future {
        let state = match State::enter(&self.config, &mut request) {
            Ok(state) => state,
            Err(error) => return ResponseFuture::boxed(async move { error.into_response() }),
        };
        match &mut self.inner {
            Inner::Direct(inner) if state.starts_at_once() => ResponseFuture::direct(inner.call(request), state),
            inner => inner.call_later(state, request),
        }
    }
}

impl<S> Inner<S>
where
    S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    /// With a future around it that is boxed: the usual way does not pay for what it needs.
    #[inline(never)]
    fn call_later<T>(&mut self, state: Arc<State<T>>, request: Request) -> ResponseFuture<S::Future, T>
    where
        T: Clone + Send + Sync + 'static,
    {
        match self {
            Self::Custom(inner) => {
                let inner = inner.call(request);
                ResponseFuture::boxed(async move { leave(&state, infallible(inner.await)).await })
            }
            Self::Direct(inner) => {
                let (mut request, found) = state.find_at_once(request);
                let is_found = found.is_some();
                let driven = match found {
                    Some(Ok(())) if !matches!(state.config.middleware.0, MiddlewareKind::Lazy) => {
                        state.drive_at_once(&mut request)
                    }
                    found => found,
                };
                match driven {
                    Some(Ok(())) => return ResponseFuture::direct(inner.call(request), state),
                    Some(Err(error)) => return ResponseFuture::boxed(async move { leave(&state, error.into_response()).await }),
                    None => {}
                }
                // The service that was polled ready is the one that is called.
                let clone = inner.clone();
                let inner = std::mem::replace(inner, clone);
                ResponseFuture::boxed(run_standard(state, request, inner, is_found))
            }
        }
    }
}

async fn run_standard<S, T>(state: Arc<State<T>>, mut request: Request, mut inner: S, is_found: bool) -> Response
where
    T: Clone + Send + Sync + 'static,
    S: Service<Request, Error = Infallible>,
    S::Response: IntoResponse,
{
    let session = Session(Arc::clone(&state));
    if !is_found {
        session.fetch_session_id(&mut request).await;
    }
    let next = |request| respond(inner.call(request));
    let response = match state.config.middleware.0 {
        MiddlewareKind::Lazy => standard::drive_lazily(session, request, next).await,
        _ => standard::drive(session, request, next).await,
    };
    leave(&state, response).await
}

async fn respond<R: IntoResponse>(future: impl Future<Output = Result<R, Infallible>>) -> Response {
    infallible(future.await).into_response()
}

fn infallible<R>(result: Result<R, Infallible>) -> R {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

async fn leave<T: Clone + Send + Sync + 'static>(state: &State<T>, mut response: Response) -> Response {
    state.leave(&mut response).await;
    response
}

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
        Direct { #[pin] inner: F, state: Arc<State<T>> },
        Boxed { response: Pin<Box<dyn Future<Output = Response> + Send>> },
    }
}

impl<F, T> ResponseFuture<F, T> {
    fn direct(inner: F, state: Arc<State<T>>) -> Self {
        Self { stage: Stage::Direct { inner, state } }
    }

    fn boxed(response: impl Future<Output = Response> + Send + 'static) -> Self {
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
        if let StageProjection::Direct { inner, state } = stage.as_mut().project() {
            let mut response = infallible(ready!(inner.poll(context))).into_response();
            if state.try_leave(&mut response, false) {
                return Poll::Ready(Ok(response));
            }
            let left = Arc::clone(state);
            let response = Box::pin(async move { leave(&left, response).await });
            stage.set(Stage::Boxed { response });
        }
        match stage.project() {
            StageProjection::Boxed { response } => response.as_mut().poll(context).map(Ok),
            // Left above.
            StageProjection::Direct { .. } => Poll::Pending,
        }
    }
}

impl<S: Clone, T> Clone for SessionService<S, T> {
    fn clone(&self) -> Self {
        Self { config: Arc::clone(&self.config), inner: self.inner.clone() }
    }
}

impl<S, T> fmt::Debug for SessionService<S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").finish_non_exhaustive()
    }
}

impl<F, T> fmt::Debug for ResponseFuture<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
