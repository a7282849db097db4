//! `generate_session_id_callback`: how a new session id is made.

use std::any::type_name;
use std::future::Ready;
use std::marker::PhantomData;

use crate::callback::signature::{GeneratedId, Never, Nothing};
use crate::callback::{guard, is_function};
use crate::error::SessionError;
use crate::id::{Ask, GenerateCallback, Generated, MIN_ENTROPY_BITS, RunGenerate, SharedId};
use crate::maybe_ready::MaybeReady;
use crate::standard;

/// What can be a `generate_session_id_callback`: a function or closure `() -> R`, where `R` is `String` or [`SessionId`](crate::SessionId), sync or
/// async (also `-> impl Future`, `-> BoxFuture`). The `Kind` is inferred.
///
/// What it returns is checked each time: a text that is no valid id is answered with [`SessionError::InvalidId`], one that could
/// carry fewer than 64 bits of entropy with [`SessionError::WeakId`], and nothing is stored.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `generate_session_id_callback`",
    label = "not a function of the documented form",
    note = "a `generate_session_id_callback` is `fn() -> R`, where `R` is `String` or `SessionId`; sync or async, `Send`",
    note = "pass the function itself, `f` and not `f()`; put `#[generate_session_id]` on it to see what is wrong with it"
)]
pub trait IntoGenerateCallback<Kind> {
    // Of any lifetime, so that the compiler looks at it only once the function is a callback, and says one thing of one that is not.
    #[doc(hidden)]
    type Future<'a>;

    #[doc(hidden)]
    fn into_generate_callback(self) -> GenerateCallback
    where
        for<'a> Self::Future<'a>: Send;
}

impl IntoGenerateCallback<GenerateCallback> for GenerateCallback {
    type Future<'a> = ();

    fn into_generate_callback(self) -> GenerateCallback {
        self
    }
}

/// The kind of a function, whose own kind is `Kind`.
pub struct Function<Kind>(PhantomData<Kind>);

// What the compiler would add of it names what no user can. That the future is `Send` is asked for beside it, and so is explained.
#[diagnostic::do_not_recommend]
impl<F, Kind> IntoGenerateCallback<Function<Kind>> for F
where
    F: GenerateFn<Kind>,
    Kind: Send + Sync + 'static,
{
    type Future<'a> = F::Future;

    fn into_generate_callback(self) -> GenerateCallback
    where
        for<'a> Self::Future<'a>: Send,
    {
        if is_function::<F, _>(standard::generate_session_id) {
            return GenerateCallback::standard();
        }
        GenerateCallback::passed::<F>(Passed(self, PhantomData::<Kind>), F::IMMEDIATE)
    }
}

// Of no type. Beside it the compiler does not take the kind above for the right one, and so does not name it.
#[diagnostic::do_not_recommend]
impl<F: Never> IntoGenerateCallback<Nothing> for F {
    type Future<'a> = ();

    fn into_generate_callback(self) -> GenerateCallback {
        unreachable!("of no type")
    }
}

/// Runs a function that an attribute registered.
pub fn run_generate<F, Kind>(callback: &'static F, ask: Ask<'_>) -> Generated<'static>
where
    F: GenerateFn<Kind>,
    F::Future: Send,
{
    match ask {
        Ask::Make => callback.answer(),
        Ask::IsImmediate(immediate) => {
            *immediate = F::IMMEDIATE;
            // No id was asked for.
            MaybeReady::ready(Err(SessionError::NotExists))
        }
    }
}

struct Passed<F, Kind>(F, PhantomData<Kind>);

impl<F, Kind> RunGenerate for Passed<F, Kind>
where
    F: GenerateFn<Kind>,
    F::Future: Send,
    Kind: Send + Sync,
{
    fn run(&self) -> Generated<'_> {
        self.0.answer()
    }
}

/// A function of the documented form, by kind. The future need not be `Send` to be one: who takes the function asks for it, so
/// that the compiler's message can say what keeps the future from being so.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `generate_session_id_callback`",
    label = "not a function of the documented form",
    note = "a `generate_session_id_callback` is `fn() -> R`, where `R` is `String` or `SessionId`; sync or async"
)]
pub trait GenerateFn<Kind>: Send + Sync + 'static {
    /// What the function returns, if that is a future.
    type Future;

    /// It returns no future, so that its answer is always ready.
    const IMMEDIATE: bool = false;

    /// Calls the function.
    fn answer(&self) -> Generated<'_>
    where
        Self::Future: Send;
}

/// `fn() -> R`.
pub struct Now<R>(PhantomData<fn() -> R>);

impl<F, R> GenerateFn<Now<R>> for F
where
    F: Fn() -> R + Send + Sync + 'static,
    R: GeneratedId,
{
    type Future = Ready<()>;

    const IMMEDIATE: bool = true;

    fn answer(&self) -> Generated<'_> {
        MaybeReady::ready(guard::call::<F, _>(self).and_then(|id| checked::<F>(id)))
    }
}

/// `async fn() -> R`.
pub struct Later<Fut>(PhantomData<fn() -> Fut>);

impl<F, Fut> GenerateFn<Later<Fut>> for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output: GeneratedId> + 'static,
{
    type Future = Fut;

    fn answer(&self) -> Generated<'_>
    where
        Self::Future: Send,
    {
        match guard::call::<F, _>(self) {
            Ok(future) => MaybeReady::boxed(async move { checked::<F>(guard::wait::<F, _>(future).await?) }),
            Err(error) => MaybeReady::ready(Err(error)),
        }
    }
}

/// The id, if it is a valid one that is not too easy to guess. The log names the callback, never the id.
fn checked<F>(id: impl GeneratedId) -> Result<SharedId, SessionError> {
    let name = type_name::<F>();
    let Some(id) = id.into_shared_id() else {
        tracing::error!(callback = name, "the callback returned a text that is no valid session id");
        return Err(SessionError::InvalidId { callback: name });
    };
    if id.entropy_bits() < MIN_ENTROPY_BITS {
        tracing::error!(callback = name, "the callback returned a session id that can carry fewer than 64 bits of entropy");
        return Err(SessionError::WeakId { callback: name });
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SessionId;
    use crate::callback::registered::RegisteredGenerate;
    use crate::generate_session_id;

    struct Data;

    #[generate_session_id(Data)]
    fn registered() -> String {
        "0123456789abcdef".to_owned()
    }

    #[test]
    fn the_standard_generator_is_recognised_by_name_and_no_other_is() {
        assert!(standard::generate_session_id.into_generate_callback().is_standard());
        let other = registered.into_generate_callback();
        assert!(!other.is_standard() && !other.is_function());
    }

    #[test]
    fn a_registered_generator_is_kept_as_a_function_and_has_its_name() {
        let callback = Data::register::<()>();
        assert!(callback.is_function());
        assert!(callback.name().ends_with("::registered"), "{}", callback.name());
        assert!(callback.call().try_now().is_ok_and(|id| id.is_ok()));
    }

    #[tokio::test]
    async fn a_panic_at_the_call_or_at_a_poll_is_an_error_that_names_the_generator() {
        fn at_the_call() -> Ready<String> {
            panic!("as the test wants")
        }
        async fn at_the_second_poll() -> SessionId {
            tokio::task::yield_now().await;
            panic!("as the test wants")
        }
        for (callback, name) in [
            (at_the_call.into_generate_callback(), "at_the_call"),
            (at_the_second_poll.into_generate_callback(), "at_the_second_poll"),
        ] {
            let result = callback.call().await;
            assert!(
                matches!(result, Err(SessionError::CallbackPanicked { callback }) if callback.ends_with(name)),
                "{name}: {result:?}"
            );
        }
    }
}
