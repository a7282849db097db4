//! What `#[session_owner(T)]` implements for `T`.

use std::borrow::ToOwned;

use super::callback::OwnerOf;

/// Implemented by `#[session_owner(T)]` for `T`.
#[diagnostic::on_unimplemented(
    message = "no owner is registered for sessions with `{Self}`",
    label = "no `#[session_owner({Self})]`",
    note = "`owner_limit` and `SessionOwner` need one: register a function, `#[session_owner({Self})] fn owner(data: &{Self}) -> Option<u64>`"
)]
pub trait RegisteredOwner: Sized {
    /// What the function returns, or what owns the same.
    type Owner;

    /// The function that is registered.
    #[doc(hidden)]
    fn register<Callback>() -> OwnerOf<Self>;

    /// Who a session with this data belongs to.
    fn owner(&self) -> Option<Self::Owner>;
}

/// The type of an owner that the function does not name in `Option<..>`, so that nobody can be given it.
#[derive(Debug)]
pub struct OwnerOfUnknownType(());

/// An owner that was borrowed from the data.
pub fn owned<O: ToOwned + ?Sized>(owner: Option<&O>) -> Option<O::Owned> {
    owner.map(ToOwned::to_owned)
}
