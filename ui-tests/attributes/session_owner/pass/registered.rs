//! For what an owner function is registered.

#![deny(warnings)]

use session_runtime::{SessionLayer, WhenFull, session, session_owner};

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

    let _ = (session!(<Visit>, owner_limit = 5), session!(<Admin>), session!(<Box<Boxed>>), session!(<Local>));
    let _ = generic::<Visit>();
    let (limit, path) = (5, String::from("/login"));
    let _ = SessionLayer::<Visit>::builder().owner(of_a_trait).owner_limit(limit).login_path(path).build()?;
    Ok(())
}

fn of_a_trait(visit: &Visit) -> Option<u64> {
    of_several(visit)
}
