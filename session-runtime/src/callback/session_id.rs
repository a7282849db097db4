//! `session_id_callback`: how the session id is found in a request.

use std::future::Ready;
use std::marker::PhantomData;

use http::request::Parts;

use crate::callback::signature::{FoundId, Never, Nothing};
use crate::callback::{guard, is_function};
use crate::maybe_ready::MaybeReady;
use crate::request::{Ask, Carried, Done, RunSessionId, SessionIdCallback, given};
use crate::standard;

/// What can be a `session_id_callback`: a function or closure of one of these forms, sync or async (also `-> impl Future`,
/// `-> BoxFuture`). The `Kind` is inferred.
///
/// | form | what it does |
/// | --- | --- |
/// | `(request: &mut Parts)` | sets the id itself, by [`SessionRequestExt::set_session_id`](crate::SessionRequestExt::set_session_id) |
/// | `(request: &Parts) -> Option<R>` | only finds it; `R` is `String`, `&str` or [`SessionId`](crate::SessionId) |
///
/// A closure names its argument's type: `|request: &mut Parts| ..`, `async |request: &mut Parts| ..`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `session_id_callback`",
    label = "not a function of the documented forms",
    note = "a `session_id_callback` is `fn(request: &mut Parts)` or `fn(request: &Parts) -> Option<R>`, where `R` is `String`, `&str` or `SessionId`; sync or async, `Send`, `Parts` from `axum::http::request`",
    note = "pass the function itself, `f` and not `f()`; put `#[session_id_callback]` on it to see what is wrong with it"
)]
pub trait IntoSessionIdCallback<Kind> {
    #[doc(hidden)]
    type Future<'a>;

    #[doc(hidden)]
    fn into_session_id_callback(self) -> SessionIdCallback
    where
        for<'a> Self::Future<'a>: Send;
}

impl IntoSessionIdCallback<SessionIdCallback> for SessionIdCallback {
    type Future<'a> = ();

    fn into_session_id_callback(self) -> SessionIdCallback {
        self
    }
}

/// The kind of a function, whose own kind is `Kind`.
pub struct Function<Kind>(PhantomData<Kind>);

// What the compiler would add of it names what no user can. That the future is `Send` is asked for beside it, and so is explained.
#[diagnostic::do_not_recommend]
impl<F, Kind> IntoSessionIdCallback<Function<Kind>> for F
where
    F: SessionIdFn<Kind>,
    Kind: Send + Sync + 'static,
{
    type Future<'a> = F::Future<'a>;

    fn into_session_id_callback(self) -> SessionIdCallback
    where
        for<'a> F::Future<'a>: Send,
    {
        if is_function::<F, _>(standard::fetch_session_id) {
            return SessionIdCallback::standard();
        }
        SessionIdCallback::passed(Passed(self, PhantomData::<Kind>), F::IMMEDIATE)
    }
}

// Of no type. Beside it the compiler does not take the kind above for the right one, and so does not name it.
#[diagnostic::do_not_recommend]
impl<F: Never> IntoSessionIdCallback<Nothing> for F {
    type Future<'a> = ();

    fn into_session_id_callback(self) -> SessionIdCallback {
        unreachable!("of no type")
    }
}

/// Runs a function that an attribute registered.
pub fn run_session_id<'a, F, Kind>(callback: &'static F, ask: Ask<'a>) -> Done<'a>
where
    F: SessionIdFn<Kind>,
    for<'b> F::Future<'b>: Send,
{
    match ask {
        Ask::Find(request) => callback.answer(request),
        Ask::IsImmediate(immediate) => {
            *immediate = F::IMMEDIATE;
            MaybeReady::ready(Ok(()))
        }
    }
}

struct Passed<F, Kind>(F, PhantomData<Kind>);

impl<F, Kind> RunSessionId for Passed<F, Kind>
where
    F: SessionIdFn<Kind>,
    for<'a> F::Future<'a>: Send,
    Kind: Send + Sync,
{
    fn run<'a>(&'a self, request: &'a mut Parts) -> Done<'a> {
        self.0.answer(request)
    }
}

/// A function of one of the documented forms, by kind. The future need not be `Send` to be one: who takes the function asks for
/// it, so that the compiler's message can say what keeps the future from being so.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `session_id_callback`",
    label = "not a function of the documented forms",
    note = "a `session_id_callback` is `fn(request: &mut Parts)` or `fn(request: &Parts) -> Option<R>`, where `R` is `String`, `&str` or `SessionId`; sync or async, `Parts` from `axum::http::request`",
    note = "it takes a request of any lifetime, and has no bound on one"
)]
pub trait SessionIdFn<Kind>: Send + Sync + 'static {
    /// What the function returns, if that is a future.
    type Future<'a>;

    /// It returns no future, so that its answer is always ready.
    const IMMEDIATE: bool = false;

    /// Calls the function.
    fn answer<'a>(&'a self, request: &'a mut Parts) -> Done<'a>
    where
        for<'b> Self::Future<'b>: Send;
}

/// `fn(&mut Parts)`.
pub struct Sets(());

impl<F: Fn(&mut Parts) + Send + Sync + 'static> SessionIdFn<Sets> for F {
    type Future<'a> = Ready<()>;

    const IMMEDIATE: bool = true;

    fn answer<'a>(&'a self, request: &'a mut Parts) -> Done<'a> {
        MaybeReady::ready(guard::call::<F, _>(|| self(request)))
    }
}

/// `async fn(&mut Parts)`.
pub struct SetsLater(());

/// A function whose future borrows from its argument.
pub trait SetsLaterFn<'a>: Fn(&'a mut Parts) -> <Self as SetsLaterFn<'a>>::Future {
    type Future: Future<Output = ()> + 'a;
}

impl<'a, F, Fut> SetsLaterFn<'a> for F
where
    F: Fn(&'a mut Parts) -> Fut,
    Fut: Future<Output = ()> + 'a,
{
    type Future = Fut;
}

impl<F> SessionIdFn<SetsLater> for F
where
    F: for<'a> SetsLaterFn<'a> + Send + Sync + 'static,
{
    type Future<'a> = <F as SetsLaterFn<'a>>::Future;

    fn answer<'a>(&'a self, request: &'a mut Parts) -> Done<'a>
    where
        for<'b> Self::Future<'b>: Send,
    {
        match guard::call::<F, _>(|| self(request)) {
            Ok(future) => MaybeReady::boxed(guard::wait::<F, _>(future)),
            Err(error) => MaybeReady::ready(Err(error)),
        }
    }
}

/// `fn(&Parts) -> Option<R>`.
pub struct Finds(());

/// A function whose answer may borrow from its argument.
pub trait FindsFn<'a>: Fn(&'a Parts) -> Option<<Self as FindsFn<'a>>::Id> {
    type Id: FoundId;
}

impl<'a, F, Id> FindsFn<'a> for F
where
    F: Fn(&'a Parts) -> Option<Id>,
    Id: FoundId,
{
    type Id = Id;
}

impl<F> SessionIdFn<Finds> for F
where
    F: for<'a> FindsFn<'a> + Send + Sync + 'static,
{
    type Future<'a> = Ready<()>;

    const IMMEDIATE: bool = true;

    fn answer<'a>(&'a self, request: &'a mut Parts) -> Done<'a> {
        let found = guard::call::<F, _>(|| given(self(request), &request.extensions, &request.headers));
        MaybeReady::ready(found.map(|id| Carried::of(&mut request.extensions).put(id)))
    }
}

/// `async fn(&Parts) -> Option<R>`.
pub struct FindsLater(());

/// A function whose future, and the answer of that, may borrow from its argument.
pub trait FindsLaterFn<'a>: Fn(&'a Parts) -> <Self as FindsLaterFn<'a>>::Future {
    type Id: FoundId;
    type Future: Future<Output = Option<Self::Id>> + 'a;
}

impl<'a, F, Fut, Id> FindsLaterFn<'a> for F
where
    F: Fn(&'a Parts) -> Fut,
    Fut: Future<Output = Option<Id>> + 'a,
    Id: FoundId,
{
    type Id = Id;
    type Future = Fut;
}

impl<F> SessionIdFn<FindsLater> for F
where
    F: for<'a> FindsLaterFn<'a> + Send + Sync + 'static,
{
    type Future<'a> = <F as FindsLaterFn<'a>>::Future;

    fn answer<'a>(&'a self, request: &'a mut Parts) -> Done<'a>
    where
        for<'b> Self::Future<'b>: Send,
    {
        MaybeReady::boxed(async move {
            let future = guard::call::<F, _>(|| self(request))?;
            let found = guard::wait::<F, _>(future).await?;
            let found = given(found, &request.extensions, &request.headers);
            Carried::of(&mut request.extensions).put(found);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::registered::RegisteredSessionId;
    use crate::error::SessionError;
    use crate::request::SessionRequestExt;
    use crate::session_id_callback;

    struct Data;

    #[session_id_callback(Data)]
    fn registered(request: &mut Parts) {
        request.set_session_id("registered");
    }

    fn request() -> Parts {
        http::Request::new(()).into_parts().0
    }

    #[test]
    fn the_standard_callback_is_recognised_by_name_and_no_other_is() {
        async fn of_the_same_form(request: &mut Parts) {
            standard::fetch_session_id(request).await;
        }
        assert!(SessionIdCallback::standard().is_standard());
        assert!(standard::fetch_session_id.into_session_id_callback().is_standard());
        assert!(!of_the_same_form.into_session_id_callback().is_standard());
        assert!(!Data::register::<()>().is_standard());
    }

    #[test]
    fn a_registered_callback_is_kept_as_a_function() {
        assert!(Data::register::<()>().is_function());
        let mut request = request();
        assert!(Data::register::<()>().call(&mut request).try_now().is_ok_and(|done| done.is_ok()));
        assert_eq!(request.session_id().unwrap().as_str(), "registered");
    }

    #[test]
    fn a_sync_callback_answers_at_once_and_an_async_one_later() {
        async fn later(_: &mut Parts) {}
        async fn finds_later(_: &Parts) -> Option<&str> {
            None
        }
        let sets = |_: &mut Parts| ();
        let finds = |_: &Parts| None::<String>;
        let mut request = request();
        for callback in [sets.into_session_id_callback(), finds.into_session_id_callback(), Data::register::<()>()] {
            assert!(callback.is_immediate());
            assert!(callback.call(&mut request).try_now().is_ok());
        }
        for callback in [later.into_session_id_callback(), finds_later.into_session_id_callback()] {
            assert!(!callback.is_immediate());
            assert!(callback.call(&mut request).try_now().is_err());
        }
    }

    #[tokio::test]
    async fn a_panic_at_the_call_or_at_a_poll_is_an_error_that_names_the_callback() {
        fn at_the_call(_: &mut Parts) -> Ready<()> {
            panic!("as the test wants")
        }
        async fn at_the_second_poll(_: &Parts) -> Option<String> {
            tokio::task::yield_now().await;
            panic!("as the test wants")
        }
        fn named(result: Result<(), SessionError>) -> &'static str {
            match result {
                Err(SessionError::CallbackPanicked { callback }) => callback.rsplit("::").next().unwrap(),
                other => panic!("{other:?}"),
            }
        }
        let mut request = request();
        assert_eq!(named(at_the_call.into_session_id_callback().call(&mut request).await), "at_the_call");
        assert_eq!(named(at_the_second_poll.into_session_id_callback().call(&mut request).await), "at_the_second_poll");
    }
}
