//! Every form of an owner function.

#![deny(warnings)]

use session_runtime::{OwnerBytes, OwnerId, session, session_owner};

#[derive(Clone, Default)]
struct Visit {
    user: Option<u64>,
    name: Option<String>,
    bytes: Option<[u8; 16]>,
}

/// A type of an application's own.
struct Account(u64);

impl OwnerId for Account {
    fn write(&self, out: &mut OwnerBytes) {
        self.0.write(out);
    }
}

/// A function that computes only.
#[session_owner]
const fn constant(visit: &Visit) -> Option<u64> {
    visit.user
}

mod registered {
    use super::Visit;

    #[session_runtime::session_owner(Visit)]
    fn owner(visit: &Visit) -> Option<u64> {
        visit.user
    }
}

#[session_owner]
fn a_text(visit: &Visit) -> Option<&str> {
    visit.name.as_deref()
}

#[session_owner]
fn a_text_of_its_own(visit: &Visit) -> Option<String> {
    visit.name.clone()
}

#[session_owner]
fn a_borrowed_string(visit: &Visit) -> Option<&String> {
    visit.name.as_ref()
}

#[session_owner]
fn bytes(visit: &Visit) -> Option<[u8; 16]> {
    visit.bytes
}

#[session_owner]
fn borrowed_bytes(visit: &Visit) -> Option<&[u8; 16]> {
    visit.bytes.as_ref()
}

#[session_owner]
fn an_account(visit: &Visit) -> std::option::Option<Account> {
    visit.user.map(Account)
}

#[session_owner]
fn a_negative_number(visit: &crate::Visit) -> Option<i128> {
    visit.user.map(i128::from)
}

#[session_owner]
fn taken_apart(Visit { user, .. }: &Visit) -> Option<usize> {
    user.and_then(|user| user.try_into().ok())
}

#[session_owner]
fn always_the_same(_: &Visit) -> Option<&'static str> {
    Some("everybody")
}

#[session_owner]
fn named_lifetime<'visit>(visit: &'visit Visit) -> Option<&'visit str> {
    visit.name.as_deref()
}

#[session_owner]
pub(crate) fn r#match(visit: &Visit) -> Option<u64> {
    visit.user
}

type Who = Option<u64>;
type Data = Visit;

#[session_owner]
fn aliases(data: &Data) -> Who {
    data.user
}

macro_rules! owner {
    ($name:ident, $data:ty, $who:ty) => {
        #[session_owner]
        fn $name(data: &$data) -> Option<$who> {
            data.user.map(|user| user as $who)
        }
    };
}

owner!(of_a_macro, Visit, u32);

/// Types of one's own with the names of traits.
pub mod called_as_traits {
    use session_runtime::{OwnerBytes, session_owner};

    #[derive(Clone, Default)]
    pub struct Visit(u64);

    pub struct OwnerId(u64);

    impl session_runtime::OwnerId for OwnerId {
        fn write(&self, owner: &mut OwnerBytes) {
            self.0.write(owner);
        }
    }

    pub type Display = Option<OwnerId>;

    #[session_owner(Visit)]
    pub fn registered(visit: &Visit) -> Option<OwnerId> {
        Some(OwnerId(visit.0))
    }

    #[session_owner]
    pub fn by_a_path(visit: &Visit) -> Option<self::OwnerId> {
        registered(visit)
    }

    #[session_owner]
    pub fn by_an_alias(visit: &Visit) -> Display {
        registered(visit)
    }
}

#[session_owner]
fn bounded<'visit, 'other>(visit: &'visit Visit) -> Option<&'visit str>
where
    'static: 'other,
    'other: 'static,
{
    visit.name.as_deref()
}

fn main() {
    let _ = session!(<Visit>);
    let _ = session!(<Visit>, owner = a_text, owner_limit = 5, when_full = EndOldest, login_path = "/login");
    let _ = session!(<Visit>, owner = a_text_of_its_own, owner_limit = 1u32, when_full = refuse);
    let _ = (session!(<Visit>, owner = a_borrowed_string), session!(<Visit>, owner = bytes));
    let _ = (session!(<Visit>, owner = borrowed_bytes), session!(<Visit>, owner = an_account));
    let _ = (session!(<Visit>, owner = a_negative_number), session!(<Visit>, owner = taken_apart));
    let _ = (session!(<Visit>, owner = constant), session!(<Visit>, owner = bounded));
    let _ = (session!(<Visit>, owner = always_the_same), session!(<Visit>, owner = named_lifetime));
    let _ = (session!(<Visit>, owner = r#match), session!(<Visit>, owner = aliases), session!(<Visit>, owner = of_a_macro));
    let _ = session!(<Visit>, owner = |visit: &Visit| visit.user.filter(|user| *user > 0));
}
