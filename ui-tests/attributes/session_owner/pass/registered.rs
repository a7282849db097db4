//! For what an owner function is registered.

#![deny(warnings)]

use session_runtime::{OwnerBytes, OwnerId, SessionLayer, WhenFull, session, session_owner};

trait HasUser {
    fn user(&self) -> Option<u64>;
}

#[derive(Clone, Default)]
struct Visit;

#[derive(Clone, Default)]
struct Admin;

#[derive(Clone, Default)]
struct Boxed;

impl HasUser for Visit {
    fn user(&self) -> Option<u64> {
        None
    }
}

impl HasUser for Admin {
    fn user(&self) -> Option<u64> {
        Some(1)
    }
}

/// One function for the sessions of several types.
#[session_owner(Visit, Admin)]
fn of_several(data: &dyn HasUser) -> Option<u64> {
    data.user()
}

#[session_owner(Box<Boxed>)]
fn of_a_box(_: &Box<Boxed>) -> Option<u64> {
    None
}

/// A type of the program's own, also borrowed, and of data with arguments.
#[derive(Clone)]
struct Account(u64);

impl OwnerId for Account {
    fn write(&self, bytes: &mut OwnerBytes) {
        self.0.write(bytes);
    }
}

#[derive(Clone, Default)]
struct Cart<T, const N: usize> {
    account: Option<Account>,
    _of: std::marker::PhantomData<[T; N]>,
}

#[session_owner(Cart<u8, 1>)]
fn of_a_type(cart: &Cart<u8, 1>) -> Option<Account> {
    cart.account.clone()
}

#[session_owner(Cart<u8, { 1 + 1 }>)]
fn of_a_borrowed_type<'cart>(cart: &'cart Cart<u8, { 1 + 1 }>) -> Option<&'cart Account> {
    cart.account.as_ref()
}

mod of_a_path {
    pub type Account = super::Account;
}

/// Its name is also a module's, in which its type is.
#[session_owner(Cart<u8, 3>)]
fn of_a_path(cart: &Cart<u8, 3>) -> Option<of_a_path::Account> {
    cart.account.clone()
}

const LIMIT: u32 = 3;

fn generic<T: Clone + Default + Send + Sync + HasUser + 'static>() -> SessionLayer<T> {
    session!(<T>, owner = T::user, owner_limit = LIMIT * 2, when_full = WhenFull::Refuse)
}

fn main() -> Result<(), session_runtime::ConfigError> {
    #[derive(Clone, Default)]
    struct Local;

    #[session_owner(Local)]
    fn of_a_local(_: &Local) -> Option<u8> {
        None
    }

    #[derive(Clone, Default)]
    struct OfAccount {
        account: Option<Account>,
    }

    #[session_owner(OfAccount)]
    fn of_a_type(data: &OfAccount) -> Option<Account> {
        data.account.clone()
    }

    let _ = (session!(<OfAccount>), session!(<Cart<u8, 1>>), session!(<Cart<u8, 2>>), session!(<Cart<u8, 3>>));
    let _ = (session!(<Visit>, owner_limit = 5), session!(<Admin>), session!(<Box<Boxed>>), session!(<Local>));
    let _ = generic::<Visit>();
    let (limit, path) = (5, String::from("/login"));
    let _ = SessionLayer::<Visit>::builder().owner(of_a_trait).owner_limit(limit).login_path(path).build()?;
    Ok(())
}

fn of_a_trait(visit: &Visit) -> Option<u64> {
    of_several(visit)
}
