//! What `#[session_owner(T)]` implements for `T` beside the registration: the type of the owner.

use std::borrow::ToOwned;

/// Data whose owner is known by its type: `#[session_owner(T)]` implements it for `T`, if the function names in `Option<..>` what it returns.
#[diagnostic::on_unimplemented(
    message = "it is not known by which type the owner of a session with `{Self}` is known",
    label = "no `#[session_owner({Self})]`",
    note = "register a function: `#[session_owner({Self})] fn owner(data: &{Self}) -> Option<u64>`"
)]
pub trait OwnedBy: Sized {
    /// What the function returns, or what owns the same.
    type Owner;

    /// Who a session with this data belongs to.
    fn owner(&self) -> Option<Self::Owner>;
}

/// An owner that was borrowed from the data.
pub fn owned<O: ToOwned + ?Sized>(owner: Option<&O>) -> Option<O::Owned> {
    owner.map(ToOwned::to_owned)
}
