//! Of several data types: what can be the data of none of them is said once.

use session_runtime::session_owner;

struct Visit;
struct Admin;
struct Shop;
struct Cart;

trait HasUser {}

#[session_owner(Visit, Admin)]
fn mutable(_: &mut dyn HasUser) -> Option<u64> {
    None
}

#[session_owner(Shop, Cart)]
fn borrowed_twice(_: &&dyn HasUser) -> Option<u64> {
    None
}

#[session_owner]
fn by_value(_: dyn HasUser) -> Option<u64> {
    None
}

#[session_owner]
fn without_a_keyword(_: &HasUser) -> Option<u64> {
    None
}

fn main() {}
