//! What the attributes ask of the types in a callback's signature.
//!
//! An attribute sees tokens, not types: an alias of `Parts` is fine, a type of the user's own that is called `Parts` is not. So it
//! asks the compiler, by `<Type as Trait>::pass(..)` on the user's own tokens: where the type is wrong, the trait's message stands
//! under it. `pass` hands on what it is given, so a type that was found wrong leaves nothing to find wrong in what comes after.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::IntoResponse;
use http::request::Parts;

use crate::id::{IntoSessionId, SessionId};
use crate::session::Session;

/// The answer is there when the function returns.
pub struct Now(());

/// The function returns a future of the answer.
pub struct Later(());

/// What takes the arguments. They are no `Self`: where a type is wrong, the compiler would offer to borrow it.
pub struct Callback(());

/// A trait never has one impl alone: the compiler would name that impl's type instead of giving the trait's message.
pub enum Nothing {}

/// `pass` and its type, which are the same in every trait and impl.
macro_rules! pass {
    (declared) => {
        #[doc(hidden)]
        type Passed<F>;

        #[doc(hidden)]
        fn pass<F>(callback: F) -> Self::Passed<F>;
    };
    () => {
        type Passed<F> = F;

        fn pass<F>(callback: F) -> F {
            callback
        }
    };
}

/// The argument of a `session_id_callback`.
#[diagnostic::on_unimplemented(
    message = "a session id callback cannot take `{Argument}`",
    label = "expected `&mut Parts` or `&Parts`, `Parts` from `axum::http::request`",
    note = "the signature is `fn(request: &mut Parts)`, which sets the id itself, or `fn(request: &Parts) -> Option<R>`, which only finds it; sync or async",
    note = "a callback sees only the head of the request: its method, URI, headers and extensions"
)]
pub trait TakesRequest<Argument> {
    pass!(declared);
}

#[diagnostic::do_not_recommend]
impl TakesRequest<&mut Parts> for Callback {
    pass!();
}

#[diagnostic::do_not_recommend]
impl TakesRequest<&Parts> for Callback {
    pass!();
}

/// What a `session_id_callback` that takes `&mut Parts` returns.
#[diagnostic::on_unimplemented(
    message = "a session id callback that takes `&mut Parts` cannot return `{Self}`",
    label = "expected nothing: the callback sets the id by `request.set_session_id(..)`",
    note = "the signature is `fn(request: &mut Parts)`, which sets the id itself, or `fn(request: &Parts) -> Option<R>`, which only finds it; sync or async"
)]
pub trait SetsId<Kind> {
    pass!(declared);
}

impl<R: SetId> SetsId<Now> for R {
    pass!();
}

impl<Fut: Future<Output: SetId>> SetsId<Later> for Fut {
    pass!();
}

/// Nothing: a trait of its own, so that the impl above says nothing about a type before it is asked, as everywhere here.
pub trait SetId {}

impl SetId for () {}

/// What a `session_id_callback` that takes `&Parts` returns.
#[diagnostic::on_unimplemented(
    message = "a session id callback that takes `&Parts` cannot return `{Self}`",
    label = "expected `Option<R>`, where `R` is `String`, `&str` or `SessionId`",
    note = "the signature is `fn(request: &Parts) -> Option<R>`, which only finds the id, or `fn(request: &mut Parts)`, which sets it itself; sync or async"
)]
pub trait FindsId<Kind> {
    pass!(declared);
}

impl<R: MaybeFound> FindsId<Now> for R {
    pass!();
}

impl<Fut: Future<Output: MaybeFound>> FindsId<Later> for Fut {
    pass!();
}

/// An id, or none.
pub trait MaybeFound {}

impl<Id: FoundId> MaybeFound for Option<Id> {}

/// An id that a `session_id_callback` may find.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a session id is found as",
    label = "expected `String`, `&str` or `SessionId`"
)]
pub trait FoundId: IntoSessionId {}

impl FoundId for String {}
impl FoundId for &str {}
impl FoundId for SessionId {}

/// An id that a `generate_session_id_callback` may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a session id is generated as",
    label = "expected `String` or `SessionId`"
)]
pub trait GeneratedId: IntoSessionId {}

impl GeneratedId for String {}
impl GeneratedId for SessionId {}

/// What a `generate_session_id_callback` returns.
#[diagnostic::on_unimplemented(
    message = "a generator of session ids cannot return `{Self}`",
    label = "expected the standard library's `String`, or `SessionId` from `session_runtime`",
    note = "the signature is `fn() -> String` or `fn() -> SessionId`; sync or async"
)]
pub trait GeneratesId<Kind> {
    pass!(declared);
}

impl<Id: GeneratedId> GeneratesId<Now> for Id {
    pass!();
}

impl<Fut: Future<Output: GeneratedId>> GeneratesId<Later> for Fut {
    pass!();
}

/// The first argument of a `middleware`.
#[diagnostic::on_unimplemented(
    message = "the first argument of this session middleware cannot be `{Argument}`",
    label = "expected `Session<{T}>`, `Session` from `session_runtime`",
    note = "the signature is `fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async"
)]
pub trait TakesSession<Argument, T> {
    pass!(declared);
}

#[diagnostic::do_not_recommend]
impl<T> TakesSession<Session<T>, T> for Callback {
    pass!();
}

#[diagnostic::do_not_recommend]
impl TakesSession<Nothing, Nothing> for Callback {
    pass!();
}

/// The second argument of a `middleware`.
#[diagnostic::on_unimplemented(
    message = "the second argument of a session middleware cannot be `{Argument}`",
    label = "expected `Request`, from `axum::extract`",
    note = "the signature is `fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async"
)]
pub trait TakesWholeRequest<Argument> {
    pass!(declared);
}

#[diagnostic::do_not_recommend]
impl TakesWholeRequest<Request> for Callback {
    pass!();
}

#[diagnostic::do_not_recommend]
impl TakesWholeRequest<Nothing> for Callback {
    pass!();
}

/// The third argument of a `middleware`.
#[diagnostic::on_unimplemented(
    message = "the third argument of a session middleware cannot be `{Argument}`",
    label = "expected `Next`, from `axum::middleware`",
    note = "the signature is `fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async"
)]
pub trait TakesNext<Argument> {
    pass!(declared);
}

#[diagnostic::do_not_recommend]
impl TakesNext<Next> for Callback {
    pass!();
}

#[diagnostic::do_not_recommend]
impl TakesNext<Nothing> for Callback {
    pass!();
}

/// What a `middleware` returns.
#[diagnostic::on_unimplemented(
    message = "a session middleware cannot return `{Self}`",
    label = "expected a type that is `IntoResponse`, such as `Response`",
    note = "the signature is `fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async"
)]
pub trait Responds<Kind> {
    pass!(declared);
}

impl<R: IntoResponse> Responds<Now> for R {
    pass!();
}

impl<Fut: Future<Output: IntoResponse>> Responds<Later> for Fut {
    pass!();
}
