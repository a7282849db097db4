//! Data of one's own that is called as a type of the standard library, in modules that are called as its crates.
#![deny(warnings)]
#![allow(non_camel_case_types)]

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::{
    Session, SessionOwner, generate_session_id, session, session_id_callback, session_middleware, session_owner,
};

mod core {
    #[derive(Clone, Default)]
    pub struct Visit(pub u64);
}

#[derive(Clone, Default)]
struct str(u64);

#[derive(Clone, Default)]
struct u64_like(u64);

type u32 = u64_like;

#[derive(Clone, Default)]
struct Vec<T>(T);

#[derive(Clone, Default)]
struct Local;

#[session_owner(str, core::Visit)]
fn owner(data: &dyn Numbered) -> Option<u64> {
    Some(data.number())
}

trait Numbered {
    fn number(&self) -> u64;
}

impl Numbered for str {
    fn number(&self) -> u64 {
        self.0
    }
}

impl Numbered for core::Visit {
    fn number(&self) -> u64 {
        self.0
    }
}

#[session_owner(Vec<u8>)]
fn owner_of_a_generic(data: &Vec<u8>) -> Option<u8> {
    Some(data.0)
}

#[session_owner(u32)]
fn owner_of_an_alias(data: &u32) -> Option<u64> {
    Some(data.0)
}

#[session_id_callback(str, Local, Vec<u8>, core::Visit)]
fn find(_: &mut Parts) {}

#[generate_session_id(Vec<u8>, u32)]
async fn generate() -> String {
    "0123456789abcdef0123456789abcdef".to_owned()
}

#[session_middleware(Vec<u8>)]
async fn middleware(_: Session<Vec<u8>>, request: Request, next: Next) -> Response {
    next.run(request).await
}

#[session_middleware(str)]
fn sync(_: Session<str>, _: Request, _: Next) -> Response {
    Response::default()
}

async fn page(owner: SessionOwner<Vec<u8>>) -> String {
    owner.to_string()
}

fn main() {
    struct String;

    #[session_id_callback(String)]
    fn of_a_body(_: &mut Parts) {}

    let _ = String;
    let router = Router::new().route("/", axum::routing::get(page));
    let router =
        router.layer(session!(<str>, owner_limit = 5)).layer(session!(<core::Visit>, cookie_name = "b", owner_limit = 5));
    let router = router.layer(session!(<Vec<u8>>, cookie_name = "c")).layer(session!(<u32>, cookie_name = "d"));
    let _: Router = router.layer(session!(<Local>, cookie_name = "e"));
}
