//! What no function can return the compiler says itself.

use session_runtime::generate_session_id;
use std::fmt::Display;

#[generate_session_id]
fn a_text() -> str {
    todo!()
}

#[generate_session_id]
fn a_trait() -> dyn Display {
    todo!()
}

#[generate_session_id]
fn a_trait_without_a_keyword() -> Display {
    todo!()
}

#[generate_session_id]
fn another_future() -> impl Future<Item = String> {
    async { String::new() }
}

fn main() {}
