//! The data type with other arguments than the registered one.

use session_runtime::session_owner;

struct Cart<T>(T);

#[session_owner(Cart<u8>)]
fn of_another_number(cart: &Cart<u16>) -> Option<u16> {
    Some(cart.0)
}

#[session_owner(Cart<String>)]
fn of_a_reference(cart: &Cart<&str>) -> Option<u64> {
    cart.0.parse().ok()
}

#[session_owner(Cart<bool>)]
fn mutable(cart: &mut Cart<bool>) -> Option<u64> {
    Some(u64::from(cart.0))
}

fn main() {}
