//! What is not in scope: the compiler says it of the function, and says it once.

use session_runtime::session_owner;

struct Visit {
    user: Option<u64>,
}

struct Admin;

struct Cart<T>(T);

#[session_owner(Visit)]
fn a_type(visit: &Visit) -> Option<Uuid> {
    None
}

#[session_owner(Admin)]
fn a_borrowed_type(admin: &Admin) -> Option<&AdminId> {
    None
}

#[session_owner(Cart<u8>)]
fn in_an_argument(cart: &Cart<Item>) -> Option<u64> {
    None
}

#[session_owner]
fn a_lifetime(visit: &'a Visit) -> Option<u64> {
    visit.user
}

#[session_owner]
fn an_argument(visit: &Vist) -> Option<u64> {
    None
}

fn main() {}
