//! No name of the user's meets one of the macros', and constants are what the compiler can evaluate.

#![deny(warnings)]
#![allow(dead_code, non_upper_case_globals, non_camel_case_types)]

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use session_runtime::store::MemoryStore;
use session_runtime::{SameSite, Session, SessionLayer, generate_session_id, session, session_id_callback, session_middleware};

#[derive(Clone, Default)]
struct Visit {
    pages: u32,
}

mod items {
    pub static data: u8 = 0;
    pub static start: u8 = 0;
    pub const store: u8 = 0;
    pub const function: u8 = 0;
    pub const default_data: u8 = 0;
    pub struct request;
    pub struct next;
    pub struct session_system;
    pub struct ask;
    pub struct str;
    pub struct bool;
    pub struct u64;
}

#[allow(unused_imports)]
use items::*;

/// Methods that every type has.
#[allow(dead_code)]
trait Probe: Sized {
    fn start(self) {}
    fn finish(&self) {}
    fn layer_of(&self) {}
    fn pass(&self) {}
    fn session_id_callback(&self) {}
    fn generate_session_id_callback(&self) {}
    fn middleware(&self) {}
    fn to_duration(self) {}
    fn builder(&self) {}
    fn register(&self) {}
    fn ask(self) {}
    fn pointer(self) {}
    fn registered(self) {}
    fn store(self) {}
    fn run(self) {}
}

impl<T> Probe for T {}

#[session_id_callback(Visit)]
fn request_id(parts: &mut Parts) {
    let _ = parts;
}

#[generate_session_id(Visit)]
async fn generate() -> String {
    "0123456789abcdef0123456789abcdef".to_owned()
}

#[session_middleware(Visit)]
async fn middleware(_: Session<Visit>, r: Request, n: Next) -> Response {
    n.run(r).await
}

mod settings {
    pub const name: &str = "visit";
    pub const site: super::SameSite = super::SameSite::Strict;

    pub const fn limit() -> core::primitive::u64 {
        60
    }
}

trait Named {
    const NAME: &'static core::primitive::str;
}

impl Named for Visit {
    const NAME: &'static core::primitive::str = "visit";
}

#[derive(Clone, Copy)]
struct Text;

impl Text {
    const fn into(self) -> &'static core::primitive::str {
        "visit"
    }

    const fn to_owned(self) -> u32 {
        60
    }
}

const text: Text = Text;

impl Visit {
    const COOKIE: &'static core::primitive::str = "visit";
    const SECURE: core::primitive::bool = true;
    const LIMIT: u32 = 60;

    fn layer() -> SessionLayer<Self> {
        session!(
            <Self>,
            cookie_name = Self::COOKIE,
            secure = Self::SECURE,
            session_expire = Self::LIMIT * 2,
            path = "/",
            domain = "a.example",
            persistent = !Self::SECURE,
        )
    }
}

/// A constant of a generic `Self` that is the same for all.
struct App<T>(T);

impl<T: Clone + Default + Send + std::marker::Sync + 'static> App<T> {
    const COOKIE: &'static core::primitive::str = "app";
    const SECURE: core::primitive::bool = true;
    const LIMIT: u32 = 60;

    fn layer() -> SessionLayer<T> {
        session!(<T>, cookie_name = Self::COOKIE, secure = Self::SECURE, persistent = Self::SECURE, session_expire = Self::LIMIT * 2)
    }
}

/// A module of one's own with the name of the library's: it makes what is to be passed.
mod standard {
    use super::{Next, Request, Response, Session, Visit};

    pub fn middleware() -> fn(Session<Visit>, Request, Next) -> Response {
        |_, _, _| Response::default()
    }
}

fn main() {
    let _ = App::<Visit>::layer();
    const here: &core::primitive::str = "here";
    let _ = [
        Visit::layer(),
        session!(<Visit>, store = MemoryStore::new(), default_data = Visit { pages: 1 }, session_expire = 5u32),
        session!(<Visit>, cookie_name = settings::name, same_site = settings::site, session_expire = settings::limit()),
        session!(<Visit>, cookie_name = Visit::NAME, secure = true),
        session!(<Visit>, cookie_name = <Visit as Named>::NAME),
        session!(<Visit>, cookie_name = text.into(), session_expire = Text.to_owned()),
        session!(<Visit>, r#path = "/", cookie_name = here),
        session!(<Visit>, middleware = standard::middleware()),
    ];
    let _: Router = Router::new().layer(session!(<Visit>));
}
