//! What legal functions are called, expect, and name by macros.

#![deny(warnings)]

use axum::http::request::Parts;
use session_runtime::{session, session_id_callback};

#[derive(Clone, Default)]
struct Visit;

#[derive(Clone, Default)]
struct Admin;

#[derive(Clone, Default)]
struct Boxed;

/// Named as the argument.
#[session_id_callback(Visit)]
fn request(request: &mut Parts) {
    let _ = request;
}

#[session_id_callback]
#[expect(unused)]
fn unused_things(request: &mut Parts) {}

macro_rules! head {
    ($lifetime:lifetime) => { &$lifetime Parts };
}

macro_rules! found {
    ($lifetime:lifetime) => { Option<&$lifetime str> };
}

#[session_id_callback(Admin, Box<Boxed>)]
async fn of_a_macro<'r>(_request: head!('r)) -> found!('r) {
    None
}

fn main() {
    let _ = session!(<Visit>);
    let _ = session!(<Admin>);
    let _ = session!(<Box<Boxed>>);
}
