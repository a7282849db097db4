//! Data types, and other items, that are called as those of the standard library, and as those of the expansion.

#![deny(warnings)]
#![allow(dead_code, non_camel_case_types)]

use axum::extract::Request as R;
use axum::http::request::Parts;
use axum::middleware::Next as N;
use session_runtime::{Session, SessionId, generate_session_id, session, session_id_callback, session_middleware};

macro_rules! data {
    ($($name:ident)*) => {$(
        #[derive(std::clone::Clone, std::default::Default)]
        struct $name;
    )*};
}

data! { String Vec Option Result Box Some Arc Duration Start Asked DataIsWhole Standard Options SameSite Value Data }

struct Ok;
struct Err;
struct None;
trait Fn {}
trait Send {}
trait Sync {}
trait Clone {}
trait Default {}
trait Into {}
trait Sized {}

#[session_id_callback(String, Vec, Option, Result, Box, Some, Start, Asked)]
fn find(request: &mut Parts) {
    let _ = request;
}

#[generate_session_id(String, Vec, Option)]
fn generate() -> SessionId {
    SessionId::parse("0123456789abcdef0123456789abcdef").unwrap()
}

#[session_middleware(String)]
async fn of_string(session_system: Session<String>, request: R, next: N) -> axum::response::Response {
    drop(session_system);
    next.run(request).await
}

#[session_middleware(Asked)]
async fn of_asked(
    session_system: Session<Asked>,
    request: R,
    next: N,
) -> std::result::Result<axum::response::Response, session_runtime::SessionError> {
    drop(session_system);
    std::result::Result::Ok(next.run(request).await)
}

fn main() {
    // A text that lives as long as the program is a value of its own.
    let _ = session!(<&'static str>);
    let _ = session!(&'static str, default_data = "text");
    let _ = session!(<String>, cookie_name = "a", secure = true, session_expire = 5m, same_site = None, partitioned = true);
    let _ = session!(<Vec>, namespace = "a", path = "/a", domain = "a.b", default_data = Vec);
    let _ = session!(<Option>, on_store_error = Fail, store_timeout = std::time::Duration::MAX);
    let _ = session!(<Result>, session_id_callback = find);
    let _ = session!(<Box>, secure = false, cookie_name = concat!("a", "b"));
    let _ = (session!(<Some>), session!(<Arc>), session!(<Duration>), session!(<Start>), session!(<Asked>));
    let _ = (session!(<DataIsWhole>), session!(<Standard>), session!(<Options>), session!(<SameSite>), session!(<Value>));
    let _ = session!(<Data>);
}
