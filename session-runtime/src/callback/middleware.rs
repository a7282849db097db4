//! `middleware`: what drives the session.

use std::future::Ready;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::callback::is_function;
use crate::callback::signature::{Never, Nothing};
use crate::maybe_ready::MaybeReady;
use crate::session::Session;
use crate::standard;

type Responded = MaybeReady<'static, Response>;

/// What can be a `middleware`: a function or closure `(session_system: Session<T>, request: Request, next: Next) -> R`, where `R`
/// is [`IntoResponse`], sync or async (also `-> impl Future`, `-> BoxFuture`). The `Kind` is inferred.
///
/// A panic of a middleware is the server's to answer, as everywhere in axum: the handler runs inside of it, and
/// `tower_http::catch_panic` goes around it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session `middleware` for `{T}`",
    label = "not a function of the documented form",
    note = "a session `middleware` is `fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async, `Send`, `Request` from `axum::extract`, `Next` from `axum::middleware`",
    note = "pass the function itself, `f` and not `f()`; put `#[session_middleware]` on it to see what is wrong with it"
)]
pub trait IntoMiddleware<T, Kind> {
    // Of any lifetime, so that the compiler looks at it only once the function is a callback, and says one thing of one that is not.
    #[doc(hidden)]
    type Future<'a>;

    #[doc(hidden)]
    fn into_middleware(self) -> Middleware<T>
    where
        for<'a> Self::Future<'a>: Send;
}

/// What drives the session, as the layer runs it.
pub struct Middleware<T>(pub(crate) MiddlewareKind<T>);

/// Which middleware it is; the two standard ones are recognised, also when passed by name, and run without `Next`.
pub(crate) enum MiddlewareKind<T> {
    Standard,
    Lazy,
    Custom(CustomMiddleware<T>),
}

/// A middleware of the user's own: called as the function it is.
pub(crate) enum CustomMiddleware<T> {
    /// A registered function: nothing is allocated for it.
    Function(fn(Session<T>, Request, Next) -> Responded),
    Passed(Arc<dyn Fn(Session<T>, Request, Next) -> Responded + Send + Sync>),
}

impl<T> Clone for CustomMiddleware<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Function(run) => Self::Function(*run),
            Self::Passed(run) => Self::Passed(Arc::clone(run)),
        }
    }
}

impl<T: 'static> Deref for CustomMiddleware<T> {
    type Target = dyn Fn(Session<T>, Request, Next) -> Responded + Send + Sync;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Function(run) => run,
            Self::Passed(run) => &**run,
        }
    }
}

impl<T> Middleware<T> {
    /// `standard::session_middleware`.
    pub(crate) fn standard() -> Self {
        Self(MiddlewareKind::Standard)
    }

    /// A middleware of the user's own.
    pub(crate) const fn is_custom(&self) -> bool {
        matches!(self.0, MiddlewareKind::Custom(_))
    }

    /// `standard::lazy_session_middleware`.
    pub(crate) const fn is_lazy(&self) -> bool {
        matches!(self.0, MiddlewareKind::Lazy)
    }

    /// What an attribute registers; `run` calls [`run_middleware`] with the function.
    #[must_use]
    pub fn registered(run: fn(Session<T>, Request, Next) -> Responded) -> Self {
        Self(MiddlewareKind::Custom(CustomMiddleware::Function(run)))
    }
}

impl<T> IntoMiddleware<T, Middleware<T>> for Middleware<T> {
    type Future<'a> = ();

    fn into_middleware(self) -> Middleware<T> {
        self
    }
}

/// The kind of a function, whose own kind is `Kind`.
pub struct Function<Kind>(PhantomData<Kind>);

// What the compiler would add of it names what no user can. That the future is `Send` is asked for beside it, and so is explained.
#[diagnostic::do_not_recommend]
impl<T, F, Kind> IntoMiddleware<T, Function<Kind>> for F
where
    T: Clone + Send + Sync + 'static,
    F: MiddlewareFn<T, Kind>,
{
    type Future<'a> = F::Future;

    fn into_middleware(self) -> Middleware<T>
    where
        for<'a> Self::Future<'a>: Send,
    {
        Middleware(if is_function::<F, _>(standard::session_middleware::<T>) {
            MiddlewareKind::Standard
        } else if is_function::<F, _>(standard::lazy_session_middleware::<T>) {
            MiddlewareKind::Lazy
        } else {
            MiddlewareKind::Custom(CustomMiddleware::Passed(Arc::new(move |session_system, request, next| {
                self.answer(session_system, request, next)
            })))
        })
    }
}

// Of no type. Beside it the compiler does not take the kind above for the right one, and so does not name it.
#[diagnostic::do_not_recommend]
impl<T, F: Never> IntoMiddleware<T, Nothing> for F {
    type Future<'a> = ();

    fn into_middleware(self) -> Middleware<T> {
        unreachable!("of no type")
    }
}

/// Runs a function that an attribute registered.
pub fn run_middleware<T, F, Kind>(middleware: &'static F, session_system: Session<T>, request: Request, next: Next) -> Responded
where
    F: MiddlewareFn<T, Kind>,
    F::Future: Send,
{
    middleware.answer(session_system, request, next)
}

/// Stands for the data type `T` of a registered middleware.
pub struct Run<T>(PhantomData<fn() -> T>);

impl<T> Run<T> {
    /// Stands for `T`.
    pub const NEW: Self = Self(PhantomData);
}

/// The traits of [`Run`], without their names.
pub mod runs {
    pub use super::{RunNothing as _, RunRegistered as _};
}

/// `(&&run).__run(..)` takes this one where sessions of `T` can be shared by threads.
pub trait RunRegistered<T> {
    /// Runs the function.
    fn __run<F, Kind>(&self, middleware: &'static F, session_system: Session<T>, request: Request, next: Next) -> Responded
    where
        F: MiddlewareFn<T, Kind>,
        F::Future: Send;

    /// As `future_3`.
    fn __future<A, B, C, R>(&self, _: &impl Fn(A, B, C) -> R) -> *const R {
        std::ptr::null()
    }
}

impl<T: Send + Sync> RunRegistered<T> for &Run<T> {
    fn __run<F, Kind>(&self, middleware: &'static F, session_system: Session<T>, request: Request, next: Next) -> Responded
    where
        F: MiddlewareFn<T, Kind>,
        F::Future: Send,
    {
        run_middleware(middleware, session_system, request, next)
    }
}

/// Otherwise this one: what the session system of such data keeps from being `Send`, `session!` says of the data, and says once.
pub trait RunNothing<T> {
    /// Cannot be called, since there is no session of such data.
    fn __run<F>(&self, middleware: F, session_system: Session<T>, request: Request, next: Next) -> Responded;

    /// None.
    fn __future<F>(&self, _: F) -> *const () {
        std::ptr::null()
    }
}

impl<T> RunNothing<T> for Run<T> {
    fn __run<F>(&self, _: F, _: Session<T>, _: Request, _: Next) -> Responded {
        unreachable!("data that is not `Send` and `Sync` does not compile")
    }
}

/// A function of the documented form, by kind. The future need not be `Send` to be one: who takes the function asks for it, so
/// that the compiler's message can say what keeps the future from being so.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session `middleware` for `{T}`",
    label = "not a function of the documented form",
    note = "a session `middleware` is `fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async, `Request` from `axum::extract`, `Next` from `axum::middleware`"
)]
pub trait MiddlewareFn<T, Kind>: Send + Sync + 'static {
    /// What the function returns, if that is a future.
    type Future;

    /// Calls the function.
    fn answer(&self, session_system: Session<T>, request: Request, next: Next) -> Responded
    where
        Self::Future: Send;
}

/// `fn(Session<T>, Request, Next) -> R`.
pub struct Now<R>(PhantomData<fn() -> R>);

impl<T, F, R> MiddlewareFn<T, Now<R>> for F
where
    F: Fn(Session<T>, Request, Next) -> R + Send + Sync + 'static,
    R: IntoResponse,
{
    type Future = Ready<()>;

    fn answer(&self, session_system: Session<T>, request: Request, next: Next) -> Responded {
        MaybeReady::ready(self(session_system, request, next).into_response())
    }
}

/// `async fn(Session<T>, Request, Next) -> R`.
pub struct Later<Fut>(PhantomData<fn() -> Fut>);

impl<T, F, Fut> MiddlewareFn<T, Later<Fut>> for F
where
    F: Fn(Session<T>, Request, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoResponse> + 'static,
{
    type Future = Fut;

    fn answer(&self, session_system: Session<T>, request: Request, next: Next) -> Responded
    where
        Self::Future: Send,
    {
        let future = self(session_system, request, next);
        MaybeReady::boxed(async move { future.await.into_response() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::registered::RegisteredMiddleware;
    use crate::session_middleware;

    #[derive(Clone)]
    struct Data;

    #[session_middleware(Data)]
    async fn registered(session_system: Session<Data>, request: Request, next: Next) -> Response {
        standard::session_middleware(session_system, request, next).await
    }

    fn kind<Kind, M>(middleware: M) -> MiddlewareKind<Data>
    where
        M: IntoMiddleware<Data, Kind>,
        for<'a> M::Future<'a>: Send,
    {
        middleware.into_middleware().0
    }

    #[test]
    fn the_standard_middlewares_are_recognised_by_name_and_no_other_is() {
        assert!(matches!(kind(standard::session_middleware), MiddlewareKind::Standard));
        assert!(matches!(kind(standard::session_middleware::<Data>), MiddlewareKind::Standard));
        assert!(matches!(kind(standard::lazy_session_middleware), MiddlewareKind::Lazy));
        assert!(matches!(kind(registered), MiddlewareKind::Custom(_)));
    }

    #[test]
    fn a_registered_middleware_is_kept_as_a_function() {
        assert!(matches!(Data::register::<()>().0, MiddlewareKind::Custom(CustomMiddleware::Function(_))));
    }
}
