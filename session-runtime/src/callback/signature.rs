//! What the attributes ask of the types in a callback's signature.
//!
//! An attribute sees tokens, not types: an alias of `Parts` is fine, a type of the user's own that is called `Parts` is not. So it
//! asks the compiler, by `<Callback as Trait<Type>>::pass(..)` on the user's own tokens: where the type is wrong, the trait's message
//! stands under it. `pass` hands on what it is given, so a type that was found wrong leaves nothing to find wrong in what comes after.
//!
//! The `Callback` that is asked is a type parameter of the generated function, and the type in question a parameter of the trait. With
//! the type as `Self` the compiler would offer to borrow it, or to implement the trait for it; with any other `Self` it would add that
//! `Callback` does not implement the trait.

use std::marker::PhantomData;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::IntoResponse;
use http::request::Parts;

use crate::id::{IntoSessionId, SessionId};
use crate::owner::OwnerId;
use crate::session::Session;

/// The answer is there when the function returns.
pub struct Now(());

/// The function returns a future of the answer.
pub struct Later(());

/// The function returns the answer or a future of it.
pub struct Direct<Kind>(PhantomData<Kind>);

/// A future gives the answer, and no further future.
pub struct InFuture<Kind>(PhantomData<Kind>);

/// Of no type. The compiler takes one impl alone for the right one, and goes on with its type though the bound does not hold: beside a
/// second one it does not.
pub trait Never {}

/// A trait never has one impl alone, for no data type: the compiler would name that impl's type instead of giving the trait's message.
pub enum Nothing {}

/// What a function takes or returns, without its name: where a name in it means nothing, to name it again would be a second error.
pub struct Answer<R>(PhantomData<fn() -> R>);

/// What a function without arguments returns.
#[must_use]
pub fn returned_0<R>(_: &impl Fn() -> R) -> Answer<R> {
    Answer(PhantomData)
}

/// What the future gives that a function without arguments returns.
#[must_use]
pub fn returned_later_0<R: Future>(_: &impl Fn() -> R) -> Answer<R::Output> {
    Answer(PhantomData)
}

/// The only argument.
#[must_use]
pub fn taken_1<A, R>(_: &impl Fn(A) -> R) -> Answer<A> {
    Answer(PhantomData)
}

/// The first argument of three.
#[must_use]
pub fn taken_1_of_3<A, B, C, R>(_: &impl Fn(A, B, C) -> R) -> Answer<A> {
    Answer(PhantomData)
}

/// The second argument of three.
#[must_use]
pub fn taken_2_of_3<A, B, C, R>(_: &impl Fn(A, B, C) -> R) -> Answer<B> {
    Answer(PhantomData)
}

/// The third argument of three.
#[must_use]
pub fn taken_3_of_3<A, B, C, R>(_: &impl Fn(A, B, C) -> R) -> Answer<C> {
    Answer(PhantomData)
}

/// What a function of one argument returns.
#[must_use]
pub fn returned_1<A, R>(_: &impl Fn(A) -> R) -> Answer<R> {
    Answer(PhantomData)
}

/// What the future gives that a function of one argument returns.
#[must_use]
pub fn returned_later_1<A, R: Future>(_: &impl Fn(A) -> R) -> Answer<R::Output> {
    Answer(PhantomData)
}

/// As [`returned_1`], of three arguments.
#[must_use]
pub fn returned_3<A, B, C, R>(_: &impl Fn(A, B, C) -> R) -> Answer<R> {
    Answer(PhantomData)
}

/// As [`returned_later_1`], of three arguments.
#[must_use]
pub fn returned_later_3<A, B, C, R: Future>(_: &impl Fn(A, B, C) -> R) -> Answer<R::Output> {
    Answer(PhantomData)
}

/// The future that a function without arguments returns: a pointer that is never read through, for the compiler to look at its type.
#[must_use]
pub const fn future_0<R>(_: &impl Fn() -> R) -> *const R {
    std::ptr::null()
}

/// As [`future_0`], of one argument.
#[must_use]
pub const fn future_1<A, R>(_: &impl Fn(A) -> R) -> *const R {
    std::ptr::null()
}

/// As [`future_0`], of three arguments.
#[must_use]
pub const fn future_3<A, B, C, R>(_: &impl Fn(A, B, C) -> R) -> *const R {
    std::ptr::null()
}

/// Takes a future that is `Send`.
pub const fn sent(_: *const (dyn Send + '_)) {}

/// A type by another name: a path that ends in another place than it starts in.
pub type Itself<T> = T;

/// `pass` and its type, which are the same in every trait and impl.
macro_rules! pass {
    (declared) => {
        #[doc(hidden)]
        type Passed<F>;

        #[doc(hidden)]
        fn pass<F>(callback: F) -> Self::Passed<F>;
    };
    (declared of $Returned:ty) => {
        pass!(declared);

        #[doc(hidden)]
        fn pass_of<F>(callback: F, returned: Answer<$Returned>) -> Self::Passed<F>;
    };
    () => {
        type Passed<F> = F;

        fn pass<F>(callback: F) -> F {
            callback
        }
    };
    (of $Returned:ty) => {
        pass!();

        fn pass_of<F>(callback: F, _: Answer<$Returned>) -> F {
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
impl<Callback> TakesRequest<&mut Parts> for Callback {
    pass!();
}

#[diagnostic::do_not_recommend]
impl<Callback> TakesRequest<&Parts> for Callback {
    pass!();
}

/// What a `session_id_callback` that takes `&mut Parts` returns.
#[diagnostic::on_unimplemented(
    message = "a session id callback that takes `&mut Parts` cannot return `{Returned}`",
    label = "expected nothing: the callback sets the id by `request.set_session_id(..)`",
    note = "the signature is `fn(request: &mut Parts)`, which sets the id itself, or `fn(request: &Parts) -> Option<R>`, which only finds it; sync or async"
)]
pub trait SetsId<Returned, Kind> {
    pass!(declared of Returned);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: SetId> SetsId<R, Direct<Now>> for Callback {
    pass!(of R);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: SetId> SetsId<R, InFuture<Now>> for Callback {
    pass!(of R);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: Never> SetsId<R, InFuture<Later>> for Callback {
    pass!(of R);
}

#[diagnostic::do_not_recommend]
impl<Callback, Fut: Future<Output: SetId>> SetsId<Fut, Direct<Later>> for Callback {
    pass!(of Fut);
}

/// Nothing: a trait of its own, so that the impl above says nothing about a type before it is asked, as everywhere here.
pub trait SetId {}

impl SetId for () {}

/// What a `session_id_callback` that takes `&Parts` returns.
#[diagnostic::on_unimplemented(
    message = "a session id callback that takes `&Parts` cannot return `{Returned}`",
    label = "expected `Option<R>`, where `R` is `String`, `&str` or `SessionId`",
    note = "the signature is `fn(request: &Parts) -> Option<R>`, which only finds the id, or `fn(request: &mut Parts)`, which sets it itself; sync or async"
)]
pub trait FindsId<Returned, Kind> {
    pass!(declared of Returned);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: MaybeFound> FindsId<R, Direct<Now>> for Callback {
    pass!(of R);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: MaybeFound> FindsId<R, InFuture<Now>> for Callback {
    pass!(of R);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: Never> FindsId<R, InFuture<Later>> for Callback {
    pass!(of R);
}

#[diagnostic::do_not_recommend]
impl<Callback, Fut: Future<Output: MaybeFound>> FindsId<Fut, Direct<Later>> for Callback {
    pass!(of Fut);
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
    message = "a generator of session ids cannot return `{Returned}`",
    label = "expected the standard library's `String`, or `SessionId` from `session_runtime`",
    note = "the signature is `fn() -> String` or `fn() -> SessionId`; sync or async"
)]
pub trait GeneratesId<Returned, Kind> {
    pass!(declared of Returned);
}

#[diagnostic::do_not_recommend]
impl<Callback, Id: GeneratedId> GeneratesId<Id, Direct<Now>> for Callback {
    pass!(of Id);
}

#[diagnostic::do_not_recommend]
impl<Callback, Id: GeneratedId> GeneratesId<Id, InFuture<Now>> for Callback {
    pass!(of Id);
}

#[diagnostic::do_not_recommend]
impl<Callback, Id: Never> GeneratesId<Id, InFuture<Later>> for Callback {
    pass!(of Id);
}

#[diagnostic::do_not_recommend]
impl<Callback, Fut: Future<Output: GeneratedId>> GeneratesId<Fut, Direct<Later>> for Callback {
    pass!(of Fut);
}

/// The first argument of a `middleware`.
#[diagnostic::on_unimplemented(
    message = "the first argument of this session middleware cannot be `{Argument}`",
    label = "expected `Session<{T}>`, `Session` from `session_runtime`",
    note = "the signature is `fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async"
)]
pub trait TakesSession<Argument, T> {
    pass!(declared of Argument);
}

#[diagnostic::do_not_recommend]
impl<Callback, T> TakesSession<Session<T>, T> for Callback {
    pass!(of Session<T>);
}

#[diagnostic::do_not_recommend]
impl<Callback, T> TakesSession<Nothing, T> for Callback {
    pass!(of Nothing);
}

/// The second argument of a `middleware`.
#[diagnostic::on_unimplemented(
    message = "the second argument of a session middleware cannot be `{Argument}`",
    label = "expected `Request`, from `axum::extract`",
    note = "the signature is `fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async"
)]
pub trait TakesWholeRequest<Argument> {
    pass!(declared of Argument);
}

#[diagnostic::do_not_recommend]
impl<Callback> TakesWholeRequest<Request> for Callback {
    pass!(of Request);
}

#[diagnostic::do_not_recommend]
impl<Callback> TakesWholeRequest<Nothing> for Callback {
    pass!(of Nothing);
}

/// The third argument of a `middleware`.
#[diagnostic::on_unimplemented(
    message = "the third argument of a session middleware cannot be `{Argument}`",
    label = "expected `Next`, from `axum::middleware`",
    note = "the signature is `fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async"
)]
pub trait TakesNext<Argument> {
    pass!(declared of Argument);
}

#[diagnostic::do_not_recommend]
impl<Callback> TakesNext<Next> for Callback {
    pass!(of Next);
}

#[diagnostic::do_not_recommend]
impl<Callback> TakesNext<Nothing> for Callback {
    pass!(of Nothing);
}

/// What a `middleware` returns.
#[diagnostic::on_unimplemented(
    message = "a session middleware cannot return `{Returned}`",
    label = "expected a type that is `IntoResponse`, such as `Response`",
    note = "the signature is `fn(session_system: Session<T>, request: Request, next: Next) -> R`, where `R: IntoResponse`; sync or async"
)]
pub trait Responds<Returned, Kind> {
    pass!(declared of Returned);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: IntoResponse> Responds<R, Direct<Now>> for Callback {
    pass!(of R);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: IntoResponse> Responds<R, InFuture<Now>> for Callback {
    pass!(of R);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: Never> Responds<R, InFuture<Later>> for Callback {
    pass!(of R);
}

#[diagnostic::do_not_recommend]
impl<Callback, Fut: Future<Output: IntoResponse>> Responds<Fut, Direct<Later>> for Callback {
    pass!(of Fut);
}

/// The argument of a `session_owner`.
#[diagnostic::on_unimplemented(
    message = "the owner of a session cannot be computed from `{Argument}`",
    label = "expected `&{T}`, the data of the session",
    note = "the signature is `fn(data: &T) -> Option<O>`, where `O` is an integer, `&str`, `String`, `[u8; 16]` or a type that implements `OwnerId`; pure and sync"
)]
pub trait TakesData<Argument, T: ?Sized> {
    pass!(declared of Argument);
}

#[diagnostic::do_not_recommend]
impl<Callback, T: ?Sized> TakesData<&T, T> for Callback {
    pass!(of & T);
}

#[diagnostic::do_not_recommend]
impl<Callback, T: ?Sized> TakesData<Nothing, T> for Callback {
    pass!(of Nothing);
}

/// The argument of a `session_owner` that is registered for no data type.
#[diagnostic::on_unimplemented(
    message = "the owner of a session cannot be computed from `{Argument}`",
    label = "expected `&T`, where `T` is the data of the session",
    note = "the signature is `fn(data: &T) -> Option<O>`, where `O` is an integer, `&str`, `String`, `[u8; 16]` or a type that implements `OwnerId`; pure and sync"
)]
pub trait TakesAnyData<Argument> {
    pass!(declared of Argument);
}

#[diagnostic::do_not_recommend]
impl<Callback, T: ?Sized> TakesAnyData<&T> for Callback {
    pass!(of & T);
}

#[diagnostic::do_not_recommend]
impl<Callback> TakesAnyData<Nothing> for Callback {
    pass!(of Nothing);
}

/// What a `session_owner` returns.
#[diagnostic::on_unimplemented(
    message = "a session owner function cannot return `{Returned}`",
    label = "expected `Option<O>`, where `O` is an integer, `&str`, `String`, `[u8; 16]`, or a type of yours that implements `OwnerId`",
    note = "the signature is `fn(data: &T) -> Option<O>`, where `O` is an integer, `&str`, `String`, `[u8; 16]` or a type that implements `OwnerId`; pure and sync",
    note = "`None` is nobody: a guest"
)]
pub trait FindsOwner<Returned, Kind> {
    pass!(declared of Returned);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: MaybeOwner> FindsOwner<R, Direct<Now>> for Callback {
    pass!(of R);
}

#[diagnostic::do_not_recommend]
impl<Callback, R: Never> FindsOwner<R, Direct<Later>> for Callback {
    pass!(of R);
}

/// An owner, or nobody.
pub trait MaybeOwner {}

impl<O: OwnerId> MaybeOwner for Option<O> {}
