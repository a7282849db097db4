//! The layer at work: a request goes in with its session's state, and its response comes out with what that owes the client.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt as _};

use super::future::{ResponseFuture, infallible};
use super::session_layer::{Config, SessionLayer};
use crate::callback::{CustomMiddleware, MiddlewareKind};
use crate::error::SessionError;
use crate::maybe_ready::poll_immediate;
use crate::session::Session;
use crate::session::driver::{Driver, Leaving};
use crate::standard;

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
    Custom(Box<Custom<S>>),
}

#[derive(Clone)]
struct Custom<S> {
    with_middleware: BoxCloneSyncService<Request, Response, Infallible>,
    /// Without it.
    bare: S,
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
            MiddlewareKind::Custom(middleware) => {
                let with_middleware = with_middleware(middleware.clone(), inner.clone());
                Inner::Custom(Box::new(Custom { with_middleware, bare: inner }))
            }
        };
        Self { config, inner }
    }
}

impl<T, S> Layer<S> for SessionLayer<T>
where
    T: Clone + Send + Sync + 'static,
    S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Service = SessionService<S, T>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService::new(Arc::clone(self.config()), inner)
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
            Inner::Custom(custom) => custom.with_middleware.poll_ready(context),
        }
    }

    #[inline]
    fn call(&mut self, mut request: Request) -> Self::Future {
        let setup = &self.config.setup;
        let driver = match Driver::enter(setup, &mut request) {
            Ok(Some(driver)) => driver,
            Ok(None) => return self.inner.pass(request),
            Err(error) => {
                let mut response = error.into_response();
                setup.answer_by_own(&mut response);
                return ResponseFuture::boxed(async move { response });
            }
        };
        match &mut self.inner {
            Inner::Direct(inner) if setup.starts_immediately => ResponseFuture::direct(inner.call(request), driver),
            inner => inner.call_with(driver, request),
        }
    }
}

impl<S> Inner<S>
where
    S: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    /// The request has entered the same layer before, and goes on as if this one were not there.
    #[cold]
    fn pass<T>(&mut self, request: Request) -> ResponseFuture<S::Future, T> {
        match self {
            Self::Direct(inner) => ResponseFuture::boxed(respond(inner.call(request))),
            Self::Custom(custom) => {
                // It was not polled ready: the one with the middleware around it was.
                let bare = custom.bare.clone();
                ResponseFuture::boxed(async move { respond(bare.oneshot(request)).await })
            }
        }
    }

    /// With a future around it that is boxed, unless the middleware's part before the handler never waits.
    #[inline(never)]
    fn call_with<T>(&mut self, driver: Arc<Driver<T>>, request: Request) -> ResponseFuture<S::Future, T>
    where
        T: Clone + Send + Sync + 'static,
    {
        let inner = match self {
            Self::Custom(custom) => {
                let inner = custom.with_middleware.call(request);
                let driver = Leaving(driver);
                return ResponseFuture::boxed(async move { depart(&driver.0, infallible(inner.await)).await });
            }
            Self::Direct(inner) => inner,
        };
        let session = Session(driver);
        let (mut request, found) = session.0.find_immediately(request);
        let is_found = found.is_some();
        let begun = match found {
            Some(Ok(())) if session.0.setup.lazy => Some(Ok(())),
            Some(Ok(())) if session.0.setup.begins_immediately => poll_immediate(begin(&session, &mut request)),
            Some(Ok(())) | None => None,
            Some(Err(error)) => Some(Err(error)),
        };
        match begun {
            Some(Ok(())) => return ResponseFuture::direct(inner.call(request), session.0),
            Some(Err(error)) => return ResponseFuture::boxed(async move { depart(&session.0, error.into_response()).await }),
            None => {}
        }
        // The service that was polled ready is the one that is called.
        let clone = inner.clone();
        let mut inner = std::mem::replace(inner, clone);
        ResponseFuture::boxed(async move {
            let leaving = Leaving(Arc::clone(&session.0));
            if !is_found {
                session.fetch_session_id(&mut request).await;
            }
            let response = match begin(&session, &mut request).await {
                Ok(()) => respond(inner.call(request)).await,
                Err(error) => error.into_response(),
            };
            let response = depart(&leaving.0, response).await;
            drop(session);
            response
        })
    }
}

/// What a standard middleware does before the handler, once the id is found.
async fn begin<T: Clone + Send + Sync + 'static>(session: &Session<T>, request: &mut Request) -> Result<(), SessionError> {
    if session.0.setup.lazy {
        return session.failure();
    }
    standard::begin(&session.0, request).await.map(drop).or_else(standard::unless_unreadable)
}

async fn respond<R: IntoResponse>(future: impl Future<Output = Result<R, Infallible>>) -> Response {
    infallible(future.await).into_response()
}

async fn depart<T: Clone + Send + Sync + 'static>(driver: &Driver<T>, mut response: Response) -> Response {
    if let Err(first) = driver.try_depart(&mut response) {
        driver.depart(first, &mut response).await;
    }
    response
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
