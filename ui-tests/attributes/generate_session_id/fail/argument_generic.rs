//! An argument that is too many is told so, and nothing else.

use session_runtime::generate_session_id;

#[generate_session_id]
fn by_reference(rng: &mut impl Iterator<Item = u8>) -> String {
    rng.map(char::from).collect()
}

#[generate_session_id]
fn by_value(_rng: impl Fn() -> u8) -> String {
    String::new()
}

#[generate_session_id]
fn boxed(_rng: Box<impl Fn() -> u8>) -> String {
    String::new()
}

fn main() {}
