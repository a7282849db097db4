//! Every documented form, and every way to write its types.
#![deny(warnings)]

use std::future::Ready;
use std::pin::Pin;

use axum::http::request::Parts;
use session_runtime::{SessionId, SessionRequestExt, session_id_callback};

type BoxFuture<'a, R> = Pin<Box<dyn Future<Output = R> + Send + 'a>>;
type Head = Parts;
type HeadMut<'a> = &'a mut Parts;
type Nothing = ();

#[session_id_callback]
pub fn sets(request: &mut Parts) {
    request.set_session_id("id");
}

#[session_id_callback]
pub fn sets_and_returns_nothing(request: &mut Parts) -> () {
    request.set_session_id("id");
}

#[session_id_callback]
pub fn sets_and_returns_an_alias_of_nothing(request: &mut Parts) -> Nothing {
    request.set_session_id("id");
}

#[session_id_callback]
pub async fn sets_later(request: &mut Parts) {
    std::future::ready(()).await;
    request.set_session_id("id");
}

#[session_id_callback]
pub fn sets_by_impl_future(request: &mut Parts) -> impl Future<Output = ()> + Send {
    async { request.set_session_id("id") }
}

#[session_id_callback]
pub fn sets_by_impl_future_of_nothing_borrowed(_request: &mut Parts) -> impl Future<Output = ()> + use<> {
    async {}
}

#[session_id_callback]
pub fn sets_by_box_future(request: &mut Parts) -> BoxFuture<'_, ()> {
    Box::pin(async { request.set_session_id("id") })
}

#[session_id_callback]
pub fn sets_by_box_future_spelled_out<'r>(request: &'r mut Parts) -> Pin<Box<dyn Future<Output = ()> + Send + 'r>> {
    Box::pin(async { request.set_session_id("id") })
}

#[session_id_callback]
pub fn sets_by_a_future_with_a_name(_request: &mut Parts) -> Ready<()> {
    std::future::ready(())
}

#[session_id_callback]
pub fn finds_borrowed(request: &Parts) -> Option<&str> {
    request.cookie("id")
}

#[session_id_callback]
pub fn finds_borrowed_by_name<'r>(request: &'r Parts) -> Option<&'r str> {
    request.cookie("id")
}

#[session_id_callback]
pub fn finds_constant(_request: &Parts) -> Option<&'static str> {
    None
}

#[session_id_callback]
pub fn finds_owned(request: &Parts) -> Option<String> {
    request.cookie("id").map(str::to_owned)
}

#[session_id_callback]
pub fn finds_id(request: &Parts) -> Option<SessionId> {
    request.session_id().copied()
}

#[session_id_callback]
pub async fn finds_borrowed_later(request: &Parts) -> Option<&str> {
    std::future::ready(()).await;
    request.cookie("id")
}

#[session_id_callback]
pub async fn finds_owned_later(request: &Parts) -> Option<String> {
    request.cookie("id").map(str::to_owned)
}

#[session_id_callback]
pub async fn finds_id_later(_request: &Parts) -> Option<SessionId> {
    None
}

#[session_id_callback]
pub fn finds_by_impl_future(request: &Parts) -> impl Future<Output = Option<String>> + Send {
    async { request.cookie("id").map(str::to_owned) }
}

#[session_id_callback]
pub fn finds_borrowed_by_impl_future<'r>(request: &'r Parts) -> impl Future<Output = Option<&'r str>> + Send {
    async { request.cookie("id") }
}

#[session_id_callback]
pub fn finds_by_box_future(request: &Parts) -> BoxFuture<'_, Option<&str>> {
    Box::pin(async { request.cookie("id") })
}

#[session_id_callback]
pub fn full_path(request: &mut axum::http::request::Parts) {
    request.set_session_id("id");
}

#[session_id_callback]
pub fn alias(request: &mut Head) {
    request.set_session_id("id");
}

#[session_id_callback]
pub fn alias_with_the_reference(request: HeadMut<'_>) {
    request.set_session_id("id");
}

#[session_id_callback]
#[expect(unused_parens)]
pub fn parenthesized(request: &mut (Parts)) -> () {
    request.set_session_id("id");
}

#[session_id_callback]
pub fn destructured(Parts { headers, .. }: &Parts) -> Option<&str> {
    headers.get("id")?.to_str().ok()
}

#[session_id_callback]
pub fn unnamed(_: &mut Parts) {}

#[session_id_callback]
pub fn bounded<'r, 'other: 'static>(request: &'r Parts) -> Option<&'r str>
where
    'static: 'other,
{
    request.cookie("id")
}

/// Types of one's own with the names of traits.
pub mod called_as_traits {
    use axum::http::request::Parts;
    use session_runtime::session_id_callback;

    pub struct Visit;
    pub type ToString = String;
    pub type Display = Option<ToString>;
    pub type Future = ();

    #[session_id_callback(Visit)]
    pub fn finds(_: &Parts) -> Display {
        None
    }

    #[session_id_callback]
    pub async fn finds_later(_: &Parts) -> Option<ToString> {
        None
    }

    #[session_id_callback]
    pub fn sets(_: &mut Parts) -> Future {}
}

fn main() {}
